"""Rounding trained rules to symbols, so that the picture suffers as little as can be.

Rounding to nearest is ruinous (docs/adr/0005). Instead, with the Gauss-Newton matrix of a rule as its curvature,
weights are rounded one by one, the most sensitive first, and all that are still free make up for each error (nearest
plane). The rule is not linear, so this happens group by group: after each, the free weights are trained a little, and
the curvature is taken anew. The step sizes' tilt and the damping are chosen by the error of the real, integer
decoder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from regrow.core.codec.decode.growers.compiled import grow_batch
from regrow.core.codec.fit.checkpoint import Arrays, damage_as_error, with_prefix, without_prefix
from regrow.core.codec.fit.engines.base import Array, Engine
from regrow.core.codec.fit.nearest_plane import nearest_plane
from regrow.core.codec.fit.partly_rounded import Draft, RoundedRule, drafts_from_arrays, drafts_to_arrays
from regrow.core.codec.fit.quantization import StepSizes, integer_rule, one_byte_step_sizes, usual_step_sizes
from regrow.core.codec.fit.stages import Stages
from regrow.core.codec.fit.task import FitProgress, FitTask
from regrow.core.codec.fit.tuning import tune
from regrow.core.codec.format.fixed_point import SYMBOL_LIMIT, integer_seed

TILTS = (0.0, -0.5, 0.5)
"""Octaves by which W2's step size is made coarser, and W1's finer to make up for it. The first is the usual one."""

DAMPINGS = (1e-3, 1e-2)
"""Added to the curvature's diagonal, over its mean: how little a linear model of the rule is trusted."""

MATRIX_MEMORY, MATRICES = 2 << 30, 4
"""Bytes that all threads may use for matrices of all weights by all weights, and how many such a thread holds."""

_Result = TypeVar("_Result")


def round_rules(engine: Engine, task: FitTask, weights: Array, stages: Stages) -> tuple[tuple[RoundedRule, ...], ...]:
    """Each rule of weights (G, parameters), rounded once with each of the task's factors of coarseness.

    Raises FitStopped when the stages' hooks ask for it.
    """
    return _Rounding(engine, task, stages).run(weights)


