"""The step size with which a picture meets a target: it alone decides quality and bytes, continuously."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from regrow.core.codec.encode.seeds.patch import FoundPatch
from regrow.core.codec.format.seeds.arithmetic import STEP_CODES, STEPS_PER_OCTAVE
from regrow.core.errors import BudgetTooSmall

DB_PER_CODE = 5.0 / STEPS_PER_OCTAVE
"""By how much a finer step makes a picture better, about, and how many octaves of bytes it takes."""

OCTAVES_PER_CODE = 0.75 / STEPS_PER_OCTAVE
FIRST_CODE = 900
DB_PER_CARE = 0.02
CLOSE = (0.0, 0.02)
"""dB over a target, at which nobody looks for less."""

FULL = 0.985
"""Of a budget, at which nobody looks for more."""

MOST_TRIALS = 10


@dataclass(frozen=True, slots=True)
class Trial:
    """A picture at one step size. step: its code. bytes: of the whole file. psnr: dB."""

    step: int
    patches: tuple[FoundPatch, ...]
    bytes: int
    psnr: float


CARES = 64
"""Degrees of care for errors: with all of them, an error counts for what it is worth; with half of them, for half."""

Try = Callable[[int, int, int], Trial]
"""Searches the picture at a step's code with so many sweeps and with so much care."""


def trial_for_psnr(attempt: Try, target: float, most_sweeps: int) -> Trial:
    """The smallest that is as good as asked for; the best there is where none is.

    The coarsest step that will do, and, where that leaves something over, as little care as will do. A picture of few
    bytes may jump over the target: each seed is worth more than CLOSE.
    """
    tried: list[Trial] = []

    def missing(code: int, sweeps: int, care: int = CARES) -> float:
        trial = attempt(code, sweeps, care)
        if sweeps == most_sweeps:
            tried.append(trial)
        return trial.psnr - target

    _, code = _bracket(partial(missing, sweeps=1), DB_PER_CODE, FIRST_CODE, CLOSE)
    if most_sweeps > 1:
        _, code = _bracket(partial(missing, sweeps=most_sweeps), DB_PER_CODE, code, CLOSE)
    if missing(code, most_sweeps) > CLOSE[1]:
        _bracket(partial(missing, code, most_sweeps), DB_PER_CARE, CARES - 2, CLOSE, (CARES // 2, CARES))
    met = [trial for trial in tried if trial.psnr >= target]
    return min(met, key=lambda trial: trial.bytes) if met else max(tried, key=lambda trial: trial.psnr)


def trial_for_bytes(attempt: Try, limit: int, sweeps: int) -> Trial:
    """The best that has at most so many bytes. Raises BudgetTooSmall where there is none."""

    def surplus(code: int, sweeps: int) -> float:
        return math.log2(attempt(code, sweeps, CARES).bytes / (limit + 0.5))

    full = (math.log2(FULL), 0.0)
    code, _ = _bracket(partial(surplus, sweeps=1), OCTAVES_PER_CODE, FIRST_CODE, full)
    if sweeps > 1:
        code, _ = _bracket(partial(surplus, sweeps=sweeps), OCTAVES_PER_CODE, code, full)
    trial = attempt(code, sweeps, CARES)
    if trial.bytes > limit:
        raise BudgetTooSmall(f"{limit} bytes are too few for this picture: the smallest bundle takes {trial.bytes}")
    return trial


def _bracket(
    value: Callable[[int], float],
    slope: float,
    start: int,
    close: tuple[float, float],
    ends: tuple[int, int] = (0, STEP_CODES - 1),
) -> tuple[int, int]:
    """Two codes, the first with a value below zero and the second from zero on, as near together as a few trials find.

    A code whose value lies within `close` is both. Where all values are on one side, the other is the end of `ends`.
    value: rises with the code, by about `slope` for each, but for neighbours that may be out of order.
    """
    below, above, code = ends[0] - 1, ends[1] + 1, start
    known: dict[int, float] = {}
    while above - below > 1 and len(known) < MOST_TRIALS:
        known[code] = value(code)
        if close[0] <= known[code] <= close[1]:
            return code, code
        if known[code] < 0:
            below = code
        else:
            above = code
        if below in known and above in known:
            slope = (known[above] - known[below]) / (above - below)
        guess = code - round(known[code] / slope)
        code = min(max(guess, below + 1), above - 1)
    return max(below, ends[0]), min(above, ends[1])
