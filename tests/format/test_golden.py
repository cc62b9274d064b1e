"""Every decoder makes the golden pictures of the golden bundles, and the same pixels of bundles never seen before."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regrow.core.codec.coder import Coder
from regrow.core.codec.decode import decode, decode_bundle
from regrow.core.codec.decode.growers import compiled
from regrow.core.codec.decode.growing import Grower, reference_grower
from regrow.core.codec.format.bundle import read_bundle, write_bundle
from regrow.core.codec.images import read_picture
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind
from tests.bundles import random_bundle
from tests.format import independent_decoder, torch_grower
from tests.format.make_golden import FOLDER, golden_bundles

pytestmark = pytest.mark.exact

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
GROWERS: dict[str, Grower] = {
    "numpy": reference_grower,
    "numba": compiled.grow_batch,
    "numba-portable": functools.partial(compiled.grow_batch, portable=True),
    **{f"torch-{device}": functools.partial(torch_grower.grow_batch, device=device) for device in DEVICES},
}
FILES = sorted(FOLDER.glob("*.gnca"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("grower", GROWERS.values(), ids=GROWERS)
def test_golden_files(path: Path, grower: Grower) -> None:
    expected = read_picture(path.with_suffix(".png").read_bytes()).pixels
    np.testing.assert_array_equal(decode(path.read_bytes(), grower=grower).picture.pixels, expected)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden_files_by_the_independent_decoder(path: Path) -> None:
    expected = read_picture(path.with_suffix(".png").read_bytes()).pixels
    np.testing.assert_array_equal(independent_decoder.decode(path.read_bytes()), expected)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_writing_golden_files_again_gives_the_same_bytes(path: Path) -> None:
    data = path.read_bytes()
    bundle = read_bundle(data)
    assert write_bundle(bundle.header, bundle.payloads) == data
    assert golden_bundles()[path.stem] == data


def test_every_golden_bundle_is_there() -> None:
    assert {path.stem for path in FILES} == set(golden_bundles())


def test_the_independent_decoder_is_independent() -> None:
    source = Path(independent_decoder.__file__).read_text()
    assert len(source.splitlines()) < 400
    assert "regrow" not in {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))
    }


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    patch_size=st.integers(5, 40),
    visible=st.sampled_from([1, 3, 4]),
    extra=st.lists(st.tuples(st.integers(1, 14), st.integers(1, 24)), min_size=1, max_size=3, unique=True),
    seed_kind=st.sampled_from(SeedKind),
    rollout=st.builds(Rollout, st.integers(1, 9), st.sampled_from([0.0, 0.5]), st.integers(0, 99)),
    coder=st.sampled_from(Coder),
    seed=st.integers(0, 99),
)
def test_random_bundles(
    size: tuple[int, int],
    patch_size: int,
    visible: int,
    extra: list[tuple[int, int]],
    seed_kind: SeedKind,
    rollout: Rollout,
    coder: Coder,
    seed: int,
) -> None:
    if not rollout.fire_rate:
        rollout = Rollout(rollout.steps)
    shapes = [RuleShape(visible + more, hidden, visible) for more, hidden in extra]
    data = random_bundle(
        *size, shapes=shapes, seed_kind=seed_kind, rollout=rollout, coder=coder, patch_size=patch_size, seed=seed
    )
    bundle = read_bundle(data)
    expected = decode_bundle(bundle, grower=reference_grower).picture.pixels
    assert expected.shape == (*size, visible)
    for grower in GROWERS.values():
        np.testing.assert_array_equal(decode_bundle(bundle, grower=grower).picture.pixels, expected)
    np.testing.assert_array_equal(independent_decoder.decode(data), expected)
