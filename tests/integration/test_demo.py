"""`DEMO_EXIT=1 make demo`: ends by itself with status 0, shows what it promises, leaves no process behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]


def _alive_in(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(folder) in line]


def test_the_demo_does_the_main_job(tmp_path: Path) -> None:
    environment = {**os.environ, "DEMO_EXIT": "1", "DEMO_EFFORT": "draft", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "regrow.cli.demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    psnrs = [float(psnr) for psnr in re.findall(r"PSNR (\d+\.\d+) dB", done.stdout)]
    assert len(psnrs) == 2
    assert min(psnrs) >= 20
    for profile in ("seeds", "rules"):
        assert f"profile    {profile}, effort draft" in done.stdout
    assert re.search(r"JPEG 4:4:4: \d+\.\d\d dB in \d+ bytes: \d+\.\d\d dB (less|more) than Regrow", done.stdout)  # E1
    for word in ("SSIM", "bits per pixel", "CR", "/decode/", "/admin"):
        assert word in done.stdout
    picture = Image.open(tmp_path / "demo-output" / "side-by-side.png")
    assert picture.width > 3 * 120 * 3
    assert _alive_in(tmp_path) == []
