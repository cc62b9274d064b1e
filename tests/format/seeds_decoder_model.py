"""The model of the profile `seeds`: section 7.2 of FORMAT.md, for seeds_decoder.py."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

TYPES = {"U8": "<u1", "I8": "<i1", "U16": "<u2", "I16": "<i2", "I32": "<i4"}
SCALE_CODES = 81
LIMIT = 1 << 24


class FormatError(ValueError):
    """The data are not a bundle or a model that a reader accepts."""


def require(condition: bool, message: str) -> None:
    """Refuse the data, with one sentence, unless the condition holds."""
    if not condition:
        raise FormatError(message)


@dataclass(frozen=True)
class Rule:
    """A rule as in section 1.3, with the quantities that follow from its four numbers."""

    precision: int  # p
    bias_shift: int  # beta
    hidden_shift: int  # r
    update_shift: int  # n
    multiplier: int  # m
    updates: int  # T
    w1: Ints  # (h, 3 C)
    b1: Ints  # (h, 1)
    w2: Ints  # (C, h)


@dataclass(frozen=True)
class Law:
    """A law's network."""

    weights: tuple[Ints, Ints, Ints]
    biases: tuple[Ints, Ints, Ints]
    shifts: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """All of 7.2. tables: by scale code, one of each fraction, or one where there are raw bits."""

    channels: int  # C
    coarse: Rule
    fine: Rule
    low: list[Law]
    detail: list[list[Law]]  # by colour, then by band
    inject: Ints
    start: Ints
    tell: Ints
    shrink: Ints
    raw_bits: list[int]
    reach: list[int]
    tables: list[list[list[int]]]


class Tensors:
    """A safetensors file."""

    def __init__(self, data: bytes) -> None:
        require(len(data) >= 8, "The model's file is too short.")
        length = int.from_bytes(data[:8], "little")
        require(8 + length <= len(data), "The model's file ends inside its JSON.")
        try:
            self.header: dict[str, Any] = json.loads(data[8 : 8 + length])
        except ValueError as error:
            raise FormatError("The model's JSON cannot be read.") from error
        self.body = data[8 + length :]

    def take(self, name: str, kind: str, *shape: int | None, least: int, most: int) -> Ints:
        """A tensor of this type and shape, with None for any length, within the limits."""
        require(name in self.header, f"The model has no {name}.")
        entry = self.header[name]
        begin, end = entry["data_offsets"]
        found = tuple(entry["shape"])
        require(entry["dtype"] == kind, f"{name} is of type {entry['dtype']}, not {kind}.")
        fits = len(found) == len(shape) and all(want in (None, got) for want, got in zip(shape, found, strict=True))
        require(fits, f"{name} has the shape {found}, not {shape}.")
        words = np.frombuffer(self.body[begin:end], TYPES[kind]).astype(np.int64).reshape(found)
        require(bool(((words >= least) & (words <= most)).all()), f"{name} has a value outside of {least} to {most}.")
        return words


def read_model(data: bytes) -> Model:
    """Read and check a model's file."""
    tensors = Tensors(data)
    channels, coarse, fine, coarse_updates, fine_updates = tensors.take("sizes", "U8", 5, least=1, most=255).tolist()
    require(4 <= channels <= 32, f"A model has 4 to 32 channels, not {channels}.")
    require(max(coarse_updates, fine_updates) <= 16, "A rule has at most 16 updates.")
    hidden = channels - 3
    raw_bits = tensors.take("tables.raw_bits", "U8", SCALE_CODES, least=0, most=16).tolist()
    reach = tensors.take("tables.reach", "U8", SCALE_CODES, least=0, most=255).tolist()
    return Model(
        channels=channels,
        coarse=read_rule(tensors, "coarse", channels, coarse, coarse_updates),
        fine=read_rule(tensors, "fine", channels, fine, fine_updates),
        low=[read_law(tensors, f"low.{c}", 12 + 5 * c) for c in range(3)],
        detail=[
            [read_law(tensors, f"detail.{c}.{b}", 16 + 5 * (b + c) + channels) for b in range(3)] for c in range(3)
        ],
        inject=tensors.take("inject", "I16", 9, hidden, least=-32767, most=32767),
        start=tensors.take("start", "I32", 3, hidden, least=-(1 << 20), most=1 << 20),
        tell=tensors.take("tell", "I32", 3, hidden, least=-(1 << 20), most=1 << 20),
        shrink=tensors.take("shrink", "U8", 3, 3, least=0, most=255),
        raw_bits=raw_bits,
        reach=reach,
        tables=read_tables(tensors, raw_bits, reach),
    )


def read_rule(tensors: Tensors, name: str, channels: int, hidden: int, updates: int) -> Rule:
    """A rule, with the checks of section 1.3."""
    symbols = tensors.take(f"{name}.symbols", "I8", hidden * (4 * channels + 1), least=-127, most=127)
    gain, p, beta, r = tensors.take(f"{name}.scales", "U8", 4, least=0, most=255).tolist()
    require(4 <= p <= 15, f"The precision of the {name} rule is {p}.")
    require(beta <= 23 and r <= 15, f"A shift of the {name} rule is too large.")
    shift = p - r - 1 - math.floor(-gain / 8)
    require(shift >= 1, f"The update shift of the {name} rule is {shift}.")
    table = (32768, 35734, 38968, 42495, 46341, 50535, 55109, 60097)
    w1, b1, w2 = np.split(symbols, (3 * hidden * channels, 3 * hidden * channels + hidden))
    return Rule(
        precision=p,
        bias_shift=beta,
        hidden_shift=r,
        update_shift=shift,
        multiplier=table[(8 - gain % 8) % 8],
        updates=updates,
        w1=w1.reshape(hidden, 3 * channels),
        b1=b1.reshape(hidden, 1),
        w2=w2.reshape(channels, hidden),
    )


def read_law(tensors: Tensors, name: str, inputs: int) -> Law:
    """A law's network of so many inputs, with a check of its sums."""
    weights, biases = [], []
    for layer, units in enumerate((None, None, 2)):
        w = tensors.take(f"{name}.w{layer}", "I16", inputs, units, least=-32767, most=32767)
        inputs = w.shape[1]
        require(inputs >= 1, f"{name}.w{layer} has no units.")
        b = tensors.take(f"{name}.b{layer}", "I32", inputs, least=1 - LIMIT, most=LIMIT - 1)
        require(
            bool((1023 * np.abs(w).sum(axis=0) + np.abs(b) < LIMIT).all()), f"A sum of {name}.w{layer} is too large."
        )
        weights.append(w)
        biases.append(b)
    shifts = tensors.take(f"{name}.shifts", "U8", 4, least=0, most=23).tolist()
    return Law((weights[0], weights[1], weights[2]), (biases[0], biases[1], biases[2]), tuple(shifts))


def read_tables(tensors: Tensors, raw_bits: list[int], reach: list[int]) -> list[list[list[int]]]:
    """The tables of all scale codes."""
    frequencies = tensors.take("tables.frequencies", "U16", None, least=1, most=65535).tolist()
    tables, position = [], 0
    for scale in range(SCALE_CODES):
        tables.append([])
        for _ in range(1 if raw_bits[scale] else 5):
            table = frequencies[position : position + 2 * reach[scale] + 2]
            position += 2 * reach[scale] + 2
            require(sum(table) == 1 << 16, f"A table of scale code {scale} does not add up to 2^16.")
            tables[scale].append(table)
    require(position == len(frequencies), "There are frequencies that are no table's.")
    return tables
