"""The released model: its integers do what the floats that were learned do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from regrow.core.codec.decode.seeds.compiled import decode_patch
from regrow.core.codec.encode.seeds.patch_search import PatchSearch
from regrow.core.codec.format.seeds.geometry import levels_of
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.codec.learn.network import SeedsNetwork
from regrow.core.codec.learn.shape import ModelShape
from regrow.core.codec.quality import measure

CHECKPOINT = Path(__file__).parents[5] / "docs" / "models" / "seeds-1" / "checkpoint.npz"


@pytest.fixture(scope="module")
def learned() -> SeedsNetwork:
    """What seeds-1 was exported from."""
    with np.load(CHECKPOINT) as stored:
        network = SeedsNetwork(ModelShape.of(json.loads(stored["head"].tobytes())["shape"]))
        average = {name[8:]: torch.from_numpy(stored[name]) for name in stored.files if name.startswith("average/")}
    network.load_state_dict(average)
    return network


@pytest.mark.parametrize("code", [500, 900, 1400])
@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_integers_lose_next_to_nothing(learned: SeedsNetwork, name: str, code: int) -> None:
    pixels = np.ascontiguousarray(getattr(data, name)()[40:200, 120:280])
    picture, step = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255, torch.tensor([-code / 256])
    with torch.no_grad():
        seeds = learned.quantise(picture, step, levels_of((160, 160)), 0.4)
        floats = learned(seeds, step)
    search = PatchSearch(released_model(1), pixels, code)
    search.low[...] = seeds[0][0].numpy()
    for number, bands in enumerate(search.details):
        for band, plane in enumerate(bands):
            plane[...] = seeds[1 + 3 * number + band][0].numpy()
    payload = search.payload()
    grown = decode_patch(payload, released_model(1), (160, 160), 3, code)
    shown = torch.round(floats.picture[0].clamp(0, 1) * 255).permute(1, 2, 0).numpy().astype(np.uint8)
    assert measure(pixels, grown).psnr > measure(pixels, shown).psnr - 0.05
    assert len(payload) <= 1.003 * float(floats.bits[0]) / 8 + 1
