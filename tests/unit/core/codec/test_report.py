"""What is said of an encode, beside what other codecs make of the same picture."""

from __future__ import annotations

import json

import pytest

from regrow.core.codec.decode import decode
from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.other_codecs import best_files
from regrow.core.codec.encode.report import Report, make_report
from regrow.core.codec.images import ImageLimits, read_picture
from regrow.core.codec.quality import measure
from regrow.core.codec.reading.prepare import prepare
from regrow.core.codec.reading.source_format import SourceFormat
from regrow.core.codec.settings import EncodeSettings
from tests.bundles import random_bundle
from tests.pictures import smooth_file, smooth_picture, smooth_pixels
from tests.webp_files import animation

PICTURE, BUNDLE = smooth_picture(60, 90), random_bundle(60, 90)


@pytest.fixture(scope="module")
def report() -> Report:
    quality = measure(PICTURE.pixels, decode(BUNDLE).picture.pixels)
    encoded = Encoded(BUNDLE, quality, {"small": 6}, None)
    return make_report(
        PICTURE,
        EncodeSettings(),
        encoded,
        original_bytes=4000,
        patch_iterations=1800,
        device_seconds=2.5,
        elapsed_seconds=3.5,
        colours="converted to sRGB from Display P3",
    )


def test_C7_a_report_says_what_was_done_about_the_colours(report: Report) -> None:
    assert report.colours == "converted to sRGB from Display P3"
    older = report.model_dump(mode="json", exclude={"colours", "bytes_per_patch"})
    assert Report.model_validate(older).colours is None


def test_figures_by_hand(report: Report) -> None:
    size = len(BUNDLE)
    assert (report.bytes, report.raw_bytes, report.original_bytes) == (size, 60 * 90 * 3, 4000)
    assert (report.cr_original, report.cr_raw) == (1 - size / 4000, 1 - size / 16_200)
    assert (report.bits_per_pixel, report.bytes_per_patch) == (8 * size / 5400, size / 6)
    assert (report.patch_iterations, report.device_seconds, report.elapsed_seconds) == (1800, 2.5, 3.5)


def test_others_have_as_many_bytes_as_the_bundle(report: Report) -> None:
    assert report.others == best_files(PICTURE, report.bytes)
    assert len(report.others) == 3
    for other in report.others:
        assert other.fits == (other.bytes <= report.bytes)


def test_E7_it_says_where_the_source_flatters_a_codec(report: Report) -> None:
    assert (report.source_format, report.others_note) == (None, None)
    notes = {kind: report.model_copy(update={"source_format": kind}).others_note for kind in SourceFormat}
    assert {kind for kind, note in notes.items() if note} == {SourceFormat.JPEG, SourceFormat.WEBP}
    assert "the image was a JPEG file" in (notes[SourceFormat.JPEG] or "")
    stored = report.model_copy(update={"source_format": SourceFormat.JPEG}).model_dump_json()
    assert json.loads(stored)["others_note"] == notes[SourceFormat.JPEG]
    assert Report.model_validate_json(stored).source_format is SourceFormat.JPEG


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (smooth_file(9, 9), "png"),
        (smooth_file(9, 9, "JPEG"), "jpeg"),
        (smooth_file(9, 9, "WEBP"), "webp"),
        (smooth_file(9, 9, "WEBP", lossless=True), "webp-lossless"),
        (smooth_file(9, 9, "WEBP", lossless=True, xmp=b"VP8 "), "webp-lossless"),
        (smooth_file(9, 9, "WEBP", xmp=b"VP8L", exif=b"Exif\0\0VP8L"), "webp"),
        (animation(smooth_pixels(8, 8), 0, 0, (9, 9)), "webp-lossless"),
    ],
)
def test_E7_a_picture_knows_what_file_it_was(data: bytes, kind: str) -> None:
    assert read_picture(data).source_format == prepare(data, ImageLimits()).source_format == kind


def test_a_report_is_stored_and_read_again(report: Report) -> None:
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_reports_of_before_are_read(report: Report) -> None:
    old = json.loads(report.model_dump_json(exclude={"others", "others_note", "source_format", "bytes_per_patch"}))
    read = Report.model_validate_json(json.dumps(old))
    assert (read.device_seconds, read.others, read.bytes_per_patch) == (2.5, (), report.bytes_per_patch)
