"""Patches of the profile `seeds`: sections 7.3, 7.8 and 7.9 of FORMAT.md, for seeds_decoder.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.format.seeds_decoder_coder import Coder, read_alpha, read_seed
from tests.format.seeds_decoder_laws import Place, Seeds, Step, detail_law, low_pass_law, rnd, squash
from tests.format.seeds_decoder_model import Ints, Model, Rule

# ---------------------------------------------------------------------------------------------------------------------
# 7.3 Patches, scales and bands
# ---------------------------------------------------------------------------------------------------------------------


def decode_payload(
    payload: bytes, model: Model, size: tuple[int, int], channels: int, step_code: int
) -> NDArray[np.uint8]:
    """Decode one patch."""
    coder = Coder(payload)
    pixels = np.zeros((*size, channels), np.uint8)
    alpha = read_alpha(coder, *size) if channels == 4 else None
    if alpha is None or alpha.any():
        colours = 1 if channels == 1 else 3
        pixels[..., :colours] = grow_patch(coder, model, size, colours, Step(step_code))
    if alpha is not None:
        pixels[..., 3] = alpha
    coder.end()
    return pixels


def coding_order(size: tuple[int, int]) -> list[Place]:
    """The places of a band."""
    places = [(y, x) for y in range(size[0]) for x in range(size[1])]
    return sorted(places, key=lambda place: (place[1] + 2 * place[0], place[0]))


def scale_sizes(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The sizes of scales 0 to L."""
    sizes = [size]
    while len(sizes) <= 5 and (min(sizes[-1]) + 1) // 2 >= 5:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


# ---------------------------------------------------------------------------------------------------------------------
# 7.8 From seeds to values
# ---------------------------------------------------------------------------------------------------------------------


def back(n: Ints, step: Step, level: int) -> Ints:
    """What seeds in units of 2^-8 stand for."""
    return np.clip(rnd(n * step.m, step.o + level + 7), -(1 << 24), 1 << 24)


def join(e: Ints, o: Ints) -> Ints:
    """The inverse wavelet of each row."""
    e, o = rnd(57007 * e, 16), rnd(75340 * o, 16)
    evens, odds = e.shape[-1], o.shape[-1]
    i, j = np.arange(evens), np.arange(odds)

    def of_odd() -> Ints:
        return o[..., np.maximum(i - 1, 0)] + o[..., np.minimum(i, odds - 1)]

    def of_even() -> Ints:
        return e[..., j] + e[..., np.minimum(j + 1, evens - 1)]

    e = e - rnd(29066 * of_odd(), 16)
    o = o - rnd(57862 * of_even(), 16)
    e = e - rnd(-3472 * of_odd(), 16)
    o = o - rnd(-103949 * of_even(), 16)
    x = np.zeros((*e.shape[:-1], evens + odds), np.int64)
    x[..., 0::2], x[..., 1::2] = e, o
    return x


# ---------------------------------------------------------------------------------------------------------------------
# 7.9 Growing
# ---------------------------------------------------------------------------------------------------------------------


def given(constant: Ints, step: Step, level: int) -> Ints:
    """What each hidden channel is given."""
    return (constant[0] + rnd(step.told * constant[1] + 128 * (level - 2) * constant[2], 8))[:, None, None]


