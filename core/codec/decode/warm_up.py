"""The compiled decoders, made ready before the first picture needs them."""

from __future__ import annotations

import numpy as np

from regrow.core.codec.decode.growing import fast_grower
from regrow.core.codec.decode.seeds.reference import RGBA, PatchSeeds, encode_patch
from regrow.core.codec.format.fixed_point import IntegerRule, Scales, integer_seed
from regrow.core.codec.format.seeds.geometry import band_sizes, scale_sizes
from regrow.core.codec.format.seeds.model import COLOURS, RELEASED, released_model
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind

_SIZE, _STEP = (10, 10), 1000
"""Of a patch that is split once."""


def warm_up() -> None:
    """Import and compile what decodes both profiles."""
    shape = RuleShape(4, 2)
    rule = IntegerRule(np.zeros(shape.parameters, dtype=np.int8), Scales(64, 12, 12, 0))
    fast_grower()(shape, [rule], integer_seed(SeedKind.SCAFFOLD, shape, 40), Rollout(1))
    _decode_seeds()


def _decode_seeds() -> None:
    """A patch of nothing but zeros, with alpha."""
    from regrow.core.codec.decode.seeds.compiled import decode_patch  # which imports numba

    model = released_model(max(RELEASED))
    low_pass, hl, lh, hh = (
        np.zeros((COLOURS, *size), dtype=np.int32) for size in (scale_sizes(_SIZE)[1], *band_sizes(_SIZE))
    )
    alpha = np.ones(_SIZE, dtype=np.uint8)
    payload, _ = encode_patch(PatchSeeds(low_pass, ((hl, lh, hh),), alpha), model, _SIZE, _STEP)
    decode_patch(payload, model, _SIZE, RGBA, _STEP)
