"""Every decoder makes the golden pictures of the golden bundles of the profile `seeds`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from regrow.core.codec.decode import decode
from regrow.core.codec.decode.seeds.reference import decode_patch
from regrow.core.codec.format.seeds.bundle import parse_seeds, write_seeds_bundle
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.codec.images import Pixels, read_picture
from tests.format import seeds_decoder
from tests.format.make_golden_seeds import FOLDER, MODEL
from tests.format.seeds_samples import decode_by
from tests.format.test_seeds_decoders import RELEASED

pytestmark = pytest.mark.exact

FILES = sorted(FOLDER.glob("*.gnca"))
DECODERS = {
    "compiled": lambda data: decode(data).picture.pixels,
    "numpy": lambda data: decode_by(data, released_model(MODEL), decode_patch),
    "independent": lambda data: seeds_decoder.decode(data, RELEASED.read_bytes()),
}


def _expected(path: Path) -> Pixels:
    return read_picture(path.with_suffix(".png").read_bytes()).pixels


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", DECODERS)
def test_golden_files(path: Path, name: str) -> None:
    pixels, expected = DECODERS[name](path.read_bytes()), _expected(path)
    if pixels.shape != expected.shape:  # a PNG whose alpha is opaque everywhere, or whose colours are grey
        assert pixels.shape[:2] == expected.shape[:2]
        pixels, expected = np.atleast_3d(pixels)[..., :1], expected[..., :1]
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_writing_golden_files_again_gives_the_same_bytes(path: Path) -> None:
    bundle = parse_seeds(path.read_bytes(), conceal=False)
    assert write_seeds_bundle(bundle.header, bundle.payloads) == path.read_bytes()


def test_there_are_golden_files() -> None:
    assert len(FILES) >= 13
