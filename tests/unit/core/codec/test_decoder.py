from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from regrow.core.codec.decode import View, decode, decode_bundle
from regrow.core.codec.decode.growing import reference_grower
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from tests.bundles import random_bundle


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 4000), (1, 16_384), (16_384, 3), (39, 41), (40, 40), (41, 41), (120, 120)]
)
def test_i7_exactly_the_original_size_comes_back(size: tuple[int, int]) -> None:
    picture = decode(random_bundle(*size)).picture
    assert (picture.height, picture.width) == size


def test_patches_of_a_large_picture_are_grown_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_bundle(30, 50, patch_size=5, shapes=[RuleShape(4, 2), RuleShape(5, 3)])
    whole = decode(data).picture.pixels
    monkeypatch.setattr("regrow.core.codec.decode.growing.PATCHES_AT_ONCE", 7)
    np.testing.assert_array_equal(decode(data).picture.pixels, whole)


def test_a_step_of_the_growth_is_a_shorter_rollout() -> None:
    bundle = read_bundle(random_bundle(12, 12, rollout=Rollout(5), patch_size=12))
    pictures = [decode_bundle(bundle, View(step=step), grower=reference_grower).picture.pixels for step in (1, 3, 5)]
    assert (pictures[0] != pictures[1]).any()
    np.testing.assert_array_equal(pictures[2], decode_bundle(bundle).picture.pixels)


def test_decoding_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from regrow.core.codec.decode import decode\n"
        "print(decode(sys.stdin.buffer.read()).picture.pixels.sum())"
    )
    data = random_bundle(20, 30)
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) == decode(data).picture.pixels.sum()
