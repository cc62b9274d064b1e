"""Rounding that makes up for its own errors: Babai's nearest plane, which GPTQ is a case of.

Babai, "On Lovász' lattice reduction and the nearest lattice point problem" (1986); Frantar et al., "GPTQ" (2022).
"""

from __future__ import annotations

import numpy as np

from regrow.core.codec.simd.cache import cached


@cached(nogil=True, error_model="numpy")
def nearest_plane(factor, values, count, limit):  # type: ignore[no-untyped-def]
    """Round the last `count` of `values` (n,), in units of their step sizes, the last one first, and shift the rest.

    factor: float64 (n, n), the lower Cholesky factor L of the curvature M = L·Lᵀ in the same units. Each value is
    rounded, to at most ±limit, after it has been moved to where it makes up best for the errors made so far; those
    that stay unrounded end where they make up best for all errors. Returns float64 (n,).
    """
    n = len(values)
    pulls = np.zeros(n)
    moved = np.empty(n)
    for i in range(n - 1, -1, -1):
        value = values[i] - pulls[i] / factor[i, i]
        if i >= n - count:
            value = min(max(np.rint(value), -limit), limit)
        moved[i] = value
        error = value - values[i]
        for j in range(i):
            pulls[j] += factor[i, j] * error
    return moved
