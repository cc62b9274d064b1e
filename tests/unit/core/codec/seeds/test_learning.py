"""Learning the profile `seeds`: gradients, and runs that are stopped and gone on with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from regrow.core.codec.fit.engines.torch.engine import grow as grow_by_autograd
from regrow.core.codec.learn.growth import grow
from regrow.core.codec.learn.photos import Photo, load_photos
from regrow.core.codec.learn.run import run
from regrow.core.codec.learn.training import TrainSettings
from regrow.core.codec.rule import RuleShape
from regrow.core.errors import InvalidSettings
from tests.unit.core.codec.seeds.conftest import SHAPE


def test_growth_pulls_any_gradient_back_as_autograd_does() -> None:
    torch.manual_seed(0)
    shape = RuleShape(5, 7)
    start, weights = torch.randn(3, 5, 9, 12), torch.randn(shape.parameters) * 0.2
    by = torch.randn(3, 5, 9, 12)
    found = []
    for way in (lambda x, w: grow(x, w, shape, 3), lambda x, w: grow_by_autograd(shape, w[None], x, None, 3)):
        leaves = [start.clone().requires_grad_(), weights.clone().requires_grad_()]
        grown = way(*leaves)
        found.append([grown.detach(), *torch.autograd.grad((grown * by).sum(), leaves)])
    for ours, reference in zip(*found, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-4)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path, photos: list[Photo]) -> None:
    settings = TrainSettings(iterations=4)
    whole = run(photos, tmp_path / "whole", settings, SHAPE)
    asked = iter([False, False, True])
    run(photos, tmp_path / "parts", settings, SHAPE, should_stop=lambda: next(asked))
    rest = run(photos, tmp_path / "parts", settings, SHAPE)
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, rest.average.state_dict()[name]), name


def test_other_photos_do_not_go_on(tmp_path: Path, photos: list[Photo]) -> None:
    run(photos, tmp_path, TrainSettings(iterations=1), SHAPE)
    with pytest.raises(InvalidSettings, match="other photos"):
        run(photos[::-1], tmp_path, TrainSettings(iterations=2), SHAPE)


def test_photos_without_a_licence_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((80, 80, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InvalidSettings, match="LICENSE"):
        load_photos([tmp_path])
