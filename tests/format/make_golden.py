"""Writes tests/format/golden/: run once per format version, by `python -m tests.format.make_golden`.

Golden files never change: a decoder that no longer makes the same pixels of them is wrong. A file that is there already
is left alone.
"""

from __future__ import annotations

from pathlib import Path

from core.codec.decoder import decode, reference_grower
from core.codec.engines.base import Rollout
from core.codec.payload import Coder
from core.codec.rule import RuleShape
from core.codec.seeds import SeedKind
from tests.bundles import random_bundle

FOLDER = Path(__file__).parent / "golden"


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
