"""On paper: what a fleet would ask of the broker and the blob store, from what one machine measured."""

from __future__ import annotations

from typing import Any

BATCH_SECONDS = 30.0
HEARTBEAT_SECONDS = 1.0
CHECKPOINT_SECONDS = 15.0
REQUESTS_PER_BATCH = 4
"""Of the blob store: look for the part, look for a checkpoint, write the part, remove the checkpoint."""

HEARTBEAT_MS = 0.05
"""Of Valkey's time for renewing a lease and writing a worker's record: six short commands, about 8 µs each."""

FLEETS = (1, 10, 100, 1000, 10_000)


def fleet_rows(job: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per size of fleet. job: the largest that was measured."""
    per_batch = job["valkey_ms_per_batch"]
    return [_row(workers, per_batch) for workers in FLEETS]


def _row(workers: int, valkey_ms_per_batch: float) -> dict[str, Any]:
    batches = workers / BATCH_SECONDS
    beats = workers / HEARTBEAT_SECONDS
    busy = (batches * valkey_ms_per_batch + beats * HEARTBEAT_MS) / 1000
    return {
        "workers": workers,
        "batches_per_second": batches,
        "heartbeats_per_second": beats,
        "valkey_busy_share": busy,
        "blob_requests_per_second": REQUESTS_PER_BATCH * batches + workers / CHECKPOINT_SECONDS,
    }
