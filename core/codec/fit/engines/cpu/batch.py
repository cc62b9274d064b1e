"""The CPU engine's entry point: many patches at once, each wholly by one thread.

A thread takes every n-th patch and has its own row of the scratch arenas. Within a patch the order of all sums is
fixed, so a patch's numbers depend neither on the batch nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit, prange

from regrow.core.codec.fit.engines.cpu import perception, rollout
from regrow.core.codec.fit.engines.cpu.rollout import backward_step, forward_step, place_seed, unpack
from regrow.core.codec.rule import VISIBLE_OFFSET
from regrow.core.codec.simd import tiles, vectors
from regrow.core.codec.simd.cache import cached, digest

OFFSET = np.float32(VISIBLE_OFFSET)


@njit(nogil=True, error_model="numpy")
def take_mask(arena, at, masks, step):  # type: ignore[no-untyped-def]
    """The step's fire mask into the arena; `masks` has one row where all steps share it."""
    row = masks[step % len(masks)]
    for i in range(len(row)):
        arena[at.masks + i] = row[i]


@njit(nogil=True, error_model="numpy")
def _loss_and_state_gradient(arena, at, state, pixels, extent):  # type: ignore[no-untyped-def]
    """Mean squared error of the state at `state` (summed in float64); its gradient by that state into the arena."""
    arena[at.gradient : at.gradient + at.state] = np.float32(0.0)
    rows, columns = extent[0], extent[1]
    share = 1.0 / (at.visible * rows * columns)
    total = 0.0
    for c in range(at.visible):
        for y in range(rows):
            start = c * at.plane + at.lead + y * at.stride
            for x in range(columns):
                error = arena[state + start + x] + OFFSET - pixels[c, y, x]
                total += np.float64(error) * np.float64(error)
                arena[at.gradient + start + x] = error * np.float32(2.0 * share)
    return np.float32(total * share)


@njit(nogil=True, error_model="numpy")
def write_weight_gradient(arena, at, out):  # type: ignore[no-untyped-def]
    """The gradients gathered in the arena as one flat vector, in the order of a rule's weights."""
    perceived = 3 * at.channels
    for j in range(at.hidden):
        for k in range(perceived):
            value = arena[at.dw1 + j * at.z_width + k]
            out[j * perceived + k] = value if k < at.channels else value * np.float32(0.125)
        total = np.float32(0.0)
        for lane in range(at.db1 + j * at.lanes, at.db1 + (j + 1) * at.lanes):
            total += arena[lane]
        out[at.hidden * perceived + j] = total
        for c in range(at.channels):
            out[at.hidden * (perceived + 1) + c * at.hidden + j] = arena[at.dw2t + j * at.u_width + c]


@njit(nogil=True, error_model="numpy")
def read_planes(arena, at, start, out):  # type: ignore[no-untyped-def]
    """The planes at `start` into out (channels, height, width)."""
    for c in range(at.channels):
        for y in range(at.height):
            first = start + c * at.plane + at.lead + y * at.stride
            for x in range(at.width):
                out[c, y, x] = arena[first + x]


@njit(nogil=True, error_model="numpy")
def forward(arena, at, weights, seed, masks, steps):  # type: ignore[no-untyped-def]
    """Grow one seed by one rule, keeping all states; where the last one lies."""
    unpack(arena, at, weights)
    place_seed(arena, at, seed)
    for step in range(steps):
        take_mask(arena, at, masks, step)
        old = at.states + step * at.state
        forward_step(arena, at, old, old + at.state, step % at.kept)
    return at.states + steps * at.state


@njit(nogil=True, error_model="numpy")
def backward(arena, at, masks, steps):  # type: ignore[no-untyped-def]
    """Back through all steps of `forward`, from the gradient by the final state, which is in the arena."""
    arena[at.dw1 : at.size] = np.float32(0.0)
    for step in range(steps - 1, -1, -1):
        take_mask(arena, at, masks, step)
        backward_step(arena, at, at.states + step * at.state, step % at.kept)


def _compiled(sources: str) -> Callable[..., None]:
    """The entry point, cached on disk; compiled anew when `sources` changes (core.codec.simd.cache)."""

    @cached(parallel=True, nogil=True, error_model="numpy")
    def gradient_batch(  # type: ignore[no-untyped-def]
        arenas, at, weights, seeds, masks, steps, pixels, extents, losses, weight_gradients, seed_gradients
    ):
        """Losses (G,), weight gradients (G, parameters) and, where seed_gradients is not empty, those of the seeds.

        `at` keeps steps + 1 states.
        """
        _ = sources
        count = len(losses)
        workers = min(len(arenas), count)
        for worker in prange(workers):
            arena = arenas[worker]
            for patch in range(worker, count, workers):
                last = forward(arena, at, weights[patch % len(weights)], seeds[patch % len(seeds)], masks, steps)
                losses[patch] = _loss_and_state_gradient(arena, at, last, pixels[patch], extents[patch])
                backward(arena, at, masks, steps)
                write_weight_gradient(arena, at, weight_gradients[patch])
                if len(seed_gradients) > 0:
                    read_planes(arena, at, at.gradient, seed_gradients[patch])

    return gradient_batch


gradient_batch = _compiled(digest(tiles, perception, rollout, vectors))
