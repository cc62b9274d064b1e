"""Where files are written: into what a shell has opened, over nothing unasked, in place where that is all there is."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from regrow.cli.files import Images, refuse_unwritable, words_for, write_whole
from regrow.core.errors import InvalidSettings
from tests.bundles import random_bundle
from tests.pictures import smooth_file


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1"])
def test_D2_what_a_shell_has_opened_is_not_begun_anew(name: str, tmp_path: Path) -> None:
    bundle, out = tmp_path / "a.gnca", tmp_path / "out"
    bundle.write_bytes(random_bundle(8, 8))
    out.write_bytes(b"kept\n")
    with out.open("ab") as log:
        command = [sys.executable, "-m", "regrow.cli.main", "decode", str(bundle), "-o", name]
        done = subprocess.run(command, stdout=log, stderr=subprocess.PIPE, check=True)
    data = out.read_bytes()
    assert data.startswith(b"kept\n\x89PNG")
    assert data.endswith(b"IEND\xaeB`\x82"), "the line about it is on stderr"
    assert b": 8" in done.stderr


def test_D2_an_open_descriptor_is_written_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old")
    with path.open("ab") as log:
        named = Path(f"/dev/fd/{log.fileno()}")
        refuse_unwritable(named, force=False)
        write_whole(named, b"new", force=False)
        assert words_for(named) is sys.stdout
    assert path.read_bytes() == b"oldnew"
    with path.open("rb") as reader:
        for unusable in (Path(f"/proc/self/fd/{reader.fileno()}"), Path("/dev/fd/987654")):
            with pytest.raises(InvalidSettings, match="cannot be written"):
                refuse_unwritable(unusable, force=True)


@pytest.mark.parametrize("links", [True, False])
def test_D2_what_came_since_it_was_looked_at_stays(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    path, new = tmp_path / "a", tmp_path / "b"
    refuse_unwritable(path, force=False)
    path.write_bytes(b"precious")
    with pytest.raises(InvalidSettings, match="there already"):
        write_whole(path, b"other", force=False)
    write_whole(new, b"new", force=False)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a": b"precious", "b": b"new"}


def test_D2_what_cannot_be_replaced_is_written_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "mounted there")

    path = tmp_path / "mounted"
    path.write_bytes(b"old and longer")
    monkeypatch.setattr(Path, "replace", busy)
    write_whole(path, b"new", force=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"mounted": b"new"}


def test_D2_rights_of_a_group_do_not_go_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "not yours")

    path = tmp_path / "a"
    path.touch()
    path.chmod(0o664)
    monkeypatch.setattr(os, "fchown", refuse)
    write_whole(path, b"new", force=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_D5_what_a_pipe_gave_is_kept(tmp_path: Path) -> None:
    data = smooth_file(8, 8)
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    images = Images()
    for _ in range(2):
        picture, size = images.read(Path(f"/dev/fd/{reader}"))
        assert (picture.width, size) == (8, len(data))
    os.close(reader)
