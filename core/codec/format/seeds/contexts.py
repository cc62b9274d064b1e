"""What a seed's law may look at: the neighbours that are known when it is decoded"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

BANDS = ("HL", "LH", "HH")
"""The details of a scale in coding order: across, down, both."""

CAUSAL = ((0, -1), (0, -2), (-1, 0), (-1, -1), (-1, 1), (-2, 0), (-1, -2), (-2, -1), (-2, 1))
"""(rows, columns) from a seed to those of its own band that are known before it. None is more than one column to the
right for each row above, so that all seeds with equal column + 2 · row can be decoded together."""

AROUND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
"""(rows, columns) from a seed to those of a band that is known as a whole."""

INPUT_BITS = 8
"""Inputs of the law networks count units of 2 ** -INPUT_BITS."""

INPUT_LIMIT = 1023
LARGEST_SQUASHED = 1023
"""Seeds beyond are squashed as this one."""


@functools.cache
def squash_table() -> npt.NDArray[np.int32]:
    """round(128 · ln(1 + n)) for n = 0 to LARGEST_SQUASHED; int32, at most 887. No value lies near a tie."""
    table: npt.NDArray[np.int32] = np.rint(128 * np.log1p(np.arange(LARGEST_SQUASHED + 1))).astype(np.int32)
    table.flags.writeable = False
    return table
