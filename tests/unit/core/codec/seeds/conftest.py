"""A small model that has learned nothing, and photos to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from regrow.core.codec.format.seeds.model import SeedModel, load_model
from regrow.core.codec.learn.export import export
from regrow.core.codec.learn.network import SeedsNetwork
from regrow.core.codec.learn.photos import Photo, load_photos
from regrow.core.codec.learn.shape import ModelShape

SHAPE = ModelShape(channels=6, coarse=4, fine=4, coarse_steps=2, fine_steps=2, widths=(6, 4))


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    """Twelve pictures of soft noise, with a licence."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "LICENSE").write_text("Do as you like\n")
    rng = np.random.default_rng(0)
    for number in range(12):
        small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        small.resize((96, 80), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return load_photos([Path(folder)])


@pytest.fixture(scope="session")
def network() -> SeedsNetwork:
    """Random everywhere, outputs of the laws included."""
    torch.manual_seed(3)
    network = SeedsNetwork(SHAPE)
    with torch.no_grad():
        for _, law in network.laws():
            for parameter in law.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    return network


@pytest.fixture(scope="session")
def model(network: SeedsNetwork, photos: list[Photo]) -> SeedModel:
    """The same in integers."""
    return load_model(export(network, photos, crops=16))
