"""The integer arithmetic of the profile `seeds`: exact, and close to the floats that were learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from regrow.core.codec.decode.seeds.reference import PatchSeeds, decode_patch, encode_patch
from regrow.core.codec.format.seeds import arithmetic
from regrow.core.codec.format.seeds.coder import Reader, encode
from regrow.core.codec.format.seeds.geometry import Tiling, levels_of
from regrow.core.codec.format.seeds.laws import answer
from regrow.core.codec.format.seeds.model import SeedModel
from regrow.core.codec.learn.network import SeedsNetwork
from regrow.core.codec.learn.photos import Photo
from regrow.core.errors import DamagedBundle

SIZES = ((1, 1), (3, 2), (9, 10), (21, 30), (40, 40))


def _seeds(network: SeedsNetwork, photo: Photo, size: tuple[int, int], code: int) -> list[torch.Tensor]:
    pixels = photo.pixels[: size[0], : size[1]].copy()
    picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    return network.quantise(picture, torch.tensor([-code / 256]), levels_of(size), 0.4)


def _of_patch(seeds: list[torch.Tensor], colours: int = 3) -> PatchSeeds:
    planes = [plane[0, :colours].numpy().astype(np.int32) for plane in seeds]
    return PatchSeeds(planes[0], tuple((planes[k], planes[k + 1], planes[k + 2]) for k in range(1, len(planes), 3)))


@pytest.mark.exact
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("code", [0, 700, 1500, 2560])
def test_what_is_encoded_is_decoded(
    network: SeedsNetwork, model: SeedModel, photos: list[Photo], size: tuple[int, int], colours: int, code: int
) -> None:
    payload, grown = encode_patch(_of_patch(_seeds(network, photos[0], size, code), colours), model, size, code)
    assert grown.shape == (*size, colours)
    assert np.array_equal(decode_patch(payload, model, size, colours, code), grown)


def test_integers_cost_and_show_what_floats_do(network: SeedsNetwork, model: SeedModel, photos: list[Photo]) -> None:
    size, code = (40, 40), 1000
    seeds = _seeds(network, photos[1], size, code)
    with torch.no_grad():
        floats = network(seeds, torch.tensor([-code / 256]))
    payload, grown = encode_patch(_of_patch(seeds), model, size, code)
    shown = (floats.picture[0].clamp(0, 1) * 255).permute(1, 2, 0).numpy()
    assert np.abs(shown - grown).mean() < 1.0
    # Less, rather: the tables are fitted to what comes up, and these laws have learned nothing.
    assert len(payload) <= float(floats.bits[0]) / 8 * 1.05 + 4


def test_law_networks_answer_as_the_floats_do(network: SeedsNetwork, model: SeedModel) -> None:
    whole = {f"low.{c}": law for c, law in enumerate(model.low_pass)}
    whole |= {f"detail.{c}.{b}": law for c, some in enumerate(model.details) for b, law in enumerate(some)}
    rng = np.random.default_rng(0)
    for name, law in network.laws():
        inputs = rng.integers(-300, 301, (500, len(whole[name].weights[0])))
        with torch.no_grad():
            mean, scale = law(torch.from_numpy(inputs / 256).float()[:, :, None, None])
        units = 1024 if name.startswith("low") else 8
        for integer, float_, per_unit in zip(answer(whole[name], inputs), (mean, scale), (units, 8), strict=True):
            assert np.abs(integer / per_unit - float_.numpy().ravel()).mean() < 0.6 / per_unit + 0.01, name


def test_a_stream_has_less_than_a_byte_of_tail() -> None:
    rng = np.random.default_rng(0)
    for count in range(60):
        frequencies = [int(x) for x in rng.integers(1, 65536, count)]
        starts = [int(rng.integers(0, 65537 - frequency)) for frequency in frequencies]
        ideal = sum(16 - np.log2(frequency) for frequency in frequencies) / 8
        assert len(encode(starts, frequencies)) <= ideal + 1 + 1e-6 * count


def test_a_stream_that_does_not_end_is_refused(network: SeedsNetwork, model: SeedModel, photos: list[Photo]) -> None:
    size, code = (9, 10), 900
    payload, _ = encode_patch(_of_patch(_seeds(network, photos[0], size, code)), model, size, code)
    for wrong in (payload + bytes(5) + b"\1", payload + b"\0"):
        with pytest.raises(DamagedBundle):
            decode_patch(wrong, model, size, 3, code)


def _alpha(kind: str) -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[:31, :27]
    planes = {
        "opaque": np.full((31, 27), 255),
        "nothing": np.zeros((31, 27)),
        "disc": 255 * ((rows - 15) ** 2 + (columns - 13) ** 2 < 120),
        "soft": np.clip(300 - 3 * ((rows - 15) ** 2 + (columns - 13) ** 2), 0, 255),
        "noise": np.random.default_rng(0).integers(0, 256, (31, 27)),
    }
    return planes[kind].astype(np.uint8)


@pytest.mark.exact
@pytest.mark.parametrize(("kind", "most"), [("opaque", 3), ("nothing", 5), ("disc", 60), ("soft", 450), ("noise", 900)])
def test_alpha_comes_back_and_costs_little_where_it_is_plain(
    network: SeedsNetwork, model: SeedModel, photos: list[Photo], kind: str, most: int
) -> None:
    alpha, size, code = _alpha(kind), (31, 27), 900
    seeds = _of_patch(_seeds(network, photos[0], size, code))
    plain, _ = encode_patch(seeds, model, size, code)
    payload, grown = encode_patch(replace(seeds, alpha=alpha), model, size, code)
    assert np.array_equal(grown[..., 3], alpha)
    assert np.array_equal(decode_patch(payload, model, size, 4, code), grown)
    assert len(payload) - (0 if kind == "nothing" else len(plain)) <= most


def test_raw_numbers_come_back() -> None:
    starts, frequencies = [], []
    for bits in range(1, 17):
        free = 16 - bits
        starts.append(((1 << bits) - 1) << free)
        frequencies.append(1 << free)
    reader = Reader(encode(starts, frequencies))
    assert [reader.raw(bits) for bits in range(1, 17)] == [(1 << bits) - 1 for bits in range(1, 17)]
    reader.end()


@pytest.mark.parametrize("count", [2, 3, 8, 9, 17])
def test_the_inverse_wavelet_is_that_of_the_floats(count: int) -> None:
    from regrow.core.codec.learn.wavelet import forward, inverse

    picture = torch.rand(1, count, count + 1, dtype=torch.float64)
    low, details = forward(picture)
    assert torch.allclose(inverse(low, details), picture, atol=1e-9)
    parts = [np.rint(part.numpy() * 65536).astype(np.int64) for part in (low / 2, *details)]
    grown = arithmetic.inverse_wavelet(parts[0], (parts[1], parts[2], parts[3]))
    assert np.abs(grown / 65536 - picture.numpy()).max() < 1e-3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (256, 257), (300, 511), (1000, 64)])
def test_patches_cover_the_picture_once(height: int, width: int) -> None:
    tiling, seen = Tiling(height, width, 256), np.zeros((height, width), dtype=int)
    for index in range(tiling.count):
        (top, left), (rows, columns) = tiling.origin(index), tiling.extent(index)
        assert max(rows, columns) <= 256
        seen[top : top + rows, left : left + columns] += 1
    assert (seen == 1).all()
