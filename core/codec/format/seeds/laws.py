"""The context laws in integers: what a law network sees, and the law that it answers.

numpy only, for many places at once; the reference for the compiled decoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from regrow.core.codec.format.seeds.arithmetic import (
    MANTISSAS,
    STEPS_PER_OCTAVE,
    Integers,
    Longs,
    rounded,
    step_parts,
)
from regrow.core.codec.format.seeds.contexts import INPUT_LIMIT
from regrow.core.codec.format.seeds.model import DETAIL_SCALES, LOWEST_SCALE_CODE, SCALES, LawNetwork

MEAN_LIMIT = 1 << 18
"""Of means, in eighths of a seed."""

_NET_LIMIT = 1 << 15
_MARGIN = 2


def padded(plane: Integers) -> Integers:
    """A plane (h, w) with as many zeros around it as a neighbour may be away."""
    return np.pad(plane, _MARGIN)


def neighbours(
    plane: Integers, rows: npt.NDArray[np.int32], columns: npt.NDArray[np.int32], places: Sequence[tuple[int, int]]
) -> Longs:
    """Values of a padded plane at (rows, columns) from some cells: int64 (cells, places)."""
    found = [plane[rows + _MARGIN + down, columns + _MARGIN + right] for down, right in places]
    return np.stack(found, axis=-1).astype(np.int64)


def answer(network: LawNetwork, inputs: Longs) -> tuple[Longs, Longs]:
    """The two outputs for inputs (cells, n) within ±INPUT_LIMIT, each within ±2**15."""
    values = inputs
    for layer in range(2):
        sums = values @ network.weights[layer].astype(np.int64) + network.biases[layer].astype(np.int64)
        values = np.clip(rounded(sums, network.shifts[layer]), 0, INPUT_LIMIT)
    sums = values @ network.weights[2].astype(np.int64) + network.biases[2].astype(np.int64)
    mean, scale = (rounded(sums[:, k], network.shifts[2 + k]) for k in range(2))
    return np.clip(mean, -_NET_LIMIT, _NET_LIMIT), np.clip(scale, -_NET_LIMIT, _NET_LIMIT)


def detail_law(network: LawNetwork, inputs: Longs) -> tuple[Longs, Longs]:
    """Means in eighths of a seed, and numbers of the scales' tables, of some places of a band."""
    mean, scale = answer(network, inputs)
    return mean, np.clip(scale + LOWEST_SCALE_CODE, 0, DETAIL_SCALES - 1)


def low_pass_law(network: LawNetwork, inputs: Longs, guesses: Longs, code: int, levels: int) -> tuple[Longs, Longs]:
    """The same of some places of the low-pass band, whose mean is told as a difference from a guess."""
    mean, scale = answer(network, inputs)
    mantissa = int(MANTISSAS[code % STEPS_PER_OCTAVE])
    mean = rounded(mean * mantissa, 24 - levels - code // STEPS_PER_OCTAVE)
    mean = np.clip(8 * guesses + mean, -MEAN_LIMIT, MEAN_LIMIT)
    scale = scale - (((512 - 256 * levels - code) * 90852 + (1 << 21)) >> 22)
    return mean, np.clip(scale + LOWEST_SCALE_CODE, 0, SCALES - 1)


def low_pass_inputs(differences: Longs, code: int, levels: int) -> Longs:
    """Differences of low-pass seeds as a law network sees them: four times their range of pixels, in 2**-8."""
    mantissa, octaves = step_parts(code)
    return np.clip(rounded(differences * mantissa, 5 + octaves + levels), -INPUT_LIMIT, INPUT_LIMIT)
