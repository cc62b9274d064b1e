"""`regrow bench scale`: the control plane, with fits replaced by a declared sleep (benchmarks/scale_worker.py)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from regrow.benchmarks.machine import machine
from regrow.benchmarks.scale_model import fleet_rows
from regrow.benchmarks.scale_stack import ScaleStack
from regrow.cli.child_processes import python, wait_until
from regrow.core.jobs.messages import QueueName
from regrow.core.jobs.redis_keys import Key
from regrow.core.jobs.work_unit import WorkUnit
from regrow.core.jobs.workers import WorkerRecord

PATCHES = (9, 1000, 75_625)
WORKERS = (1, 2, 4, 8)
THROUGHPUT_WORKERS = 2
SLEEP = 0.5
ROUNDS = 16
"""Batches per worker where efficiency is measured."""

GET_RATE, POST_RATE, LOAD_SECONDS = 100.0, 5.0, 20.0

HEARTBEATS = 5000
HALF_DONE = 20_000
"""Patches of the job whose memory is looked at."""

Row = dict[str, Any]


def bench_scale(patches: Sequence[int] = PATCHES, workers: Sequence[int] = WORKERS) -> dict[str, Any]:
    """All measurements. patches: sizes of jobs, each patch a batch of its own; workers: numbers of processes."""
    with ScaleStack() as stack:
        stack.set_workers(THROUGHPUT_WORKERS)
        stack.seconds_to_end(stack.submit(50))  # warms up
        sizes = [_size_row(stack, count) for count in patches]
        heartbeat = _heartbeat_ms(stack)
        memory = _memory_rows(stack)
        stack.set_workers(2, sleep=0.05)
        latency = _latency_rows(stack)
        efficiency = [_efficiency_row(stack, count) for count in workers]
    return {
        "machine": machine(),
        "declared": {
            "a fit": "sleeps (0 s for throughput and memory, 0.05 s for latency, 0.5 s for efficiency)",
            "a batch": "one patch",
            "an assembly": "writes a fixed bundle",
        },
        "jobs": sizes,
        "valkey_ms_per_heartbeat": heartbeat,
        "memory": memory,
        "latency_ms": latency,
        "efficiency": efficiency,
        "fleet": fleet_rows(sizes[-1]["valkey_ms_per_batch"], heartbeat),
    }


def _size_row(stack: ScaleStack, patches: int) -> Row:
    """One job, from its first claim to its end."""
    before_bytes, before_cpu = stack.broker_bytes(), stack.broker_seconds()
    seconds = stack.seconds_to_end(stack.submit(patches))
    cpu = stack.broker_seconds() - before_cpu
    return {
        "patches": patches,
        "workers": THROUGHPUT_WORKERS,
        "seconds": seconds,
        "batches_per_second": patches / seconds,
        "ms_per_batch": 1000 * seconds / patches,
        "valkey_ms_per_batch": 1000 * cpu / patches,
        "bytes_kept_in_redis": stack.broker_bytes() - before_bytes,
    }


def _heartbeat_ms(stack: ScaleStack) -> float:
    """Of Valkey's time, for renewing one lease and writing a worker's record."""
    stack.set_workers(0)
    queue, registry = stack.backend.queue, stack.backend.workers
    record = WorkerRecord(
        id="bench",
        host="bench",
        pid=1,
        device="cpu",
        engine="numba",
        version="0",
        current="a unit",
        queues=(QueueName.FIT_CPU,),
    )
    registry.report(record, expires_after=60)
    stack.backend.capacity.sum_up()
    job_id = stack.submit(1)  # which sends its one batch
    unit = WorkUnit.of(stack.redis.zrange(Key.SENT, 0, -1)[0])  # type: ignore[index]
    assert queue.begin(unit, "bench")
    before = stack.broker_seconds()
    for _ in range(HEARTBEATS):
        queue.renew([unit])
        registry.report(record, expires_after=4)
    seconds = stack.broker_seconds() - before
    registry.remove(record.id)
    queue.let_go(unit)
    stack.backend.jobs.cancel(job_id)
    return 1000 * seconds / HEARTBEATS


def _memory_rows(stack: ScaleStack) -> list[Row]:
    """What a job takes in Redis while it waits, while it runs, and when it has ended."""
    stack.set_workers(0)
    rows = [_waiting_row(stack, patches) for patches in (9, 1000, 75_625)]
    stack.set_workers(THROUGHPUT_WORKERS)
    idle, peak = stack.broker_bytes(), 0
    job_id = stack.submit(HALF_DONE)
    while stack.backend.store.get(job_id).patches_done < HALF_DONE // 2:
        peak = max(peak, stack.broker_bytes() - idle)
        time.sleep(0.1)
    rows.append(_memory_row(HALF_DONE, "half done", peak))
    stack.seconds_to_end(job_id)
    ended = time.monotonic()
    wait_until(lambda: not stack.redis.exists(Key.DONE.of(job_id), Key.LEASES, "unacked"), "freeing", 60)
    kept = int(stack.redis.memory_usage(Key.JOB.of(job_id)) or 0)  # type: ignore[arg-type]
    rows.append(_memory_row(HALF_DONE, f"ended {time.monotonic() - ended:.0f} s ago", kept))
    return rows


def _waiting_row(stack: ScaleStack, patches: int) -> Row:
    base = stack.broker_bytes()
    jobs = [stack.submit(patches) for _ in range(20)]
    waiting = (stack.broker_bytes() - base) / len(jobs)
    for job_id in jobs:
        stack.backend.jobs.cancel(job_id)
    return _memory_row(patches, "waiting", waiting)


def _memory_row(patches: int, state: str, size: float) -> Row:
    return {"job of patches": patches, "state": state, "bytes": size, "bytes_per_batch": size / patches}


def _latency_rows(stack: ScaleStack) -> list[Row]:
    """Of the API, asked at a fixed rate by another process while a job runs on two workers."""
    job_id = stack.submit(1000)
    command = python("regrow.benchmarks.scale_load", stack.url, job_id)
    command += [str(GET_RATE), str(POST_RATE), str(LOAD_SECONDS)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    stack.backend.jobs.cancel(job_id)
    names = {"get": ("GET /jobs/<id>", GET_RATE), "post": ("POST /encode", POST_RATE)}
    return [
        {
            "request": name,
            "per_second": rate,
            "p50": 1000 * float(np.percentile(found[key], 50)),
            "p99": 1000 * float(np.percentile(found[key], 99)),
            "max": 1000 * max(found[key]),
        }
        for key, (name, rate) in names.items()
    ]


def _efficiency_row(stack: ScaleStack, workers: int) -> Row:
    """Of workers that sleep: what they slept, over the time they had."""
    stack.set_workers(workers, sleep=SLEEP)
    stack.seconds_to_end(stack.submit(2 * workers))  # warms up
    seconds = stack.seconds_to_end(stack.submit(ROUNDS * workers))
    return {
        "workers": workers,
        "batches": ROUNDS * workers,
        "seconds_each": SLEEP,
        "seconds": seconds,
        "efficiency": ROUNDS * SLEEP / seconds,
    }
