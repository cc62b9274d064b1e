"""Bundles of random weights, made without any training."""

from __future__ import annotations

import numpy as np

from core.codec.bundle import BundleHeader, pack_payloads, write_bundle
from core.codec.engines.base import Rollout
from core.codec.quantization import quantize
from core.codec.rule import RuleShape
from core.codec.seeds import SeedKind


def random_bundle(
    height: int, width: int, *, shape: RuleShape | None = None, fire_rate: float = 0.0, patch_size: int = 40
) -> bytes:
    shape = shape or RuleShape(6, 5)
    header = BundleHeader(height, width, patch_size, SeedKind.PIXEL, shape, Rollout(4, fire_rate, 5))
    weights = np.random.default_rng(1).normal(0, 0.2, (header.grid.count, shape.parameters))
    return write_bundle(header, pack_payloads(quantize(weights, shape)))