class _Rounding:
    """`_drafts` are those of each rule that has its first group, one per factor."""

    def __init__(self, engine: Engine, task: FitTask, stages: Stages) -> None:
        self._engine, self._task, self._hooks = engine, task, stages.hooks
        self._seed = task.state
        self._integer_seed = integer_seed(task.seed, task.shape, self._seed.shape[1])
        self._pixels = np.rint(task.targets.pixels * 255).astype(np.int32)
        self._factors = 1 if task.one_byte else len(task.coarseness)
        self._drafts: dict[int, list[Draft]] = {}
        self._tuning_left: Arrays | None = None
        self._stage = stages.stage("rounding")
        if self._stage.left is not None:
            self._resume(self._stage.left)

    def run(self, weights: Array) -> tuple[tuple[RoundedRule, ...], ...]:
        count, groups = len(weights), self._task.schedule.groups
        first = self._first_group if groups else self._nearest
        without = [i for i in range(count) if i not in self._drafts]
        self._for_each(lambda i: first(i, weights[i]), without, self._drafts.__setitem__)
        for factor in range(self._factors):
            for group in range(1, groups):
                self._tune_and_round(factor, group)
        return tuple(tuple(draft.best for draft in self._drafts[i]) for i in range(count))

    def _tune_and_round(self, factor: int, group: int) -> None:
        """One more group of every rule, as far as an earlier fit has not."""
        drafts = [self._drafts[i][factor] for i in range(len(self._drafts))]
        if any(draft.tuned < group for draft in drafts):
            tune(self._engine, self._task, drafts, group, self._look_at_tuning, self._tuning_left)
            self._tuning_left = None

        def keep(i: int, draft: Draft) -> None:
            self._drafts[i][factor] = draft

        waiting = [i for i, draft in enumerate(drafts) if draft.groups <= group]
        self._for_each(lambda i: self._next_group(i, drafts[i], group), waiting, keep)

    def _look_at_tuning(self, tuning: Callable[[], Arrays]) -> None:
        self._stage.look(lambda: self._state(tuning()))

    def _state(self, tuning: Arrays | None = None) -> Arrays:
        drafts = drafts_to_arrays(self._drafts, len(self._task.identities), self._factors, self._task.shape.parameters)
        return with_prefix("drafts", drafts) | with_prefix("tuning", tuning or {})

    def _resume(self, state: Arrays) -> None:
        with damage_as_error():
            drafts = without_prefix("drafts", state)
            self._drafts = drafts_from_arrays(drafts, self._factors, self._task.shape.parameters)
            self._tuning_left = without_prefix("tuning", state) or None

    def _for_each(
        self, work: Callable[[int], _Result], rules: Iterable[int], keep: Callable[[int, _Result], None]
    ) -> None:
        """Do it for these rules, one in a thread, each with a single-threaded BLAS: sums in an order of its own.

        Results are kept one by one, so that a checkpoint between two of them has all there are.
        """
        matrix_bytes = 8 * self._task.shape.parameters**2
        threads = max(1, min(numba.get_num_threads(), MATRIX_MEMORY // (MATRICES * matrix_bytes)))
        waiting, running, stopping = deque(rules), dict[Future[_Result], int](), False
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
            while waiting or running:
                stopping = stopping or self._hooks.should_stop()
                if stopping and not running:
                    self._stage.stop(self._state)
                while waiting and len(running) < threads and not stopping:
                    rule = waiting.popleft()
                    running[pool.submit(work, rule)] = rule
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    keep(running.pop(future), future.result())
                    self._tell()
                self._stage.save_if_due(self._state)

    def _nearest(self, i: int, weights: Array) -> list[Draft]:
        """Round all weights to nearest, whatever they do to the picture; one draft per factor."""
        drafts = []
        for step_sizes, *_ in self._choices(weights):
            rounded = self._rounded(i, np.rint(weights / step_sizes.per_weight(self._task.shape)), step_sizes)
            everything = np.ones(len(weights), dtype=np.bool_)
            drafts.append(Draft(step_sizes, weights.astype(np.float64), everything, 0.0, rounded, groups=1))
        return drafts

    def _choices(self, weights: Array) -> list[list[StepSizes]]:
        """For each factor of coarseness, the step sizes that may be chosen."""
        task = self._task
        if task.one_byte:
            return [[one_byte_step_sizes(weights, task.shape)]]
        return [[usual_step_sizes(weights, task.shape, factor, tilt) for tilt in TILTS] for factor in task.coarseness]

    def _first_group(self, i: int, weights: Array) -> list[Draft]:
        """Round the first group, with step sizes and damping chosen by rounding everything at once.

        One draft per factor of coarseness.
        """
        everything = np.arange(self._task.shape.parameters)
        curvature = self._curvature(i, weights, everything)
        drafts = []
        for choices in self._choices(weights):
            draft = self._best(i, weights, curvature, [(step_sizes, DAMPINGS[0]) for step_sizes in choices])
            others = [(draft.step_sizes, damping) for damping in DAMPINGS[1:]]
            draft = min(draft, self._best(i, weights, curvature, others), key=lambda each: each.best.error)
            if self._task.schedule.groups > 1:
                self._round_group(draft, curvature, everything, len(everything) - self._left_after(0))
            drafts.append(replace(draft, groups=1))
        return drafts

    def _best(self, i: int, weights: Array, curvature: Array, choices: list[tuple[StepSizes, float]]) -> Draft:
        """The step sizes and damping with which rounding everything at once leaves the smallest error."""
        everything = np.arange(len(weights))
        drafts = []
        for step_sizes, damping in choices:
            whole = self._nearest_plane(curvature, weights, everything, step_sizes, damping, len(weights))
            unfrozen = np.zeros(len(weights), dtype=np.bool_)
            rounded = self._rounded(i, whole, step_sizes)
            drafts.append(Draft(step_sizes, weights.astype(np.float64), unfrozen, damping, rounded))
        return min(drafts, key=lambda draft: draft.best.error)

    def _next_group(self, i: int, draft: Draft, group: int) -> Draft:
        """Round another group of the free weights; with the last one, keep the result where it is better."""
        draft = replace(draft, weights=draft.weights.copy(), frozen=draft.frozen.copy(), groups=group + 1)
        free = np.flatnonzero(~draft.frozen)
        left = self._left_after(group)
        curvature = self._curvature(i, draft.weights.astype(np.float32), free)
        self._round_group(draft, curvature, free, len(free) - left)
        if left == 0:
            rounded = self._rounded(i, draft.weights / draft.step_sizes.per_weight(self._task.shape), draft.step_sizes)
            if rounded.error < draft.best.error:
                draft.best = rounded
        return draft

    def _left_after(self, group: int) -> int:
        """How many weights are still free after a group."""
        return round(self._task.schedule.free_shares[group + 1] * self._task.shape.parameters)

    def _round_group(self, draft: Draft, curvature: Array, free: npt.NDArray[np.intp], count: int) -> None:
        """Round the `count` most sensitive of the free weights, and move the others to make up for it."""
        sizes = draft.step_sizes.per_weight(self._task.shape)[free]
        codes = self._nearest_plane(curvature, draft.weights[free], free, draft.step_sizes, draft.damping, count)
        draft.weights[free] = codes * sizes
        draft.frozen[free[_by_sensitivity(curvature, sizes)[-count:]]] = True

    def _nearest_plane(
        self,
        curvature: Array,
        weights: npt.NDArray[np.floating],
        free: npt.NDArray[np.intp],
        step_sizes: StepSizes,
        damping: float,
        count: int,
    ) -> npt.NDArray[np.float64]:
        """The free weights (n,) in units of their step sizes, the `count` most sensitive ones rounded."""
        sizes = step_sizes.per_weight(self._task.shape)[free]
        order = _by_sensitivity(curvature, sizes)
        matrix = curvature[np.ix_(order, order)].astype(np.float64)
        matrix *= sizes[order][:, None]
        matrix *= sizes[order]
        matrix[np.diag_indices(len(matrix))] += damping * np.mean(np.diag(matrix)) + 1e-30
        codes = weights / sizes
        if np.isfinite(matrix).all():
            factor = np.linalg.cholesky(matrix)
            codes[order] = nearest_plane(factor, codes[order], count, SYMBOL_LIMIT)
        else:  # a rule that has run wild
            codes[order[-count:]] = np.rint(codes[order[-count:]]).clip(-SYMBOL_LIMIT, SYMBOL_LIMIT)
        return codes

    def _curvature(self, i: int, weights: Array, chosen: npt.NDArray[np.intp]) -> Array:
        task = self._task
        extent = task.targets.extents[i]
        return self._engine.curvature(task.shape, weights, self._seed, extent, task.rollout, chosen)

    def _rounded(self, i: int, codes: npt.NDArray[np.floating], step_sizes: StepSizes) -> RoundedRule:
        """The rule of these symbols, and what the real decoder makes of it."""
        task = self._task
        symbols = np.rint(codes).clip(-SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int8)
        rule = integer_rule(symbols, step_sizes, task.shape, self._seed, task.rollout)
        grown = grow_batch(task.shape, [rule], self._integer_seed, task.rollout, threads=1)[0]
        rows, columns = task.targets.extents[i]
        difference = (grown.astype(np.int32) - self._pixels[i])[:, :rows, :columns]
        return RoundedRule(rule, int(np.square(difference).sum()))

    def _tell(self) -> None:
        """Progress of the rounding, after that of the training: each rule's groups that are done."""
        schedule, shares = self._task.schedule, np.zeros(len(self._task.identities))
        for rule, drafts in self._drafts.items():
            shares[rule] = sum(draft.groups for draft in drafts) / (len(drafts) * max(1, schedule.groups))
        before = schedule.total / schedule.work(self._task.shape, len(self._task.coarseness))
        self._hooks.on_progress(FitProgress(before + (1 - before) * shares, "rounding"))


def _by_sensitivity(curvature: Array, sizes: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """The weights' numbers, the one whose rounding disturbs the picture most last."""
    return np.argsort(np.diag(curvature) * np.square(sizes), kind="stable")
