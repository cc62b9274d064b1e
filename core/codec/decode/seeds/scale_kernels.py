"""From the hidden channels of a scale to those of the next, compiled: arithmetic.enlarged, to the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from regrow.core.codec.format.seeds.arithmetic import HIDDEN_LIMIT
from regrow.core.codec.simd.cache import cached


def _compiled() -> Callable[..., None]:
    @cached(nogil=True, error_model="numpy")
    def enlarge(hidden, squashed, inject, told, out):  # type: ignore[no-untyped-def]
        """Channels, with what squashed seeds bring in, twice as large, bilinear; ends are repeated.

        hidden: int32 (n, h, w). squashed: int32 (seeds, h, w), the seeds of the scale. inject: int32 (seeds, n). told:
        int64 (n,), what is added at last. out: int32 (n, H, W), H and W twice h and w, or one less.
        """
        channels, height, width = hidden.shape
        full = np.empty((height, width), dtype=np.int32)
        limit = np.int64(HIDDEN_LIMIT)
        for channel in range(channels):
            for y in range(height):
                for x in range(width):
                    total = np.int64(0)
                    for seed in range(squashed.shape[0]):
                        if squashed[seed, y, x]:
                            total += np.int64(squashed[seed, y, x]) * inject[seed, channel]
                    value = hidden[channel, y, x] + ((total + 8) >> 4)
                    full[y, x] = max(-limit, min(limit, value))
            for y in range(out.shape[1]):
                row = y >> 1
                other = max(0, row - 1) if y % 2 == 0 else min(height - 1, row + 1)
                for x in range(out.shape[2]):
                    column = x >> 1
                    beside = max(0, column - 1) if x % 2 == 0 else min(width - 1, column + 1)
                    near = 3 * np.int64(full[row, column]) + full[row, beside]
                    far = 3 * np.int64(full[other, column]) + full[other, beside]
                    out[channel, y, x] = ((3 * near + far + 8) >> 4) + told[channel]

    return enlarge


enlarge = _compiled()
