"""Models that have learned nothing and bundles of the profile `seeds`, random and by hand; without torch."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save as save_tensors

from regrow.core.codec.decode.seeds import reference
from regrow.core.codec.decode.seeds.reference import PatchSeeds, encode_patch
from regrow.core.codec.format.seeds.bundle import SeedsHeader, parse_seeds, write_seeds_bundle
from regrow.core.codec.format.seeds.geometry import Size, band_sizes, scale_sizes
from regrow.core.codec.format.seeds.model import SeedModel, inputs_of_detail, inputs_of_low_pass, load_model

Pixels = npt.NDArray[np.uint8]
Tensors = dict[str, np.ndarray]
DecodePatch = Callable[[bytes, SeedModel, Size, int, int], Pixels]

SCALE_CODES, FRACTIONS = 81, 5
SEED_KINDS = ("none", "few", "some", "many", "extreme")


def file_of(tensors: Tensors) -> bytes:
    """A model's file."""
    return save_tensors({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def hand_tensors() -> Tensors:
    """The model of FORMAT.md, section 7.11: all is 0 but what is set here."""
    rule = np.zeros(17, dtype=np.int8)
    rule[[3, 12, 13]] = 50, 10, 64
    scales = np.array([112, 8, 8, 4], dtype=np.uint8)
    tensors: Tensors = {
        "sizes": np.array([4, 1, 1, 1, 1], dtype=np.uint8),
        "inject": np.zeros((9, 1), dtype=np.int16),
        "start": np.array([[65536], [0], [0]], dtype=np.int32),
        "tell": np.zeros((3, 1), dtype=np.int32),
        "shrink": np.zeros((3, 3), dtype=np.uint8),
        "coarse.symbols": rule,
        "fine.symbols": rule,
        "coarse.scales": scales,
        "fine.scales": scales,
        "tables.raw_bits": np.zeros(SCALE_CODES, dtype=np.uint8),
        "tables.reach": np.ones(SCALE_CODES, dtype=np.uint8),
        "tables.frequencies": np.tile([32768, 16384, 12288, 4096], SCALE_CODES * FRACTIONS).astype(np.uint16),
    }
    for name, inputs in _laws(4):
        for layer, (before, after) in enumerate(((inputs, 1), (1, 1), (1, 2))):
            tensors[f"{name}.w{layer}"] = np.zeros((before, after), dtype=np.int16)
            tensors[f"{name}.b{layer}"] = np.zeros(after, dtype=np.int32)
        tensors[f"{name}.shifts"] = np.zeros(4, dtype=np.uint8)
    tensors["low.0.b2"] = np.array([300, 0], dtype=np.int32)
    return tensors


def random_tensors(seed: int) -> Tensors:
    """Random everywhere; every fourth has raw bits and reaches that no learning would come to."""
    rng = np.random.default_rng(seed)
    channels, hidden = int(rng.integers(4, 9)), rng.integers(1, 6, 2)
    tensors: Tensors = {
        "sizes": np.array([channels, *hidden, *rng.integers(1, 4, 2)], dtype=np.uint8),
        "inject": rng.integers(-4000, 4001, (9, channels - 3)).astype(np.int16),
        "start": rng.integers(-(1 << 16), 1 << 16, (3, channels - 3)).astype(np.int32),
        "tell": rng.integers(-(1 << 16), 1 << 16, (3, channels - 3)).astype(np.int32),
        "shrink": rng.integers(0, 256, (3, 3)).astype(np.uint8),
    }
    for name, units in zip(("coarse", "fine"), hidden, strict=True):
        symbols = np.rint(rng.logistic(0, 6, int(units) * (4 * channels + 1))).clip(-127, 127)
        precision = int(rng.integers(8, 14))
        tensors[f"{name}.symbols"] = symbols.astype(np.int8)
        tensors[f"{name}.scales"] = np.array(
            [rng.integers(80, 110), precision, precision - 1, rng.integers(3, 6)], dtype=np.uint8
        )
    for name, inputs in _laws(channels):
        tensors |= _random_law(rng, name, inputs)
    return tensors | _random_tables(rng, wild=seed % 4 == 3)


def _laws(channels: int) -> list[tuple[str, int]]:
    """All laws and their inputs."""
    low = [(f"low.{c}", inputs_of_low_pass(c)) for c in range(3)]
    return low + [(f"detail.{c}.{b}", inputs_of_detail(c, b, channels)) for c in range(3) for b in range(3)]


def _random_law(rng: np.random.Generator, name: str, inputs: int) -> Tensors:
    tensors: Tensors = {}
    widths = (inputs, *(int(width) for width in rng.integers(1, 8, 2)), 2)
    for layer, (before, after) in enumerate(itertools.pairwise(widths)):
        most = min(32767, (1 << 24) // 1024 // before - 8)
        tensors[f"{name}.w{layer}"] = rng.integers(-most, most + 1, (before, after)).astype(np.int16)
        tensors[f"{name}.b{layer}"] = rng.integers(-8000, 8001, after).astype(np.int32)
    tensors[f"{name}.shifts"] = rng.integers((8, 8, 8, 14), (13, 13, 20, 19)).astype(np.uint8)
    return tensors


def _random_tables(rng: np.random.Generator, *, wild: bool) -> Tensors:
    codes = np.arange(SCALE_CODES)
    raw_bits = rng.integers(0, 17, SCALE_CODES) if wild else np.maximum(0, (codes - 35) // 6)
    reach = rng.choice([0, 1, 7, 255], SCALE_CODES) if wild else np.clip(codes // 3 + 1, 1, 20)
    tables = []
    for scale in codes:
        for _ in range(1 if raw_bits[scale] else FRACTIONS):
            length = 2 * int(reach[scale]) + 2
            shares = rng.random(length) ** 3
            table = 1 + np.floor((65536 - length) * shares / shares.sum()).astype(np.int64)
            table[np.argmax(table)] += 65536 - table.sum()
            tables.append(table)
    return {
        "tables.raw_bits": raw_bits.astype(np.uint8),
        "tables.reach": reach.astype(np.uint8),
        "tables.frequencies": np.concatenate(tables).astype(np.uint16),
    }


@functools.lru_cache(maxsize=8)
def random_model(seed: int) -> tuple[bytes, SeedModel]:
    """A random model's file, and the model."""
    data = file_of(random_tensors(seed))
    return data, load_model(data)


def random_seeds(rng: np.random.Generator, size: Size, channels: int) -> PatchSeeds:
    """Seeds of a patch, and alpha that may be flat, smooth or noise."""
    kind = str(rng.choice(SEED_KINDS))
    colours = min(channels, 3)

    def plane(band: Size) -> npt.NDArray[np.int32]:
        shape = (colours, *band)
        spread = {"none": 0.0, "few": 0.4, "some": 3.0, "many": 300.0, "extreme": 0.0}[kind]
        seeds = rng.laplace(0, spread, shape) if kind != "extreme" else rng.choice([-32767, 0, 1, 32767], shape)
        return np.rint(seeds).clip(-32767, 32767).astype(np.int32)

    sizes = scale_sizes(size)
    details = []
    for next_size in sizes[-2::-1]:
        hl, lh, hh = band_sizes(next_size)
        details.append((plane(hl), plane(lh), plane(hh)))
    return PatchSeeds(plane(sizes[-1]), tuple(details), _random_alpha(rng, size) if channels == 4 else None)


def _random_alpha(rng: np.random.Generator, size: Size) -> Pixels:
    rows, columns = np.mgrid[: size[0], : size[1]]
    planes = (
        np.zeros(size),
        np.full(size, 255),
        rng.integers(0, 256, size),
        rng.choice([0, 255], size),
        (3 * rows + 5 * columns) % 256,
        rng.choice([168, 199, 200, 232], size),
    )
    return planes[int(rng.integers(len(planes)))].astype(np.uint8)


def random_header(rng: np.random.Generator, most: int = 40, *, patches: bool = False) -> SeedsHeader:
    """Any kind and step; patches: more than one."""
    height, width = (int(side) for side in rng.integers(1, most + 1, 2))
    if patches:
        height, width = (int(side) for side in rng.permutation([int(rng.integers(65, 75)), int(rng.integers(1, 20))]))
    return SeedsHeader(
        height=height,
        width=width,
        channels=int(rng.choice([1, 3, 4])),
        step=int(rng.choice([0, 2560, 256 * rng.integers(0, 11), rng.integers(0, 2561)])),
        longest=64 if patches else int(rng.choice([64, 128, 256, 512])),
        model=1,
    )


def random_bundle(rng: np.random.Generator, header: SeedsHeader, model: SeedModel) -> bytes:
    """A bundle of random seeds."""
    sizes = [header.tiling.extent(index) for index in range(header.tiling.count)]
    return write_seeds_bundle(
        header, [encode_patch(random_seeds(rng, size, header.channels), model, size, header.step)[0] for size in sizes]
    )


def garbage(rng: np.random.Generator, header: SeedsHeader) -> bytes:
    """A bundle whose checksums are right and whose payloads are noise, long enough or not; no zero byte ends them."""
    payloads = []
    for _ in range(header.tiling.count):
        length = int(rng.choice([0, 1, 5, 7, rng.integers(8, 60), 4000]))
        noise = rng.integers(0, 256, length) if rng.random() < 0.7 else np.full(length, rng.choice([0, 1, 255]))
        payloads.append(noise.astype(np.uint8).tobytes().rstrip(b"\0"))
    return write_seeds_bundle(header, payloads)


def decode_by(data: bytes, model: SeedModel, decode_patch: DecodePatch = reference.decode_patch) -> Pixels:
    """A bundle's pixels, (height, width, channels). Raises BundleError."""
    bundle = parse_seeds(data, conceal=False)
    header, tiling = bundle.header, bundle.header.tiling
    picture = np.zeros((header.height, header.width, header.channels), dtype=np.uint8)
    for index, payload in enumerate(bundle.payloads):
        (top, left), size = tiling.origin(index), tiling.extent(index)
        pixels = decode_patch(payload, model, size, header.channels, header.step)
        picture[top : top + size[0], left : left + size[1]] = pixels
    return picture
