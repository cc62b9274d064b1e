"""`python -m regrow.benchmarks.scale_load URL JOB RATE POST_RATE SECONDS`: requests at a fixed rate, as JSON latencies.

Latency counts from when a request was due, so that a server that stalls cannot hide it by holding up the client.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time

import httpx
import numpy as np
from PIL import Image


async def _at_a_rate(client: httpx.AsyncClient, make: object, rate: float, seconds: float) -> list[float]:
    """Seconds each request took."""
    latencies: list[float] = []
    tasks = []
    start = time.perf_counter()

    async def one(due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        answer = await client.send(make())  # type: ignore[operator]
        answer.raise_for_status()
        latencies.append(time.perf_counter() - due)

    for number in range(int(rate * seconds)):
        tasks.append(asyncio.create_task(one(start + number / rate)))
    await asyncio.gather(*tasks)
    return latencies


async def _run(url: str, job: str, rate: float, post_rate: float, seconds: float) -> dict[str, list[float]]:
    picture = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), 99, dtype=np.uint8)).save(picture, "PNG")
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        await asyncio.gather(*(client.get("/livez") for _ in range(32)))  # connections are open before it counts
        get, post = await asyncio.gather(
            _at_a_rate(client, lambda: client.build_request("GET", f"/jobs/{job}"), rate, seconds),
            _at_a_rate(
                client,
                lambda: client.build_request("POST", "/encode", content=picture.getvalue()),
                post_rate,
                seconds,
            ),
        )
    return {"get": get, "post": post}


if __name__ == "__main__":
    address, job_id, *numbers = sys.argv[1:]
    print(json.dumps(asyncio.run(_run(address, job_id, *map(float, numbers)))))
