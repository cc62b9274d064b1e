"""`regrow train`: a model's file out of photos."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from regrow.cli.main import app
from regrow.core.codec.format.seeds.model import load_model
from regrow.core.codec.learn.photos import Photo
from regrow.core.errors import InvalidSettings
from tests.unit.core.codec.seeds.conftest import photos

__all__ = ["photos"]  # the fixture


def _train(folder: Path, *arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["train", str(folder), *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_file_is_a_model_of_a_useful_size(
    tmp_path: Path, photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regrow.core.codec.learn.export.CROPS", 16)
    folder, plot = photos[0].path.parent, tmp_path / "curves.png"
    whole, again = tmp_path / "whole.safetensors", tmp_path / "again.safetensors"
    words = _train(folder, "-o", whole, "--iterations", 2, "--plot", plot)
    assert "after 2 iterations on 10 photos" in words
    assert len(whole.read_bytes()) < 200_000
    assert load_model(whole.read_bytes()).channels == 16
    assert plot.stat().st_size > 1000
    assert (tmp_path / "whole.run" / "photos.json").is_file()
    _train(folder, "-o", again, "--iterations", 2, "--folder", tmp_path / "whole.run")
    assert again.read_bytes() == whole.read_bytes(), "a run that has ended is only exported"
    with pytest.raises(InvalidSettings, match="is there already"):
        _train(folder, "-o", whole, "--iterations", 2)


def test_a_device_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cpu or cuda"):
        _train(tmp_path, "-o", tmp_path / "x.safetensors", "--device", "tpu")
