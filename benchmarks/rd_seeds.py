"""The curve of the profile `seeds`: whole files over its qualities."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

from regrow.benchmarks.rd_curve import Curve, StoredPicture
from regrow.benchmarks.rd_store import Measurer
from regrow.core import codec
from regrow.core.codec.encode.seeds.encoder import assemble_seeds, encode_units
from regrow.core.codec.encode.seeds.plan import units_of
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings

SEEDS = "seeds"
"""The name of the curve."""

QUALITIES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 100)
"""About 2.1 dB from each to the next."""


def seeds_curve(pictures: Sequence[Picture], effort: Effort, measurer: Measurer) -> Curve:
    """All pictures at all qualities, the same for all of them."""
    sources = _digest_of_sources()
    return measurer.curve(
        SEEDS,
        pictures,
        QUALITIES,
        lambda quality: f"seeds, effort {effort}, quality {quality:g}, sources {sources}",
        partial(_stored, effort),
    )


def _stored(effort: Effort, picture: Picture, quality: float) -> StoredPicture:
    settings = EncodeSettings(profile=Profile.SEEDS, effort=effort, quality=quality)
    units = encode_units(picture, range(units_of(picture, settings)), settings)
    encoded = assemble_seeds(picture, settings, units)
    return StoredPicture(len(encoded.bundle), encoded.quality)


@cache
def _digest_of_sources() -> str:
    """Of the codec's code and models, all of which may decide a file."""
    digest, folder = hashlib.sha256(), Path(codec.__file__ or "").parent
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".safetensors"}):
        digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()
