"""The profile `seeds`: the reference and a decoder written from the document alone make the same pixels."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from regrow.core.codec.format.seeds import model as models
from regrow.core.codec.format.seeds.bundle import SeedsHeader, write_seeds_bundle
from regrow.core.codec.format.seeds.model import load_model
from tests.format import seeds_decoder, seeds_decoder_coder, seeds_vectors
from tests.format.compare_seeds import compare, decoders
from tests.format.seeds_samples import (
    decode_by,
    file_of,
    hand_tensors,
    random_bundle,
    random_model,
)

pytestmark = pytest.mark.exact

DOCUMENT = (Path(__file__).parents[2] / "docs" / "FORMAT.md").read_text()
HAND = file_of(hand_tensors())
RELEASED = Path(models.__file__).parent / "seeds-1.safetensors"


def _without_space(text: str) -> str:
    return re.sub(r"\s", "", text)


def test_random_bundles_and_noise() -> None:
    """A few dozen; compare_seeds has as many as one likes."""
    outcomes = Counter(compare(number) for number in range(48))
    assert outcomes["seeds, pixels"] == 24
    assert min(outcomes["noise, pixels"], outcomes["noise, refused"]) > 3


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 30), (9, 9), (10, 17), (17, 33), (35, 18)])
def test_sizes_at_which_scales_come_and_go(size: tuple[int, int], channels: int) -> None:
    rng = np.random.default_rng([*size, channels])
    header = SeedsHeader(*size, channels=channels, step=int(rng.integers(2561)), longest=64, model=1)
    data = random_bundle(rng, header, random_model(0)[1])
    pixels = {name: decode(data, 0) for name, decode in decoders().items()}
    for name, found in pixels.items():
        assert found is not None, name
        np.testing.assert_array_equal(found, pixels["reference"], err_msg=name)


def test_decoders_can_differ() -> None:
    """A comparison that could not fail would be none: another model makes other pixels."""
    header = SeedsHeader(20, 20, channels=3, step=700, longest=64, model=1)
    data = random_bundle(np.random.default_rng(1), header, random_model(0)[1])
    other = decoders()["independent"](data, 1)
    assert other is None or not np.array_equal(other, decode_by(data, random_model(0)[1]))


def test_the_vectors_of_the_document_are_those_of_the_reference() -> None:
    text = _without_space(re.sub(r"  +[a-z][^\n]*", "", DOCUMENT))  # without what is said at the right of bytes
    for line in seeds_vectors.vectors():
        assert _without_space(line) in text, line


@pytest.mark.parametrize(("pixels", "channels"), [(1, 1), (6, 4)])
def test_pictures_by_hand_by_the_independent_decoder(pixels: int, channels: int) -> None:
    data, grown = seeds_vectors.hand_bundle(pixels, channels)
    np.testing.assert_array_equal(seeds_decoder.decode(data, HAND), grown)
    np.testing.assert_array_equal(decode_by(data, load_model(HAND)), grown)


def test_a_patch_without_alpha_has_no_colours() -> None:
    size = (12, 13)
    header = SeedsHeader(*size, channels=4, step=700, longest=64, model=1)
    seeds = seeds_vectors.PatchSeeds(np.zeros((3, *size), np.int32), (), np.zeros(size, np.uint8))
    payload, _ = seeds_vectors.encode_patch(seeds, load_model(HAND), size, 700)
    for name in (HAND, random_model(3)[0]):
        assert not seeds_decoder.decode(write_seeds_bundle(header, [payload]), name).any()


def test_the_independent_decoder_is_independent() -> None:
    files = sorted(Path(seeds_decoder.__file__).parent.glob("seeds_decoder*.py"))
    assert len(files) == 5
    for file in files:
        lines = file.read_text().splitlines()
        imported = {line.split()[1] for line in lines if line.lstrip().startswith(("import ", "from "))}
        assert len(lines) < 260
        assert not {name for name in imported if name.startswith("regrow")}
        assert {name for name in imported if name.startswith("tests")} <= {f"tests.format.{one.stem}" for one in files}


@pytest.mark.skipif(not RELEASED.exists(), reason="no model is released yet")
def test_a_released_model_is_read_by_the_independent_decoder() -> None:
    data = RELEASED.read_bytes()
    model, theirs = load_model(data), seeds_decoder.read_model(data)
    assert (theirs.channels, theirs.coarse.updates) == (model.channels, model.coarse_steps)
    assert hashlib.sha256(data).hexdigest() in DOCUMENT, "FORMAT.md, 7.2, tells the digest of each released model"


def test_alpha_at_the_edge_of_unrest() -> None:
    """Neighbours that differ by 31, 32 and 33 are of different classes."""
    alpha = np.random.default_rng(0).choice([168, 199, 200, 232], (24, 24)).astype(np.uint8)
    writer = seeds_vectors.Writer()
    seeds_vectors.write_alpha(writer, alpha)
    coder = seeds_decoder_coder.Coder(seeds_vectors.encode(writer.starts, writer.frequencies))
    np.testing.assert_array_equal(seeds_decoder_coder.read_alpha(coder, 24, 24), alpha)
