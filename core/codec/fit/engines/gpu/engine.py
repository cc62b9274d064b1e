"""The engine for NVIDIA GPUs: Triton kernels that work one patch per thread block through all steps of a rollout.

Under Triton's interpreter (TRITON_INTERPRET=1) the same kernels run on CPU tensors, slowly, for tests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regrow.core.codec.fit.engines.base import Array, LossAndGradients, Targets
from regrow.core.codec.fit.engines.gpu.jacobian import tangent_kernel
from regrow.core.codec.fit.engines.gpu.kernels import backward_kernel, grow_kernel
from regrow.core.codec.fit.engines.gpu.launch import constants, fire_arguments, row_stride, rows_of
from regrow.core.codec.fit.engines.gpu.products import INTERPRETED
from regrow.core.codec.fit.engines.gpu.scratch import Layout, Scratch
from regrow.core.codec.fit.engines.gpu.tuning import padded_size
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import VISIBLE_OFFSET, RuleShape
from regrow.core.errors import InvalidSettings

Precision = Literal["bf16x3", "tf32x3", "ieee"]

# Work memory for states per launch; larger batches are split. 8 GiB hold 5,400 patches of 40x40, 14 channels, 12 steps.
# As much again for the tangents of `curvature`: 38,000 of such a patch.
STATE_BYTES = 8 << 30
# Of the adjoints: two in turns, each of the state, the Sobel-x and the Sobel-y response. Of a tangent: two in turns.
ADJOINT_SLOTS = 6
TANGENT_SLOTS = 2


class DeviceGradients(NamedTuple):
    """LossAndGradients as float32 tensors on the engine's device."""

    losses: Tensor
    weights: Tensor
    seeds: Tensor | None


class CudaEngine:
    """Rollouts and their gradients on one GPU.

    precision: how matrices are multiplied. "ieee" is plain float32, without tensor cores. "bf16x3" and "tf32x3" use
    tensor cores on operands split in two (core.codec.fit.engines.gpu.products): about 16 and 21 bits of significand, so
    that products are right to about 1e-5 and 1e-6. Gradients need 1e-4, hence "bf16x3": it has the shorter operands,
    and a first layer's results are where the second layer's operands must be.

    `loss_and_gradients_device` neither copies to the host nor waits for the device. After a first call of the same
    sizes, which compiles the kernels and allocates work memory, it can be captured in a CUDA graph.
    """

    name = "cuda"

    def __init__(self, device: str | torch.device = "cuda", precision: Precision = "bf16x3") -> None:
        self.device = torch.device(device)
        if self.device.type != "cuda" and not INTERPRETED:
            raise InvalidSettings(f"the CUDA engine needs a CUDA device, not {self.device}")
        self.precision = precision
        self._states = Scratch(self.device)
        self._adjoints = Scratch(self.device)
        # Of `curvature` alone, which several threads may call: one of them is at it at a time.
        self._curvature = threading.Lock()
        self._history = Scratch(self.device)
        self._tangents = Scratch(self.device)

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

    def curvature(
        self,
        shape: RuleShape,
        weights: Array,
        seed: Array,
        extent: npt.NDArray[np.int32],
        rollout: Rollout,
        chosen: npt.NDArray[np.intp],
    ) -> Array:
        """The Gauss-Newton matrix JJᵀ of one rule; float32 (n, n). Its product is plain float32 in every precision."""
        with self._curvature, self._on_device():
            which = torch.as_tensor(chosen, dtype=torch.int32, device=self.device)
            counted = torch.as_tensor(extent, dtype=torch.int32, device=self.device)
            jacobian = self._jacobian(shape, self._tensor(weights), self._tensor(seed), counted, rollout, which)
            # The lock is held until the result is here, and the device through with the work memory.
            return self._to_numpy(gram(jacobian))

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
        for part, states in self._grown(shape, weights, seeds, count, rollout):
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
                    rollout.steps,
                    *fire_arguments(rollout),
                    SEED_GRADIENTS=seed_gradients,
                    VISIBLE=shape.visible,
                    OFFSET=VISIBLE_OFFSET,
                    **constants(shape, height, width, rollout, self.precision),
                )
        # A sum over rows adds them up in an order that depends on the sizes only.
        shared = len(weights) == 1 and count > 1
        return DeviceGradients(losses, gradients.sum(dim=0, keepdim=True) if shared else gradients, of_seeds)

    def _grown(
        self, shape: RuleShape, weights: Tensor, seeds: Tensor, count: int, rollout: Rollout
    ) -> Iterator[tuple[slice, Tensor]]:
        """Grow as many patches at a time as the work memory holds; the patches' numbers and their states."""
        height, width = seeds.shape[2:]
        layout = Layout(rollout.steps + 1, height, width, padded_size(shape.channels))
        for part, states in parts_of(count, layout, self._states):
            self._grow(shape, rows_of(weights, part), rows_of(seeds, part), part.stop - part.start, rollout, states)
            yield part, states

    def _grow(
        self, shape: RuleShape, weights: Tensor, seeds: Tensor, count: int, rollout: Rollout, states: Tensor
    ) -> None:
        """Grow `count` patches into `states`, which has a slot for the seed and for the state after each step."""
        height, width = seeds.shape[2:]
        with self._on_device():
            grow_kernel[(count,)](
                weights,
                seeds,
                states,
                row_stride(weights),
                row_stride(seeds),
                rollout.steps,
                *fire_arguments(rollout),
                **constants(shape, height, width, rollout, self.precision),
            )

    def _jacobian(
        self, shape: RuleShape, weights: Tensor, seed: Tensor, extent: Tensor, rollout: Rollout, chosen: Tensor
    ) -> Tensor:
        """The chosen weights' rows of one rule's Jacobian, (n, visible · height · width), zeros beyond the extent."""
        _, height, width = seed.shape
        padded = padded_size(shape.channels)
        states = self._history.get(1, Layout(rollout.steps + 1, height, width, padded))
        self._grow(shape, weights[None], seed[None], 1, rollout, states)
        jacobian = torch.empty(len(chosen), shape.visible * height * width, device=self.device)
        layout = Layout(TANGENT_SLOTS, height, width, padded)
        for part, tangents in parts_of(len(chosen), layout, self._tangents):
            tangent_kernel[(part.stop - part.start,)](
                weights,
                states,
                extent,
                chosen,
                tangents,
                jacobian,
                part.start,
                rollout.steps,
                *fire_arguments(rollout),
                VISIBLE=shape.visible,
                **constants(shape, height, width, rollout, self.precision),
            )
        return jacobian

    def _on_device(self) -> AbstractContextManager[Any]:
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    def _tensor(self, array: Array) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self.device).contiguous()

    def _to_numpy(self, tensor: Tensor) -> Array:
        result: Array = tensor.cpu().numpy()
        return result


def parts_of(count: int, layout: Layout, scratch: Scratch) -> Iterator[tuple[slice, Tensor]]:
    """As many of `count` patches or tangents at a time as STATE_BYTES hold: their numbers, and work memory for them."""
    at_once = max(1, min(count, STATE_BYTES // (4 * layout.values)))
    for start in range(0, count, at_once):
        yield slice(start, min(start + at_once, count)), scratch.get(at_once, layout)


def gram(rows: Tensor) -> Tensor:
    """rows · rowsᵀ in plain float32, also in a process that lets PyTorch take TF32 for its products."""
    setting = torch.backends.cuda.matmul
    before = setting.fp32_precision
    setting.fp32_precision = "ieee"
    try:
        return torch.mm(rows, rows.T)
    finally:
        setting.fp32_precision = before
