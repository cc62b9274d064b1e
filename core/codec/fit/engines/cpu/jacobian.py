"""The CPU engine's Jacobian: how each pixel that a rule grows depends on each of its weights.

Forward mode: one tangent per weight follows the rollout, through the same tiles as the rollout itself. There are fewer
weights than pixels, and a tangent's own weight enters it as one row a step, so this beats going backwards.

Compiled without parallel loops, so that it may be called from several Python threads, whatever numba's threading layer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from regrow.core.codec.fit.engines.cpu import batch, perception, rollout
from regrow.core.codec.fit.engines.cpu.batch import take_mask
from regrow.core.codec.fit.engines.cpu.perception import perceive_block
from regrow.core.codec.fit.engines.cpu.rollout import Layout, forward_step, perceive, place_seed, unpack
from regrow.core.codec.simd import tiles, vectors
from regrow.core.codec.simd.cache import cached, digest
from regrow.core.codec.simd.tiles import BLOCK, gated_tile, update_tile
from regrow.core.codec.simd.vectors import ROWS


def jacobian_arena(at: Layout, steps: int) -> int:
    """Floats that a thread needs beside the layout's own: perception of all steps, and two tangent states."""
    return steps * at.blocks * 3 * at.channels * BLOCK + 2 * at.state


@njit(nogil=True, error_model="numpy")
def _trace(arena, at, masks, seed, steps):  # type: ignore[no-untyped-def]
    """The rollout itself: states and hidden layers where the layout keeps them, perceptions beyond the layout."""
    place_seed(arena, at, seed)
    size = 3 * at.channels * BLOCK
    for step in range(steps):
        take_mask(arena, at, masks, step)
        old = at.states + step * at.state
        forward_step(arena, at, old, old + at.state, step)
        for block in range(at.blocks):
            perceive(arena, at, old + at.lead + block * BLOCK)
            kept = at.size + (step * at.blocks + block) * size
            arena[kept : kept + size] = arena[at.z : at.z + size]


@njit(nogil=True, error_model="numpy")
def _add_row(arena, out, gate, source, factor):  # type: ignore[no-untyped-def]
    """out += factor · source, blocks of one row, where gate is not zero; source -1 stands for ones."""
    for i in range(BLOCK):
        if arena[gate + i] != np.float32(0.0):
            arena[out + i] += factor * (arena[source + i] if source >= 0 else np.float32(1.0))


@njit(nogil=True, error_model="numpy")
def _tangent_hidden(arena, at, weight, h, z, first):  # type: ignore[no-untyped-def]
    """The tangent of a block's hidden layer into at.dh, from that of its perception in at.z; zero at the first step."""
    if first:
        arena[at.dh : at.dh + at.hidden * BLOCK] = np.float32(0.0)
    row, tiles = 0, 0 if first else (at.hidden + ROWS - 1) // ROWS
    for tile in range(tiles):
        rows = (at.hidden - row + tiles - tile - 1) // (tiles - tile)
        out, gate = at.dh + row * BLOCK, h + row * BLOCK
        gated_tile(arena, rows, at.w1t + row, at.hidden, at.z, 3 * at.channels, gate, out, at.db1 + row * at.lanes)
        row += rows
    perceived = 3 * at.channels
    if weight < at.hidden * perceived:
        j, k = weight // perceived, weight % perceived
        factor = np.float32(1.0) if k < at.channels else np.float32(0.125)  # z holds 8 times the Sobel responses
        _add_row(arena, at.dh + j * BLOCK, h + j * BLOCK, z + k * BLOCK, factor)
    elif weight < at.hidden * (perceived + 1):
        j = weight - at.hidden * perceived
        _add_row(arena, at.dh + j * BLOCK, h + j * BLOCK, -1, np.float32(1.0))


@njit(nogil=True, error_model="numpy")
def _tangent_step(arena, at, weight, step, old, new):  # type: ignore[no-untyped-def]
    """One update of the tangent at `old` into `new`."""
    direct = weight - at.hidden * (3 * at.channels + 1)  # the weight's number in W2
    group = at.channels * BLOCK
    for block in range(at.blocks):
        cells = at.lead + block * BLOCK
        h = at.h + (step * at.blocks + block) * at.hidden * BLOCK
        kept = at.size + (step * at.blocks + block) * 3 * group
        for c in range(0 if step == 0 else at.channels):
            z = at.z + c * BLOCK
            perceive_block(arena, old + cells + c * at.plane, at.stride, z, z + group, z + 2 * group)
        _tangent_hidden(arena, at, weight, h, kept, step == 0)
        row, tiles = 0, (at.channels + ROWS - 1) // ROWS
        for tile in range(tiles):
            rows = (at.channels - row + tiles - tile - 1) // (tiles - tile)
            place, mask = cells + row * at.plane, at.masks + block * BLOCK
            update_tile(
                arena, rows, at.w2t + row, at.channels, at.dh, at.hidden, mask, old + place, new + place, at.plane
            )
            row += rows
        if direct >= 0:
            c, j = direct // at.hidden, direct % at.hidden
            _add_row(arena, new + cells + c * at.plane, at.masks + block * BLOCK, h + j * BLOCK, np.float32(1.0))


@njit(nogil=True, error_model="numpy")
def _read_visible(arena, at, state, extent, out):  # type: ignore[no-untyped-def]
    """The visible planes of a state into out (visible · height · width), zeros beyond the extent."""
    for c in range(at.visible):
        for y in range(at.height):
            first = state + c * at.plane + at.lead + y * at.stride
            for x in range(at.width):
                inside = y < extent[0] and x < extent[1]
                out[(c * at.height + y) * at.width + x] = arena[first + x] if inside else np.float32(0.0)


def _compiled(sources: str) -> Callable[..., None]:
    """The entry point, cached on disk; compiled anew when `sources` changes (core.codec.simd.cache)."""

    @cached(nogil=True, error_model="numpy")
    def jacobian_of(arena, at, weights, seed, masks, steps, extent, chosen, out):  # type: ignore[no-untyped-def]
        """The chosen weights' rows of one rule's Jacobian, into out (n, visible · height · width).

        `at` keeps all steps.
        """
        _ = sources
        unpack(arena, at, weights)
        _trace(arena, at, masks, seed, steps)
        tangents = at.size + steps * at.blocks * 3 * at.channels * BLOCK
        for row in range(len(chosen)):
            arena[tangents : tangents + 2 * at.state] = np.float32(0.0)
            for step in range(steps):
                take_mask(arena, at, masks, step)
                old, new = tangents + step % 2 * at.state, tangents + (step + 1) % 2 * at.state
                _tangent_step(arena, at, chosen[row], step, old, new)
            _read_visible(arena, at, tangents + steps % 2 * at.state, extent, out[row])

    return jacobian_of


jacobian_of = _compiled(digest(tiles, perception, rollout, vectors, batch))
