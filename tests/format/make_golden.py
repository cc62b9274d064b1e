"""Writes tests/format/golden/: run once per format version, by `python -m tests.format.make_golden`.

Golden files never change: a decoder that no longer makes the same pixels of them is wrong. A file that is there already
is left alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from regrow.core.codec.coder import Coder
from regrow.core.codec.decode import decode
from regrow.core.codec.decode.growing import reference_grower
from regrow.core.codec.format.bundle import BundleHeader, write_bundle
from regrow.core.codec.format.entropy_coding import encode_symbols
from regrow.core.codec.format.fixed_point import Scales
from regrow.core.codec.format.payload import HEAD_BYTES
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape, tensor_slices
from regrow.core.codec.seeds import SeedKind
from tests.bundles import random_bundle

FOLDER = Path(__file__).parent / "golden"


def _extremes() -> bytes:
    """Rules at the edges of what a payload may say: shifts, models, symbols, states that saturate, no coded bytes."""
    shape, rng = RuleShape(5, 3), np.random.default_rng(0)
    rules = [
        (Scales(0, 4, 0, 2), (63, 63, 63)),  # the smallest update shift: states saturate
        (Scales(255, 15, 23, 0), (0, 8, 63)),  # the largest
        (Scales(40, 15, 14, 0), (8, 8, 8)),
        (Scales(100, 4, 3, 15), (40, 0, 50)),
        (Scales(90, 12, 11, 5), (0, 0, 0)),
        (Scales(63, 9, 16, 7), (20, 63, 8)),
    ]
    payloads = []
    for scales, models in rules:
        symbols = rng.integers(-127, 128, shape.parameters).astype(np.int8)
        tensors = [symbols[part] for part in tensor_slices(shape)]
        head = bytes([scales.gain, scales.precision | scales.hidden_shift << 4, scales.bias_shift, *models])
        payloads.append(head + encode_symbols(tensors, models))
    payloads.append(payloads[4][:HEAD_BYTES])
    payloads.append(payloads[2][:HEAD_BYTES])
    header = BundleHeader(18, 36, 9, SeedKind.SCAFFOLD, Rollout(30), Coder.ANS, (shape,))
    return write_bundle(header, payloads)


def golden_bundles() -> dict[str, bytes]:
    """By name."""
    small = RuleShape(14, 20)
    grey, alpha = RuleShape(5, 4, 1), RuleShape(9, 6, 4)
    return {
        "by-hand": bytes.fromhex(
            "474E4341 010000 10 0101 0100 0100 0100 0201 0F00 327D6AC3 11240CC6 704808 000000 003200000000 0A 4000"
        ),
        "small": random_bundle(40, 40, shapes=[small], rollout=Rollout(12)),
        "plain-bytes": random_bundle(40, 40, coder=Coder.BYTES),
        "pixel-seed": random_bundle(41, 39, seed_kind=SeedKind.PIXEL, rollout=Rollout(40)),
        "fire": random_bundle(80, 50, rollout=Rollout(9, 0.5, 0xDEADBEEF)),
        "presets": random_bundle(95, 130, shapes=[RuleShape(6, 4), RuleShape(8, 8), small], rollout=Rollout(12)),
        "grey": random_bundle(33, 70, shapes=[grey]),
        "alpha": random_bundle(20, 45, shapes=[alpha], patch_size=16),
        "one-pixel": random_bundle(1, 1, shapes=[RuleShape(4, 1)], patch_size=1),
        "extremes": _extremes(),
        "pixel-seed-fire": random_bundle(
            30, 30, seed_kind=SeedKind.PIXEL, rollout=Rollout(60, 1 / 65536, 7), coder=Coder.BYTES
        ),
        "seven-presets": random_bundle(255, 256, shapes=[RuleShape(4 + n, 2 + n) for n in range(7)], patch_size=255),
        "many-steps": random_bundle(8, 8, rollout=Rollout(1024), patch_size=8),
        "large-rule": random_bundle(40, 40, shapes=[RuleShape(64, 255)], rollout=Rollout(3)),
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, data in golden_bundles().items():
        path = FOLDER / f"{name}.gnca"
        if not path.exists():
            path.write_bytes(data)
            path.with_suffix(".png").write_bytes(decode(data, grower=reference_grower).picture.to_png())


if __name__ == "__main__":
    main()
