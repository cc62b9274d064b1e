"""The numbers of FORMAT.md, section 7.11, by the reference. `python -m tests.format.seeds_vectors` prints them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from regrow.core.codec.decode.seeds.reference import PatchSeeds, encode_patch
from regrow.core.codec.format.seeds.alpha_plane import write_alpha
from regrow.core.codec.format.seeds.arithmetic import MANTISSAS
from regrow.core.codec.format.seeds.bundle import SeedsHeader, write_seeds_bundle
from regrow.core.codec.format.seeds.coder import Reader, encode
from regrow.core.codec.format.seeds.contexts import squash_table
from regrow.core.codec.format.seeds.model import load_model
from regrow.core.codec.format.seeds.symbols import Writer
from tests.format.seeds_samples import file_of, hand_tensors

TABLE = (32768, 16384, 12288, 4096)
SYMBOLS = (0, 3, 1, 0, 2, 2)
RAW = ((5, 19), (16, 65535))
ALPHA = np.array([[255, 255, 0], [255, 128, 0]], dtype=np.uint8)
STEP = 768


def _listed(numbers: object) -> str:
    return ", ".join(f"{int(number):,}" for number in np.ravel(np.asarray(numbers, dtype=object)))


def _hex(data: bytes) -> str:
    return data.hex(" ").upper()


def stream() -> bytes:
    """SYMBOLS of TABLE, then RAW."""
    starts = [sum(TABLE[:symbol]) for symbol in SYMBOLS] + [value << (16 - bits) for bits, value in RAW]
    return encode(starts, [TABLE[symbol] for symbol in SYMBOLS] + [1 << (16 - bits) for bits, _ in RAW])


def _states() -> Iterator[str]:
    """The coder's range and code, at first and behind every symbol of the stream."""
    reader = Reader(stream())
    yield f"{reader._range:X} {reader._code:X}"
    for symbol in SYMBOLS:
        assert reader.symbol(TABLE) == symbol
        yield f"{reader._range:X} {reader._code:X}"
    for bits, value in RAW:
        assert reader.raw(bits) == value
        yield f"{reader._range:X} {reader._code:X}"
    reader.end()


def alpha_stream() -> bytes:
    """ALPHA alone."""
    writer = Writer()
    write_alpha(writer, ALPHA)
    return encode(writer.starts, writer.frequencies)


def hand_bundle(pixels: int, channels: int) -> tuple[bytes, np.ndarray]:
    """A picture of the hand model: 1×1 or 3×2; and its pixels."""
    size = (1, 1) if pixels == 1 else (2, 3)
    colours = min(channels, 3)
    seeds = np.full((1, 1, 1), 3) if pixels == 1 else np.arange(6 * colours).reshape(colours, *size) % 5 - 2
    patch = PatchSeeds(seeds.astype(np.int32), (), ALPHA if channels == 4 else None)
    payload, grown = encode_patch(patch, load_model(file_of(hand_tensors())), size, STEP)
    header = SeedsHeader(height=size[0], width=size[1], channels=channels, step=STEP, longest=64, model=1)
    return write_seeds_bundle(header, [payload]), grown


def vectors() -> Iterator[str]:
    """What the document says, line by line."""
    squashed, some, parts = squash_table(), (1, 2, 3, 10, 100, 1000, 1023), (0, 1, 2, 128, 255)
    yield f"Q of {', '.join(map(str, some))}: {_listed(squashed[list(some)])}; all add up to {squashed.sum():,}"
    yield f"M of {', '.join(map(str, parts))}: {_listed(MANTISSAS[list(parts)])}; all add up to {MANTISSAS.sum():,}"
    yield _hex(stream())
    yield from _states()
    yield _hex(alpha_stream())
    for pixels, channels in ((1, 1), (6, 4)):
        data, grown = hand_bundle(pixels, channels)
        yield _hex(data)
        yield "; ".join(_listed(pixel) for pixel in grown.reshape(-1, channels))


def main() -> None:
    sys.stdout.write("\n".join(vectors()) + "\n")


if __name__ == "__main__":
    main()
