"""The laws of the profile `seeds`: section 7.7 of FORMAT.md, for seeds_decoder.py."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tests.format.seeds_decoder_model import Ints, Law, Model

Place = tuple[int, int]

BEFORE = ((0, -1), (0, -2), (-1, 0), (-1, -1), (-1, 1), (-2, 0), (-1, -2), (-2, -1), (-2, 1))
AROUND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
M = [round(2 ** (15 + i / 256)) for i in range(256)]
SQUASHED = np.array([round(128 * math.log(1 + n)) for n in range(1024)], np.int64)


def rnd(x: Ints, b: int) -> Ints:
    """x / 2^b, rounded half up."""
    return (x + ((1 << b) >> 1)) >> b


class Step:
    """A step size and what follows from it. code: s."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.o = math.ceil(code / 256)
        self.m = M[256 * self.o - code]
        self.told = (896 - code) >> 1


@dataclass
class Seeds:
    """A band's seeds, as far as they are known; others count as 0."""

    size: Place
    known: dict[Place, int] = field(default_factory=dict)

    def __contains__(self, place: Place) -> bool:
        return 0 <= place[0] < self.size[0] and 0 <= place[1] < self.size[1]

    def at(self, place: Place) -> int:
        """The seed at a place; 0 outside."""
        return self.known.get(place, 0)

    def whole(self, size: Place) -> Ints:
        """All seeds, with zeros up to a size."""
        out = np.zeros(size, np.int64)
        for place, seed in self.known.items():
            out[place] = seed
        return out

    def guess(self, place: Place) -> int:
        """The guess of a low-pass seed."""
        y, x = place
        left, above = self.at((y, x - 1)), self.at((y - 1, x))
        if y == 0:
            return left
        return above if x == 0 else (left + above) >> 1


def squash(seeds: Ints) -> Ints:
    """Q of seeds."""
    return np.sign(seeds) * SQUASHED[np.minimum(np.abs(seeds), 1023)]


def near(place: Place, offsets: tuple[Place, ...]) -> list[Place]:
    """The places that lie so from a place."""
    return [(place[0] + down, place[1] + right) for down, right in offsets]


def answer(law: Law, inputs: list[int]) -> tuple[int, int]:
    """The mean and the scale that a network answers."""
    v = np.array(inputs, np.int64)
    assert int(np.abs(v).max()) <= 1023
    for layer in range(2):
        v = np.clip(rnd(law.biases[layer] + v @ law.weights[layer], law.shifts[layer]), 0, 1023)
    y0, y1 = law.biases[2] + v @ law.weights[2]
    mean, scale = np.clip([rnd(y0, law.shifts[2]), rnd(y1, law.shifts[3])], -(1 << 15), 1 << 15).tolist()
    return mean, scale


def clamp(x: int, low: int, high: int) -> int:
    """x limited to low..high."""
    return max(low, min(x, high))


def low_pass_law(
    model: Model, step: Step, levels: int, earlier: list[Seeds], own: Seeds, place: Place
) -> tuple[int, int]:
    """Mean and scale code of a low-pass seed; earlier: the planes of earlier colours."""
    guess = own.guess(place)
    differences = [own.at(p) - guess if p in own else 0 for p in near(place, BEFORE)]
    differences.append(guess)
    for plane in earlier:
        theirs = plane.guess(place)
        differences += [plane.at(p) - theirs if p in plane else 0 for p in near(place, AROUND)]
    shift = 5 + step.o + levels
    inputs = [clamp((d * step.m + ((1 << shift) >> 1)) >> shift, -1023, 1023) for d in differences]
    mean, scale = answer(model.low[len(earlier)], [*inputs, step.told, 128 * (levels - 2)])
    shift = 24 - levels - step.code // 256
    mean = clamp(8 * guess + ((mean * M[step.code % 256] + ((1 << shift) >> 1)) >> shift), -(1 << 18), 1 << 18)
    scale = scale - (((512 - 256 * levels - step.code) * 90852 + (1 << 21)) >> 22) + 24
    return mean, clamp(scale, 0, 80)


def detail_law(
    model: Model,
    step: Step,
    level: int,
    seeds: list[list[Seeds]],
    parents: list[list[Seeds]],
    state: Ints,
    c: int,
    b: int,
    place: Place,
) -> tuple[int, int]:
    """Mean and scale code of a detail; seeds, parents: of this level and of the one above, by colour and band."""
    looked_at = [seeds[c][b].at(p) for p in near(place, BEFORE)]
    around = near(place, AROUND)
    for band in range(b):
        looked_at += [seeds[c][band].at(p) for p in around]
    for colour in range(c):
        looked_at += [seeds[colour][b].at(p) for p in around]
    height, width = state.shape[1:]
    for y, x in around:
        inside = bool(parents) and 0 <= y < height and 0 <= x < width
        looked_at.append(parents[c][b].at((y >> 1, x >> 1)) if inside else 0)
    shown = np.clip(rnd(state[:, place[0], place[1]], 8), -1023, 1023)
    inputs = [*squash(np.array(looked_at, np.int64)).tolist(), *shown.tolist(), step.told, 128 * (level - 2)]
    mean, scale = answer(model.detail[c][b], inputs)
    return mean, clamp(scale + 24, 0, 56)
