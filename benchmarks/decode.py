"""`regrow bench decode`: how fast pictures are regrown, against the machine's own peak and against JPEG.

Rules are random: growing does the same operations whatever the weights are.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from regrow.benchmarks.decode_cold import api_import_seconds, cold_decode
from regrow.benchmarks.machine import best_seconds, machine, sgemm_gflops
from regrow.core.codec.coder import Coder
from regrow.core.codec.decode import decode_bundle
from regrow.core.codec.decode.growers.compiled import grow_batch
from regrow.core.codec.decode.growing import fast_grower
from regrow.core.codec.format.bundle import BundleHeader, read_bundle, write_bundle
from regrow.core.codec.format.fixed_point import IntegerRule, Integers, Scales, integer_seed
from regrow.core.codec.format.payload import write_payload
from regrow.core.codec.images import Picture
from regrow.core.codec.picture_files import FileKind, write_picture
from regrow.core.codec.presets import PATCH_SIZE, Preset
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import STEPS, SeedKind

SIDE = 512
"""Pixels, of the whole picture."""

PATCHES = 64
"""In one call that measures the kernel."""

JPEG_QUALITY = 85
API_GOAL_SECONDS = 1.5

Row = dict[str, Any]


def bench_decode(photo: Picture, *, patches: int = PATCHES, trials: int = 10) -> dict[str, Any]:
    """All measurements; `photo` is what JPEG and PNG are timed on, and as large as the picture that is regrown."""
    threads = os.cpu_count() or 1
    peaks = {count: sgemm_gflops(count) for count in sorted({1, threads})}
    kernel = [
        kernel_row(preset, seed, peaks, threads, patches, trials)
        for preset in (Preset.SMALL, Preset.MEDIUM, Preset.LARGE)
        for seed in (SeedKind.SCAFFOLD, SeedKind.PIXEL)
    ]
    data = random_bundle(photo.height, photo.width)
    whole, parts = _picture_parts(data, trials)
    return {
        "machine": machine(),
        "threads": threads,
        "sgemm_gflops": peaks,
        "kernel": kernel,
        "picture": _picture_facts(data),
        "where_time_goes": [
            {"part": name, "ms": 1000 * seconds, "share": seconds / whole} for name, seconds in parts.items()
        ],
        "against_jpeg": _against_jpeg(photo, whole, parts["grow the patches"], trials),
        "cold": _cold(data, 1 if trials < 5 else 3),
    }


def random_rule(shape: RuleShape, seed: int) -> IntegerRule:
    """Symbols of about five bits each, as trained rules have at the usual steps."""
    symbols = np.rint(np.random.default_rng(seed).logistic(0, 4, shape.parameters)).clip(-127, 127)
    return IntegerRule(symbols.astype(np.int8), Scales(gain=88, precision=12, bias_shift=11, hidden_shift=5))


def random_bundle(height: int, width: int, seed: int = 0) -> bytes:
    """A picture of random small rules, entropy coded. seed: another picture for each."""
    shape = Preset.SMALL.shape()
    rollout = Rollout(STEPS[SeedKind.SCAFFOLD])
    header = BundleHeader(height, width, PATCH_SIZE, SeedKind.SCAFFOLD, rollout, Coder.ANS, (shape,))
    rules = (random_rule(shape, 100_000 * seed + patch) for patch in range(header.grid.count))
    return write_bundle(header, [write_payload(shape, rule, Coder.ANS, 0) for rule in rules])


def growth_operations(shape: RuleShape, cells: int, steps: int) -> int:
    """Multiplications and additions of both matrix products; perception and rounding come on top."""
    return 2 * cells * 4 * shape.channels * shape.hidden * steps


def kernel_row(
    preset: Preset, kind: SeedKind, peaks: dict[int, float], threads: int, patches: int = PATCHES, trials: int = 10
) -> Row:
    """Milliseconds a patch that growing takes, on one thread and on all of them."""
    shape, rollout = preset.shape(), Rollout(STEPS[kind])
    seed = integer_seed(kind, shape, PATCH_SIZE)
    rules = [random_rule(shape, number) for number in range(patches)]

    def seconds_per_patch(count: int) -> float:
        grow_batch(shape, rules[:1], seed, rollout, threads=count)  # loads the compiled code
        return best_seconds(lambda: grow_batch(shape, rules, seed, rollout, threads=count), trials) / patches

    alone, together = seconds_per_patch(1), seconds_per_patch(threads)
    operations = growth_operations(shape, PATCH_SIZE**2, rollout.steps)
    return {
        "preset": str(preset),
        "steps": rollout.steps,
        "one_thread_ms": 1000 * alone,
        "all_threads_ms": 1000 * together,
        "one_thread_gops": operations / alone / 1e9,
        "all_threads_gops": operations / together / 1e9,
        "share_of_sgemm_peak_one_thread": operations / alone / 1e9 / peaks[1],
        "share_of_sgemm_peak_all_threads": operations / together / 1e9 / peaks[threads],
    }


def _picture_facts(data: bytes) -> Row:
    header = read_bundle(data).header
    return {
        "size": f"{header.width}×{header.height}",
        "preset": str(Preset.SMALL),
        "steps": header.rollout.steps,
        "patches": header.grid.count,
        "bytes": len(data),
    }


def _picture_parts(data: bytes, trials: int) -> tuple[float, dict[str, float]]:
    """Seconds from bytes to pixels, warm, and what they went to in the fastest trial."""
    grow, growing = fast_grower(), 0.0

    def timed(
        shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
    ) -> npt.NDArray[np.uint8]:
        nonlocal growing
        begin = time.perf_counter()
        pixels = grow(shape, rules, seed, rollout)
        growing += time.perf_counter() - begin
        return pixels

    runs = []
    for _ in range(1 + trials):
        growing, start = 0.0, time.perf_counter()
        bundle = read_bundle(data)
        parsed = time.perf_counter()
        decode_bundle(bundle, grower=timed)
        runs.append((time.perf_counter() - start, parsed - start, growing))
    whole, parsing, growing = min(runs)
    # Symbols are decoded among other things, so they are timed once more, alone.
    symbols = best_seconds(lambda: [bundle.rule(index) for index in range(bundle.header.grid.count)], trials)
    parts = {"parse, check CRCs": parsing, "decode symbols": symbols, "grow the patches": growing}
    parts["put together, the rest"] = max(0.0, whole - sum(parts.values()))
    return whole, parts | {"all, bytes to pixels": whole}


def _against_jpeg(photo: Picture, whole: float, kernel: float, trials: int) -> Row:
    buffer = io.BytesIO()
    Image.fromarray(photo.pixels).save(buffer, "JPEG", quality=JPEG_QUALITY)
    jpeg = best_seconds(lambda: np.asarray(Image.open(io.BytesIO(buffer.getvalue()))), max(trials, 20))
    png = best_seconds(lambda: write_picture(photo, FileKind.PNG), trials)
    return {
        "jpeg_quality": JPEG_QUALITY,
        "jpeg_decode_ms": 1000 * jpeg,
        "regrow_kernel_ms": 1000 * kernel,
        "regrow_decode_ms": 1000 * whole,
        "regrow_kernel_times_jpeg": kernel / jpeg,
        "regrow_decode_times_jpeg": whole / jpeg,
        "photo_to_png_ms": 1000 * png,
        "regrow_decode_and_png_ms": 1000 * (whole + png),
    }


def _cold(data: bytes, trials: int) -> Row:
    """Fresh processes, whose compiled code lies in numba's cache on disk."""
    cold, api = cold_decode(data, trials), api_import_seconds(trials)
    return {
        "import_decoder_ms": 1000 * cold.imports,
        "first_decode_ms": 1000 * cold.decode,
        "whole_process_ms": 1000 * cold.process,
        "import_api_without_torch_ms": 1000 * api,
        "import_api_goal_ms": 1000 * API_GOAL_SECONDS,
        "import_api_goal_met": api < API_GOAL_SECONDS,
    }
