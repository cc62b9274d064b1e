"""The engine for NVIDIA GPUs: Triton kernels that work one patch per thread block through all steps of a rollout.

Under Triton's interpreter (TRITON_INTERPRET=1) the same kernels run on CPU tensors, slowly, for tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.codec.engines.base import Array, LossAndGradients, Rollout, Targets
from core.codec.engines.cuda_scratch import Layout, Scratch
from core.codec.engines.cuda_tuning import launch_options, padded_size
from core.codec.engines.triton_kernels import backward_kernel, grow_kernel
from core.codec.engines.triton_products import INTERPRETED
from core.codec.fire import threshold
from core.codec.rule import VISIBLE_OFFSET, RuleShape
from core.errors import InvalidSettings

Precision = Literal["bf16x3", "tf32x3", "ieee"]

# Work memory for states per launch; larger batches are split. 8 GiB hold 5,400 patches of 40x40, 14 channels, 12 steps.
STATE_BYTES = 8 << 30
# Of the adjoints: two in turns, each of the state, the Sobel-x and the Sobel-y response.
ADJOINT_SLOTS = 6


class DeviceGradients(NamedTuple):
    """LossAndGradients as float32 tensors on the engine's device."""

    losses: Tensor
    weights: Tensor
    seeds: Tensor | None


