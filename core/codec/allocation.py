"""Which of its encodings each patch gets, so that the whole picture meets a target at least cost.

Shoham and Gersho, "Efficient bit allocation for an arbitrary set of quantizers" (1988): minimise error + price · bytes
for each patch alone, with one price for the whole picture, and search for the price.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.codec.rule import RuleShape

_BISECTIONS = 60
_PRICES = (1e-3, 1e9)
"""Squared 8-bit levels a byte; beyond these nothing changes."""

Choice = list[int]
"""The number of each patch's candidate."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One encoding of a patch. payload: as of preset number 0. error: sum of squared errors, in 8-bit levels."""

    shape: RuleShape
    payload: bytes
    error: int


def hull(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that some price makes the best choice: the lower convex hull of error over bytes, smallest first."""
    kept: list[Candidate] = []
    for each in sorted(candidates, key=lambda candidate: (len(candidate.payload), candidate.error)):
        if kept and each.error >= kept[-1].error:
            continue
        while len(kept) > 1 and _gain(kept[-2], kept[-1]) <= _gain(kept[-1], each):
            kept.pop()
        kept.append(each)
    return kept


def _gain(smaller: Candidate, larger: Candidate) -> float:
    """Error saved per byte spent."""
    bytes_spent = len(larger.payload) - len(smaller.payload)
    return (smaller.error - larger.error) / bytes_spent if bytes_spent else float("inf")


def allocate(
    patches: Sequence[Sequence[Candidate]],
    *,
    max_error: float | None = None,
    max_bytes: Callable[[Choice], bool] | None = None,
) -> tuple[Choice, bool]:
    """The number of each patch's candidate, and whether the target is met; give one of the two targets.

    max_error: summed over the picture, in as few bytes as possible. max_bytes: tells whether a choice is small enough;
    then the error is as small as possible. Where the target cannot be met, the choice comes as near as it can.
    """
    width = max(map(len, patches))
    errors = np.full((len(patches), width), np.inf)
    sizes = np.full((len(patches), width), np.inf)
    for row, candidates in enumerate(patches):
        errors[row, : len(candidates)] = [candidate.error for candidate in candidates]
        sizes[row, : len(candidates)] = [len(candidate.payload) for candidate in candidates]

    def at_price(price: float) -> Choice:
        choice: Choice = np.argmin(errors + price * sizes, axis=1).tolist()
        return choice

    def total_error(choice: Choice) -> float:
        return float(errors[np.arange(len(patches)), choice].sum())

    cheap, dear = _PRICES
    if max_error is not None:
        return _search(at_price, lambda choice: total_error(choice) <= max_error, fallback=cheap, limit=dear)
    assert max_bytes is not None  # noqa: S101
    return _search(at_price, max_bytes, fallback=dear, limit=cheap)


def _search(
    at_price: Callable[[float], Choice], meets: Callable[[Choice], bool], fallback: float, limit: float
) -> tuple[Choice, bool]:
    """The choice at the price furthest from `fallback`, towards `limit`, that still meets the target."""
    best = at_price(fallback)
    if not meets(best):
        return best, False
    good, bad = np.log(fallback), np.log(limit)
    for _ in range(_BISECTIONS):
        middle = (good + bad) / 2
        choice = at_price(float(np.exp(middle)))
        if meets(choice):
            good, best = middle, choice
        else:
            bad = middle
    return best, True
