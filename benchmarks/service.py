"""`regrow bench service`: the API beside a plain file of the same bytes, behind the same server and middleware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from regrow.benchmarks.machine import machine
from regrow.benchmarks.pictures import load_pictures
from regrow.benchmarks.service_load import Call, Plan, Seen
from regrow.benchmarks.service_mix import memory_facts
from regrow.benchmarks.service_stack import Server, ServiceStack, load
from regrow.cli.child_processes import wait_until

SIDES = (120, 512)
"""Pixels of the square pictures."""

COLD_PICTURES = 16
"""Of each size: no two of as many clients ask for the same one, which would be regrown once for both."""

FILE, CACHED, NOT_MODIFIED, COLD = "static file", "cached", "304", "cold"
WORKERS = 2
NO_CACHES = {"REGROW_PICTURE_CACHE_BYTES": "0", "REGROW_BUNDLE_CACHE_BYTES": "0"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured. clients: numbers of them. rounds: of `seconds` each, files and pictures in turns.

    warm_up, mixed: requests before memory is looked at, and until it is looked at again. waiting: seconds of
    asking for a job that is being fitted.
    """

    clients: Sequence[int] = (1, 2, 4, 8, 16)
    rounds: int = 5
    seconds: float = 1.0
    warm_up: int = 2_000
    mixed: int = 10_000
    waiting: float = 20.0


FULL = Extent()
QUICK = Extent((1, 4), rounds=2, seconds=0.3, warm_up=200, mixed=500, waiting=3.0)


def bench_service(extent: Extent = FULL) -> dict[str, Any]:
    """All measurements."""
    with ServiceStack() as stack:
        pictures = {side: [stack.add_picture(side, seed) for seed in range(COLD_PICTURES)] for side in SIDES}
        with stack.server() as server:
            rates = [row for side in SIDES for row in _warm_rows(stack, server, side, pictures[side][0], extent)]
            waiting = _waiting_rows(stack, server, extent)
        with stack.server(**NO_CACHES) as server:
            rates += [row for side in SIDES for row in _cold_rows(stack, server, side, pictures[side], extent)]
        memory = memory_facts(stack, pictures[SIDES[-1]], extent.warm_up, extent.mixed)
        with stack.server() as server:
            uploads = [row for side in SIDES for row in _upload_rows(server, side, extent)]
    return {
        "machine": machine(),
        "declared": {
            "pictures": "of random rules: preset small, the scaffold's steps",
            "static file": "the same picture's PNG, by StaticFiles mounted in the same application",
            "cold": "an API process with caches of 0 bytes: the bundle is read, parsed and regrown each time",
            "ratio": f"of requests a second to the static file's, median of {extent.rounds} rounds in turns",
            "clients": "raw connections in one other process; client_busy is its share of a core",
        },
        "targets": _targets(rates, memory, waiting),
        "rates": rates,
        "waiting": waiting,
        "memory": memory,
        "uploads": uploads,
    }


def _warm_rows(stack: ServiceStack, server: Server, side: int, job_id: str, extent: Extent) -> list[Row]:
    path = stack.add_file(job_id)
    picture = f"/decode/{job_id}.png"
    tag = httpx.get(f"http://127.0.0.1:{server.port}{picture}").raise_for_status().headers["etag"]
    calls = {
        FILE: [Call(path)],
        CACHED: [Call(picture)],
        NOT_MODIFIED: [Call(picture, headers={"If-None-Match": tag})],
    }
    return [row for clients in extent.clients for row in _in_turns(server, side, calls, clients, extent)]


def _cold_rows(stack: ServiceStack, server: Server, side: int, jobs: Sequence[str], extent: Extent) -> list[Row]:
    calls = {FILE: [Call(stack.add_file(jobs[0]))], COLD: [Call(f"/decode/{job_id}.png") for job_id in jobs]}
    rows = [row for clients in extent.clients for row in _in_turns(server, side, calls, clients, extent)]
    return [row for row in rows if row["answer"] == COLD]