class CudaEngine:
    """Rollouts and their gradients on one GPU.

    precision: how matrices are multiplied. "ieee" is plain float32, without tensor cores. "bf16x3" and "tf32x3" use
    tensor cores on operands split in two (core.codec.engines.triton_products): about 16 and 21 bits of significand, so
    that products are right to about 1e-5 and 1e-6. Gradients need 1e-4, hence "bf16x3": it has the shorter operands,
    and a first layer's results are where the second layer's operands must be.

    The methods that end in `_device` neither copy to the host nor wait for the device. After a first call of the same
    sizes, which compiles the kernels and allocates work memory, they can be captured in a CUDA graph.
    """

    name = "cuda"

    def __init__(self, device: str | torch.device = "cuda", precision: Precision = "bf16x3") -> None:
        self.device = torch.device(device)
        if self.device.type != "cuda" and not INTERPRETED:
            raise InvalidSettings(f"the CUDA engine needs a CUDA device, not {self.device}")
        self.precision = precision
        self._states = Scratch(self.device)
        self._adjoints = Scratch(self.device)

    def rollout(self, shape: RuleShape, weights: Array, seeds: Array, rollout: Rollout) -> Array:
        """The states after `rollout.steps` updates; float32 (G, channels, height, width)."""
        return self._to_numpy(self.rollout_device(shape, self._tensor(weights), self._tensor(seeds), rollout))

    def loss_and_gradients(
        self,
        shape: RuleShape,
        weights: Array,
        seeds: Array,
        targets: Targets,
        rollout: Rollout,
        *,
        seed_gradients: bool = False,
    ) -> LossAndGradients:
        """Loss of the grown picture against the targets, and its gradients."""
        result = self.loss_and_gradients_device(
            shape,
            self._tensor(weights),
            self._tensor(seeds),
            self._tensor(targets.pixels),
            torch.as_tensor(targets.extents, dtype=torch.int32, device=self.device),
            rollout,
            seed_gradients=seed_gradients,
        )
        seeds_result = None if result.seeds is None else self._to_numpy(result.seeds)
        return LossAndGradients(self._to_numpy(result.losses), self._to_numpy(result.weights), seeds_result)

    def rollout_device(self, shape: RuleShape, weights: Tensor, seeds: Tensor, rollout: Rollout) -> Tensor:
        """`rollout` for contiguous float32 tensors on the device: weights (G or 1, parameters), seeds (G or 1, ...)."""
        count = max(len(weights), len(seeds))
        grown = torch.empty(count, *seeds.shape[1:], device=self.device)
        for part, states in self._grown(shape, weights, seeds, count, rollout, slots=2):
            inner = states[: part.stop - part.start, rollout.steps % 2, 1:-1, 1:-1, : shape.channels]
            grown[part] = inner.permute(0, 3, 1, 2)
        return grown

    def loss_and_gradients_device(
        self,
        shape: RuleShape,
        weights: Tensor,
        seeds: Tensor,
        pixels: Tensor,
        extents: Tensor,
        rollout: Rollout,
        *,
        seed_gradients: bool = False,
    ) -> DeviceGradients:
        """`loss_and_gradients` for contiguous tensors on the device, float32 but for extents, int32 (G, 2)."""
        count = len(pixels)
        gradients = torch.empty(count, shape.parameters, device=self.device)
        losses = torch.empty(count, device=self.device)
        of_seeds = torch.empty(count, *seeds.shape[1:], device=self.device) if seed_gradients else None
        for part, states in self._grown(shape, weights, seeds, count, rollout, slots=rollout.steps + 1):
            height, width, padded = seeds.shape[2], seeds.shape[3], states.shape[-1]
            patches = part.stop - part.start
            adjoints = self._adjoints.get(patches, Layout(ADJOINT_SLOTS, height, width, padded))
            with self._on_device():
                backward_kernel[(patches,)](
                    rows_of(weights, part),
                    states,
                    pixels[part],
                    extents[part],
                    adjoints,
                    losses[part],
                    gradients[part],
                    losses if of_seeds is None else of_seeds[part],
                    row_stride(weights),
                    rollout.steps + 1,
                    rollout.steps,
                    *fire_arguments(rollout),
                    SEED_GRADIENTS=seed_gradients,
                    VISIBLE=shape.visible,
                    OFFSET=VISIBLE_OFFSET,
                    **self._constants(shape, height, width, rollout),
                )
        # A sum over rows adds them up in an order that depends on the sizes only.
        shared = len(weights) == 1 and count > 1
        return DeviceGradients(losses, gradients.sum(dim=0, keepdim=True) if shared else gradients, of_seeds)

    def _grown(
        self, shape: RuleShape, weights: Tensor, seeds: Tensor, count: int, rollout: Rollout, slots: int
    ) -> Iterator[tuple[slice, Tensor]]:
        """Grow as many patches at a time as the work memory holds; the patches' numbers and their states."""
        height, width = seeds.shape[2:]
        layout = Layout(slots, height, width, padded_size(shape.channels))
        at_once = min(count, max(1, STATE_BYTES // (4 * layout.values)))
        for start in range(0, count, at_once):
            part = slice(start, min(start + at_once, count))
            states = self._states.get(at_once, layout)
            with self._on_device():
                grow_kernel[(part.stop - part.start,)](
                    rows_of(weights, part),
                    rows_of(seeds, part),
                    states,
                    row_stride(weights),
                    row_stride(seeds),
                    slots,
                    rollout.steps,
                    *fire_arguments(rollout),
                    HISTORY=slots > 2,
                    **self._constants(shape, height, width, rollout),
                )
            yield part, states

    def _constants(self, shape: RuleShape, height: int, width: int, rollout: Rollout) -> dict[str, Any]:
        """What both kernels are compiled for."""
        return {
            "SYNCHRONOUS": threshold(rollout.fire_rate) >= 1 << 32,
            "CHANNELS": shape.channels,
            "HIDDEN": shape.hidden,
            "HEIGHT": height,
            "WIDTH": width,
            "PADDED": padded_size(shape.channels),
            "PRECISION": self.precision,
            **launch_options(shape),
        }

    def _on_device(self) -> AbstractContextManager[Any]:
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def _tensor(self, array: Array) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self.device).contiguous()

    def _to_numpy(self, tensor: Tensor) -> Array:
        result: Array = tensor.cpu().numpy()
        return result


def row_stride(rows: Tensor) -> int:
    """Values from one patch's row to the next; 0 where all patches share one row."""
    return 0 if len(rows) == 1 else rows.stride(0)


def rows_of(rows: Tensor, part: slice) -> Tensor:
    """The rows of some patches, or the only row that there is."""
    return rows if len(rows) == 1 else rows[part]


def fire_arguments(rollout: Rollout) -> tuple[int, int]:
    """The kernels' fire_start and fire_threshold: unsigned 32-bit values, as signed ones to keep one type."""
    values = np.array([rollout.fire_key * 0x9E3779B1 & 0xFFFFFFFF, threshold(rollout.fire_rate) & 0xFFFFFFFF])
    start, limit = values.astype(np.uint32).view(np.int32).tolist()
    return start, limit
