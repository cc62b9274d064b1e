"""What was measured is not measured again, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from regrow.benchmarks.avif_boxes import coded_bytes
from regrow.benchmarks.rd_curve import StoredPicture
from regrow.benchmarks.rd_store import KnownFiles, Measurer
from regrow.core.codec.images import Picture
from regrow.core.codec.quality import Quality
from tests.pictures import smooth_picture

PICTURES = [smooth_picture(12, 16, seed=seed) for seed in range(3)]


class _Codec:
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def stored(self, picture: Picture, setting: float) -> StoredPicture:
        self.calls += 1
        return StoredPicture(int(picture.pixels.sum()) + int(setting), Quality(1.5, 30 + setting, None), coded=7)


def _sizes(known: Path | None, codec: _Codec, version: str = "1") -> list[list[int]]:
    measurer = Measurer(KnownFiles(known))
    curve = measurer.curve("x", PICTURES, (1, 2), lambda setting: f"{version} {setting}", codec.stored)
    return [[file.size for file in point.files] for point in curve.points]


def test_points_are_settings_and_files_are_pictures_in_order() -> None:
    sums = [int(picture.pixels.sum()) for picture in PICTURES]
    assert _sizes(None, _Codec()) == [[each + 1 for each in sums], [each + 2 for each in sums]]


def test_what_is_known_is_not_measured_again(tmp_path: Path) -> None:
    first, second, other = _Codec(), _Codec(), _Codec()
    expected = _sizes(tmp_path / "known", first)
    assert _sizes(tmp_path / "known", second) == expected
    assert _sizes(tmp_path / "known", other, "2") == expected
    assert (first.calls, second.calls, other.calls) == (6, 0, 6)


def test_a_line_that_was_cut_is_measured_again(tmp_path: Path) -> None:
    path, again, last = tmp_path / "known", _Codec(), _Codec()
    expected = _sizes(path, _Codec())
    path.write_text(path.read_text()[:-5])
    assert _sizes(path, again) == expected
    assert _sizes(path, last) == expected
    assert (again.calls, last.calls) == (1, 0)


def test_what_is_remembered_is_all_of_it(tmp_path: Path) -> None:
    file = StoredPicture(123, Quality(4.25, 41.8, 0.97), coded=99)
    KnownFiles(tmp_path / "known").add("key", file)
    assert KnownFiles(tmp_path / "known").get("key") == file


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    measurer = Measurer(tell=lambda name, done, total: told.append((name, done, total)))
    measurer.curve("x", PICTURES, (1,), str, _Codec().stored)
    assert told == [("x", done, 3) for done in range(4)]


def _box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4) + kind + content


def test_boxes_of_all_sizes() -> None:
    head = _box(b"ftyp", b"avif") + _box(b"meta", bytes(20) + b"mdat")
    long = (1).to_bytes(4) + b"mdat" + (16 + 30).to_bytes(8) + bytes(30)
    to_the_end = bytes(4) + b"mdat" + bytes(40)
    assert coded_bytes(head + _box(b"mdat", bytes(10))) == 10
    assert coded_bytes(head + long + _box(b"mdat", bytes(5)) + to_the_end) == 75


@pytest.mark.parametrize(
    "data", [b"", _box(b"ftyp", b"avif"), _box(b"mdat", bytes(10))[:-1], bytes(3), (5).to_bytes(4) + b"mdat"]
)
def test_what_is_no_avif_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"box"):
        coded_bytes(data)
