from __future__ import annotations

import numpy as np

from regrow.core.codec.fire import fire_mask, fire_masks


def test_rate_is_the_share_of_cells_that_fire() -> None:
    share = np.mean([fire_mask(key, step, 40, 40, 0.3).mean() for key in range(5) for step in range(5)])
    assert abs(share - 0.3) < 0.01


def test_rate_zero_and_one_fire_everywhere() -> None:
    assert fire_mask(1, 2, 9, 9, 0.0).all()
    assert fire_mask(1, 2, 9, 9, 1.0).all()


def test_masks_differ_by_step_and_key_and_are_pinned() -> None:
    """The bits are part of the bundle format: these values must never change."""
    masks = fire_masks(12345, 3, 4, 4, 0.5)
    assert [int("".join("01"[int(bit)] for bit in mask.reshape(-1)), 2) for mask in masks] == [60049, 45104, 60407]
    assert not np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], fire_mask(12346, 0, 4, 4, 0.5))
