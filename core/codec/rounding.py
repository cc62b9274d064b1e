"""Rounding trained rules to symbols, so that the picture suffers as little as can be.

Rounding to nearest is ruinous (DESIGN.md §4). Instead, with the Gauss-Newton matrix of a rule as its curvature, weights
are rounded one by one, the most sensitive first, and all that are still free make up for each error (nearest plane).
The rule is not linear, so this happens group by group: after each, the free weights are trained a little, and the
curvature is taken anew. The steps' tilt and the damping are chosen by the error of the real, integer decoder.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from core.codec.engines.base import Array, Engine
from core.codec.engines.numba_integer import grow_batch
from core.codec.fit_phase import DIVERGED, LOOK_EVERY, Phase
from core.codec.fit_task import FitHooks, FitProgress, FitTask
from core.codec.fixed_point import SYMBOL_LIMIT, IntegerRule, integer_seed
from core.codec.noise import rule_keys
from core.codec.optimizers.numba_babai import nearest_plane
from core.codec.quantization import Steps, integer_rule, one_byte_steps, usual_steps
from core.codec.trainers import Training, make_trainer
from core.errors import FitStopped

TILTS = (0.0, -0.5, 0.5)
"""Octaves by which W2's step is made coarser, and W1's finer to make up for it. The first is the usual one."""

DAMPINGS = (1e-3, 1e-2)
"""Added to the curvature's diagonal, over its mean: how little a linear model of the rule is trusted."""

TUNING_RATE = 3e-3

