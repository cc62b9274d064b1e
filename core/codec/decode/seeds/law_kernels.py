"""The context laws of one seed, compiled: core.codec.format.seeds.laws and decode.seeds.reference, to the same numbers.

Callable from numba code. Planes have a margin of MARGIN cells of zeros. Values that law networks see are whole numbers
in float32, whose products and sums are exact (core.codec.format.seeds.model.SUM_LIMIT).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from regrow.core.codec.decode.seeds.activation import activate
from regrow.core.codec.format.seeds.arithmetic import MANTISSAS, STEPS_PER_OCTAVE, step_parts, told_level, told_step
from regrow.core.codec.format.seeds.contexts import AROUND, CAUSAL, INPUT_LIMIT, LARGEST_SQUASHED
from regrow.core.codec.format.seeds.laws import MEAN_LIMIT
from regrow.core.codec.format.seeds.model import DETAIL_SCALES, LOWEST_SCALE_CODE, SCALES, LawNetwork
from regrow.core.codec.simd.dense import product
from regrow.core.codec.simd.vectors import LANES

Floats = npt.NDArray[np.float32]
Longs = npt.NDArray[np.int64]

MARGIN = 2
NET_LIMIT = 1 << 15

_CAUSAL = np.array(CAUSAL, dtype=np.int64)
_AROUND = np.array(AROUND, dtype=np.int64)


class Network(NamedTuple):
    """A law network as numba takes it (model.LawNetwork), with room for the places of a front; see `network_of`.

    last, last_bias: with zeros up to a whole vector. inputs: (places, inputs); the layers' first_out, second_out, out.
    """

    first: Floats
    second: Floats
    last: Floats
    first_bias: Floats
    second_bias: Floats
    last_bias: Floats
    shifts: Longs
    inputs: Floats
    first_out: Floats
    second_out: Floats
    out: Floats


def network_of(law: LawNetwork, size: tuple[int, int]) -> Network:
    """For a band of this size. With memory of its own, so for one thread."""
    places = most_places(size)
    rooms = (np.zeros((places, units), dtype=np.float32) for units in (*(len(w) for w in law.weights), LANES))
    return Network(*_numbers_of(law), *rooms)


@functools.lru_cache(maxsize=64)
def _numbers_of(law: LawNetwork) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, Longs]:
    """Weights, biases and shifts, the last layer's with zeros up to a whole vector."""
    first, second, last = law.weights
    whole, bias = np.zeros((len(last), LANES), dtype=np.float32), np.zeros(LANES, dtype=np.float32)
    whole[:, : last.shape[1]], bias[: last.shape[1]] = last, law.biases[2]
    return first, second, whole, law.biases[0], law.biases[1], bias, np.array(law.shifts, dtype=np.int64)


