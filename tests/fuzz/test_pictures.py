"""Rows C3, C6 and C7 of the faults: any bytes end in pixels or in an error of ours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regrow.core.codec.images import read_picture
from regrow.core.errors import DamagedImage, ImageError, ImageTooLarge
from tests.fuzz.picture_files import mutated, seeds
from tests.fuzz.pictures import Findings, run

FILES = seeds()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_C6_mutated_files_end_in_pixels_or_in_an_error_of_ours(rng: random.Random) -> None:
    findings = Findings()
    assert findings.try_one(mutated(rng, FILES)), findings.faults


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"]), st.binary(max_size=200))
def test_C6_any_bytes_are_refused(begin: bytes, rest: bytes) -> None:
    with pytest.raises(ImageError):
        read_picture(begin + rest)


@pytest.mark.filterwarnings("ignore")
def test_C6_the_fuzzer_of_pictures_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not run(300, 60.0, seed=7, keep=tmp_path / "found").faults
    assert "300 mutated files, seed 7" in capsys.readouterr().out


@pytest.mark.parametrize("error", [IndexError("list"), RuntimeError("odd"), KeyError(3), RecursionError(), EOFError()])
def test_C6_what_a_decoder_raises_is_damage(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("PIL.Image.Image.load", fails)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fails)
    with pytest.raises(DamagedImage):
        read_picture(FILES[0])


def test_C6_a_decoder_without_memory_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fails)
    with pytest.raises(ImageTooLarge, match="memory"):
        read_picture(FILES[0])