MATRIX_MEMORY, MATRICES = 2 << 30, 4
"""Bytes that all threads may use for matrices of all weights by all weights, and how many such a thread holds."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RoundedRule:
    """error: sum of squared errors, in 8-bit levels, of the counted pixels as the integer decoder grows them."""

    rule: IntegerRule
    error: int


@dataclass(slots=True)
class _Draft:
    """A rule on its way: weights (parameters,) float64, of which `frozen` are rounded. best: its best rounding."""

    steps: Steps
    weights: npt.NDArray[np.float64]
    frozen: npt.NDArray[np.bool_]
    damping: float
    best: RoundedRule


def round_rules(
    engine: Engine, task: FitTask, weights: Array, hooks: FitHooks, told: Array
) -> tuple[tuple[RoundedRule, ...], ...]:
    """Each rule of weights (G, parameters), rounded at each of the task's levels.

    told: the losses (G,) to tell of in progress. Raises FitStopped when the hooks ask for it.
    """
    return _Rounding(engine, task, hooks, told).run(weights)


class _Rounding:
    def __init__(self, engine: Engine, task: FitTask, hooks: FitHooks, told: Array) -> None:
        self._engine, self._task, self._hooks, self._told = engine, task, hooks, told
        self._seed = task.state
        self._integer_seed = integer_seed(task.seed, task.shape, self._seed.shape[1])
        self._pixels = np.rint(task.targets.pixels * 255).astype(np.int32)

    def run(self, weights: Array) -> tuple[tuple[RoundedRule, ...], ...]:
        groups = self._task.schedule.groups
        if groups == 0:
            return tuple((rule,) for rule in self._for_each(lambda i: self._nearest(i, weights[i]), len(weights)))
        first = self._for_each(lambda i: self._first_group(i, weights[i]), len(weights))
        levels = [[drafts[level] for drafts in first] for level in range(len(first[0]))]
        for number, drafts in enumerate(levels):
            for group in range(1, groups):
                self._tell((number * groups + group) / (len(levels) * groups))
                self._tune(drafts, group)
                self._for_each(lambda i, d=drafts, g=group: self._next_group(i, d[i], g), len(drafts))  # type: ignore[misc]
        self._tell(1.0)
        return tuple(tuple(drafts[i].best for drafts in levels) for i in range(len(weights)))

    def _for_each(self, work: Callable[[int], _Result], count: int) -> list[_Result]:
        """Do it for every rule, one in a thread, each with a single-threaded BLAS: sums in an order of its own."""

        def unless_stopped(i: int) -> _Result:
            if self._hooks.should_stop():
                raise FitStopped("the fit was asked to stop")
            return work(i)

        matrix_bytes = 8 * self._task.shape.parameters**2
        threads = max(1, min(numba.get_num_threads(), MATRIX_MEMORY // (MATRICES * matrix_bytes)))
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
            return list(pool.map(unless_stopped, range(count)))

    def _nearest(self, i: int, weights: Array) -> RoundedRule:
        steps = self._choices(weights)[0][0]
        return self._rounded(i, np.rint(weights / steps.per_weight(self._task.shape)), steps)

    def _choices(self, weights: Array) -> list[list[Steps]]:
        """For each level, the steps that may be chosen."""
        task = self._task
        if task.one_byte:
            return [[one_byte_steps(weights, task.shape)]]
        return [[usual_steps(weights, task.shape, level, tilt) for tilt in TILTS] for level in task.levels]

    def _first_group(self, i: int, weights: Array) -> list[_Draft]:
        """Round the first group, with steps and damping chosen by rounding everything at once; one draft per level."""
        everything = np.arange(self._task.shape.parameters)
        curvature = self._curvature(i, weights, everything)
        drafts = []
        for choices in self._choices(weights):
            draft = self._best(i, weights, curvature, [(steps, DAMPINGS[0]) for steps in choices])
            others = [(draft.steps, damping) for damping in DAMPINGS[1:]]
            draft = min(draft, self._best(i, weights, curvature, others), key=lambda each: each.best.error)
            if self._task.schedule.groups > 1:
                self._round_group(draft, curvature, everything, len(everything) - self._left_after(0))
            drafts.append(draft)
        return drafts

    def _best(self, i: int, weights: Array, curvature: Array, choices: list[tuple[Steps, float]]) -> _Draft:
        """The steps and damping with which rounding everything at once leaves the smallest error."""
        everything = np.arange(len(weights))
        drafts = []
        for steps, damping in choices:
            whole = self._nearest_plane(curvature, weights, everything, steps, damping, len(weights))
            unfrozen = np.zeros(len(weights), dtype=np.bool_)
            drafts.append(_Draft(steps, weights.astype(np.float64), unfrozen, damping, self._rounded(i, whole, steps)))
        return min(drafts, key=lambda draft: draft.best.error)

    def _next_group(self, i: int, draft: _Draft, group: int) -> None:
        """Round another group of the free weights; with the last one, keep the result where it is better."""
        free = np.flatnonzero(~draft.frozen)
        left = self._left_after(group)
        curvature = self._curvature(i, draft.weights.astype(np.float32), free)
        self._round_group(draft, curvature, free, len(free) - left)
        if left == 0:
            rounded = self._rounded(i, draft.weights / draft.steps.per_weight(self._task.shape), draft.steps)
            if rounded.error < draft.best.error:
                draft.best = rounded

    def _left_after(self, group: int) -> int:
        """How many weights are still free after a group."""
        return round(self._task.schedule.free_shares[group + 1] * self._task.shape.parameters)

    def _round_group(self, draft: _Draft, curvature: Array, free: npt.NDArray[np.intp], count: int) -> None:
        """Round the `count` most sensitive of the free weights, and move the others to make up for it."""
        steps = draft.steps.per_weight(self._task.shape)[free]
        codes = self._nearest_plane(curvature, draft.weights[free], free, draft.steps, draft.damping, count)
        draft.weights[free] = codes * steps
        draft.frozen[free[_by_sensitivity(curvature, steps)[-count:]]] = True

    def _nearest_plane(
        self,
        curvature: Array,
        weights: npt.NDArray[np.floating],
        free: npt.NDArray[np.intp],
        steps: Steps,
        damping: float,
        count: int,
    ) -> npt.NDArray[np.float64]:
        """The free weights (n,) in units of their steps, the `count` most sensitive ones rounded."""
        sizes = steps.per_weight(self._task.shape)[free]
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

    def _tune(self, drafts: list[_Draft], group: int) -> None:
        """Train the free weights of all rules for a while. Raises FitStopped."""
        task = self._task
        training = Training(
            task.shape,
            self._seed,
            task.targets,
            task.rollout,
            task.schedule.optimizer,
            np.stack([draft.weights for draft in drafts]).astype(np.float32),
            rule_keys(task.identities),
            np.stack([draft.frozen for draft in drafts]),
        )
        trainer = make_trainer(self._engine, training)
        phase = Phase(task.schedule.tuning_iterations, TUNING_RATE, decays=True, noisy=True, target_mse=0.0)
        for iteration in range(phase.iterations):
            if iteration % LOOK_EVERY == 0 and self._hooks.should_stop():
                raise FitStopped("the fit was asked to stop")
            losses = trainer.step(group * phase.iterations + iteration, phase.rate(iteration), noisy=True)
            if iteration == 0:
                first = losses
        for draft, tuned, sound in zip(drafts, trainer.current(), losses < DIVERGED * first, strict=True):
            if sound and np.isfinite(tuned).all():
                draft.weights[~draft.frozen] = tuned[~draft.frozen]

    def _rounded(self, i: int, codes: npt.NDArray[np.floating], steps: Steps) -> RoundedRule:
        """The rule of these symbols, and what the real decoder makes of it."""
        task = self._task
        symbols = np.rint(codes).clip(-SYMBOL_LIMIT, SYMBOL_LIMIT).astype(np.int8)
        rule = integer_rule(symbols, steps, task.shape, self._seed, task.rollout)
        grown = grow_batch(task.shape, [rule], self._integer_seed, task.rollout, threads=1)[0]
        rows, columns = task.targets.extents[i]
        difference = (grown.astype(np.int32) - self._pixels[i])[:, :rows, :columns]
        return RoundedRule(rule, int(np.square(difference).sum()))

    def _tell(self, share: float) -> None:
        """Progress of the rounding, after that of the training."""
        schedule, count = self._task.schedule, len(self._told)
        before = schedule.total / schedule.work(self._task.shape, len(self._task.levels))
        self._hooks.on_progress(FitProgress(np.full(count, before + (1 - before) * share), self._told))


def _by_sensitivity(curvature: Array, steps: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """The weights' numbers, the one whose step disturbs the picture most last."""
    return np.argsort(np.diag(curvature) * np.square(steps), kind="stable")
