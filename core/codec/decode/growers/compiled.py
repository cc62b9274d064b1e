"""The integer decoder on a CPU: core.codec.format.fixed_point.grow for many rules at once, to the same bits.

Laid out like the training engine (engines.cpu.rollout): planes with zero borders, walked in blocks. The states are
updated in place; what perception reads is a second kind of planes, the codes, of which one set is read while the
other is written.

Each patch is grown wholly by one thread. The threads are Python's: numba's would double the time to compile, and must
not be used from several threads or after a fork everywhere. Nothing is kept between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.core.codec.decode.growers import kernels, products
from regrow.core.codec.decode.growers import layout as layouts
from regrow.core.codec.decode.growers.kernels import code_block, hidden_block, pair_block, sobel_block, update_block
from regrow.core.codec.decode.growers.layout import (
    aligned_zeros,
    cells_of,
    fire_planes,
    packed_weights,
    plan,
    planes_of,
    shifts_of,
)
from regrow.core.codec.decode.growers.products import native_tile, portable_tile
from regrow.core.codec.format.fixed_point import IntegerRule, Integers, visible_pixels
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.simd import tiles, vectors
from regrow.core.codec.simd.cache import cached, digest
from regrow.core.codec.simd.tiles import BLOCK
from regrow.core.codec.simd.vectors import ROWS

_CHUNK = 8  # patches that a thread takes at once


def grow_batch(
    shape: RuleShape,
    rules: Sequence[IntegerRule],
    seed: Integers,
    rollout: Rollout,
    *,
    threads: int | None = None,
    portable: bool = False,
) -> npt.NDArray[np.uint8]:
    """The pixels that G rules grow from a seed; uint8 (G, visible, height, width).

    seed: int32 (channels, height, width) within ±2**30.
    threads: as many as numba is configured for (NUMBA_NUM_THREADS) where None.
    portable: without the machine's own instruction for products of pairs; slower, and the same pixels.
    """
    pixels = np.empty((len(rules), shape.visible, *seed.shape[1:]), dtype=np.uint8)

    def keep(chunk: slice, states: Integers) -> None:
        for out, state in zip(pixels[chunk], states, strict=True):
            out[...] = visible_pixels(state)

    _grow_chunks(shape, rules, seed, rollout, threads, portable, shape.visible, keep)
    return pixels


def grow_states(
    shape: RuleShape,
    rules: Sequence[IntegerRule],
    seed: Integers,
    rollout: Rollout,
    *,
    threads: int | None = None,
    portable: bool = False,
    channels: int | None = None,
) -> Integers:
    """The states behind these pixels, whole or their first `channels`; int32 (G, channels, height, width)."""
    kept = channels or shape.channels
    states = np.empty((len(rules), kept, *seed.shape[1:]), dtype=np.int32)
    _grow_chunks(shape, rules, seed, rollout, threads, portable, kept, states.__setitem__)
    return states


def _grow_chunks(
    shape: RuleShape,
    rules: Sequence[IntegerRule],
    seed: Integers,
    rollout: Rollout,
    threads: int | None,
    portable: bool,
    kept: int,
    keep: Callable[[slice, Integers], None],
) -> None:
    """Call keep(which rules, the first `kept` channels of their states), from several threads, for all rules."""
    layout = plan(shape, *seed.shape[1:])
    seed_planes, masks = planes_of(layout, seed), fire_planes(layout, rollout)

    def run(chunk: slice) -> None:
        arena = aligned_zeros(layout.size)
        words, numbers = packed_weights(shape, rules[chunk]), shifts_of(rules[chunk])
        planes = np.empty((len(words), kept * layout.plane), dtype=np.int32)
        _grow(arena, layout, words, numbers, seed_planes, masks, rollout.steps, 0 if portable else None, planes)
        keep(chunk, cells_of(layout, planes))

    workers = threads or numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    chunks = list(_chunks(len(rules)))
    if min(workers, len(chunks)) == 1:
        for chunk in chunks:
            run(chunk)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(run, chunks):
            pass


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


@njit(nogil=True, error_model="numpy")
def _place(arena, start, words):  # type: ignore[no-untyped-def]
    """words into the arena."""
    for i in range(len(words)):
        arena[start + i] = words[i]


@njit(nogil=True, error_model="numpy")
def _encode(arena, at, precision):  # type: ignore[no-untyped-def]
    """The state's codes into the first set."""
    for c in range(at.channels):
        for block in range(at.blocks):
            cells = c * at.plane + at.lead + block * BLOCK
            code_block(arena, at.state + cells, at.codes + cells, precision)