def grow_patch(coder: Coder, model: Model, size: tuple[int, int], colours: int, step: Step) -> NDArray[np.uint8]:
    """Read a patch's colours and grow them: (height, width, colours)."""
    sizes = scale_sizes(size)
    levels = len(sizes) - 1
    state = np.zeros((model.channels, *sizes[levels]), np.int64)
    low: list[Seeds] = []
    for c in range(colours):
        plane = Seeds(sizes[levels])
        for place in coding_order(plane.size):
            plane.known[place] = read_seed(coder, model, *low_pass_law(model, step, levels, low, plane, place))
        low.append(plane)
        state[c] = back(256 * plane.whole(plane.size), step, levels)
    state[3:] = given(model.start, step, levels)
    parents: list[list[Seeds]] = []
    for level in range(levels, 0, -1):
        for _ in range(model.coarse.updates):
            state = update(state, model.coarse)
        height, width = sizes[level - 1]
        bands = ((-(-height // 2), width // 2), (height // 2, -(-width // 2)), (height // 2, width // 2))
        seeds = [[Seeds(band) for band in bands] for _ in range(3)]
        for c in range(colours):
            for b, band in enumerate(bands):
                for place in coding_order(band):
                    law = detail_law(model, step, level, seeds, parents, state, c, b, place)
                    seeds[c][b].known[place] = read_seed(coder, model, *law)
        state = next_scale(state, seeds, model, step, level, sizes[level - 1])
        parents = seeds
    for _ in range(model.fine.updates):
        state = update(state, model.fine)
    return make_pixels(state[:colours])


def next_scale(
    state: Ints, seeds: list[list[Seeds]], model: Model, step: Step, level: int, size: tuple[int, int]
) -> Ints:
    """The state of scale level - 1, before it is grown."""
    out = np.zeros((model.channels, *size), np.int64)
    hidden = state[3:]
    told = np.zeros_like(hidden)
    for c in range(3):
        values = []
        for b in range(3):
            s = seeds[c][b].whole(seeds[c][b].size)
            values.append(np.sign(s) * back(256 * np.abs(s) - model.shrink[b, c], step, level - 1))
            told += squash(seeds[c][b].whole(hidden.shape[1:])) * model.inject[3 * b + c][:, None, None]
        hl, lh, hh = values
        left = join((2 * state[c]).T, lh.T).T
        right = join(hl.T, hh.T).T
        out[c] = np.clip(join(left, right), -(1 << 30), 1 << 30)
    limited = np.clip(hidden + rnd(told, 4), -(1 << 26), 1 << 26)
    wide = doubled(limited)[..., : size[1]]
    tall = doubled(wide.swapaxes(1, 2)).swapaxes(1, 2)[:, : size[0]]
    out[3:] = rnd(tall, 4) + given(model.tell, step, level - 1)
    return out


def doubled(v: Ints) -> Ints:
    """Enlarge rows."""
    n = v.shape[-1]
    i = np.arange(n)
    out = np.zeros((*v.shape[:-1], 2 * n), np.int64)
    out[..., 0::2] = 3 * v + v[..., np.maximum(i - 1, 0)]
    out[..., 1::2] = 3 * v + v[..., np.minimum(i + 1, n - 1)]
    return out


def update(state: Ints, rule: Rule) -> Ints:
    """One update of section 3.2."""
    channels, height, width = state.shape
    p, r, n = rule.precision, rule.hidden_shift, rule.update_shift
    q = np.zeros((channels, height + 2, width + 2), np.int64)
    q[:, 1:-1, 1:-1] = np.clip((state + (1 << (15 - p))) >> (16 - p), -32767, 32767)
    z = np.zeros((3, channels, height, width), np.int64)
    z[0] = q[:, 1:-1, 1:-1]
    for i, weight in enumerate((1, 2, 1)):
        z[1] += weight * (q[:, i : i + height, 2:] - q[:, i : i + height, :-2])
        z[2] += weight * (q[:, 2:, i : i + width] - q[:, :-2, i : i + width])
    z[1:] = (z[1:] + 4) >> 3
    a = (rule.b1 << rule.bias_shift) + rule.w1 @ z.reshape(3 * channels, height * width)
    h = np.minimum((np.maximum(a, 0) + ((1 << r) // 2)) >> r, 32767)
    d = rule.w2 @ h
    u = (d * rule.multiplier + (1 << (n - 1))) >> n
    return np.clip(state + u.reshape(state.shape), -(1 << 30), 1 << 30)


def make_pixels(state: Ints) -> NDArray[np.uint8]:
    """Colours, (1 or 3, height, width), as pixels."""
    k = np.clip(state, -(1 << 20), 1 << 20)
    if len(k) == 1:
        sums = [37837 * k[0]]
    else:
        sums = [
            37837 * k[0] + 46341 * k[1] - 26755 * k[2],
            37837 * k[0] + 53510 * k[2],
            37837 * k[0] - 46341 * k[1] - 26755 * k[2],
        ]
    v = np.clip(rnd(np.stack(sums, axis=-1), 16) + (1 << 15), 0, 1 << 16)
    return ((255 * v + (1 << 15)) >> 16).astype(np.uint8)
