"""One rule's rollout, forward and backward, in one thread. Called by the batch loops of batch.

A state is a set of planes, one per channel. In a plane, cell (y, x) lies at lead + y·stride + x with stride =
width + 1: the column between two rows, the `lead` floats before and those after are always zero, so that perception
needs no special case at the edges. Blocks of BLOCK cells walk through a plane; perception, hidden layer and update of
a block follow each other while they are in the first-level cache.

The backward pass keeps the states and, where `kept` allows, the hidden layers of all steps, and computes perception
anew: keeping the hidden layers measured a tenth faster than computing them again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.core.codec.fit.engines.cpu.perception import perceive_block, perceive_block_back
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.simd.tiles import (
    BLOCK,
    TALL,
    gated_tile,
    hidden_tile,
    masked_block,
    plane_tile,
    transpose_block,
    update_tile,
    weight_tile,
)
from regrow.core.codec.simd.vectors import LANES, ROWS, VECTORS

Floats = npt.NDArray[np.float32]


class Layout(NamedTuple):
    """Sizes, and where each matrix starts in a thread's arena (all in floats)."""

    channels: int
    hidden: int
    visible: int
    height: int
    width: int
    stride: int
    lead: int
    blocks: int
    plane: int
    state: int  # one state: channels · plane
    z_width: int  # 3·channels, rounded up to whole vectors
    u_width: int  # channels, likewise
    lanes: int
    kept: int  # hidden layers kept; the last one only where 1
    states: int
    gradient: int  # of the loss by the state, (channels, plane)
    dz: int  # of the loss by the perception, (3·channels, plane)
    z: int  # (3·channels, BLOCK)
    zt: int  # (BLOCK, z_width)
    h: int  # hidden layer, (hidden, BLOCK)
    dh: int
    du: int  # of the loss by the update, (channels, BLOCK)
    ut: int  # (BLOCK, u_width)
    masks: int  # fire mask of one step, (blocks · BLOCK)
    w1: int  # (hidden, 3·channels), the Sobel columns divided by 8
    w1t: int
    w2: int
    w2t: int
    b1: int
    dw1: int  # (hidden, z_width)
    dw2t: int  # (hidden, u_width)
    db1: int  # (hidden, LANES), still to be summed over the lanes
    size: int


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def plan(shape: RuleShape, height: int, width: int, states: int, kept: int) -> Layout:
    """The layout for patches of height x width that keeps `states` states and `kept` hidden layers."""
    channels, hidden = shape.channels, shape.hidden
    stride = width + 1
    lead = _up(stride + 1, 16)
    blocks = -(-height * stride // BLOCK)
    plane = lead + blocks * BLOCK + lead
    z_width, u_width = _up(3 * channels, LANES), _up(channels, LANES)
    sizes = {
        "states": states * channels * plane,
        "gradient": channels * plane,
        "dz": 3 * channels * plane,
        "z": 3 * channels * BLOCK,
        "zt": BLOCK * z_width,
        "h": kept * blocks * hidden * BLOCK,
        "dh": hidden * BLOCK,
        "du": channels * BLOCK,
        "ut": BLOCK * u_width,
        "masks": blocks * BLOCK,
        "w1": hidden * 3 * channels,
        "w1t": hidden * 3 * channels,
        "w2": hidden * channels,
        "w2t": hidden * channels,
        "b1": hidden,
        "dw1": hidden * z_width,
        "dw2t": hidden * u_width,
        "db1": hidden * LANES,
    }
    starts, end = {}, 0
    for name, size in sizes.items():
        starts[name] = end
        end += _up(size, 16)
    return Layout(
        channels,
        hidden,
        shape.visible,
        height,
        width,
        stride,
        lead,
        blocks,
        plane,
        channels * plane,
        z_width,
        u_width,
        LANES,
        kept,
        **starts,
        size=end,
    )


@njit(nogil=True, error_model="numpy")
def unpack(arena, at, weights):  # type: ignore[no-untyped-def]
    """A rule's flat weights into the arena, as the products want them. Sobel's division by 8 goes into W1."""
    perceived = 3 * at.channels
    for j in range(at.hidden):
        for k in range(perceived):
            value = weights[j * perceived + k]
            if k >= at.channels:
                value *= np.float32(0.125)
            arena[at.w1 + j * perceived + k] = value
            arena[at.w1t + k * at.hidden + j] = value
        arena[at.b1 + j] = weights[at.hidden * perceived + j]
        for c in range(at.channels):
            value = weights[at.hidden * (perceived + 1) + c * at.hidden + j]
            arena[at.w2 + c * at.hidden + j] = value
            arena[at.w2t + j * at.channels + c] = value


@njit(nogil=True, error_model="numpy")
def place_seed(arena, at, seed):  # type: ignore[no-untyped-def]
    """A seed (channels, height, width) into the first state."""
    for c in range(at.channels):
        for y in range(at.height):
            start = at.states + c * at.plane + at.lead + y * at.stride
            for x in range(at.width):
                arena[start + x] = seed[c, y, x]


@njit(nogil=True, error_model="numpy")
def perceive(arena, at, cells):  # type: ignore[no-untyped-def]
    """z of the block at `cells` (the arena offset of the state's first channel there)."""
    step = at.channels * BLOCK
    for c in range(at.channels):
        z = at.z + c * BLOCK
        perceive_block(arena, cells + c * at.plane, at.stride, z, z + step, z + 2 * step)


@njit(nogil=True, error_model="numpy")
def _hide(arena, at, h):  # type: ignore[no-untyped-def]
    """The hidden layer of the block whose perception is in z, into `h` (hidden, BLOCK)."""
    row, tiles = 0, (at.hidden + ROWS - 1) // ROWS
    for tile in range(tiles):
        rows = (at.hidden - row + tiles - tile - 1) // (tiles - tile)
        hidden_tile(arena, rows, at.w1t + row, at.hidden, at.z, 3 * at.channels, at.b1 + row, h + row * BLOCK)
        row += rows


@njit(nogil=True, error_model="numpy")
def forward_step(arena, at, old, new, slot):  # type: ignore[no-untyped-def]
    """One update of the state at `old` into `new`, by the mask in the arena; keeps the hidden layer in `slot`."""
    for block in range(at.blocks):
        cells = at.lead + block * BLOCK
        h = at.h + (slot * at.blocks + block) * at.hidden * BLOCK
        perceive(arena, at, old + cells)
        _hide(arena, at, h)
        row, tiles = 0, (at.channels + ROWS - 1) // ROWS
        for tile in range(tiles):
            rows = (at.channels - row + tiles - tile - 1) // (tiles - tile)
            place = cells + row * at.plane
            mask = at.masks + block * BLOCK
            update_tile(arena, rows, at.w2t + row, at.channels, h, at.hidden, mask, old + place, new + place, at.plane)
            row += rows


@njit(nogil=True, error_model="numpy")
def _weight_product(arena, hidden, left, right, out, width):  # type: ignore[no-untyped-def]
    """out (hidden, width) += left (hidden, BLOCK) · right (BLOCK, width)."""
    column = 0
    while column < width:
        vectors = VECTORS if width - column >= VECTORS * LANES else 1
        limit = TALL if vectors == 1 else ROWS
        row, tiles = 0, (hidden + limit - 1) // limit
        for tile in range(tiles):
            rows = (hidden - row + tiles - tile - 1) // (tiles - tile)
            weight_tile(arena, rows, vectors, left + row * BLOCK, right + column, out + row * width + column, width)
            row += rows
        column += vectors * LANES


@njit(nogil=True, error_model="numpy")
def _block_back(arena, at, block, state, slot):  # type: ignore[no-untyped-def]
    """Back through the update of one block: gradients of the weights (added) and of the perception (into dz)."""
    cells = at.lead + block * BLOCK
    h = at.h + (slot * at.blocks + block) * at.hidden * BLOCK
    perceive(arena, at, state + cells)
    if at.kept == 1:
        _hide(arena, at, h)
    for c in range(at.channels):
        masked_block(arena, at.gradient + c * at.plane + cells, at.masks + block * BLOCK, at.du + c * BLOCK)
    for first in range(0, at.channels, LANES):
        transpose_block(arena, at.du + first * BLOCK, at.channels - first, at.ut + first, at.u_width)
    for first in range(0, 3 * at.channels, LANES):
        transpose_block(arena, at.z + first * BLOCK, 3 * at.channels - first, at.zt + first, at.z_width)
    row, tiles = 0, (at.hidden + ROWS - 1) // ROWS
    for tile in range(tiles):
        rows = (at.hidden - row + tiles - tile - 1) // (tiles - tile)
        start = row * BLOCK
        sums = at.db1 + row * LANES
        gated_tile(arena, rows, at.w2 + row, at.hidden, at.du, at.channels, h + start, at.dh + start, sums)
        row += rows
    _weight_product(arena, at.hidden, at.dh, at.zt, at.dw1, at.z_width)
    _weight_product(arena, at.hidden, h, at.ut, at.dw2t, at.u_width)
    perceived = 3 * at.channels
    row, tiles = 0, (perceived + ROWS - 1) // ROWS
    for tile in range(tiles):
        rows = (perceived - row + tiles - tile - 1) // (tiles - tile)
        out = at.dz + row * at.plane + cells
        plane_tile(arena, rows, at.w1 + row, perceived, at.dh, at.hidden, out, at.plane)
        row += rows


@njit(nogil=True, error_model="numpy")
def backward_step(arena, at, state, slot):  # type: ignore[no-untyped-def]
    """Back through one update of the state at `state`: adds to the weights' gradient, replaces the state's."""
    for block in range(at.blocks):
        _block_back(arena, at, block, state, slot)
    group = at.channels * at.plane
    for c in range(at.channels):
        for block in range(at.blocks):
            cells = c * at.plane + at.lead + block * BLOCK
            dz = at.dz + cells
            perceive_block_back(arena, at.gradient + cells, at.stride, dz, dz + group, dz + 2 * group)
