"""Code is made for the processor that numba was told of, not for the one that it runs on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from regrow.core.codec.decode.growers.products import pair_instruction_for
from regrow.core.codec.format.fixed_point import IntegerRule, Scales, grow, integer_seed, visible_pixels
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind
from regrow.core.codec.simd.target import features_of
from regrow.core.codec.simd.vectors import tile_for

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"

PIXELS = """
import hashlib
import numpy as np
from regrow.core.codec.decode.growing import fast_grower
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.simd.vectors import LANES
from regrow.core.codec.format.fixed_point import IntegerRule, Scales, integer_seed
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind

shape = RuleShape(4, 2)
weights = np.random.default_rng(6).integers(-127, 128, shape.parameters).astype(np.int8)
seed = integer_seed(SeedKind.SCAFFOLD, shape, 16)
pixels = fast_grower()(shape, [IntegerRule(weights, Scales(64, 12, 12, 0))], seed, Rollout(8))
print(LANES, hashlib.sha256(pixels.tobytes()).hexdigest())
"""


@pytest.mark.parametrize(
    ("triple", "flags", "tile", "pairs"),
    [
        (X86, "", (4, 4), "llvm.x86.sse2.pmadd.wd"),
        (X86, "-sse2", (4, 4), None),
        (X86, "+sse2,+avx,-avx2,-avx512f", (8, 4), "llvm.x86.sse2.pmadd.wd"),
        (X86, "+avx,+avx2,+fma", (8, 4), "llvm.x86.avx2.pmadd.wd"),
        (X86, "+avx,+avx2,+avx512f,-avx512bw", (16, 8), "llvm.x86.avx2.pmadd.wd"),
        (X86, "+avx,+avx2,+avx512f,+avx512bw", (16, 8), "llvm.x86.avx512.pmaddw.d.512"),
        (X86, "+avx512bw", (4, 4), "llvm.x86.sse2.pmadd.wd"),  # a tile is a whole number of instructions
        (ARM, "", (4, 8), None),
        (ARM, "+neon, +sve", (4, 8), None),
        ("riscv64-unknown-linux-gnu", "", (4, 4), None),
    ],
)
def test_A6_only_what_the_target_has_is_used(triple: str, flags: str, tile: tuple[int, int], pairs: str | None) -> None:
    features = features_of(triple, flags)
    lanes, _ = tile_for(features)
    found = pair_instruction_for(features, lanes)
    assert tile_for(features) == tile
    assert (found and found[0]) == pairs
    assert found is None or lanes % found[1] == 0


def test_A6_a_generic_target_grows_the_same_pixels() -> None:
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic"}
    environment.pop("NUMBA_CPU_FEATURES", None)
    done = subprocess.run([sys.executable, "-c", PIXELS], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lanes, digest = done.stdout.split()

    shape = RuleShape(4, 2)
    weights = np.random.default_rng(6).integers(-127, 128, shape.parameters).astype(np.int8)
    seed = integer_seed(SeedKind.SCAFFOLD, shape, 16)
    pixels = visible_pixels(grow(shape, IntegerRule(weights, Scales(64, 12, 12, 0)), seed, Rollout(8))[: shape.visible])
    assert (int(lanes), digest) == (4, hashlib.sha256(pixels.tobytes()).hexdigest())
