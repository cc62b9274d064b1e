"""A folder of photos goes through: what is taken, where it goes, and what one bad file costs."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from regrow.cli import encode
from regrow.cli.files import STDOUT, refuse_unwritable, write_whole
from regrow.cli.main import app
from regrow.cli.options import unused
from regrow.cli.pictures import choose
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.presets import SCHEDULES, Effort, Schedule
from regrow.core.errors import InvalidSettings
from tests.pictures import smooth_file


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCHEDULES, Effort.DRAFT, Schedule(3, 3))
    monkeypatch.setitem(SCHEDULES, Effort.STANDARD, Schedule(4, 3))


def _encode(*arguments: str | Path, preset: bool = True) -> Result:
    words = ["encode", *map(str, arguments), *(["--preset", "micro"] if preset else [])]
    return CliRunner().invoke(app, words)


def _photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(smooth_file(8, 8))
    return path


def test_D5_pictures_are_chosen_by_one_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = ["a.png", "b.JPG", "c.jpeg", "d.jpe", "e.jfif", "f.WebP"]
    for name in [*taken, "._a.png", ".hidden.jpg", "notes.txt", "Thumbs.db", "old.gnca", "sub/g.png", "sub/.x/h.png"]:
        _photo(tmp_path / name)
    chosen = choose([tmp_path], recursive=False)
    assert [file.name for file in chosen.files] == taken
    chosen.tell()
    assert capsys.readouterr().err.splitlines() == [
        "regrow: skipped 1 file not called like pictures: notes.txt",
        "regrow: skipped 3 hidden names: ._a.png, .hidden.jpg, Thumbs.db",
        "regrow: skipped 1 folder inside: -r goes into them: sub",
    ]
    deep = choose([tmp_path], recursive=True)
    assert [str(below) for below in deep.files.values()] == [*taken, "sub/g.png"]
    assert deep.targets(tmp_path / "out")[tmp_path / "sub/g.png"] == tmp_path / "out/sub/g.gnca"
    assert list(choose([tmp_path / "notes.txt"], recursive=False).files) == [tmp_path / "notes.txt"], "it was named"
    with pytest.raises(InvalidSettings, match="no PNG, JPEG or WebP"):
        choose([tmp_path / "sub/.x", _photo(tmp_path / "e/x.txt").parent][1:], recursive=True)


def test_D5_one_bad_file_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"bad")
    (tmp_path / "gone.png").symlink_to("nowhere")
    _photo(tmp_path / "good.png")
    _photo(tmp_path / "good.jpg")  # would become the same bundle
    done = _encode(tmp_path, tmp_path / "missing.png", "--effort", "draft")
    assert done.exit_code == 1
    assert sorted(path.name for path in tmp_path.glob("*.gnca")) == ["good.gnca"]
    lines = [line for line in done.stderr.splitlines() if "skipped" not in line]
    assert [name for name in ("bad.png", "good.png", "missing.png") if any(name in line for line in lines)] == [
        "bad.png",
        "good.png",
        "missing.png",
    ]
    assert len(lines) == 3
    assert done.stdout.startswith(f"{tmp_path}/good.gnca: ")


@pytest.mark.parametrize("failing", ["assemble", "write"])
def test_D5_one_failing_write_costs_a_line(failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, data: bytes, *, force: bool) -> None:
        if path.name == "a.gnca":
            raise OSError(errno.ENOSPC, "No space left on device") if failing == "write" else InvalidSettings("no")
        write_whole(path, data, force=force)

    monkeypatch.setattr(encode, "write_whole", write)
    _photo(tmp_path / "a.png")
    _photo(tmp_path / "b.png")
    done = _encode(tmp_path, "--effort", "draft")
    assert done.exit_code == 1
    assert f"regrow: {tmp_path}/a.png: " in done.stderr
    assert (tmp_path / "b.gnca").exists()


def test_D5_a_folder_is_made_where_one_is_meant(tmp_path: Path) -> None:
    photo = _photo(tmp_path / "photos" / "in" / "a.png")
    done = _encode(tmp_path / "photos", "-r", "--effort", "draft", "-o", tmp_path / "bundles")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "bundles/in/a.gnca").is_file()
    assert _encode(photo, "--effort", "draft", "-o", f"{tmp_path}/slash/").exit_code == 0
    assert (tmp_path / "slash/a.gnca").is_file()
    assert _encode(photo, "--effort", "draft", "-o", tmp_path / "file").exit_code == 0
    assert (tmp_path / "file").is_file()
    for target in (tmp_path / "file", STDOUT, "/dev/stdout"):
        refused = _encode(tmp_path / "photos", "-r", "-o", target)
        assert (refused.exit_code, type(refused.exception)) == (1, InvalidSettings)


def test_D5_pictures_come_from_standard_input(tmp_path: Path) -> None:
    words = ["encode", "-", "--preset", "micro", "--effort", "draft", "-o", str(tmp_path / "a.gnca")]
    done = CliRunner().invoke(app, words, input=smooth_file(8, 8))
    assert done.exit_code == 0, done.stderr
    assert read_bundle((tmp_path / "a.gnca").read_bytes()).header.width == 8
    for name in ("-", "/dev/stdin"):
        refused = CliRunner().invoke(app, ["encode", name], input=smooth_file(8, 8))
        assert "say with -o" in str(refused.exception)


def test_D1_names_that_are_no_utf_8_go_through(tmp_path: Path) -> None:
    """In a process of its own: ASCII streams, no UTF-8 mode."""
    folder = os.fsencode(tmp_path)
    for name in (b"\xff\xfe.png", "é.png".encode(), b"line\nend.png"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"no picture")
    plain = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "regrow.cli.main", "encode", os.fsdecode(folder)]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **plain}, check=False)
    assert done.returncode == 1
    lines = done.stderr.decode("ascii").splitlines()
    assert len(lines) == 3, lines
    assert all("not a PNG, JPEG or WebP" in line for line in lines)
    assert all(text in done.stderr.decode() for text in (r"\xff\xfe.png", r"\xe9.png", r"line\nend.png"))


def test_D1_json_is_valid_whatever_a_name_is(tmp_path: Path) -> None:
    image = _photo(Path(os.fsdecode(os.fsencode(tmp_path) + b"/[/red]\xff.png")))
    done = _encode(image, "--effort", "draft", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout.encode("ascii"))
    assert report["image"].endswith(r"[/red]\xff.png")
    assert image.with_suffix(".gnca").exists()


def test_D2_what_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    long = _photo(tmp_path / ("x" * 251 + ".png"))
    done = _encode(long, "--effort", "draft")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "more than 255 bytes" in done.stderr
    just = _photo(tmp_path / ("y" * 250 + ".png"))
    assert _encode(just, "--effort", "draft").exit_code == 0
    assert just.with_suffix(".gnca").exists()
    for target, reason in ((tmp_path, "is a folder"), (tmp_path / "no" / "x", "there is no folder"), (just, "--force")):
        with pytest.raises(InvalidSettings, match=reason):
            refuse_unwritable(target, force=False)


def test_D2_links_devices_and_modes_stay_what_they_are(tmp_path: Path) -> None:
    secret, link, new = tmp_path / "secret", tmp_path / "link", tmp_path / "new"
    secret.touch(0o600)
    link.symlink_to("secret")
    write_whole(link, b"1", force=True)
    assert link.is_symlink()
    assert (secret.read_bytes(), stat.S_IMODE(secret.stat().st_mode)) == (b"1", 0o600)
    dangling = tmp_path / "dangling"
    dangling.symlink_to("made")
    write_whole(dangling, b"2", force=False)
    assert (dangling.is_symlink(), (tmp_path / "made").read_bytes()) == (True, b"2")
    umask = os.umask(0o027)
    write_whole(new, b"3", force=False)
    os.umask(umask)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    refuse_unwritable(pipe, force=False)
    write_whole(pipe, b"4", force=False)
    assert (os.read(reader, 9), stat.S_ISFIFO(pipe.stat().st_mode)) == (b"4", True)
    os.close(reader)
    write_whole(Path(os.devnull), b"5", force=False)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # noqa: PTH116
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["secret", "link", "made", "dangling", "new", "pipe"]
    )


def test_D2_standard_output_is_a_place(tmp_path: Path) -> None:
    image = _photo(tmp_path / "a.png")
    done = _encode(image, "--effort", "draft", "-o", STDOUT, "--json")
    assert done.exit_code == 0, done.stderr
    header = read_bundle(done.stdout_bytes).header
    assert (header.width, header.height) == (8, 8)
    assert json.loads(done.stderr)["bundle"] == "-"
    (tmp_path / "a.gnca").write_bytes(done.stdout_bytes)
    for command, magic in (("decode", b"\x89PNG"), ("grow", b"GIF89a"), ("inspect", b"\x89PNG")):
        option = "--map" if command == "inspect" else "-o"
        told = CliRunner().invoke(app, [command, str(tmp_path / "a.gnca"), option, "-"])
        assert told.exit_code == 0, told.stderr
        assert told.stdout_bytes.startswith(magic)
        assert told.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gnca", "a.png"]


def test_E1_the_effort_is_chosen_and_told(tmp_path: Path) -> None:
    done = _encode(_photo(tmp_path / "a.png"), "--json")
    assert json.loads(done.stdout)["effort"] == "standard"
    assert "effort standard, about" in done.stderr
    assert "--effort thorough" in done.stderr


def test_E1_it_is_the_profile_seeds_where_nothing_of_rules_is_asked_for(tmp_path: Path) -> None:
    done = _encode(_photo(tmp_path / "a.png"), "--json", preset=False)
    report = json.loads(done.stdout)
    assert (report["profile"], report["effort"], report["quality"]) == ("seeds", "standard", 50)
    assert "profile seeds, effort standard, about" in done.stderr
    better = json.loads(_encode(tmp_path / "a.png", "--quality", "90", "--json", "--force", preset=False).stdout)
    assert better["psnr"] > report["psnr"]


def test_E8_options_of_both_profiles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="quality is for the profile seeds: leave out preset"):
        CliRunner().invoke(
            app,
            ["encode", str(_photo(tmp_path / "a.png")), "--preset", "tiny", "--quality", "9"],
            catch_exceptions=False,
        )


def test_E8_what_a_target_leaves_over_is_told(tmp_path: Path) -> None:
    asked = ["--profile", "rules", "--effort", "draft", "--max-bytes", "150"]
    done = _encode(_photo(tmp_path / "a.png"), *asked, "--json", preset=False)
    report = json.loads(done.stdout)
    words = unused(report["bytes"], 150, report["next_bytes"])
    assert words
    assert words in done.stderr
    assert unused(188, 300, None) == "188 of 300 bytes used: nothing better was found"
    assert unused(188, 300, 320) == "188 of 300 bytes used: the next better file would take 320"
    assert unused(290, 300, 320) is None
