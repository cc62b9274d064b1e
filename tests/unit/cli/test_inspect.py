"""`regrow inspect`: the numbers of a bundle, and its map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from regrow.cli.inspect_facts import facts_of
from regrow.cli.inspect_map import draw_map, psnrs_of, sizes_of
from regrow.cli.main import app
from regrow.core.codec.coder import Coder
from regrow.core.codec.decode import decode
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Preset
from regrow.core.codec.quality import PSNR_OF_EQUAL_PICTURES
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import BundleError, InvalidSettings, RegrowError, UnsupportedImage
from tests.bundles import SHAPE, random_bundle, random_seeds_bundle

SHAPES = (Preset.MICRO.shape(), SHAPE)


def _inspect(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["inspect", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "x.gnca"
    path.write_bytes(random_bundle(50, 90, shapes=SHAPES))
    return path


def test_all_parts_add_up_to_the_file(bundle: Path) -> None:
    facts = json.loads(_inspect(bundle, "--json"))
    assert facts["bytes"] == bundle.stat().st_size == sum(facts["bytes_of_parts"].values())
    assert facts["payload_bytes"] + facts["overhead_bytes"] == facts["bytes"]
    parts = facts["bytes_of_parts"]
    assert (parts["header"], parts["table"], parts["checksums"], parts["patch_heads"]) == (20, 12, 28, 36)
    assert facts["bytes_per_patch"]["mean"] == pytest.approx(facts["payload_bytes"] / 6)
    assert (facts["version"], facts["profile"], facts["coder"], facts["seed"]) == (1, "rules", "ans", "scaffold")
    assert facts["steps"] == 4


def test_a_fire_rate_takes_six_bytes_of_the_header() -> None:
    data = random_bundle(8, 8, rollout=Rollout(4, 0.5, 7))
    facts = facts_of(read_bundle(data), len(data))
    assert facts["fire_rate"] == 0.5
    assert facts["bytes_of_parts"]["header"] == 16 + 6 + 2


def test_a_bundle_of_seeds_says_what_it_is_made_of(tmp_path: Path) -> None:
    path = tmp_path / "x.gnca"
    path.write_bytes(random_seeds_bundle(65, 71))
    facts = json.loads(_inspect(path, "--json"))
    assert (facts["profile"], facts["model"], facts["levels"], facts["patches"]) == ("seeds", 1, 3, 4)
    assert (facts["longest_patch_side"], facts["quantisation_step"]) == (36, "1/8.724 of the range of pixels")
    assert facts["bytes"] == path.stat().st_size == sum(facts["bytes_of_parts"].values())
    parts = facts["bytes_of_parts"]
    assert (parts["header"], parts["table"], parts["checksums"]) == (11, 12, 15)
    assert parts["seeds"] == facts["payload_bytes"]
    assert "quantisation step" in _inspect(path, "--map", tmp_path / "map.png")
    assert Image.open(tmp_path / "map.png").width > 200
    path.write_bytes(random_seeds_bundle(8, 8))
    parts = json.loads(_inspect(path, "--json"))["bytes_of_parts"]
    assert (parts["header"], parts["table"], parts["checksums"]) == (11, 0, 3)


def test_presets_are_named_and_counted(bundle: Path) -> None:
    facts = json.loads(_inspect(bundle, "--json"))
    named, unnamed = facts["presets"]
    assert named == {"preset": "micro", "channels": 6, "hidden": 4, "parameters": 100, "patches": 3}
    assert (unnamed["preset"], unnamed["parameters"], unnamed["patches"]) == ("unnamed", 125, 3)
    assert facts["parameters_per_patch"] == 112.5
    text = _inspect(bundle)
    assert "parameters per patch" in text
    assert "micro: 3 patches of 6×4, 100 weights" in text


def test_bits_of_the_tensors_are_those_of_the_coded_symbols() -> None:
    shape = Preset.SMALL.shape()
    data = random_bundle(40, 80, shapes=(shape,))
    facts = facts_of(read_bundle(data), len(data))
    counts = {"W1": 840, "b1": 20, "W2": 280}
    coded = 2 * sum(counts[name] * bits for name, bits in facts["bits_per_weight"].items()) / 8
    assert coded == pytest.approx(facts["bytes_of_parts"]["symbols"], abs=2 * 4)


def test_plain_bytes_take_eight_bits() -> None:
    data = random_bundle(8, 8, coder=Coder.BYTES)
    facts = facts_of(read_bundle(data), len(data))
    assert facts["bits_per_weight"] == {"W1": 8, "b1": 8, "W2": 8}
    assert facts["bytes_of_parts"]["symbols"] == SHAPE.parameters


def test_sizes_and_psnrs_lie_where_their_patches_do() -> None:
    data = random_bundle(50, 90, shapes=SHAPES)
    parsed = read_bundle(data)
    sizes = sizes_of(parsed)
    assert sizes.shape == (2, 3)
    assert sizes[1, 0] == len(parsed.payloads[3])
    pixels = decode(data).picture.pixels.copy()
    pixels[40:, 80:] ^= 1
    psnrs = psnrs_of(parsed, Picture(pixels))
    assert psnrs[1, 2] == pytest.approx(20 * np.log10(255))
    psnrs[1, 2] = PSNR_OF_EQUAL_PICTURES
    assert (psnrs == PSNR_OF_EQUAL_PICTURES).all()


def test_the_map_has_a_panel_more_with_the_original(bundle: Path, tmp_path: Path) -> None:
    target, original = tmp_path / "map.png", tmp_path / "original.png"
    original.write_bytes(decode(bundle.read_bytes()).picture.to_png())
    _inspect(bundle, "--map", target)
    alone = Image.open(target).size
    _inspect(bundle, "--map", target, "--original", original, "--force")
    both = Image.open(target)
    assert both.size == (2 * alone[0], alone[1])


def test_the_smallest_patch_is_dark_and_the_largest_bright() -> None:
    parsed = read_bundle(random_bundle(40, 80, shapes=(RuleShape(6, 4), RuleShape(12, 14))))
    pixels = draw_map(parsed, None).pixels.astype(int)
    row, (left, right) = 100, (100, 400)
    assert pixels[row, left].sum() < 200
    assert pixels[row, right].sum() > 450


@pytest.mark.parametrize("size", [(1, 1), (7, 1000), (1000, 7)])
def test_pictures_of_any_shape_have_a_map(size: tuple[int, int]) -> None:
    parsed = read_bundle(random_bundle(*size))
    assert max(draw_map(parsed, None).pixels.shape) < 1500


def test_wrong_requests_are_said(bundle: Path, tmp_path: Path) -> None:
    def refused(error: type[RegrowError], text: str, *arguments: str | Path) -> None:
        with pytest.raises(error, match=text):
            _inspect(*arguments)

    image, page = tmp_path / "small.png", tmp_path / "page.png"
    image.write_bytes(Picture(np.zeros((8, 8, 3), dtype=np.uint8)).to_png())
    page.write_bytes(b"<html>")
    refused(InvalidSettings, "must end in .png", bundle, "--map", tmp_path / "map.jpg")
    refused(InvalidSettings, "--map", bundle, "--original", image)
    refused(InvalidSettings, "8×8 with 3 channels", bundle, "--map", tmp_path / "map.png", "--original", image)
    refused(UnsupportedImage, "page.png", bundle, "--map", tmp_path / "map.png", "--original", page)
    assert not (tmp_path / "map.png").exists()
    damaged = tmp_path / "damaged.gnca"
    damaged.write_bytes(bundle.read_bytes()[:-1])
    refused(BundleError, "damaged.gnca", damaged)
