"""The effort that a picture gets where nobody says."""

from __future__ import annotations

import numpy as np
import pytest

from regrow.core.codec.encode.effort import ENOUGH_SECONDS, advice, encode_seconds, with_default_effort
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort, Preset
from regrow.core.codec.settings import EncodeSettings


def _picture(side: int) -> Picture:
    return Picture(np.zeros((side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("side", "settings", "effort"),
    [
        (120, EncodeSettings(), Effort.STANDARD),
        (512, EncodeSettings(), Effort.DRAFT),
        (120, EncodeSettings(Preset.HUGE), Effort.DRAFT),
        (40, EncodeSettings(Preset.LARGE), Effort.STANDARD),
        (40, EncodeSettings(target_psnr=32.0), Effort.STANDARD),
        (40, EncodeSettings(max_bytes=200), Effort.STANDARD),
        (120, EncodeSettings(target_psnr=40.0), Effort.DRAFT),
        (400, EncodeSettings(Preset.MICRO), Effort.STANDARD),
    ],
)
def test_E1_standard_is_for_what_ends_within_a_minute(side: int, settings: EncodeSettings, effort: Effort) -> None:
    chosen = with_default_effort(_picture(side), settings)
    assert chosen.effort is effort
    assert effort is Effort.DRAFT or encode_seconds(_picture(side), chosen) <= ENOUGH_SECONDS


def test_E1_what_more_would_give_is_told() -> None:
    picture = _picture(512)
    assert advice(picture, EncodeSettings(effort=Effort.DRAFT)) == (
        "effort draft, about 3 min on two cores; --effort standard: about 16 min, for about 4 dB more"
    )
    assert advice(_picture(40), EncodeSettings(target_psnr=32.0, effort=Effort.STANDARD)) == (
        "effort standard, about 38 s, at most 3 min on two cores; "
        "--effort thorough: about 92 s, at most 6 min, for a smaller file"
    )
    assert "effort standard, at most " in advice(_picture(40), EncodeSettings(max_bytes=200, effort=Effort.STANDARD))
    assert advice(_picture(40), EncodeSettings(effort=Effort.STANDARD)).endswith(", for a little more")
