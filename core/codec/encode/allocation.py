"""Which of its encodings each patch gets, so that the whole picture meets a target at least cost.

Shoham and Gersho, "Efficient bit allocation for an arbitrary set of quantizers" (1988): minimise error + price · bytes
for each patch alone, with one price for the whole picture, and search for the price. What the price leaves over is
spent by single swaps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from regrow.core.codec.encode.candidate import Candidate

_BISECTIONS = 100
_LOG_PRICES = (-40.0, 40.0)
_MOST_SWAPS = 2000

Choice = list[int]
"""For each patch, the number of the candidate that it gets."""

_Table = npt.NDArray[np.float64]


def front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates that no other one beats in both error and bytes; those of fewest bytes first."""
    kept: list[Candidate] = []
    for each in sorted(candidates, key=lambda candidate: (len(candidate.payload), candidate.error)):
        if not kept or each.error < kept[-1].error:
            kept.append(each)
    return kept


def allocate(
    patches: Sequence[Sequence[Candidate]], *, max_error: float | None = None, max_bytes: float | None = None
) -> tuple[Choice, bool]:
    """The number of each patch's candidate, and whether the target is met; give one of the two targets.

    max_error: summed over the picture, in as few bytes as can be found. max_bytes: of all payloads, with as little
    error as can be found. Where the target cannot be met, the choice comes as near to it as possible.
    """
    errors, sizes = (np.full((len(patches), max(map(len, patches))), np.inf) for _ in range(2))
    for row, candidates in enumerate(patches):
        errors[row, : len(candidates)] = [candidate.error for candidate in candidates]
        sizes[row, : len(candidates)] = [len(candidate.payload) for candidate in candidates]
    if max_error is not None:
        return _cheapest(sizes, errors, max_error)
    assert max_bytes is not None  # noqa: S101
    return _cheapest(errors, sizes, max_bytes)


def _cheapest(costs: _Table, weights: _Table, limit: float) -> tuple[Choice, bool]:
    """One column per row, with a small sum of costs and a sum of weights within the limit."""
    rows = np.arange(len(costs))
    # The lightest column, and of equally light ones the cheapest.
    best = np.lexsort((costs, weights))[:, 0]
    if weights[rows, best].sum() > limit:
        return best.tolist(), False
    light, heavy = _LOG_PRICES
    for _ in range(_BISECTIONS):
        middle = (light + heavy) / 2
        choice = np.argmin(weights + np.exp(middle) * costs, axis=1)
        if weights[rows, choice].sum() <= limit:
            light, best = middle, choice
        else:
            heavy = middle
    for _ in range(_MOST_SWAPS):
        spare = limit - weights[rows, best].sum()
        gains = costs[rows, best][:, None] - costs
        gains[weights - weights[rows, best][:, None] > spare] = 0.0
        row, column = np.unravel_index(np.argmax(gains), gains.shape)
        if gains[row, column] <= 0:
            break
        best[row] = column
    return best.tolist(), True
