"""What an undisturbed run makes: one process, one batch."""

from __future__ import annotations

from functools import partial

from regrow.core.codec.encode.assemble import assemble
from regrow.core.codec.encode.encoder import encode_patches
from regrow.core.codec.encode.plan import grid_of
from regrow.core.codec.fit.engines import make_engine
from regrow.core.codec.fit.fitting import fit
from regrow.core.codec.fit.task import FitHooks
from regrow.core.codec.images import read_picture
from regrow.core.codec.settings import EncodeSettings


def undisturbed(data: bytes, settings: EncodeSettings) -> bytes:
    """The bundle of an image file."""
    picture, engine = read_picture(data), make_engine("numba")
    patches = range(grid_of(picture).count)
    encoded = encode_patches(picture, patches, settings, partial(fit, engine), FitHooks())
    return assemble(picture, settings, encoded.candidates).bundle
