"""Rules that are being rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.fit.checkpoint import Arrays, require_like
from regrow.core.codec.fit.quantization import StepSizes
from regrow.core.codec.format.fixed_point import IntegerRule, Scales


@dataclass(frozen=True, slots=True)
class RoundedRule:
    """A rule as a bundle holds it, and how far off the picture is that it grows.

    error: sum of squared errors, in 8-bit levels, of the counted pixels as the integer decoder grows them.
    """

    rule: IntegerRule
    error: int


@dataclass(slots=True)
class Draft:
    """A rule that is being rounded, group of weights by group.

    step_sizes: to which its weights are rounded. weights: float64 (parameters,). frozen: bool (parameters,), those that
    are rounded. damping: see core.codec.fit.rounding.DAMPINGS. best: the best that all of it was ever rounded to.
    groups: how many groups are rounded. tuned: for which group the rule was tuned last, the first being 0.
    """

    step_sizes: StepSizes
    weights: npt.NDArray[np.float64]
    frozen: npt.NDArray[np.bool_]
    damping: float
    best: RoundedRule
    groups: int = 0
    tuned: int = 0


def drafts_to_arrays(drafts: Mapping[int, Sequence[Draft]], count: int, factors: int, parameters: int) -> Arrays:
    """For a checkpoint: the drafts of `count` rules as arrays (count, factors, ...).

    drafts: by the number of the rule, one for each factor of coarseness. A rule without any has rows of zeros.
    """

    def zeros(kind: type, *size: int) -> npt.NDArray[np.generic]:
        return np.zeros((count, factors, *size), dtype=kind)

    arrays: Arrays = {
        "step_sizes": zeros(np.float64, 3),
        "weights": zeros(np.float64, parameters),
        "frozen": zeros(np.bool_, parameters),
        "damping": zeros(np.float64),
        "symbols": zeros(np.int8, parameters),
        "scales": zeros(np.int64, 4),
        "error": zeros(np.int64),
        "groups": zeros(np.int64),
        "tuned": zeros(np.int64),
    }
    for rule, some in drafts.items():
        for factor, draft in enumerate(some):
            for name, value in _fields(draft).items():
                arrays[name][rule, factor] = value
    return arrays


def drafts_from_arrays(arrays: Arrays, factors: int, parameters: int) -> dict[int, list[Draft]]:
    """The opposite of `drafts_to_arrays`. Raises DamagedCheckpoint, or DamagedBundle for a rule that none can hold."""
    count = len(arrays["groups"])
    require_like(arrays, drafts_to_arrays({}, count, factors, parameters))
    return {
        rule: [_draft({name: array[rule, factor] for name, array in arrays.items()}) for factor in range(factors)]
        for rule in range(count)
        if arrays["groups"][rule, 0]
    }


def _fields(draft: Draft) -> dict[str, object]:
    scales, sizes = draft.best.rule.scales, draft.step_sizes
    return {
        "step_sizes": (sizes.w1, sizes.gain, sizes.bias_octave),
        "weights": draft.weights,
        "frozen": draft.frozen,
        "damping": draft.damping,
        "symbols": draft.best.rule.symbols,
        "scales": (scales.gain, scales.precision, scales.bias_shift, scales.hidden_shift),
        "error": draft.best.error,
        "groups": draft.groups,
        "tuned": draft.tuned,
    }


def _draft(fields: Arrays) -> Draft:
    w1, gain, bias_octave = fields["step_sizes"]
    best = IntegerRule(fields["symbols"].copy(), Scales(*map(int, fields["scales"])))
    return Draft(
        step_sizes=StepSizes(float(w1), int(gain), int(bias_octave)),
        weights=fields["weights"].copy(),
        frozen=fields["frozen"].copy(),
        damping=float(fields["damping"]),
        best=RoundedRule(best, int(fields["error"])),
        groups=int(fields["groups"]),
        tuned=int(fields["tuned"]),
    )
