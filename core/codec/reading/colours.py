"""Which of a file's statements about its colours counts, and the picture in sRGB."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from regrow.core.codec.reading.colour_numbers import ColourNumbers, convert
from regrow.core.codec.reading.icc import IccProfile
from regrow.core.codec.reading.raster import Bytes, Raster, eight_bits

Statement = ColourNumbers | IccProfile


def to_srgb(raster: Raster, statements: Sequence[Statement | None]) -> tuple[Bytes, str]:
    """The colours as 8-bit sRGB, grey or RGB, and what was done, in a few words.

    statements: by precedence; the first that is there and fits the picture's channels counts. Without any the levels
    are taken as sRGB, and CMYK as ink on the simplest paper.
    """
    for statement in statements:
        if isinstance(statement, IccProfile):
            colour = eight_bits(raster.colour)
            if not statement.fits(colour):
                continue
            if not statement.is_srgb:
                return statement.convert(colour), f"converted to sRGB from {statement.name}"
        elif statement is None or raster.colour.shape[-1] == 4:
            continue
        elif not statement.is_srgb:
            return convert(raster.colour, statement), f"converted to sRGB from {statement.name}"
        return eight_bits(raster.colour), "sRGB"
    if raster.colour.shape[-1] == 4:
        rgb = Image.fromarray(eight_bits(raster.colour), "CMYK").convert("RGB")
        return np.asarray(rgb), "converted to sRGB from CMYK without a profile"
    return eight_bits(raster.colour), "taken as sRGB"
