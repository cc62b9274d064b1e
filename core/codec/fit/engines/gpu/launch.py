"""What the CUDA engine's launches are given, beside tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from regrow.core.codec.fire import threshold
from regrow.core.codec.fit.engines.gpu.tuning import launch_options, padded_size
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape


def constants(shape: RuleShape, height: int, width: int, rollout: Rollout, precision: str) -> dict[str, Any]:
    """What all kernels are compiled for."""
    return {
        "SYNCHRONOUS": threshold(rollout.fire_rate) >= 1 << 32,
        "CHANNELS": shape.channels,
        "HIDDEN": shape.hidden,
        "HEIGHT": height,
        "WIDTH": width,
        "PADDED": padded_size(shape.channels),
        "PRECISION": precision,
        **launch_options(shape),
    }


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
