"""A model: the two rules, the law networks and the tables that all pictures of its id share, as integers.

A model's file is a safetensors file (https://github.com/huggingface/safetensors: a JSON header, then plain arrays);
`_model` lists what is in it. All is checked when it is loaded, bounds of the arithmetic included.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from regrow.core.codec.format.fixed_point import IntegerRule, Scales
from regrow.core.codec.format.seeds.coder import PROBABILITY_BITS
from regrow.core.codec.format.seeds.contexts import AROUND, BANDS, CAUSAL, INPUT_LIMIT
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import DamagedBundle, InvalidSettings, UnsupportedBundle

Tensor = npt.NDArray[np.generic]

COLOURS = 3
MOST_CHANNELS = 32
MOST_STEPS = 16
SUM_LIMIT = 1 << 24
"""No sum of a law network reaches this, so that floats of 32 bits hold it exactly, too."""

LOWEST_SCALE_CODE = 24
"""Log-scales are from -24 to 56, in eighths; their tables are counted from 0."""

DETAIL_SCALES = 57
SCALES = 81
FRACTIONS = 5

RELEASED = {1: "seeds-1"}
"""Models that this release decodes, by the id in a bundle, and their files' names. An id is for ever."""


@dataclass(frozen=True, slots=True, eq=False)
class LawNetwork:
    """Two hidden layers and an output of two, all integers.

    weights: of each layer, float32 that hold whole numbers, (inputs, units). biases: float32 (units,). shifts: the bits
    that each layer's sums drop; the last layer has one for each of its outputs, mean and log-scale.
    """

    weights: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]
    biases: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]
    shifts: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class LawTables:
    """How often each symbol comes up, by the law's scale and the fraction of its mean.

    raw_bits: uint8 (81,), the low bits of a number that are written as they are. reach: int32 (81,), the largest
    number with a symbol of its own. starts: int32 (81, 5), where a table begins in `frequencies`, int32 (n,); its order
    is 0, 1, -1, 2, -2, ..., and last what stands for all other numbers.
    """

    raw_bits: npt.NDArray[np.int32]
    reach: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    frequencies: npt.NDArray[np.int32]

    def table(self, scale: int, fraction: int) -> npt.NDArray[np.int32]:
        """One law's frequencies."""
        start = int(self.starts[scale, fraction])
        return self.frequencies[start : start + 2 * int(self.reach[scale]) + 2]


@dataclass(frozen=True, slots=True, eq=False)
class SeedModel:
    """digest: SHA-256 of the file. coarse grows every scale by coarse_steps updates, fine finishes the picture by
    fine_steps. low_pass: a law for each colour; details: [colour][band]. inject: int32 (9, hidden channels), from a
    scale's squashed seeds to its hidden channels; start, tell: int32 (3, hidden channels), what these are given.
    shrink: int32 (3, 3), [band][colour]."""

    digest: str
    coarse: IntegerRule
    fine: IntegerRule
    coarse_shape: RuleShape
    fine_shape: RuleShape
    coarse_steps: int
    fine_steps: int
    low_pass: tuple[LawNetwork, ...]
    details: tuple[tuple[LawNetwork, ...], ...]
    inject: npt.NDArray[np.int32]
    start: npt.NDArray[np.int32]
    tell: npt.NDArray[np.int32]
    shrink: npt.NDArray[np.int32]
    tables: LawTables

    @property
    def channels(self) -> int:
        """Values of a cell."""
        return self.coarse_shape.channels


def inputs_of_low_pass(colour: int) -> int:
    """Inputs of a low-pass law."""
    return len(CAUSAL) + 1 + len(AROUND) * colour + 2


def inputs_of_detail(colour: int, band: int, channels: int) -> int:
    """Inputs of a detail's law."""
    return len(CAUSAL) + len(AROUND) * (band + colour + 1) + channels + 2


@functools.lru_cache(maxsize=4)
def released_model(number: int) -> SeedModel:
    """The model of an id. Raises UnsupportedBundle."""
    if number not in RELEASED:
        raise UnsupportedBundle(f"model {number} is not known: this decoder knows {list(RELEASED)}")
    return load_model((importlib.resources.files(__package__) / f"{RELEASED[number]}.safetensors").read_bytes())


def load_model(data: bytes) -> SeedModel:
    """The model in a file's bytes. Raises InvalidSettings where anything is not as the format wants it."""
    try:
        return _model(_Reader(load_tensors(data)), hashlib.sha256(data).hexdigest())
    except (SafetensorError, KeyError, ValueError, DamagedBundle) as error:
        raise InvalidSettings(f"the model cannot be used: {error}") from error


