"""The CPU engine's rollout for any loss: the final states, and gradients from a gradient of those.

What `batch` does for the squared error of pixels, in two calls with the loss in between.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit, prange

from regrow.core.codec.fit.engines.cpu import batch, perception, rollout
from regrow.core.codec.fit.engines.cpu.batch import backward, forward, read_planes, write_weight_gradient
from regrow.core.codec.simd import tiles, vectors
from regrow.core.codec.simd.cache import cached, digest


@njit(nogil=True, error_model="numpy")
def _place_gradient(arena, at, gradient):  # type: ignore[no-untyped-def]
    """A gradient (channels, height, width) by the final state into the arena."""
    arena[at.gradient : at.gradient + at.state] = np.float32(0.0)
    for c in range(at.channels):
        for y in range(at.height):
            start = at.gradient + c * at.plane + at.lead + y * at.stride
            for x in range(at.width):
                arena[start + x] = gradient[c, y, x]


def _compiled(sources: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """The entry points, cached on disk; compiled anew when `sources` changes (core.codec.simd.cache)."""

    @cached(parallel=True, nogil=True, error_model="numpy")
    def grow_states(arenas, at, weights, seeds, masks, steps, states):  # type: ignore[no-untyped-def]
        """The final states (G, channels, height, width). `at` keeps steps + 1 states."""
        _ = sources
        count = len(states)
        workers = min(len(arenas), count)
        for worker in prange(workers):
            for patch in range(worker, count, workers):
                arena = arenas[worker]
                last = forward(arena, at, weights[patch % len(weights)], seeds[patch], masks, steps)
                read_planes(arena, at, last, states[patch])

    @cached(parallel=True, nogil=True, error_model="numpy")
    def pull_back(  # type: ignore[no-untyped-def]
        arenas, at, weights, seeds, masks, steps, gradients, weight_gradients, seed_gradients
    ):
        """Gradients by weights (G, parameters) and seeds, from those by the final states; both like the seeds."""
        _ = sources
        count = len(gradients)
        workers = min(len(arenas), count)
        for worker in prange(workers):
            for patch in range(worker, count, workers):
                arena = arenas[worker]
                forward(arena, at, weights[patch % len(weights)], seeds[patch], masks, steps)
                _place_gradient(arena, at, gradients[patch])
                backward(arena, at, masks, steps)
                write_weight_gradient(arena, at, weight_gradients[patch])
                read_planes(arena, at, at.gradient, seed_gradients[patch])

    return grow_states, pull_back


grow_states, pull_back = _compiled(digest(tiles, perception, rollout, vectors, batch))
