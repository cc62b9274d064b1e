"""On paper: what a fleet would ask of the broker and the blob store, from what one machine measured."""

from __future__ import annotations

from typing import Any

BATCH_SECONDS = 30.0
HEARTBEAT_SECONDS = 1.0
CHECKPOINT_SECONDS = 15.0
REQUESTS_PER_BATCH = 4
"""Of the blob store: look for the part, look for a checkpoint, write the part, remove the checkpoint."""

FLEETS = (1, 10, 100, 1000, 10_000)


def fleet_rows(valkey_ms_per_batch: float, valkey_ms_per_heartbeat: float) -> list[dict[str, Any]]:
    """One row per size of fleet, from Valkey's processor time as measured."""
    return [_row(workers, valkey_ms_per_batch, valkey_ms_per_heartbeat) for workers in FLEETS]


def _row(workers: int, valkey_ms_per_batch: float, valkey_ms_per_heartbeat: float) -> dict[str, Any]:
    batches = workers / BATCH_SECONDS
    beats = workers / HEARTBEAT_SECONDS
    busy = (batches * valkey_ms_per_batch + beats * valkey_ms_per_heartbeat) / 1000
    return {
        "workers": workers,
        "batches_per_second": batches,
        "heartbeats_per_second": beats,
        "valkey_busy_share": busy,
        "blob_requests_per_second": REQUESTS_PER_BATCH * batches + workers / CHECKPOINT_SECONDS,
    }
