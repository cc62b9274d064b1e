"""From a learned network in floats to a model's file in integers, with tables fitted to what its laws really see."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save as save_tensors
from torch import Tensor

from regrow.core.codec.fit.quantization import integer_rule
from regrow.core.codec.format.fixed_point import Integers
from regrow.core.codec.format.seeds.contexts import INPUT_BITS, INPUT_LIMIT
from regrow.core.codec.format.seeds.model import SUM_LIMIT
from regrow.core.codec.learn.laws import Law
from regrow.core.codec.learn.network import SeedsNetwork
from regrow.core.codec.learn.photos import Photo, crop
from regrow.core.codec.learn.rules import rounded_rule
from regrow.core.codec.learn.tables import fitted_tables
from regrow.core.codec.learn.trace import Trace, traced
from regrow.core.codec.learn.training import Batch
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import InvalidSettings

CROPS, SIDE, AT_ONCE = 512, 64, 8
LARGEST_WEIGHT_BITS = 14
MARGIN = 1.25
"""How much larger than what was seen a value may be before it is limited."""

MEAN_BITS, LOW_PASS_MEAN_BITS, SCALE_BITS = 3, 10, 3


def export(network: SeedsNetwork, photos: Sequence[Photo], crops: int | None = None) -> bytes:
    """The model's file. photos: to find out how large values get, and how often symbols come up.

    Raises InvalidSettings where a weight is too large for the format.
    """
    trace = traced(network, calibration(photos, crops or CROPS))
    shape = network.shape
    tensors: dict[str, np.ndarray] = {
        "sizes": np.array(
            [shape.channels, shape.coarse, shape.fine, shape.coarse_steps, shape.fine_steps], dtype=np.uint8
        ),
        "inject": _integers(network.inject, 12, 32767).astype(np.int16),
        "start": _integers(network.start, 16, 1 << 20),
        "tell": _integers(network.tell, 16, 1 << 20),
        "shrink": _integers(network.drawn(), 8, 255).astype(np.uint8),
    }
    for name, (weights, sizes, steps) in network.rules().items():
        tensors |= _rule(name, weights, sizes, steps, trace)
    for name, law in network.laws():
        tensors |= _network(name, law, LOW_PASS_MEAN_BITS if name.startswith("low") else MEAN_BITS, trace)
    tensors |= fitted_tables(trace.counts)
    return save_tensors({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def calibration(photos: Sequence[Photo], crops: int) -> list[Batch]:
    """Batches of crops at all steps that people ask for."""
    rng = np.random.default_rng(1)
    batches = []
    for _ in range(crops // AT_ONCE):
        pictures = np.stack([crop(photos[int(rng.integers(len(photos)))], SIDE, rng) for _ in range(AT_ONCE)])
        steps = torch.from_numpy(rng.uniform(-6.0, -1.25, AT_ONCE).astype(np.float32))
        batches.append(Batch(torch.from_numpy(pictures), steps, int(rng.choice((3, 3, 4))), 0.4))
    return batches


def _integers(values: Tensor, bits: int, limit: int) -> Integers:
    numbers = np.rint(values.detach().double().numpy() * 2.0**bits)
    clipped: Integers = np.clip(numbers, -limit, limit).astype(np.int32)
    return clipped


def _rule(name: str, weights: Tensor, shape: RuleShape, steps: int, trace: Trace) -> dict[str, np.ndarray]:
    """A rule's symbols, and scales with room for the states that were seen."""
    rounded = rounded_rule(weights, shape)
    start = np.concatenate(trace.states[name], axis=-1).astype(np.float32) * np.float32(MARGIN)
    scales = integer_rule(rounded.symbols, rounded.step_sizes, shape, start, Rollout(max(1, steps))).scales
    numbers = (scales.gain, scales.precision, scales.bias_shift, scales.hidden_shift)
    return {f"{name}.symbols": rounded.symbols, f"{name}.scales": np.array(numbers, dtype=np.uint8)}


def _network(name: str, law: Law, mean_bits: int, trace: Trace) -> dict[str, np.ndarray]:
    """A law network's layers with as many bits as the sums' limit leaves room for."""
    tensors: dict[str, np.ndarray] = {}
    parameters = law.state_dict()
    before, shifts = INPUT_BITS, []
    for layer in range(3):
        weights = parameters[f"layers.{2 * layer}.weight"].double().numpy()[:, :, 0, 0].T
        bias = parameters[f"layers.{2 * layer}.bias"].double().numpy()
        bits = _weight_bits(weights, bias, before)
        tensors[f"{name}.w{layer}"] = np.rint(weights * 2.0**bits).astype(np.int16)
        tensors[f"{name}.b{layer}"] = np.rint(bias * 2.0 ** (bits + before)).astype(np.int32)
        if layer < 2:
            after = math.floor(math.log2(INPUT_LIMIT / (MARGIN * max(trace.largest[f"{name}.{layer}"], 1e-3))))
            after = max(min(after, 10), bits + before - 23)
            shifts.append(bits + before - after)
            before = after
        else:
            shifts += [bits + before - mean_bits, bits + before - SCALE_BITS]
    tensors[f"{name}.shifts"] = np.array(shifts, dtype=np.uint8)
    return tensors


def _weight_bits(weights: npt.NDArray[np.float64], bias: npt.NDArray[np.float64], before: int) -> int:
    """The most bits behind the point with which no sum reaches the limit and no weight leaves 16 bits."""
    for bits in range(LARGEST_WEIGHT_BITS, 0, -1):
        whole = np.rint(np.abs(weights) * 2.0**bits)
        sums = whole.sum(axis=0) * INPUT_LIMIT + np.abs(bias) * 2.0 ** (bits + before) + 1
        if sums.max() < SUM_LIMIT and whole.max() <= 32767:
            return bits
    raise InvalidSettings("a law network's weights are too large for the format")
