"""`regrow grow`: the animation ends with the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from regrow.cli.main import app
from regrow.core.codec.decode import decode
from regrow.core.codec.decode.animation import frames
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import BundleError, InvalidSettings
from tests.bundles import random_bundle, random_seeds_bundle


def _grow(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["grow", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_frames_go_from_the_seed_to_the_picture() -> None:
    data = random_bundle(50, 30)
    first, *_, last = shown = list(frames(read_bundle(data)))
    assert len(shown) == 5
    assert (first.pixels == 128).all(), "an untouched cell is mid-grey"
    assert (last.pixels == decode(data).picture.pixels).all()
    assert not (shown[3].pixels == last.pixels).all()


@pytest.mark.parametrize("visible", [1, 3, 4])
def test_the_file_holds_every_step_and_stays_on_the_last(tmp_path: Path, visible: int) -> None:
    bundle, target = tmp_path / "x.gnca", tmp_path / "growth.gif"
    data = random_bundle(30, 20, shapes=(RuleShape(8, 8, visible),))
    bundle.write_bytes(data)
    assert "60×90, from the seed to step 4" in _grow(bundle, "-o", target, "--scale", 3)
    animation, durations = Image.open(target), []
    assert (animation.size, animation.n_frames, animation.info["loop"]) == ((60, 90), 5, 0)
    for frame in range(5):
        animation.seek(frame)
        durations.append(animation.info["duration"])
    assert durations == [80, 80, 80, 80, 1500]
    if visible == 1:  # 256 greys: GIF holds them as they are
        last = np.asarray(animation.convert("L"))[1::3, 1::3]
        assert (last == decode(data).picture.pixels[:, :, 0]).all()
    if visible == 3:
        last = np.asarray(animation.convert("RGB"))[1::3, 1::3].astype(int)
        assert np.abs(last - decode(data).picture.pixels).mean() < 8


@pytest.mark.parametrize("visible", [1, 3, 4])
def test_a_webp_holds_every_step_as_it_is_seen(tmp_path: Path, visible: int) -> None:
    bundle, target = tmp_path / "x.gnca", tmp_path / "growth.WebP"
    data = random_bundle(30, 20, shapes=(RuleShape(8, 8, visible),))
    bundle.write_bytes(data)
    assert "40×60, from the seed to step 4" in _grow(bundle, "-o", target, "--scale", 2)
    animation, mode = Image.open(target), {1: "L", 3: "RGB", 4: "RGBA"}[visible]
    assert (animation.format, animation.size, animation.n_frames, animation.info["loop"]) == ("WEBP", (40, 60), 5, 0)
    for number, picture in enumerate(frames(read_bundle(data), None, 2)):
        animation.seek(number)
        shown = np.asarray(animation.convert(mode)).reshape(picture.pixels.shape)
        seen = picture.pixels[..., 3:] > 0 if visible == 4 else True
        assert (shown == picture.pixels).all(where=seen)
        assert (shown[..., -1] == picture.pixels[..., -1]).all(), "alpha, and grey"


def test_seeds_grow_scale_by_scale(tmp_path: Path) -> None:
    bundle, target = tmp_path / "x.gnca", tmp_path / "growth.webp"
    data = random_seeds_bundle(30, 20)
    bundle.write_bytes(data)
    steps = read_bundle(data).header.steps
    assert f"20×30, from the seed to step {steps}" in _grow(bundle, "-o", target)
    animation = Image.open(target)
    animation.seek(animation.n_frames - 1)
    assert (np.asarray(animation.convert("RGB")) == decode(data).picture.pixels).all()


def test_the_name_is_the_bundles_unless_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "x.gnca").write_bytes(random_bundle(8, 8))
    _grow(tmp_path / "x.gnca")
    assert (tmp_path / "x.gif").read_bytes().startswith(b"GIF89a")


def test_wrong_requests_are_said(tmp_path: Path) -> None:
    bundle = tmp_path / "x.gnca"
    bundle.write_bytes(random_bundle(8, 200))
    with pytest.raises(InvalidSettings, match=r"must end in \.gif or \.webp"):
        _grow(bundle, "-o", tmp_path / "growth.mp4")
    with pytest.raises(InvalidSettings, match="8192"):
        _grow(bundle, "--scale", 64)
    bundle.write_bytes(random_bundle(120, 128, shapes=(RuleShape(8, 8),)))
    for suffix in ("gif", "webp"):
        with pytest.raises(InvalidSettings, match="268,435,456"):
            _grow(bundle, "-o", tmp_path / f"growth.{suffix}", "--scale", 64)
    bundle.write_bytes(b"PK")
    with pytest.raises(BundleError, match=r"x\.gnca"):
        _grow(bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["x.gnca"]
