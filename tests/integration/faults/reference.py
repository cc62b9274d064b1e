"""What an undisturbed run makes: one process, one batch."""

from __future__ import annotations

from regrow.core.codec.encode import encode
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.images import read_picture
from regrow.core.codec.settings import EncodeSettings


def undisturbed(data: bytes, settings: EncodeSettings) -> bytes:
    """The bundle of an image file."""
    return encode(read_picture(data), settings, engine=make_engine("numba")).bundle
