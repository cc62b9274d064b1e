"""The ablation of the profile `seeds`: models without a part learn beside one with all, and are compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from regrow.benchmarks import ablation
from regrow.cli.bench import app
from regrow.core.codec.learn.shape import ModelShape

SMALL = ModelShape(channels=5, coarse=3, fine=3, coarse_steps=1, fine_steps=1, widths=(4, 3))


def _photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    (folder / "LICENSE").write_text("Do as you like\n")
    rng = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        small.resize((80, 80), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def test_a_part_that_is_missing_is_compared_with_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variants = {ablation.WHOLE: SMALL, "no contexts": replace(SMALL, contexts=False)}
    monkeypatch.setattr(ablation, "VARIANTS", variants)
    learned, measured = _photos(tmp_path / "learned", 10), _photos(tmp_path / "measured", 2)
    command = ["ablation", str(learned), "--folder", str(tmp_path / "run"), "--images", str(measured), "--json"]
    answer = CliRunner().invoke(app, [*command, "--iterations", "2", "--crop", "48"])
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)["ablation"]
    assert [row["without"] for row in rows] == ["no contexts", ablation.FEWER_LEVELS] * 2
    assert {row["pictures"] for row in rows} == {"resized to 40×40", "the middle 48×48"}
    assert all(isinstance(row["more_bytes_percent"], float) for row in rows)
    assert (tmp_path / "run" / "no-contexts" / "checkpoint.npz").exists()
