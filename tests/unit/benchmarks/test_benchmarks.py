"""The measurements measure what they say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from regrow.benchmarks import quality, steps
from regrow.benchmarks.engine import gradient_flops
from regrow.benchmarks.paper_loop import PaperLoop
from regrow.benchmarks.pictures import load_pictures, targets_of
from regrow.cli.bench import app
from regrow.core.codec.fit.engines.torch.engine import TorchEngine
from regrow.core.codec.presets import Effort, Preset, Schedule
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind, make_seed


def test_the_port_of_the_papers_loop_grows_what_the_reference_grows() -> None:
    """Same seed, same weights, same loss: the comparison is with the same automaton."""
    shape, target = RuleShape(6, 5), torch.rand(1, 3, 40, 40)
    loop = PaperLoop(shape, target, batch=2, steps=4)
    generator = torch.Generator().manual_seed(0)
    for parameter in loop._update.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    w1, b1, w2 = (parameter.detach().numpy() for parameter in loop._update.parameters())
    # The port interleaves identity, Sobel-x and Sobel-y per channel; a rule stacks them.
    stacked = w1.reshape(shape.hidden, shape.channels, 3).transpose(0, 2, 1).reshape(-1)
    weights = np.concatenate([stacked, b1, w2.reshape(-1)])[None]
    targets = targets_of(load_pictures(None)[:1])
    targets.pixels[:] = target.numpy()
    seed = make_seed(SeedKind.PIXEL, shape, 40)[None]
    expected = TorchEngine().loss_and_gradients(shape, weights, seed, targets, Rollout(4)).losses[0]
    assert loop.iterate() == pytest.approx(float(expected), rel=1e-5)


def test_operations_by_hand() -> None:
    """Forward: W1 (20×42) and W2 (14×20) on 1600 cells; backward is twice that."""
    forward = 2 * 1600 * (20 * 42 + 14 * 20)
    assert gradient_flops(Preset.SMALL.shape(), 1600, 12) == 12 * 3 * forward


def test_quality_and_steps_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, picture in enumerate(load_pictures(None, side=64)[:2]):
        (tmp_path / f"{number}.png").write_bytes(picture.to_png())
    monkeypatch.setitem(quality.SCHEDULES, Effort.DRAFT, Schedule(4, 2))
    monkeypatch.setattr(quality, "PRESETS", (Preset.MICRO, Preset.TINY))
    done = CliRunner().invoke(app, ["quality", "--images", str(tmp_path), "--effort", "draft", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["pictures"] == 2
    assert [row["preset"] for row in result["presets"]] == ["micro", "tiny"]
    assert all(row["float_psnr"] > 5 for row in result["presets"])

    monkeypatch.setattr(steps, "STEP_ITERATIONS", dict.fromkeys(SeedKind, 100))
    done = CliRunner().invoke(app, ["steps", "--images", str(tmp_path), "--markdown"])
    assert done.exit_code == 0, done.output
    assert "| scaffold | 12 | 8 |" in done.stdout
