"""Regrowing: a bundle to pixels. numpy only, so that it works where torch is not installed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.codec.bundle import Bundle, read_bundle
from core.codec.engines.base import Array, Rollout
from core.codec.fire import fire_mask
from core.codec.images import Picture
from core.codec.patches import join
from core.codec.quantization import dequantize
from core.codec.rule import VISIBLE_OFFSET, RuleShape, split
from core.codec.seeds import make_seed


def decode(data: bytes) -> Picture:
    """The picture in a bundle's bytes. Raises BundleError."""
    return decode_bundle(read_bundle(data))


def decode_bundle(bundle: Bundle) -> Picture:
    """The picture in a parsed bundle."""
    header = bundle.header
    seed = make_seed(header.seed, header.shape, header.patch_size)
    weights = dequantize(bundle.rules(), header.shape)
    # Only what is shown is kept: the whole states of a large picture would take gigabytes.
    patches = np.empty((len(weights), header.shape.visible, header.patch_size, header.patch_size), dtype=np.float32)
    for patch, rule in zip(patches, weights, strict=True):
        patch[...] = grow(header.shape, rule, seed, header.rollout)[: header.shape.visible]
    return Picture(join(patches + np.float32(VISIBLE_OFFSET), header.grid))


def grow(shape: RuleShape, weights: Array, seed: Array, rollout: Rollout) -> Array:
    """The state that one rule (parameters,) grows from a seed; float32 (channels, height, width)."""
    tensors = split(weights[None], shape)
    w1, b1, w2 = tensors.w1[0], tensors.b1[0][:, None], tensors.w2[0]
    channels, height, width = seed.shape
    state = seed.reshape(channels, -1)
    perceived = np.empty((3, channels, height * width), dtype=np.float32)
    for step in range(rollout.steps):
        _perceive(state.reshape(seed.shape), perceived)
        hidden = np.maximum(w1 @ perceived.reshape(3 * channels, -1) + b1, np.float32(0))
        update = w2 @ hidden
        if rollout.fire_rate:
            update *= fire_mask(rollout.fire_key, step, height, width, rollout.fire_rate).reshape(-1)
        state = state + update
    grown: Array = state.reshape(seed.shape)
    return grown


def _perceive(state: Array, out: npt.NDArray[np.float32]) -> None:
    """Write identity, Sobel-x and Sobel-y (each /8, zeros outside) of (channels, H, W) into (3, channels, H·W)."""
    padded = np.pad(state, ((0, 0), (1, 1), (1, 1)))
    down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    across = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    shape = state.shape
    out[0] = state.reshape(shape[0], -1)
    out[1].reshape(shape)[...] = (down[:, :, 2:] - down[:, :, :-2]) / np.float32(8)
    out[2].reshape(shape)[...] = (across[:, 2:] - across[:, :-2]) / np.float32(8)
