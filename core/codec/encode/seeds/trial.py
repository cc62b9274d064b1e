"""A tiny encode in the profile `seeds`, which compiles what larger ones need, or shows that none can work here."""

from __future__ import annotations

import numpy as np

from regrow.core.codec.encode.seeds.encoder import assemble_seeds, encode_units
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings


def try_out() -> None:
    """Encode ten by ten pixels with alpha, in a few sweeps. Raises whatever goes wrong."""
    picture = Picture(np.full((10, 10, 4), 200, dtype=np.uint8))
    settings = EncodeSettings(profile=Profile.SEEDS, effort=Effort.STANDARD)
    assemble_seeds(picture, settings, encode_units(picture, [0], settings))