@njit(nogil=True, error_model="numpy")
def _perceive(arena, at, cells):  # type: ignore[no-untyped-def]
    """z of the block at `cells` (the arena offset of the first channel's codes there)."""
    for c in range(at.channels):
        sobel_block(arena, cells + c * at.plane, at.stride, at.z + c * BLOCK)
    for c in range(0, at.channels, 2):
        partner = min(c + 1, at.channels - 1)
        z = at.z + (at.channels + c // 2) * BLOCK
        pair_block(arena, cells + c * at.plane, cells + partner * at.plane, z)


@njit(nogil=True, error_model="numpy")
def _product(arena, portable, total, left, right, depth, bias, out):  # type: ignore[no-untyped-def]
    """out (total, BLOCK) = left^T (depth, total) · right (depth, BLOCK) + bias, in tiles of about equal height."""
    row, tiles = 0, (total + ROWS - 1) // ROWS
    for tile in range(tiles):
        rows = (total - row + tiles - tile - 1) // (tiles - tile)
        if portable is None:
            native_tile(arena, rows, left + row, total, right, depth, bias + row, out + row * BLOCK)
        else:
            portable_tile(arena, rows, left + row, total, right, depth, bias + row, out + row * BLOCK)
        row += rows


@njit(nogil=True, error_model="numpy")
def _update(arena, at, numbers, portable, step):  # type: ignore[no-untyped-def]
    """One update of the state, by the mask in the arena. `numbers` is a row of shifts_of.

    portable: None where the machine's own instruction multiplies pairs, else 0. Two types, so that numba compiles only
    what is asked for.
    """
    precision, hidden_shift, mantissa, shift = numbers
    b1 = at.weights + at.pairs * at.hidden
    old, new = at.codes + step % 2 * at.set, at.codes + (step + 1) % 2 * at.set
    for block in range(at.blocks):
        cells = at.lead + block * BLOCK
        _perceive(arena, at, old + cells)
        _product(arena, portable, at.hidden, at.weights, at.z, at.pairs, b1, at.sums)
        for j in range(0, at.hidden, 2):
            partner = min(j + 1, at.hidden - 1)
            h = at.h + j // 2 * BLOCK
            hidden_block(arena, at.sums + j * BLOCK, at.sums + partner * BLOCK, hidden_shift, h)
        _product(arena, portable, at.channels, b1 + at.hidden, at.h, at.hidden_pairs, at.zeros, at.sums)
        for c in range(at.channels):
            state, codes = at.state + cells + c * at.plane, new + cells + c * at.plane
            mask = at.mask + block * BLOCK
            update_block(arena, at.sums + c * BLOCK, mask, state, codes, mantissa, shift, precision)


def _compiled(sources: str) -> Callable[..., None]:
    """The entry point, cached on disk; compiled anew when `sources` changes (core.codec.simd.cache)."""

    @cached(nogil=True, error_model="numpy")
    def grow(arena, at, words, numbers, seed, masks, steps, portable, planes):  # type: ignore[no-untyped-def]
        """Grow rules of words (G, words) and numbers (G, 4); the first planes of their states into planes (G, ...)."""
        _ = sources
        for patch in range(len(words)):
            rule = (numbers[patch, 0], numbers[patch, 1], numbers[patch, 2], numbers[patch, 3])
            _place(arena, at.weights, words[patch])
            _place(arena, at.state, seed)
            _encode(arena, at, rule[0])
            for step in range(steps):
                if step < len(masks):
                    _place(arena, at.mask, masks[step])
                _update(arena, at, rule, portable, step)
            for i in range(planes.shape[1]):
                planes[patch, i] = arena[at.state + i]

    return grow


_grow = _compiled(digest(kernels, layouts, products, tiles, vectors))
