"""Writes tests/format/golden/seeds/: run once per released model, by `python -m tests.format.make_golden_seeds`.

As make_golden, of the profile `seeds`. Pictures are encoded once: another encoder may find other seeds of the same
picture, but what these bundles show never changes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from regrow.core.codec.decode.seeds.reference import decode_patch
from regrow.core.codec.encode.seeds.encoder import assemble_seeds, encode_units
from regrow.core.codec.encode.seeds.plan import units_of
from regrow.core.codec.format.seeds.bundle import SeedsHeader
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.settings import EncodeSettings
from tests.format.make_golden import FOLDER as OF_RULES
from tests.format.seeds_samples import decode_by, random_bundle

FOLDER = OF_RULES / "seeds"
MODEL = 1


def picture_of(height: int, width: int, channels: int = 3, seed: int = 0) -> Picture:
    """Soft noise with edges; alpha is a disc with a soft edge."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 7 + 2, width // 7 + 2, 3), dtype=np.uint8)
    pixels: Pixels = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).copy()
    pixels[height // 3 : height // 2, width // 4 :] //= 2
    if channels == 4:
        rows, columns = np.mgrid[:height, :width]
        alpha = np.clip(3 * (height * width / 9 - (rows - height / 2) ** 2 - (columns - width / 2) ** 2), 0, 255)
        return Picture(np.dstack([pixels, alpha.astype(np.uint8)]))
    return Picture(np.ascontiguousarray(pixels[..., :channels]))


def encoded(picture: Picture, quality: float, effort: Effort = Effort.DRAFT) -> bytes:
    """Its bundle."""
    settings = EncodeSettings(profile=Profile.SEEDS, effort=effort, quality=quality)
    units = encode_units(picture, range(units_of(picture, settings)), settings)
    return assemble_seeds(picture, settings, units).bundle


def golden_bundles() -> dict[str, bytes]:
    """By name."""
    wild = SeedsHeader(37, 50, 3, 700, 256, MODEL)
    patches = replace(wild, height=70, width=66, longest=64, channels=4, step=2560)
    model, rng = released_model(MODEL), np.random.default_rng(5)
    return {
        "thumbnail": encoded(picture_of(40, 40), 50.0),
        "searched": encoded(picture_of(64, 48, seed=1), 40.0, Effort.STANDARD),
        "coarsest": encoded(picture_of(70, 90, seed=2), 0.0),
        "finest": encoded(picture_of(24, 30, seed=3), 100.0),
        "grey": encoded(picture_of(33, 70, 1, seed=4), 45.0),
        "alpha": encoded(picture_of(45, 60, 4, seed=5), 55.0),
        "unseen": encoded(Picture(np.zeros((12, 9, 4), dtype=np.uint8)), 50.0),
        "one-pixel": encoded(picture_of(1, 1), 50.0),
        "line": encoded(picture_of(1, 61), 60.0),
        "odd": encoded(picture_of(9, 11, seed=6), 70.0),
        "patches": encoded(picture_of(260, 270, seed=7), 15.0),
        "wild": random_bundle(rng, wild, model),
        "wild-patches": random_bundle(rng, patches, model),
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, data in golden_bundles().items():
        path = FOLDER / f"{name}.gnca"
        if not path.exists():
            path.write_bytes(data)
            pixels = decode_by(data, released_model(MODEL), decode_patch)
            path.with_suffix(".png").write_bytes(Picture(pixels).to_png())


if __name__ == "__main__":
    main()
