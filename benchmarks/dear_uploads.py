"""`python -m regrow.benchmarks.dear_uploads`: how long a small upload takes while hostile JPEGs come in, as JSON.

Eight clients send progressive JPEGs of 0.8 MB with thousands of scans, one after the other, and eight more the dearest
pictures that are still accepted.
"""

from __future__ import annotations

import io
import json
import threading
import time
from typing import Any

import httpx
import numpy as np
from PIL import Image

from regrow.benchmarks.machine import machine
from regrow.benchmarks.service_stack import Server, ServiceStack

CLIENTS, UPLOADS, GOAL_SECONDS = 8, 20, 5.0


def hostile_jpeg(size: int = 800_000, side: int = 4096) -> bytes:
    """Its last scan, which goes over all pixels, again and again."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * ((size - len(data)) // len(scan)) + data[-2:]


def bench_dear_uploads() -> dict[str, Any]:
    """Seconds that the small upload takes, alone and meanwhile, and their ratio."""
    large, small = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (4096, 4096)).save(large, "PNG")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)).save(small, "PNG")
    meanwhile = {"hostile JPEGs": hostile_jpeg(), "largest pictures": large.getvalue()}
    with ServiceStack() as stack, stack.server() as server:
        alone = _seconds(server, small.getvalue())
        rows = [_row(server, name, data, small.getvalue(), alone) for name, data in meanwhile.items()]
    return {
        "machine": machine() | {"command": "python -m regrow.benchmarks.dear_uploads"},
        "small_alone_seconds": alone[0],
        "rows": rows,
    }


def _row(server: Server, name: str, data: bytes, small: bytes, alone: tuple[float, float]) -> dict[str, Any]:
    done, statuses = threading.Event(), []

    def keep_sending() -> None:
        with httpx.Client(timeout=600) as http:
            while not done.is_set():
                statuses.append(http.post(f"http://127.0.0.1:{server.port}/encode", content=data).status_code)

    clients = [threading.Thread(target=keep_sending) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(0.5)
    median, worst = _seconds(server, small)
    done.set()
    for client in clients:
        client.join()
    return {
        "meanwhile": f"{CLIENTS} clients send {name}",
        "kilobytes": len(data) / 1e3,
        "statuses": sorted(set(statuses)),
        "small_median_seconds": median,
        "small_worst_seconds": worst,
        "ratio": median / alone[0],
        "met": "yes" if worst < GOAL_SECONDS else "no",
    }


def _seconds(server: Server, data: bytes) -> tuple[float, float]:
    """Median and worst of some uploads, one after the other."""
    found = []
    with httpx.Client(timeout=600) as http:
        for _ in range(UPLOADS):
            start = time.perf_counter()
            http.post(f"http://127.0.0.1:{server.port}/encode", content=data).raise_for_status()
            found.append(time.perf_counter() - start)
    return float(np.median(found)), max(found)


if __name__ == "__main__":
    print(json.dumps(bench_dear_uploads(), indent=2))
