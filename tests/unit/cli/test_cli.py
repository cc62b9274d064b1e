"""The command line, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from regrow.cli.main import app
from regrow.core.codec.decode import decode
from regrow.core.codec.images import read_picture
from tests import processes
from tests.bundles import random_bundle
from tests.pictures import smooth_file


def _regrow(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return processes.run("regrow.cli.main", *arguments)


def _assert_one_line(done: subprocess.CompletedProcess[str], text: str) -> None:
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("regrow: ")
    assert text in done.stderr
    assert done.stdout == ""


def test_encode_decode_and_inspect_agree(tmp_path: Path) -> None:
    image = tmp_path / "photo.png"
    image.write_bytes(smooth_file(20, 30))
    done = _regrow("encode", image, "--preset", "micro", "--effort", "draft", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no progress bar in a pipe"
    report = json.loads(done.stdout)
    bundle = tmp_path / "photo.gnca"
    assert report["bundle"] == str(bundle)
    assert report["bytes"] == bundle.stat().st_size
    assert report["psnr"] > 15
    assert [other["codec"][:4] for other in report["others"]] == ["JPEG", "JPEG", "WebP"]
    *_, webp = report["others"]
    _assert_one_line(_regrow("encode", image), "is there already: --force")
    lines = _regrow("encode", image, "--preset", "micro", "--effort", "draft", "--force").stdout.splitlines()
    assert lines[0].startswith(f"{bundle}: {report['psnr']:.2f} dB, {report['bytes']} bytes")
    assert f"WebP        {webp['psnr']:5.2f} dB, SSIM {webp['ssim']:.3f}  ({webp['bytes']} bytes)" in lines[3]
    assert len(lines) == 4

    done = _regrow("decode", bundle, "-o", tmp_path / "back.png")
    assert done.returncode == 0, done.stderr
    back = read_picture((tmp_path / "back.png").read_bytes())
    assert (back.pixels == decode(bundle.read_bytes()).picture.pixels).all()

    done = _regrow("inspect", bundle, "--json")
    facts = json.loads(done.stdout)
    assert (facts["width"], facts["height"], facts["patches"]) == (30, 20, 1)
    assert facts["payload_bytes"] + facts["overhead_bytes"] == facts["bytes"] == report["bytes"]
    assert "parameters per patch" in _regrow("inspect", bundle).stdout


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("page.png", b"<html>", "not a PNG, JPEG or WebP"),
        ("cut.jpg", smooth_file(64, 64, "JPEG")[:500], "truncated"),
        ("missing.png", None, "No such file"),
    ],
)
def test_bad_images_are_one_line_and_exit_1(tmp_path: Path, name: str, data: bytes | None, text: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    done = _regrow("encode", tmp_path / name)
    _assert_one_line(done, text)
    assert name in done.stderr
    assert not list(tmp_path.glob("*.gnca"))


def test_several_images_need_a_folder(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(smooth_file(8, 8))
    (tmp_path / "c").write_bytes(b"a file")
    _assert_one_line(_regrow("encode", tmp_path / "a.png", tmp_path / "b.png", "-o", tmp_path / "c"), "not a folder")


def test_decode_does_not_overwrite_the_original_unasked(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"the original")
    (tmp_path / "photo.gnca").write_bytes(random_bundle(8, 8))
    _assert_one_line(_regrow("decode", tmp_path / "photo.gnca"), "is there already: --force overwrites it")
    assert (tmp_path / "photo.png").read_bytes() == b"the original"
    assert _regrow("decode", tmp_path / "photo.gnca", "--force").returncode == 0


def test_bad_bundles_are_one_line_and_exit_1(tmp_path: Path) -> None:
    bundle = tmp_path / "x.gnca"
    data = random_bundle(8, 8)
    for broken, text in ((b"PK\x03\x04", "not a Regrow bundle"), (data[:-1], "bytes long")):
        bundle.write_bytes(broken)
        _assert_one_line(_regrow("decode", bundle), text)
        _assert_one_line(_regrow("inspect", bundle), text)
    assert not list(tmp_path.glob("*.png"))


def test_wrong_usage_is_exit_2(tmp_path: Path) -> None:
    assert _regrow("encode", tmp_path / "a.png", "--preset", "gigantic").returncode == 2
    done = _regrow("encode", tmp_path / "a.png", "--preset", "small", "--max-bytes", "300")  # E8
    assert (done.returncode, done.stdout) == (2, "")
    assert "--max-bytes" in done.stderr
    assert _regrow("fly").returncode == 2


def test_serve_refuses_addresses_beyond_loopback(tmp_path: Path) -> None:
    _assert_one_line(_regrow("serve", "--host", "0.0.0.0", "--data", tmp_path), "no keys")


def test_help_and_version() -> None:
    for command in ("serve", "encode", "decode", "inspect"):
        assert command in _regrow("--help").stdout
        assert _regrow(command, "--help").returncode == 0
    assert _regrow("--version").stdout.startswith("regrow 0.")


def test_folders_are_looked_at_before_the_work(tmp_path: Path) -> None:
    image = tmp_path / "photo.png"
    image.write_bytes(smooth_file(20, 30))
    _assert_one_line(_regrow("encode", image, "-o", tmp_path / "attic" / "x.gnca"), "there is no folder")
    (tmp_path / "empty").mkdir()
    _assert_one_line(_regrow("bench", "quality", "--images", tmp_path / "empty"), "there is no photo")


def test_decode_shows_parts_and_steps(tmp_path: Path) -> None:
    data = random_bundle(90, 130)
    bundle, target = tmp_path / "x.gnca", tmp_path / "x.png"
    bundle.write_bytes(data)
    done = _regrow("decode", bundle, "-o", target, "--force", "--crop", "41,3,50,60", "--scale", "2")
    assert done.returncode == 0, done.stderr
    assert (read_picture(target.read_bytes()).pixels[::2, ::2] == decode(data).picture.pixels[3:63, 41:91]).all()
    assert _regrow("decode", bundle, "-o", target, "--force", "--step", "0").returncode == 0
    assert (read_picture(target.read_bytes()).pixels == 128).all()
    _assert_one_line(
        _regrow("decode", bundle, "-o", target, "--force", "--crop", "0,0,999,1"), "reaches beyond the picture"
    )
    _assert_one_line(_regrow("decode", bundle, "-o", target, "--force", "--step", "99"), "from 0 to 4")
    _assert_one_line(_regrow("decode", bundle, "-o", target, "--conceal", "--scale", "2"), "--conceal")


def test_A1_data_that_ends_too_early_is_not_taken_for_a_wish_to_leave() -> None:
    def ends_early() -> None:
        raise EOFError("Ran out of input")

    commands = typer.Typer(cls=app.info.cls, pretty_exceptions_enable=False)
    commands.command("a")(ends_early)
    commands.command("b")(ends_early)
    result = CliRunner().invoke(commands, ["a"])
    assert isinstance(result.exception, RuntimeError)
    assert "Aborted" not in result.output
