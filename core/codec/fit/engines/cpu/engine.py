"""The CPU engine: fused, hand-differentiated rollouts compiled by numba."""

from __future__ import annotations

import functools

import numba
import numpy as np
import numpy.typing as npt

from regrow.core.codec.fire import fire_masks
from regrow.core.codec.fit.engines.base import Array, LossAndGradients, Targets
from regrow.core.codec.fit.engines.cpu.batch import gradient_batch
from regrow.core.codec.fit.engines.cpu.jacobian import jacobian_arena, jacobian_of
from regrow.core.codec.fit.engines.cpu.pull_back import grow_states, pull_back
from regrow.core.codec.fit.engines.cpu.rollout import Layout, plan
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.simd.tiles import BLOCK

_CACHE_LINE = 16  # floats


class NumbaEngine:
    """Runs on all threads that numba may use (numba.set_num_threads).

    Scratch memory is kept between calls, so one engine must not be used by two Python threads at once; several
    engines may, where numba's threading layer allows it (OpenMP and TBB do).

    hidden_memory: bytes a thread may use to keep the hidden layers of all steps for the backward pass. A rollout that
        needs more computes them anew there, with the same result, in about a tenth more time.
    """

    name = "numba"

    def __init__(self, hidden_memory: int = 256 << 20) -> None:
        self._hidden_memory = hidden_memory
        self._arenas: Array = np.empty((0, 0), dtype=np.float32)
        self._planned: tuple[object, ...] = ()

    def loss_and_gradients(
        self,
        shape: RuleShape,
        weights: Array,
        seeds: Array,
        targets: Targets,
        rollout: Rollout,
        *,
        seed_gradients: bool = False,
    ) -> LossAndGradients:
        """As core.codec.fit.engines.base.Engine has it."""
        height, width = seeds.shape[2:]
        count = len(targets.pixels)
        layout = self._plan(shape, height, width, rollout)
        arenas = self._prepare(layout, count)
        losses = np.empty(count, dtype=np.float32)
        by_weights = np.empty((count, shape.parameters), dtype=np.float32)
        by_seeds = np.empty((count if seed_gradients else 0, shape.channels, height, width), dtype=np.float32)
        gradient_batch(
            arenas,
            layout,
            _contiguous(weights),
            _contiguous(seeds),
            _fire(layout, rollout),
            rollout.steps,
            _contiguous(targets.pixels),
            np.ascontiguousarray(targets.extents, dtype=np.int64),
            losses,
            by_weights,
            by_seeds,
        )
        if len(weights) == 1:
            by_weights = _summed(by_weights)
        return LossAndGradients(losses, by_weights, by_seeds if seed_gradients else None)

    def grow(self, shape: RuleShape, weights: Array, seeds: Array, rollout: Rollout) -> Array:
        """The final states; float32 (G, channels, height, width), as the seeds."""
        layout = self._plan(shape, seeds.shape[2], seeds.shape[3], rollout)
        states = np.empty(seeds.shape, dtype=np.float32)
        arenas = self._prepare(layout, len(seeds))
        masks = _fire(layout, rollout)
        grow_states(arenas, layout, _contiguous(weights), _contiguous(seeds), masks, rollout.steps, states)
        return states

    def pull_back(
        self, shape: RuleShape, weights: Array, seeds: Array, gradients: Array, rollout: Rollout
    ) -> tuple[Array, Array]:
        """The vector-Jacobian product: gradients by the weights and by the seeds, of their shapes.

        gradients: by the final states, float32 (G, channels, height, width). Of one rule shared by all seeds, the
        weights' gradient is the sum over the seeds.
        """
        layout = self._plan(shape, seeds.shape[2], seeds.shape[3], rollout)
        by_weights = np.empty((len(seeds), shape.parameters), dtype=np.float32)
        by_seeds = np.empty(seeds.shape, dtype=np.float32)
        pull_back(
            self._prepare(layout, len(seeds)),
            layout,
            _contiguous(weights),
            _contiguous(seeds),
            _fire(layout, rollout),
            rollout.steps,
            _contiguous(gradients),
            by_weights,
            by_seeds,
        )
        return (_summed(by_weights) if len(weights) == 1 else by_weights), by_seeds

    def curvature(
        self,
        shape: RuleShape,
        weights: Array,
        seed: Array,
        extent: npt.NDArray[np.int32],
        rollout: Rollout,
        chosen: npt.NDArray[np.intp],
    ) -> Array:
        """As core.codec.fit.engines.base.Engine has it."""
        _, height, width = seed.shape
        layout = plan(shape, height, width, states=rollout.steps + 1, kept=rollout.steps)
        arena = _aligned_zeros(1, layout.size + jacobian_arena(layout, rollout.steps))[0]
        jacobian = np.empty((len(chosen), shape.visible * height * width), dtype=np.float32)
        jacobian_of(
            arena,
            layout,
            _contiguous(weights),
            _contiguous(seed),
            _fire(layout, rollout),
            rollout.steps,
            np.ascontiguousarray(extent, dtype=np.int64),
            np.ascontiguousarray(chosen, dtype=np.int64),
            jacobian,
        )
        product: Array = jacobian @ jacobian.T
        return product

    def _plan(self, shape: RuleShape, height: int, width: int, rollout: Rollout) -> Layout:
        layout = plan(shape, height, width, states=rollout.steps + 1, kept=rollout.steps)
        if 4 * rollout.steps * layout.blocks * shape.hidden * BLOCK > self._hidden_memory:
            layout = plan(shape, height, width, states=rollout.steps + 1, kept=1)
        return layout

    def _prepare(self, layout: Layout, count: int) -> Array:
        """Scratch memory for each thread; zeroed only when the layout changes, as kernels keep its borders zero."""
        workers = max(1, min(numba.get_num_threads(), count))
        if self._planned != layout or len(self._arenas) < workers:
            self._arenas = _aligned_zeros(workers, layout.size)
            self._planned = layout
        return self._arenas[:workers]


@functools.lru_cache(maxsize=4)
def _fire(layout: Layout, rollout: Rollout) -> Array:
    """Float masks (steps or 1, cells of all blocks): 1 where a cell updates, 0 elsewhere and between the rows."""
    if rollout.fire_rate:
        fires = fire_masks(rollout.fire_key, rollout.steps, layout.height, layout.width, rollout.fire_rate)
    else:
        fires = np.ones((1, layout.height, layout.width), dtype=np.bool_)
    masks = np.zeros((len(fires), layout.blocks * BLOCK), dtype=np.float32)
    cells = masks[:, : layout.height * layout.stride].reshape(len(fires), layout.height, layout.stride)
    cells[:, :, : layout.width] = fires
    return masks


def _summed(by_weights: Array) -> Array:
    """Gradients (G, parameters) as that of one shared rule, (1, parameters).

    Summed patch by patch, in float64: the order does not depend on threads.
    """
    total: Array = by_weights.sum(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    return total


def _contiguous(array: Array) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)


def _aligned_zeros(rows: int, size: int) -> Array:
    """float32 zeros (rows, size) whose rows start on a cache line; `size` is a multiple of 16."""
    memory = np.zeros(rows * size + _CACHE_LINE, dtype=np.float32)
    skip = -(memory.ctypes.data // 4) % _CACHE_LINE
    return memory[skip : skip + rows * size].reshape(rows, size)
