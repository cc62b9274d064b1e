from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regrow.cli.main import app
from regrow.core.access.keys import KeyStore, key_id_of
from regrow.core.errors import InvalidSettings
from regrow.core.stores.files import FilesBlobStore


def _keys(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["keys", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_create_list_revoke(tmp_path: Path) -> None:
    here = ("--data", tmp_path)
    assert "there are no keys" in _keys("list", *here)
    token = _keys("create", "--owner", "alice", "--days", 30, "--max-patches", 50, *here).strip()
    key_id = key_id_of(token)
    (row,) = json.loads(_keys("list", "--json", *here))
    assert (row["id"], row["owner"], row["role"], row["state"]) == (key_id, "alice", "user", "in force")
    assert row["expires"] > row["created"]
    assert token not in _keys("list", *here)
    _keys("revoke", key_id, *here)
    assert json.loads(_keys("list", "--json", *here))[0]["state"] == "revoked"
    assert KeyStore(FilesBlobStore(tmp_path / "blobs")).ids() == (set(), True)


def test_the_environment_names_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_BLOB_FOLDER", str(tmp_path))
    _keys("create", "--owner", "alice", "--role", "admin")
    assert len(KeyStore(FilesBlobStore(tmp_path)).all()) == 1


def _refused(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["keys", *map(str, arguments)])
    assert isinstance(done.exception, InvalidSettings)
    return str(done.exception)


def test_E9_no_key_is_made_where_no_service_would_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typo, other = tmp_path / "typo", tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("")
    for command in (["create", "--owner", "alice"], ["list"], ["revoke", "5f0c9b6e1a2d"]):
        assert "no such data folder" in _refused(*command, "--data", typo)
        assert "not a data folder" in _refused(*command, "--data", other)
        monkeypatch.setenv("REGROW_BLOB_FOLDER", str(typo))
        assert "there is no blob store in" in _refused(*command)
    assert not typo.exists()
    assert [each.name for each in other.iterdir()] == ["letter.txt"]