def _in_turns(server: Server, side: int, calls: dict[str, list[Call]], clients: int, extent: Extent) -> list[Row]:
    """A row for each kind of call, measured in turns, so that whatever disturbs the machine disturbs all."""
    seen: dict[str, list[Seen]] = {name: [] for name in calls}
    for name in calls:
        load(Plan(server.port, calls[name], clients, most=2 * clients), 200, 304)  # warms up
    for _ in range(extent.rounds):
        for name in calls:
            seen[name].append(load(Plan(server.port, calls[name], clients, extent.seconds), 200, 304))
    files = [_rate(one) for one in seen[FILE]]
    return [
        {"side": side, "answer": name, "clients": clients}
        | _facts(seen[name])
        | {"ratio": float(np.median([_rate(one) / file for one, file in zip(seen[name], files, strict=True)]))}
        for name in calls
    ]


def _rate(seen: Seen) -> float:
    return len(seen.latencies) / seen.seconds


def _facts(rounds: Sequence[Seen]) -> Row:
    latencies = [latency for seen in rounds for latency in seen.latencies]
    return {
        "per_second": float(np.median([_rate(seen) for seen in rounds])),
        "p50_ms": float(np.percentile(latencies, 50)),
        "p99_ms": float(np.percentile(latencies, 99)),
        "client_busy": sum(seen.busy for seen in rounds) / sum(seen.seconds for seen in rounds),
    }


def _waiting_rows(stack: ServiceStack, server: Server, extent: Extent) -> list[Row]:
    """Time to first byte of GET /jobs/<id>, with nothing to do and while workers fit that very job."""
    (photo,) = load_pictures(None, SIDES[-1])[:1]
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as http:
        asked = {"profile": "rules", "effort": "standard"}
        job_id = http.post("/encode", params=asked, content=photo.to_png()).raise_for_status().json()["id"]
        path = f"/jobs/{job_id}"
        rows = [_waiting_row(server, path, "no worker", extent.waiting)]
        stack.set_workers(WORKERS)
        wait_until(lambda: http.get(path).json()["state"] == "fitting", "fitting")
        rows.append(_waiting_row(server, path, f"{WORKERS} workers fitting", extent.waiting))
    stack.backend.jobs.cancel(job_id)
    stack.set_workers(0)
    return rows


def _waiting_row(server: Server, path: str, meanwhile: str, seconds: float) -> Row:
    seen = load(Plan(server.port, [Call(path)], clients=4, seconds=seconds, every=0.04), 200)
    return {
        "request": "GET /jobs/<id>",
        "meanwhile": meanwhile,
        "per_second": _rate(seen),
        "first_byte_p50_ms": float(np.percentile(seen.first_bytes, 50)),
        "first_byte_p99_ms": float(np.percentile(seen.first_bytes, 99)),
    }


def _upload_rows(server: Server, side: int, extent: Extent) -> list[Row]:
    (photo,) = load_pictures(None, side)[:1]
    data = photo.to_png()
    rows = []
    for clients in extent.clients:
        plan = Plan(server.port, [Call.post("/encode", data)], clients, extent.seconds)
        facts = _facts([load(plan, 202) for _ in range(extent.rounds)])
        megabytes = facts["per_second"] * len(data) / 1e6
        rows.append(
            {"side": side, "kilobytes": len(data) / 1e3, "clients": clients, "mb_per_second": megabytes} | facts
        )
    return rows


def _targets(rates: Sequence[Row], memory: Row, waiting: Sequence[Row]) -> list[Row]:
    """Of the worst number of clients, but for the time that one client waits for a cold picture."""

    def ratio(answer: str) -> float:
        return min(row["ratio"] for row in rates if row["answer"] == answer)

    cold = next(row for row in rates if (row["answer"], row["side"]) == (COLD, SIDES[-1]))
    found = [
        ("cached picture, rate against the file's", ratio(CACHED), ">=", 0.5),
        ("304, rate against the file's", ratio(NOT_MODIFIED), ">=", 1.0),
        (f"cold {SIDES[-1]}×{SIDES[-1]}, one client, p50 ms", cold["p50_ms"], "<=", 350.0),
        ("memory growth, per cent", memory["growth_per_cent"], "<=", 5.0),
        ("GET /jobs/<id> while workers fit, p99 ms", waiting[-1]["first_byte_p99_ms"], "<=", 50.0),
    ]
    return [
        {
            "target": name,
            "measured": value,
            "goal": f"{sign} {goal:g}",
            "met": "yes" if (value >= goal if sign == ">=" else value <= goal) else "no",
        }
        for name, value, sign, goal in found
    ]
