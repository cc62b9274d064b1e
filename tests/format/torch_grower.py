"""The integer decoder in PyTorch, on any device: fixed_point.grow for many rules, to the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regrow.core.codec.fire import fire_masks
from regrow.core.codec.format.fixed_point import (
    CODE_LIMIT,
    STATE_BITS,
    STATE_LIMIT,
    IntegerRule,
    Integers,
    stacked_symbols,
    visible_pixels,
)
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices

_CHUNK = 128  # rules grown together; bounds the memory


def grow_batch(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout, device: torch.device | str = "cpu"
) -> npt.NDArray[np.uint8]:
    """The pixels that G rules grow from a seed; uint8 (G, visible, height, width).

    seed: int32 (channels, height, width) within ±2**30.
    """
    pixels = np.empty((len(rules), shape.visible, *seed.shape[1:]), dtype=np.uint8)
    for chunk in _chunks(len(rules)):
        states = _grow(shape, rules[chunk], seed, rollout, torch.device(device))
        pixels[chunk] = visible_pixels(states[:, : shape.visible].int().cpu().numpy())
    return pixels


def grow_states(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout, device: torch.device | str = "cpu"
) -> Integers:
    """The whole states behind these pixels; int32 (G, channels, height, width)."""
    states = np.empty((len(rules), *seed.shape), dtype=np.int32)
    for chunk in _chunks(len(rules)):
        states[chunk] = _grow(shape, rules[chunk], seed, rollout, torch.device(device)).cpu().numpy()
    return states


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


@torch.no_grad()
def _grow(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout, device: torch.device
) -> Tensor:
    """The states; int64 (G, channels, height, width)."""
    scales = [rule.scales for rule in rules]

    def column(values: list[int]) -> Tensor:
        return torch.tensor(values, device=device)[:, None, None]

    precision, hidden_shift = column([x.precision for x in scales]), column([x.hidden_shift for x in scales])
    mantissa, update_shift = column([x.mantissa for x in scales]), column([x.update_shift for x in scales])
    symbols = torch.from_numpy(stacked_symbols(shape, rules)).to(device, torch.float64)
    w1, b1, w2 = (symbols[:, part] for part in tensor_slices(shape))
    w1, w2 = w1.reshape(-1, shape.hidden, shape.perceived), w2.reshape(-1, shape.channels, shape.hidden)
    bias = (b1[:, :, None].long() << column([x.bias_shift for x in scales])).double()
    masks = _masks(rollout, seed, device)
    planes = (len(rules), *seed.shape)
    state = torch.from_numpy(seed).to(device, torch.int64).expand(planes).flatten(2)
    for step in range(rollout.steps):
        perceived = _perceive(state.reshape(planes), precision[..., None])
        # Products in float64, as integers have none on a GPU. They are exact: all terms and all sums are integers
        # below 2**53, so that neither the order of a sum nor fused operations can matter.
        inputs = torch.baddbmm(bias, w1, perceived.double()).long()
        hidden = _shift_rounded(inputs.clamp(min=0), hidden_shift).clamp(max=CODE_LIMIT)
        update = _shift_rounded(torch.bmm(w2, hidden.double()).long() * mantissa, update_shift)
        state = (state + update * masks[step % len(masks)]).clamp(-STATE_LIMIT, STATE_LIMIT)
    return state.reshape(planes)


def _masks(rollout: Rollout, seed: Integers, device: torch.device) -> Tensor:
    """int64 (steps or 1, cells): 1 where a cell updates."""
    if not rollout.fire_rate:
        return torch.ones((1, 1), dtype=torch.int64, device=device)
    _, height, width = seed.shape
    masks = fire_masks(rollout.fire_key, rollout.steps, height, width, rollout.fire_rate)
    return torch.from_numpy(masks).to(device, torch.int64).flatten(1)


def _shift_rounded(values: Tensor, bits: Tensor | int) -> Tensor:
    """values / 2**bits, rounded half up."""
    if isinstance(bits, int):
        return (values + (1 << bits >> 1)) >> bits
    return (values + (torch.ones_like(bits) << bits >> 1)) >> bits


def _perceive(state: Tensor, precision: Tensor) -> Tensor:
    """z: codes, Sobel-x and Sobel-y of (G, channels, H, W), zeros outside; (G, 3·channels, H·W) within ±CODE_LIMIT."""
    codes = _shift_rounded(state, STATE_BITS - precision).clamp(-CODE_LIMIT, CODE_LIMIT)
    padded = torch.nn.functional.pad(codes, (1, 1, 1, 1))
    down = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    across = padded[:, :, :, :-2] + 2 * padded[:, :, :, 1:-1] + padded[:, :, :, 2:]
    sobel_x = _shift_rounded(down[:, :, :, 2:] - down[:, :, :, :-2], 3)
    sobel_y = _shift_rounded(across[:, :, 2:] - across[:, :, :-2], 3)
    return torch.cat((codes, sobel_x, sobel_y), dim=1).flatten(2)
