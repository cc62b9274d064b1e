"""Memory of the integer decoder's compiled code: its layout, and what goes in and out of it. No compiled code here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fire import fire_masks
from regrow.core.codec.format.fixed_point import IntegerRule, Integers, stacked_symbols
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices
from regrow.core.codec.simd.tiles import BLOCK

CACHE_LINE = 16  # words


class Layout(NamedTuple):
    """Sizes, and where each matrix starts in a thread's arena (all in 32-bit words)."""

    channels: int
    hidden: int
    height: int
    width: int
    stride: int
    lead: int
    blocks: int
    plane: int
    pairs: int  # of perception: (Sobel-x, Sobel-y) of each channel, then the codes of two channels each
    hidden_pairs: int
    set: int  # one set of planes: channels · plane
    state: int  # (channels, plane)
    codes: int  # two sets of (channels, plane)
    z: int  # (pairs, BLOCK)
    h: int  # (hidden_pairs, BLOCK)
    sums: int  # of either product, (hidden or channels, BLOCK)
    mask: int  # of one step, (blocks · BLOCK): 0 where a cell rests and between the rows
    zeros: int  # (channels)
    weights: int  # w1, b1 and w2 side by side: pairs (pairs, hidden), words (hidden), pairs (hidden_pairs, channels)
    size: int


def plan(shape: RuleShape, height: int, width: int) -> Layout:
    """The layout for patches of height x width."""
    channels, hidden = shape.channels, shape.hidden
    stride = width + 1
    lead = _up(stride + 1)
    blocks = -(-height * stride // BLOCK)
    plane = lead + blocks * BLOCK + lead
    pairs, hidden_pairs = channels + (channels + 1) // 2, (hidden + 1) // 2
    sizes = {
        "state": channels * plane,
        "codes": 2 * channels * plane,
        "z": pairs * BLOCK,
        "h": hidden_pairs * BLOCK,
        "sums": max(hidden, channels) * BLOCK,
        "mask": blocks * BLOCK,
        "zeros": channels,
        "weights": pairs * hidden + hidden + hidden_pairs * channels,
    }
    starts, end = {}, 0
    for name, size in sizes.items():
        starts[name] = end
        end += _up(size)
    sized = (channels, hidden, height, width, stride, lead, blocks, plane, pairs, hidden_pairs, channels * plane)
    return Layout(*sized, **starts, size=end)


def _up(value: int) -> int:
    return -(-value // CACHE_LINE) * CACHE_LINE


def packed_weights(shape: RuleShape, rules: Sequence[IntegerRule]) -> Integers:
    """Weights as the kernels want them (Layout.weights); int32 (G, words). An odd row's partner has the weight zero."""
    symbols = stacked_symbols(shape, rules).astype(np.int32)
    w1, b1, w2 = (symbols[:, part] for part in tensor_slices(shape))
    state, sobel_x, sobel_y = w1.reshape(-1, shape.hidden, 3, shape.channels).transpose(2, 0, 3, 1)
    units = w2.reshape(-1, shape.channels, shape.hidden).transpose(0, 2, 1)
    shifts = np.array([[rule.scales.bias_shift] for rule in rules], dtype=np.int32)
    parts = (_pairs(sobel_x, sobel_y), _neighbour_pairs(state), b1 << shifts, _neighbour_pairs(units))
    return np.concatenate([part.reshape(len(rules), -1) for part in parts], axis=1)


def _pairs(first: Integers, second: Integers) -> Integers:
    pairs: Integers = (second << 16) | (first & 0xFFFF)
    return pairs


def _neighbour_pairs(rows: Integers) -> Integers:
    """Row 0 with row 1, row 2 with row 3, ...; (G, n, m) to (G, n / 2 rounded up, m)."""
    pairs = rows[:, ::2] & 0xFFFF
    pairs[:, : rows.shape[1] // 2] |= rows[:, 1::2] << 16
    return pairs


def shifts_of(rules: Sequence[IntegerRule]) -> npt.NDArray[np.int64]:
    """Each rule's precision, hidden shift, mantissa and update shift; (G, 4)."""
    scales = [rule.scales for rule in rules]
    return np.array([(x.precision, x.hidden_shift, x.mantissa, x.update_shift) for x in scales], dtype=np.int64)


def cells_of(layout: Layout, planes: Integers) -> Integers:
    """A view of (G, channels · plane) words without the borders; (G, channels, height, width)."""
    rows = planes.reshape(len(planes), -1, layout.plane)[
        :, :, layout.lead : layout.lead + layout.height * layout.stride
    ]
    return rows.reshape(*rows.shape[:2], layout.height, layout.stride)[..., : layout.width]


def planes_of(layout: Layout, state: Integers) -> Integers:
    """A state (channels, height, width) with its borders; int32 (channels · plane,)."""
    planes = np.zeros((1, layout.set), dtype=np.int32)
    cells_of(layout, planes)[0] = state
    flat: Integers = planes[0]
    return flat


def fire_planes(layout: Layout, rollout: Rollout) -> Integers:
    """int32 (steps or 1, cells of all blocks): 1 where a cell updates, 0 elsewhere and between the rows."""
    fires = np.ones((1, layout.height, layout.width), dtype=np.bool_)
    if rollout.fire_rate:
        fires = fire_masks(rollout.fire_key, rollout.steps, layout.height, layout.width, rollout.fire_rate)
    masks = np.zeros((len(fires), layout.blocks * BLOCK), dtype=np.int32)
    cells = masks[:, : layout.height * layout.stride].reshape(len(fires), layout.height, layout.stride)
    cells[:, :, : layout.width] = fires
    return masks


def aligned_zeros(size: int) -> Integers:
    """int32 zeros (size,) that start on a cache line."""
    memory = np.zeros(size + CACHE_LINE, dtype=np.int32)
    skip = -(memory.ctypes.data // 4) % CACHE_LINE
    return memory[skip : skip + size]
