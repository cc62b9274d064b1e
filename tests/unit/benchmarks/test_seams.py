"""Seams are where patches meet, and what is lost beside them is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from regrow.benchmarks import seams
from regrow.benchmarks.seams import distances, seams_of
from regrow.benchmarks.seams_plot import BORDER, ENLARGED, INK, PAPER, REGION
from regrow.cli.bench import app
from regrow.core.codec.encode.seeds.plan import tiling_of
from regrow.core.codec.format.seeds.geometry import Tiling
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort
from tests.pictures import smooth_picture

WIDE = smooth_picture(24, 300)
"""Two patches, side by side."""


def test_distances_by_hand() -> None:
    assert distances(Tiling(2, 6, 3)).tolist() == [[3, 2, 1, 1, 2, 3]] * 2
    far = distances(Tiling(4, 4, 2))
    assert far.tolist() == [[2, 1, 1, 2], [1, 1, 1, 1], [1, 1, 1, 1], [2, 1, 1, 2]]


def _with_errors(monkeypatch: pytest.MonkeyPatch, errors: np.ndarray, within: np.ndarray) -> None:
    """An encoder that makes these errors in the whole picture, and those in its middle alone."""

    def regrown(picture: Picture, quality: float, effort: Effort) -> tuple[np.ndarray, int]:
        added = errors if picture.width == errors.shape[1] else within
        return picture.pixels + added[..., None].astype(np.uint8), 100

    monkeypatch.setattr(seams, "_regrown", regrown)


def test_what_seams_lose_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of 4 beside the seam, of 2 from there to 4 pixels, of 1 elsewhere; within a patch, of 1 everywhere."""
    columns = distances(tiling_of(WIDE))[0]
    errors = np.broadcast_to(np.where(columns == 1, 4, np.where(columns <= 4, 2, 1)), (24, 300))
    _with_errors(monkeypatch, errors, np.ones((24, 150)))
    found = seams_of(WIDE, 50, Effort.DRAFT)
    assert found.lost == pytest.approx([10 * np.log10(mean) for mean in (16, 10, 7)])
    assert found.elsewhere == pytest.approx(10 * np.log10(255**2))
    assert found.at[0] == pytest.approx(found.elsewhere - 10 * np.log10(16))
    assert found.steps == (0, 0), "the error is the same on both sides"


def test_a_jump_at_the_seam_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = np.broadcast_to(np.where(np.arange(300) < 150, 1, 4), (24, 300))
    _with_errors(monkeypatch, errors, np.ones((24, 150)))
    assert seams_of(WIDE, 50, Effort.DRAFT).steps == (3, 0)


def test_pictures_of_rows_and_columns_of_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four patches: errors of 2 in the lower half, none in the upper; the middle is one patch of errors of 1."""
    picture = smooth_picture(260, 300)
    errors = np.repeat(np.where(np.arange(260) < 130, 0, 2)[:, None], 300, axis=1)
    _with_errors(monkeypatch, errors, np.ones((130, 150)))
    found = seams_of(picture, 50, Effort.DRAFT)
    across = (150 - 2 * seams.FAR) / (150 + 130 - 4 * seams.FAR)  # of all pairs: those of the seam between rows
    assert found.steps == (pytest.approx(2 * across**0.5), 0)


def test_the_command_measures_and_draws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(seams, "QUALITIES", (10, 50))
    monkeypatch.setattr("regrow.benchmarks.seams_plot.QUALITIES", (10, 50))
    (tmp_path / "wide.png").write_bytes(WIDE.to_png())
    (tmp_path / "small.png").write_bytes(smooth_picture(20, 20).to_png())
    drawn = tmp_path / "drawn" / "seams.png"
    drawn.parent.mkdir()
    options = ["--effort", "draft", "--picture", str(drawn), "--json"]
    done = CliRunner().invoke(app, ["seams", "--images", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["pictures"] == 1, "the other has no seams"
    assert [(row["quality"], row["pixels_from_seam"]) for row in result["beside_seams"]] == [
        (quality, within) for quality in (10, 50) for within in (1, 2, 4)
    ]
    assert result["beside_seams"][0]["at_seams_db"] < result["beside_seams"][-1]["at_seams_db"]
    cell = REGION * ENLARGED + 2 * BORDER
    with Image.open(drawn) as image:
        assert image.size == (3 * cell, cell)
        pixels = np.asarray(image)
    original = WIDE.pixels[:, 150 - REGION // 2 : 150 + REGION // 2]
    inside = pixels[BORDER : BORDER + ENLARGED * 24 : ENLARGED, BORDER : BORDER + ENLARGED * REGION : ENLARGED]
    np.testing.assert_array_equal(inside, original, "nothing is drawn on it")
    seam = BORDER + ENLARGED * REGION // 2
    assert [tuple(pixels[4, column]) for column in (seam, seam + 1)] == [INK, PAPER], "but in the border"


def test_photos_without_seams_are_refused(tmp_path: Path) -> None:
    (tmp_path / "small.png").write_bytes(smooth_picture(20, 20).to_png())
    done = CliRunner().invoke(app, ["seams", "--images", str(tmp_path)])
    assert "one patch" in str(done.exception)
