from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from regrow.core.codec.images import Picture
from regrow.core.codec.picture_files import LONGEST_SIDE, FileKind, write_picture
from regrow.core.errors import InvalidSettings
from tests.pictures import smooth_picture


@pytest.mark.parametrize("kind", [FileKind.PNG, FileKind.WEBP])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_without_loss(kind: FileKind, channels: int) -> None:
    """Colours below transparent pixels too."""
    picture = smooth_picture(30, 40, channels)
    back = np.asarray(Image.open(io.BytesIO(write_picture(picture, kind))))
    expected = picture.pixels[:, :, 0] if channels == 1 else picture.pixels
    if channels == 1 and back.ndim == 3:
        back = back[:, :, 0]
    assert (back == expected).all()


@pytest.mark.parametrize("kind", LONGEST_SIDE)
def test_what_a_format_cannot_hold_is_refused(kind: FileKind) -> None:
    longest = LONGEST_SIDE[kind]
    assert write_picture(Picture(np.zeros((1, longest, 1), np.uint8)), kind)
    with pytest.raises(InvalidSettings, match="ask for PNG"):
        write_picture(Picture(np.zeros((longest + 1, 1, 1), np.uint8)), kind)
    assert write_picture(Picture(np.zeros((longest + 1, 1, 1), np.uint8)), FileKind.PNG)
