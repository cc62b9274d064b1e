"""`regrow bench seeds-speed`: encoding and decoding in the profile `seeds`, beside `rules` and JPEG, all in one run.

Warm: the fastest of several decodes in this process. Cold: the first decode of a fresh process, whose compiled code
lies on disk from an earlier one, and which has seen neither this picture nor another; importing is counted apart.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from PIL import Image

from regrow.benchmarks.decode import JPEG_QUALITY, random_bundle
from regrow.benchmarks.decode_cold import cold_decode
from regrow.benchmarks.machine import best_seconds, machine
from regrow.benchmarks.rd_store import Tell, tell_nobody
from regrow.benchmarks.seeds_memory import memory_of_decode
from regrow.core.codec.decode import decode
from regrow.core.codec.encode.seeds.encoder import assemble_seeds, encode_units
from regrow.core.codec.encode.seeds.plan import SWEEPS, units_of
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import DEFAULT_QUALITY, EncodeSettings

LARGE, SMALL = 512, 40
"""Pixels a side."""

JPEG_TRIALS = 20
Row = dict[str, Any]


def bench_seeds_speed(
    large: Picture,
    small: Picture,
    *,
    efforts: Sequence[Effort] = tuple(SWEEPS),
    trials: int = 5,
    tell: Tell = tell_nobody,
) -> dict[str, Any]:
    """Every effort once on the large picture; what the first of them wrote, and a file of the small one, is decoded.

    Files of `rules` are random ones of as many pixels: growing does the same operations whatever the weights are.
    """
    encode(large, efforts[0])  # loads the compiled code
    encodes = []
    for number, effort in enumerate(efforts):
        tell("encoding", number, len(efforts))
        encodes.append(encode(large, effort))
    tell("encoding", len(efforts), len(efforts))
    files = [("seeds", large, encodes[0][1]), ("seeds", small, encode(small, efforts[0])[1])]
    files += [("rules", picture, random_bundle(picture.height, picture.width)) for picture in (large, small)]
    decodes = []
    for number, (profile, picture, data) in enumerate(files):
        tell("decoding", number, len(files))
        decodes.append(_decode_row(profile, picture, data, trials))
    tell("decoding", len(files), len(files))
    return {
        "machine": machine(),
        "threads": numba.config.NUMBA_NUM_THREADS,
        "quality": DEFAULT_QUALITY,
        "encode": [row for row, _ in encodes],
        "decode": decodes,
        "seeds_against_rules": _ratios(decodes),
    }


def encode(picture: Picture, effort: Effort) -> tuple[Row, bytes]:
    """Once. Seconds are of the search alone, and of all, with the decode that checks and measures the file."""
    settings = EncodeSettings(profile=Profile.SEEDS, effort=effort)
    start = time.perf_counter()
    units = encode_units(picture, range(units_of(picture, settings)), settings)
    searched = time.perf_counter()
    encoded = assemble_seeds(picture, settings, units)
    row = {
        "size": _size(picture),
        "effort": str(effort),
        "sweeps": SWEEPS[effort],
        "search_seconds": searched - start,
        "all_seconds": time.perf_counter() - start,
        "bytes": len(encoded.bundle),
        "psnr": encoded.quality.psnr,
    }
    return row, encoded.bundle


def _decode_row(profile: str, picture: Picture, data: bytes, trials: int) -> Row:
    decode(data)
    warm = best_seconds(lambda: decode(data), trials)
    cold, memory, jpeg = cold_decode(data, trials), memory_of_decode(data), _jpeg_seconds(picture)
    return {
        "profile": profile,
        "size": _size(picture),
        "bytes": len(data),
        "warm_ms": 1000 * warm,
        "jpeg_ms": 1000 * jpeg,
        "times_jpeg": warm / jpeg,
        "cold_import_ms": 1000 * cold.imports,
        "cold_first_decode_ms": 1000 * cold.decode,
        "cold_process_ms": 1000 * cold.process,
        "memory_more_mib": memory and memory.more,
        "memory_peak_of_process_mib": memory and memory.peak,
    }


def _ratios(rows: Sequence[Row]) -> list[Row]:
    """Times of `seeds` over those of `rules`, for pictures of the same size."""
    rules = {row["size"]: row for row in rows if row["profile"] == "rules"}
    names = ("warm_ms", "cold_first_decode_ms", "cold_process_ms")
    return [
        {"size": row["size"], **{name.replace("_ms", "_times"): row[name] / rules[row["size"]][name] for name in names}}
        for row in rows
        if row["profile"] == "seeds"
    ]


def _jpeg_seconds(picture: Picture) -> float:
    """To decode a JPEG of the picture."""
    buffer = io.BytesIO()
    Image.fromarray(picture.pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return best_seconds(lambda: np.asarray(Image.open(io.BytesIO(buffer.getvalue()))), JPEG_TRIALS)


def _size(picture: Picture) -> str:
    return f"{picture.width}×{picture.height}"
