from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regrow.core.codec.images import Picture
from regrow.core.codec.patches import PatchGrid, cut, paste
from tests.pictures import smooth_picture


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([1, 3, 4]), st.sampled_from([8, 40]))
def test_cut_and_paste_are_inverse(height: int, width: int, channels: int, size: int) -> None:
    picture = smooth_picture(height, width, channels)
    grid = PatchGrid(height, width, size)
    patches = cut(picture, grid, range(grid.count))
    assert patches.shape == (grid.count, channels, size, size)
    back = np.zeros_like(picture.pixels)
    for index, patch in enumerate(np.rint(patches * 255).astype(np.uint8)):
        paste(back, grid, index, patch)
    np.testing.assert_array_equal(back, picture.pixels)
    assert sum(np.prod(grid.extent(index)) for index in range(grid.count)) == height * width


def test_padding_repeats_the_edge() -> None:
    picture = Picture(np.array([[[10], [200]]], dtype=np.uint8))
    patch = cut(picture, PatchGrid(1, 2, 4), [0])[0, 0]
    np.testing.assert_allclose(patch * 255, [[10, 200, 200, 200]] * 4, atol=1e-4)
