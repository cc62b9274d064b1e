"""What an API process's memory does under all sorts of requests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from regrow.benchmarks.scale_stack import TINY_PNG
from regrow.benchmarks.service_load import Call, Plan
from regrow.benchmarks.service_stack import ServiceStack, load

CLIENTS = 8
VIEWS = 400
"""Different ones, of 80×80 pixels: several times what the cache holds, so that it is full soon and always changing."""

CACHES = {"REGROW_PICTURE_CACHE_BYTES": str(2 * 1024**2), "REGROW_BUNDLE_CACHE_BYTES": str(512 * 1024)}
SETTLE_SECONDS = 1.0


def memory_facts(stack: ServiceStack, jobs: Sequence[str], warm_up: int, requests: int) -> dict[str, Any]:
    """Resident megabytes of a fresh API process when it is warm, and after so many requests more."""
    with stack.server(**CACHES) as server:
        calls = mixed_calls(jobs, stack.add_file(jobs[0]))

        def after(count: int) -> float:
            plan = Plan(server.port, calls, CLIENTS, seconds=3600, most=count)
            load(plan, 200, 202, 206, 304, 404, 415, 422)
            time.sleep(SETTLE_SECONDS)
            return server.resident_bytes / 1e6

        warm = after(warm_up)
        end = after(requests)
    return {
        "warm_up_requests": warm_up,
        "requests": requests,
        "resident_mb_before": warm,
        "resident_mb_after": end,
        "growth_per_cent": 100 * (end / warm - 1),
    }


def mixed_calls(jobs: Sequence[str], static: str) -> list[Call]:
    """Views that are not cached, and between them what costs less; good and bad."""
    rng = np.random.default_rng(0)
    calls = []
    for view in range(VIEWS):
        job_id = jobs[view % len(jobs)]
        x, y = rng.integers(0, 400, 2)
        others = [
            Call(f"/jobs/{job_id}"),
            Call("/jobs?limit=20"),
            Call(static),
            Call(f"/jobs/{job_id}/bundle", headers={"Range": "bytes=0-999"}),
            Call(f"/decode/{job_id}.png?crop=0,0,40,40", headers={"If-None-Match": "*"}),
            Call(f"/decode/{'0' * 32}.png"),
            Call(f"/decode/{job_id}.png?crop=0,0,0,0"),
            Call.post("/encode", b"no image"),
            Call.post("/encode", TINY_PNG) if view % 10 == 0 else Call("/livez"),
        ]
        picked = [others[number] for number in rng.permutation(len(others))[:3]]
        calls += [Call(f"/decode/{job_id}.{('png', 'webp')[view % 2]}?crop={x},{y},80,80"), *picked]
    return calls
