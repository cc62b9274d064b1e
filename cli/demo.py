"""`make demo`: the main job, end to end, over HTTP, with a picture to look at."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from skimage import data as samples

from regrow.cli.console import progress_bar
from regrow.cli.stack import Stack
from regrow.core.codec.encode.other_codecs import OtherFile
from regrow.core.codec.encode.report import Report
from regrow.core.codec.images import Picture, read_picture
from regrow.core.codec.profile import Profile
from regrow.core.codec.quality import compression_ratio, measure
from regrow.core.errors import RegrowError
from regrow.core.jobs.model import FINAL_STATES
from regrow.core.stopping import on_stop

OUTPUT = Path("demo-output")
DATA = OUTPUT / "data"
SIDE = 120
ZOOM = 3
POLL_SECONDS = 0.25


def main() -> int:
    stopped = threading.Event()
    on_stop(stopped.set)
    leave = os.environ.get("DEMO_EXIT") == "1"
    try:
        with Stack(DATA, "127.0.0.1", int(os.environ.get("DEMO_PORT", "0" if leave else "8000"))) as stack:
            _run(stack, stopped)
            if not leave:
                print(f"\nStill serving at {stack.url}: open {stack.url}/admin, press Ctrl-C to stop.", flush=True)
                stack.wait(stopped.is_set)
    except RegrowError as error:
        print(f"regrow: {error}", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True, slots=True)
class Encoded:
    """What became of the photo in one profile. seconds: to encode it; decode_seconds: to get the picture back."""

    job: dict[str, Any]
    report: Report
    grown: Picture
    seconds: float
    decode_seconds: float


def _run(stack: Stack, stopped: threading.Event) -> None:
    photo = _photo()
    original = read_picture(photo)
    with httpx.Client(base_url=stack.url, timeout=30, trust_env=False) as client:
        both = [_encode(client, photo, profile, stack, stopped) for profile in (Profile.SEEDS, Profile.RULES)]
    picture = OUTPUT / "side-by-side.png"
    _side_by_side([original, *(encoded.grown for encoded in both)]).save(picture)
    print(f"photo      {SIDE}×{SIDE}, {len(photo)} bytes as PNG, {original.pixels.size} raw")
    for encoded in both:
        _tell(encoded, original, len(photo), stack.url)
    print(f"dashboard  {stack.url}/admin")
    print(f"compare    {picture} (original, profile seeds, profile rules)", flush=True)


def _encode(client: httpx.Client, photo: bytes, profile: Profile, stack: Stack, stopped: threading.Event) -> Encoded:
    """Raises RegrowError where the job does not succeed."""
    start = time.monotonic()
    effort = os.environ.get("DEMO_EFFORT")  # without it, what suits the photo
    options = {"profile": str(profile)} | ({"effort": effort} if effort else {})
    answer = client.post("/encode", params=options, content=photo, headers={"Content-Type": "image/png"})
    answer.raise_for_status()
    job = _follow(client, answer.headers["Location"], stack, stopped)
    if job["state"] != "succeeded":
        raise RegrowError(f"the demo's job {job['state']}: {job['error'] and job['error']['message']}")
    seconds = time.monotonic() - start
    start = time.monotonic()
    regrown = client.get(job["links"]["picture"]).raise_for_status().content
    decode_seconds = time.monotonic() - start
    report = Report.model_validate_json(client.get(job["links"]["report"]).raise_for_status().content)
    return Encoded(job, report, read_picture(regrown), seconds, decode_seconds)


def _tell(encoded: Encoded, original: Picture, png_bytes: int, url: str) -> None:
    """Print the figures of one profile."""
    job, size = encoded.job, encoded.job["bytes"]
    quality = measure(original.pixels, encoded.grown.pixels)
    ratio, raw = compression_ratio(size, png_bytes), compression_ratio(size, original.pixels.size)
    print(f"\nprofile    {job['profile']}, effort {job['effort']}")
    print(f"stored     {size} bytes, {8 * size / SIDE**2:.2f} bits per pixel")
    print(f"CR         {100 * ratio:.1f} % against the PNG, {100 * raw:.1f} % against raw")
    print(f"quality    PSNR {quality.psnr:.2f} dB, SSIM {quality.ssim:.3f}")
    for other in encoded.report.others:
        print(f"beside     {_beside(encoded.report, other)}")
    print(f"time       {encoded.seconds:.1f} s to encode, {1000 * encoded.decode_seconds:.0f} ms to decode")
    print(f"picture    {url}{job['links']['picture']}")
    print(f"bundle     {url}{job['links']['bundle']}")


def _beside(report: Report, other: OtherFile) -> str:
    """What another codec makes of the photo in as many bytes, and who is ahead."""
    ahead = report.psnr - other.psnr
    words = f"{abs(ahead):.2f} dB {'less' if ahead > 0 else 'more'} than Regrow"
    size = f"{other.bytes} bytes" if other.fits else f"{other.bytes} bytes, its smallest file"
    return f"{other.codec}: {other.psnr:.2f} dB in {size}: {words}"


def _photo() -> bytes:
    image = Image.fromarray(samples.astronaut()).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _follow(client: httpx.Client, path: str, stack: Stack, stopped: threading.Event) -> dict[str, Any]:
    """Show the job's progress until it has ended, and keep the stack running."""
    with progress_bar() as bars:
        task = bars.add_task("encoding", total=1.0, note="")
        while True:
            stack.tend()
            job: dict[str, Any] = client.get(path).raise_for_status().json()
            psnr = f", {job['psnr']:.1f} dB" if job["psnr"] is not None else ""
            bars.update(task, completed=job["progress"], note=f"{job['state']}{psnr}")
            if job["state"] in FINAL_STATES:
                return job
            if stopped.wait(POLL_SECONDS):
                raise RegrowError("the demo was interrupted; its job goes on at the next start")


def _side_by_side(pictures: Sequence[Picture]) -> Image.Image:
    gap = np.full((SIDE, SIDE // 20, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (picture.pixels, gap)]
    row = Image.fromarray(np.hstack(parts[:-1]))
    return row.resize((row.width * ZOOM, row.height * ZOOM), Image.Resampling.NEAREST)


if __name__ == "__main__":
    sys.exit(main())
