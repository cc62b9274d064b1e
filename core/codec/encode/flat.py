"""The flat patch: what stands in for a patch that cannot be encoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from regrow.core.codec.decode.growers.compiled import grow_batch
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.plan import grid_of, presets_of, rollout_of
from regrow.core.codec.encode.seeds.encoder import SeedsUnit, encode_units
from regrow.core.codec.encode.seeds.plan import tiling_of
from regrow.core.codec.fit.engines.base import Array
from regrow.core.codec.fit.quantization import integer_rule, one_byte_step_sizes
from regrow.core.codec.format.fixed_point import SYMBOL_LIMIT, integer_seed
from regrow.core.codec.format.payload import write_payload
from regrow.core.codec.images import Picture
from regrow.core.codec.patches import cut, to_bytes
from regrow.core.codec.presets import PATCH_SIZE
from regrow.core.codec.quality import squared_error
from regrow.core.codec.rule import VISIBLE_OFFSET, split
from regrow.core.codec.seeds import make_seed
from regrow.core.codec.settings import EncodeSettings

_BIAS = 0.02


def flat_candidate(picture: Picture, index: int, settings: EncodeSettings) -> Candidate:
    """A rule that grows patch number `index` in the mean colour of what is seen of it.

    One hidden unit is always on, and adds to each visible channel its share at every step. Raises BudgetTooSmall.
    """
    shape, rollout = presets_of(picture, settings)[0].shape(picture.channels), rollout_of(settings)
    grid = grid_of(picture)
    rows, columns = grid.extent(index)
    pixels = cut(picture, grid, [index])[0]
    inside = pixels[:, :rows, :columns]
    weights = np.zeros((1, shape.parameters), dtype=np.float32)
    tensors = split(weights, shape)
    tensors.b1[0, 0] = _BIAS
    updates = rollout.steps * (1 - rollout.fire_rate)
    tensors.w2[0, : shape.visible, 0] = (_mean_colour(inside) - VISIBLE_OFFSET) / (updates * _BIAS)
    step_sizes = one_byte_step_sizes(weights[0], shape)
    symbols = np.rint(weights[0] / step_sizes.per_weight(shape)).clip(-SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int8)
    rule = integer_rule(symbols, step_sizes, shape, make_seed(settings.seed, shape, PATCH_SIZE), rollout)
    grown = grow_batch(shape, [rule], integer_seed(settings.seed, shape, PATCH_SIZE), rollout, threads=1)[0]
    error = squared_error(to_bytes(inside), grown[:, :rows, :columns].transpose(1, 2, 0))
    return Candidate(shape, write_payload(shape, rule, settings.coder, 0), error)


def flat_seeds(picture: Picture, unit: int, settings: EncodeSettings) -> SeedsUnit:
    """A unit of the profile `seeds`; each of its patches has the mean colour of what is seen of it.

    Raises BudgetTooSmall.
    """
    tiling, pixels = tiling_of(picture), picture.pixels.copy()
    for index in range(tiling.count) if settings.searches else [unit]:
        (top, left), (height, width) = tiling.origin(index), tiling.extent(index)
        part = pixels[top : top + height, left : left + width]
        part[...] = np.rint(_mean_colour(part.transpose(2, 0, 1).astype(np.float32)))
    return encode_units(replace(picture, pixels=pixels), [unit], settings)[0]


def _mean_colour(pixels: Array) -> Array:
    """The mean of pixels (channels, height, width); float32 (channels,).

    Colours count as much as their alpha shows them.
    """
    if len(pixels) < 4 or not pixels[3].any():
        return np.asarray(pixels.mean(axis=(1, 2)))
    weights = np.ones_like(pixels)
    weights[:3] = pixels[3]
    return np.asarray((pixels * weights).sum(axis=(1, 2)) / weights.sum(axis=(1, 2)))
