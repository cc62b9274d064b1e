"""What a bad setting ends in, whichever process has it: one line that names it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from regrow.api.settings import ApiSettings
from regrow.core.errors import InvalidSettings
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.setting_kinds import KNOWN, told, unknown_settings
from regrow.worker.settings import WorkerSettings


def _run(module: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGROW_")} | settings
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("command", "settings", "named"),
    [
        (["regrow.api"], {"REGROW_PORT": "http"}, "REGROW_PORT: "),
        (
            ["regrow.api"],
            {"REGROW_TRUSTED_PROXIES": '["10.0.0.1"'},
            "REGROW_TRUSTED_PROXIES: '[\"10.0.0.1\"' is not a list",
        ),
        (["regrow.worker"], {"REGROW_LEASE": "PT2S"}, "three times REGROW_HEARTBEAT"),
        (["regrow.worker"], {"REGROW_ENGINE": "abacus"}, "choose one of cuda, numba, torch"),
        (["regrow.sweeper"], {"REGROW_RESULT_TTL": "-PT1S"}, "REGROW_RESULT_TTL: "),
        (["regrow.cli.main", "keys", "list"], {"REGROW_BLOB_STORE": "attic"}, "REGROW_BLOB_STORE: "),
        (["regrow.cli.main", "serve"], {"REGROW_MAX_SIDE": "99999"}, "REGROW_MAX_SIDE: "),
    ],
)
def test_a_bad_setting_is_one_line(command: list[str], settings: dict[str, str], named: str, tmp_path: Path) -> None:
    done = _run(*command, **settings)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("regrow: ")
    assert named in done.stderr


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("30", 30),
        ("1.5", 1.5),
        ("2.5 s", 2.5),
        ("500ms", 0.5),
        ("15m", 900),
        ("2h", 7200),
        (" 1d ", 86_400),
        ("PT30S", 30),
        ("P1DT2H", 93_600),
    ],
)
def test_E9_durations_as_people_write_them(text: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_BODY_TIMEOUT", text)
    monkeypatch.setenv("REGROW_RESULT_TTL", text)
    settings = ApiSettings()
    assert (settings.body_timeout, settings.result_ttl) == (timedelta(seconds=seconds),) * 2


@pytest.mark.parametrize("text", ["soon", "5 weeks", "30S PT", "1e400", "9" * 30 + "d", "inf", "nan", "-30s"])
def test_E9_what_is_no_duration_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_BODY_TIMEOUT", text)
    with pytest.raises(InvalidSettings) as raised:
        ApiSettings()
    assert str(raised.value) == f"REGROW_BODY_TIMEOUT: {text!r} is not a duration: write 30s, 15m, 1d or PT30S"


def test_E9_an_empty_setting_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a compose file makes of a variable that is not set."""
    usual = ApiSettings(), WorkerSettings()
    for name in KNOWN:
        monkeypatch.setenv(name, "")
    assert (ApiSettings(), WorkerSettings()) == usual


@pytest.mark.parametrize("text", ["10.0.0.1,10.0.0.2", " 10.0.0.1 , 10.0.0.2,", '["10.0.0.1", "10.0.0.2"]'])
def test_E9_lists_with_commas_or_as_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_TRUSTED_PROXIES", text)
    monkeypatch.setenv("REGROW_CORS_ORIGINS", text)
    settings = ApiSettings()
    assert settings.trusted_proxies == settings.cors_origins == ("10.0.0.1", "10.0.0.2")


def test_E9_lists_of_other_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGROW_WEBHOOK_NETWORKS", "10.1.0.0/16, fd00::/8")
    monkeypatch.setenv("REGROW_WEBHOOK_WAITS", "5s, 5m, PT1H")
    settings = ServiceSettings()
    assert settings.webhook_networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert settings.webhook_waits == (timedelta(seconds=5), timedelta(minutes=5), timedelta(hours=1))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REGROW_WEBHOOK_NETWORKS", "10.1.0.0/16, elsewhere"),
        ("REGROW_WEBHOOK_NETWORKS", "[1"),
        ("REGROW_WEBHOOK_WAITS", "5s, later"),
        ("REGROW_CORS_ORIGINS", "[{}]"),
        ("REGROW_CORS_ORIGINS", '{"a": 1}'),
    ],
)
def test_E9_a_list_that_is_refused_names_its_variable(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(InvalidSettings) as raised:
        ApiSettings()
    assert str(raised.value).startswith(f"{name}: ")
    assert str(raised.value).count(name) == 1


def test_E9_every_setting_is_known() -> None:
    fields = {f"REGROW_{name.upper()}" for cls in (ApiSettings, WorkerSettings) for name in cls.model_fields}
    assert {"REGROW_ENGINE", "REGROW_API_KEY", "REGROW_PUBLISHED_PORT"} == KNOWN - fields
    assert fields <= KNOWN


def test_E9_names_that_are_no_settings_are_told() -> None:
    names = ["REGROW_MAX_SIZE", "regrow_lease", "REGROW_LEASES", "REGROW_X", "REGROW_TEST_FAULT", "PATH", "REGROWTH"]
    unknown = unknown_settings(names)
    assert unknown == {"REGROW_LEASES": "REGROW_LEASE", "REGROW_MAX_SIZE": "REGROW_MAX_SIDE", "REGROW_X": None}
    assert told(unknown) == (
        "there is no such setting, so it changes nothing: REGROW_LEASES (did you mean REGROW_LEASE?), "
        "REGROW_MAX_SIZE (did you mean REGROW_MAX_SIDE?), REGROW_X"
    )


def test_E9_a_process_tells_of_a_typo_in_a_line(tmp_path: Path) -> None:
    done = _run(
        "regrow.api", REGROW_LEESE="30s", REGROW_HOST="0.0.0.0", REGROW_BLOB_FOLDER=str(tmp_path)
    )  # ends: no keys
    warning, refusal = done.stderr.splitlines()
    assert warning.endswith("REGROW_LEESE (did you mean REGROW_LEASE?)")
    assert refusal.startswith("regrow: 0.0.0.0 can be reached")