def most_places(size: tuple[int, int]) -> int:
    """Of one front: places with the same column + 2 · row."""
    height, width = size
    return max(1, min(height, (width + 1) // 2))


class LowPassStep(NamedTuple):
    """What a step size and a number of levels make of the low-pass laws' inputs and answers."""

    mantissa: int
    input_shift: int
    mean_mantissa: int
    mean_shift: int
    scale_offset: int


def low_pass_step(code: int, levels: int) -> LowPassStep:
    """As core.codec.format.seeds.laws.low_pass_inputs and low_pass_law have them."""
    mantissa, octaves = step_parts(code)
    return LowPassStep(
        mantissa,
        5 + octaves + levels,
        int(MANTISSAS[code % STEPS_PER_OCTAVE]),
        24 - levels - code // STEPS_PER_OCTAVE,
        ((512 - 256 * levels - code) * 90852 + (1 << 21)) >> 22,
    )


def told(code: int, level: int) -> Floats:
    """The step size and the level as laws see them."""
    values = np.array([told_step(code), told_level(level)])
    seen: Floats = np.clip(values, -INPUT_LIMIT, INPUT_LIMIT).astype(np.float32)
    return seen


@njit(nogil=True, error_model="numpy", inline="always")
def rounded(value, bits):  # type: ignore[no-untyped-def]
    """value / 2**bits, rounded half up."""
    return (value + ((1 << bits) >> 1)) >> bits


@njit(nogil=True, error_model="numpy", inline="always")
def limited(value, limit):  # type: ignore[no-untyped-def]
    """value within ±limit."""
    return max(-limit, min(limit, value))


@njit(nogil=True, error_model="numpy")
def front_rows(front, size):  # type: ignore[no-untyped-def]
    """First row of a front, and the row behind its last."""
    return max(0, (front - size[1] + 2) // 2), min(size[0], front // 2 + 1)


@njit(nogil=True, error_model="numpy")
def answer(network, places):  # type: ignore[no-untyped-def]
    """The sums of the last layer, without bias, for so many rows of network.inputs, into network.out."""
    inputs, first, second = network.inputs[:places], network.first_out[:places], network.second_out[:places]
    product(inputs, network.first, first)
    activate(first, network.first_bias, network.shifts[0])
    product(first, network.second, second)
    activate(second, network.second_bias, network.shifts[1])
    product(second, network.last, network.out[:places])


@njit(nogil=True, error_model="numpy")
def _output(network, place, which):  # type: ignore[no-untyped-def]
    """What a place's mean (0) or scale (1) is answered to be."""
    total = np.int64(network.out[place, which] + network.last_bias[which])
    return limited(rounded(total, network.shifts[2 + which]), NET_LIMIT)


@njit(nogil=True, error_model="numpy")
def _look_around(plane, row, column, inputs, start):  # type: ignore[no-untyped-def]
    """The values at AROUND from a place of a plane, into inputs from `start` on."""
    for k in range(len(_AROUND)):
        inputs[start + k] = plane[row + MARGIN + _AROUND[k, 0], column + MARGIN + _AROUND[k, 1]]
    return start + len(_AROUND)


@njit(nogil=True, error_model="numpy")
def gather_detail(row, column, own, others, planes, parent, seen, told, inputs):  # type: ignore[no-untyped-def]
    """What a detail's law looks at. own: number of its plane; others: of those that are known as a whole."""
    for k in range(len(_CAUSAL)):
        inputs[k] = planes[own, row + MARGIN + _CAUSAL[k, 0], column + MARGIN + _CAUSAL[k, 1]]
    place = len(_CAUSAL)
    for other in others:
        place = _look_around(planes[other], row, column, inputs, place)
    place = _look_around(parent, row, column, inputs, place)
    for channel in range(seen.shape[0]):
        inputs[place + channel] = seen[channel, row, column]
    place += seen.shape[0]
    inputs[place] = told[0]
    inputs[place + 1] = told[1]


@njit(nogil=True, error_model="numpy")
def answer_details(front, size, place, network):  # type: ignore[no-untyped-def]
    """Answer all places of a front of a band; its first row, and the row behind its last.

    place: own, others, planes, parent, seen and told, as gather_detail takes them.
    """
    own, others, planes, parent, seen, told = place
    first, end = front_rows(front, size)
    for row in range(first, end):
        inputs = network.inputs[row - first]
        gather_detail(row, front - 2 * row, own, others, planes, parent, seen, told, inputs)
    answer(network, end - first)
    return first, end


@njit(nogil=True, error_model="numpy")
def detail_law(network, place):  # type: ignore[no-untyped-def]
    """The mean, in eighths of a seed, and the scale's table, of a place that was answered."""
    mean, scale = _output(network, place, 0), _output(network, place, 1)
    return mean, max(0, min(DETAIL_SCALES - 1, scale + LOWEST_SCALE_CODE))


@njit(nogil=True, error_model="numpy")
def _guess(plane, row, column):  # type: ignore[no-untyped-def]
    """The mean of the seeds at the left and above, rounded down; where one is missing the other, else 0."""
    left = np.int64(plane[row + MARGIN, column + MARGIN - 1])
    above = np.int64(plane[row + MARGIN - 1, column + MARGIN])
    if row == 0:
        return left
    return above if column == 0 else (left + above) >> 1


@njit(nogil=True, error_model="numpy")
def gather_low_pass(row, column, colour, planes, size, step, told, inputs):  # type: ignore[no-untyped-def]
    """What a low-pass law looks at. planes: int32 (colours, h + 4, w + 4), the colour's own as far as it is known."""
    guess = _guess(planes[colour], row, column)
    for k in range(len(_CAUSAL)):
        down, right = row + _CAUSAL[k, 0], column + _CAUSAL[k, 1]
        inside = down >= 0 and 0 <= right < size[1]
        own = planes[colour, down + MARGIN, right + MARGIN] - guess if inside else 0
        inputs[k] = limited(rounded(own * step.mantissa, step.input_shift), INPUT_LIMIT)
    place = len(_CAUSAL)
    inputs[place] = limited(rounded(guess * step.mantissa, step.input_shift), INPUT_LIMIT)
    place += 1
    for other in range(colour):
        its_guess = _guess(planes[other], row, column)
        for k in range(len(_AROUND)):
            down, right = row + _AROUND[k, 0], column + _AROUND[k, 1]
            inside = 0 <= down < size[0] and 0 <= right < size[1]
            seen = planes[other, down + MARGIN, right + MARGIN] - its_guess if inside else 0
            inputs[place + k] = limited(rounded(seen * step.mantissa, step.input_shift), INPUT_LIMIT)
        place += len(_AROUND)
    inputs[place] = told[0]
    inputs[place + 1] = told[1]


@njit(nogil=True, error_model="numpy")
def low_pass_law(network, place, row, column, plane, step):  # type: ignore[no-untyped-def]
    """As detail_law, of a low-pass seed in its colour's plane."""
    mean, scale = _output(network, place, 0), _output(network, place, 1)
    mean = 8 * _guess(plane, row, column) + rounded(mean * step.mean_mantissa, step.mean_shift)
    scale = scale - step.scale_offset + LOWEST_SCALE_CODE
    return limited(mean, MEAN_LIMIT), max(0, min(SCALES - 1, scale))


@njit(nogil=True, error_model="numpy")
def answer_low_pass(front, size, colour, planes, step, told, network):  # type: ignore[no-untyped-def]
    """As answer_details, of the low-pass band."""
    first, end = front_rows(front, size)
    for row in range(first, end):
        gather_low_pass(row, front - 2 * row, colour, planes, size, step, told, network.inputs[row - first])
    answer(network, end - first)
    return first, end


@njit(nogil=True, error_model="numpy")
def fronts_of(size):  # type: ignore[no-untyped-def]
    """How many fronts a band has; none where it is empty."""
    return size[1] + 2 * (size[0] - 1) if size[0] and size[1] else 0


@njit(nogil=True, error_model="numpy")
def squashed(squash, seed):  # type: ignore[no-untyped-def]
    """A seed as laws see it. squash: the table of contexts.squash_table, in float32."""
    value = squash[min(abs(seed), LARGEST_SQUASHED)]
    return value if seed >= 0 else -value
