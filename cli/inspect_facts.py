"""What a bundle says of itself, and where its bytes go."""

from __future__ import annotations

from typing import Any

import numpy as np

from regrow.core.codec.coder import Coder
from regrow.core.codec.format.bundle import VERSION, AnyBundle, Bundle, BundleHeader, bundle_size
from regrow.core.codec.format.entropy_coding import bits_of
from regrow.core.codec.format.payload import HEAD_BYTES
from regrow.core.codec.format.seeds.arithmetic import STEPS_PER_OCTAVE
from regrow.core.codec.format.seeds.bundle import SeedsBundle
from regrow.core.codec.format.seeds.geometry import levels_of
from regrow.core.codec.presets import Preset
from regrow.core.codec.profile import Profile
from regrow.core.codec.rule import RuleShape, tensor_slices

TENSORS = ("W1", "b1", "W2")
CRC_BYTES = 4
SEEDS_CRC_BYTES = SEEDS_LENGTH_BYTES = 3

Facts = dict[str, Any]


def facts_of(bundle: AnyBundle, size: int) -> Facts:
    """Everything that `regrow inspect` shows. size: of the whole file, bytes. Raises DamagedBundle."""
    header, lengths = bundle.header, [len(payload) for payload in bundle.payloads]
    facts, parts = _of_seeds(bundle, size) if isinstance(bundle, SeedsBundle) else _of_rules(bundle, size)
    return {
        "version": VERSION,
        "width": header.width,
        "height": header.height,
        "visible_channels": header.visible,
        "patches": header.grid.count,
        "patch_rows": header.grid.rows,
        "patch_columns": header.grid.columns,
        "steps": header.steps,
        **facts,
        "bytes": size,
        "payload_bytes": sum(lengths),
        "overhead_bytes": size - sum(lengths),
        "bits_per_pixel": 8 * size / (header.width * header.height),
        "bytes_of_parts": parts,
        "bytes_per_patch": {"min": min(lengths), "mean": float(np.mean(lengths)), "max": max(lengths)},
    }


def _of_rules(bundle: Bundle, size: int) -> tuple[Facts, dict[str, int]]:
    """What only the profile `rules` has, and the file's bytes by what they are for."""
    header, shapes = bundle.header, [bundle.shape(index) for index in range(len(bundle.payloads))]
    facts = {
        "profile": str(Profile.RULES),
        "patch_size": header.patch_size,
        "seed": str(header.seed),
        "fire_rate": header.rollout.fire_rate,
        "coder": str(header.coder),
        "parameters_per_patch": float(np.mean([shape.parameters for shape in shapes])),
        "presets": _presets(header, shapes),
        "bits_per_weight": _bits_per_weight(bundle, shapes),
    }
    return facts, _parts(header, size)


def _of_seeds(bundle: SeedsBundle, size: int) -> tuple[Facts, dict[str, int]]:
    """What only the profile `seeds` has, and the file's bytes by what they are for."""
    header = bundle.header
    count, payloads = header.grid.count, sum(map(len, bundle.payloads))
    extents = {header.grid.extent(index) for index in range(count)}
    facts = {
        "profile": str(Profile.SEEDS),
        "longest_patch_side": max(map(max, extents)),
        "model": header.model,
        "levels": max(map(levels_of, extents)),
        "quantisation_step": f"1/{2 ** (header.step / STEPS_PER_OCTAVE):.4g} of the range of pixels",
    }
    checksums = SEEDS_CRC_BYTES * (1 if count == 1 else 1 + count)
    table = SEEDS_LENGTH_BYTES * count if count > 1 else 0
    parts = {"header": size - payloads - table - checksums, "table": table, "checksums": checksums, "seeds": payloads}
    return facts, parts


def _presets(header: BundleHeader, shapes: list[RuleShape]) -> list[Facts]:
    """The presets that the header lists, and how many patches use each."""
    names = {preset.shape(header.visible): str(preset) for preset in Preset}
    return [
        {
            "preset": names.get(shape, "unnamed"),
            "channels": shape.channels,
            "hidden": shape.hidden,
            "parameters": shape.parameters,
            "patches": shapes.count(shape),
        }
        for shape in header.presets
    ]


def _bits_per_weight(bundle: Bundle, shapes: list[RuleShape]) -> dict[str, float]:
    """What a weight of each tensor costs, mean over all patches."""
    if bundle.header.coder is Coder.BYTES:
        return dict.fromkeys(TENSORS, 8.0)
    bits, weights = [0.0] * len(TENSORS), [0] * len(TENSORS)
    for index, shape in enumerate(shapes):
        symbols, models = bundle.rule(index).symbols, bundle.payloads[index][HEAD_BYTES - len(TENSORS) : HEAD_BYTES]
        for tensor, (part, model) in enumerate(zip(tensor_slices(shape), models, strict=True)):
            bits[tensor] += bits_of(symbols[part], model)
            weights[tensor] += part.stop - part.start
    return {name: cost / count for name, cost, count in zip(TENSORS, bits, weights, strict=True)}


def _parts(header: BundleHeader, size: int) -> dict[str, int]:
    """The file's bytes by what they are for; they add up to all of it."""
    count = header.grid.count
    start = bundle_size([], len(header.presets), header.rollout)
    table = bundle_size([0] * count, len(header.presets), header.rollout) - start
    checksums = CRC_BYTES * (1 + count)
    parts = {
        "header": start - CRC_BYTES,
        "table": table - CRC_BYTES * count,
        "checksums": checksums,
        "patch_heads": HEAD_BYTES * count,
    }
    return parts | {"symbols": size - sum(parts.values())}
