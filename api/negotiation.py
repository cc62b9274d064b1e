"""Content negotiation: which kind of file a client likes best (RFC 9110, 12.5.1)."""

from __future__ import annotations

from regrow.core.codec.picture_files import FileKind

BY_SIZE = (FileKind.WEBP, FileKind.PNG, FileKind.JPEG)
"""The order of preference among kinds that `Accept` gives the same weight: small and lossless first."""


def preferred_kind(accept: str) -> FileKind:
    """The kind that the header `Accept` gives the most weight; WebP and JPEG only where it names them.

    PNG where it names none of the three, or accepts nothing: a picture is more use than a 406.
    """
    weights = _weights(accept)
    named = [kind for kind in BY_SIZE if weights.get(kind.media_type, 0.0) > 0]
    wildcard = weights.get("image/*", weights.get("*/*", 0.0))
    best = max(named, key=lambda kind: weights[kind.media_type], default=FileKind.PNG)
    png = weights.get(FileKind.PNG.media_type, wildcard)
    return best if weights.get(best.media_type, 0.0) >= png else FileKind.PNG


def _weights(accept: str) -> dict[str, float]:
    """The header's weights by media range, 0 to 1. A range whose weight cannot be read is left out."""
    found = dict[str, float]()
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((value.removeprefix("q=") for value in parameters if value.startswith("q=")), "1")
        try:
            found[media_range] = min(1.0, max(0.0, float(weight)))
        except ValueError:
            continue
    return found
