"""Which kind of file `Accept` asks for."""

from __future__ import annotations

import pytest

from regrow.api.negotiation import preferred_kind
from regrow.core.codec.picture_files import FileKind

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,*/*;q=0.5"
)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", FileKind.PNG),
        ("*/*", FileKind.PNG),
        ("image/*", FileKind.PNG),
        ("text/html", FileKind.PNG),
        (CHROMIUM, FileKind.WEBP),
        (FIREFOX, FileKind.WEBP),
        (SAFARI, FileKind.WEBP),
        ("Image/WebP", FileKind.WEBP),
        ("image/webp;q=0", FileKind.PNG),
        ("image/webp;q=0, */*", FileKind.PNG),
        ("image/webp;q=0.5, image/png", FileKind.PNG),
        ("image/webp;q=0.5, */*;q=0.8", FileKind.PNG),
        ("image/webp;q=0.5, image/*;q=0.8, */*;q=0.1", FileKind.PNG),
        ("image/webp; q=0.9 , image/png;q=0.8", FileKind.WEBP),
        ("image/webp;q=0.5, image/jpeg;q=0.9", FileKind.JPEG),
        ("image/jpeg", FileKind.JPEG),
        ("image/jpeg, image/*;q=0.5", FileKind.JPEG),
        ("image/jpeg, image/png", FileKind.PNG),
        ("image/png;q=0, image/jpeg;q=0.1, */*", FileKind.JPEG),
        ("image/webp;level=1;q=0.2, image/png;q=0.3", FileKind.PNG),
        ("image/webp;q=high, image/png", FileKind.PNG),
        (";q=nan,,;", FileKind.PNG),
    ],
)
def test_what_is_liked_best_is_sent(accept: str, kind: FileKind) -> None:
    assert preferred_kind(accept) is kind


def test_a_weight_that_is_no_number_gives_none() -> None:
    assert preferred_kind("image/webp;q=nan") is FileKind.PNG