class _Reader:
    """Takes tensors out of a file by name, and checks kind and shape."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def take(self, name: str, kind: type[np.generic], *shape: int | None) -> Tensor:
        tensor = self._tensors[name]
        fits = len(tensor.shape) == len(shape) and all(
            want is None or want == got for want, got in zip(shape, tensor.shape, strict=True)
        )
        if tensor.dtype != np.dtype(kind) or not fits:
            raise ValueError(f"{name} is {tensor.dtype} {tensor.shape}, not {np.dtype(kind)} {shape}")
        return tensor

    def words(self, name: str, kind: type[np.generic], *shape: int | None, limit: int) -> npt.NDArray[np.int32]:
        words = self.take(name, kind, *shape).astype(np.int64)
        if words.size and int(np.abs(words).max()) > limit:
            raise ValueError(f"{name} has a value beyond ±{limit}")
        return words.astype(np.int32)


def _model(reader: _Reader, digest: str) -> SeedModel:
    sizes = reader.words("sizes", np.uint8, 5, limit=255)
    channels, coarse, fine, coarse_steps, fine_steps = (int(size) for size in sizes)
    steps_fit = min(coarse_steps, fine_steps) >= 1 and max(coarse_steps, fine_steps) <= MOST_STEPS
    if not (COLOURS < channels <= MOST_CHANNELS and steps_fit):
        raise ValueError(f"{channels} channels, {coarse_steps} and {fine_steps} steps are outside the limits")
    coarse_shape, fine_shape = RuleShape(channels, coarse), RuleShape(channels, fine)
    hidden = channels - COLOURS
    return SeedModel(
        digest=digest,
        coarse=_rule(reader, "coarse", coarse_shape),
        fine=_rule(reader, "fine", fine_shape),
        coarse_shape=coarse_shape,
        fine_shape=fine_shape,
        coarse_steps=coarse_steps,
        fine_steps=fine_steps,
        low_pass=tuple(_network(reader, f"low.{c}", inputs_of_low_pass(c)) for c in range(COLOURS)),
        details=tuple(
            tuple(_network(reader, f"detail.{c}.{b}", inputs_of_detail(c, b, channels)) for b in range(len(BANDS)))
            for c in range(COLOURS)
        ),
        inject=reader.words("inject", np.int16, COLOURS * len(BANDS), hidden, limit=32767),
        start=reader.words("start", np.int32, 3, hidden, limit=1 << 20),
        tell=reader.words("tell", np.int32, 3, hidden, limit=1 << 20),
        shrink=reader.words("shrink", np.uint8, len(BANDS), COLOURS, limit=255),
        tables=_tables(reader),
    )


def _rule(reader: _Reader, name: str, shape: RuleShape) -> IntegerRule:
    symbols = reader.take(f"{name}.symbols", np.int8, shape.parameters)
    gain, precision, bias_shift, hidden_shift = (int(x) for x in reader.take(f"{name}.scales", np.uint8, 4))
    return IntegerRule(symbols.astype(np.int8), Scales(gain, precision, bias_shift, hidden_shift))


def _network(reader: _Reader, name: str, inputs: int) -> LawNetwork:
    weights, biases, before = [], [], inputs
    for layer in range(3):
        matrix = reader.words(f"{name}.w{layer}", np.int16, before, None if layer < 2 else 2, limit=32767)
        bias = reader.words(f"{name}.b{layer}", np.int32, matrix.shape[1], limit=SUM_LIMIT - 1)
        most = np.abs(matrix).sum(axis=0, dtype=np.int64) * INPUT_LIMIT + np.abs(bias)
        if int(most.max()) >= SUM_LIMIT:
            raise ValueError(f"{name}.w{layer}: a sum may reach {int(most.max())}, and must stay below {SUM_LIMIT}")
        weights.append(np.ascontiguousarray(matrix, dtype=np.float32))
        biases.append(bias.astype(np.float32))
        before = matrix.shape[1]
    shifts = reader.words(f"{name}.shifts", np.uint8, 4, limit=23)
    first, second, mean, scale = (int(shift) for shift in shifts)
    return LawNetwork(
        (weights[0], weights[1], weights[2]), (biases[0], biases[1], biases[2]), (first, second, mean, scale)
    )


def _tables(reader: _Reader) -> LawTables:
    raw_bits = reader.words("tables.raw_bits", np.uint8, SCALES, limit=PROBABILITY_BITS)
    reach = reader.words("tables.reach", np.uint8, SCALES, limit=255)
    frequencies = reader.words("tables.frequencies", np.uint16, None, limit=(1 << PROBABILITY_BITS) - 1)
    starts, end = np.zeros((SCALES, FRACTIONS), dtype=np.int32), 0
    for scale in range(SCALES):
        for fraction in range(FRACTIONS):
            if fraction and raw_bits[scale]:
                starts[scale, fraction] = starts[scale, 0]
                continue
            starts[scale, fraction], length = end, 2 * int(reach[scale]) + 2
            table = frequencies[end : end + length]
            if len(table) < length or table.min() < 1 or table.sum() != 1 << PROBABILITY_BITS:
                raise ValueError(f"the table of scale {scale}, fraction {fraction} does not add up")
            end += length
    if end != len(frequencies):
        raise ValueError(f"there are {len(frequencies)} frequencies, not {end}")
    return LawTables(raw_bits, reach, starts, frequencies)
