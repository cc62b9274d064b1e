"""Coverage-guided fuzzing of the profile `seeds`. `python -m tests.format.fuzz_seeds FOLDER -max_total_time=60`.

An input is used as a file, and as a file whose checksums are made right first. Anything but pixels or a BundleError is
a crash, and so is a picture that the decoder written from the document alone does not make.
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["regrow.core.codec"]):
    from regrow.core.codec.format.seeds.bundle import parse_seeds
    from regrow.core.errors import BundleError
    from tests.format.seeds_samples import decode_by, random_bundle, random_header, random_model

from tests.format import seeds_decoder
from tests.format.seeds_decoder_model import FormatError

START = b"GNCA\x01\x01\x01"
MOST_PIXELS = 600
MODEL_FILE, MODEL = random_model(0)


def _check(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")[:3]


def sealed(data: bytes) -> bytes:
    """The bytes with the checksums that their header and table ask for, as far as they can be found."""
    try:
        header = seeds_decoder.read_header(data)
    except FormatError:
        return data
    table = header.end + 6 * len(header.patches()) if header.longest < max(header.width, header.height) else header.end
    if table == header.end:
        return data + _check(data)
    out, at = bytearray(data), table + 3
    if len(out) < at:
        return data
    for entry in range(header.end, table, 6):
        length = int.from_bytes(out[entry : entry + 3], "little")
        out[entry + 3 : entry + 6] = _check(bytes(out[at : at + length]))
        at += length
    out[table : table + 3] = _check(bytes(out[:table]))
    return bytes(out[:at])


def _pixels(data: bytes) -> np.ndarray | None:
    """By the reference; None where it is refused."""
    try:
        return decode_by(data, MODEL)
    except BundleError:
        return None


def _by_the_document(data: bytes) -> np.ndarray | None:
    try:
        return seeds_decoder.decode(data, MODEL_FILE)
    except FormatError:
        return None


def one_input(data: bytes) -> None:
    """What the fuzzer calls."""
    for tried in (START + data, sealed(START + data)):
        try:
            header = parse_seeds(tried, conceal=True).header
        except BundleError:
            continue
        if header.height * header.width <= MOST_PIXELS:
            pixels, theirs = _pixels(tried), _by_the_document(tried)
            assert (pixels is None) == (theirs is None), "one decoder refuses what the other does not"
            assert pixels is None or np.array_equal(pixels, theirs), "two decoders make two pictures"


def write_corpus(folder: Path) -> None:
    """What the fuzzer begins with: small bundles without what all begin with."""
    for number in range(24):
        rng = np.random.default_rng(number)
        header = random_header(rng, 12, patches=number % 4 == 3)
        (folder / str(number)).write_bytes(random_bundle(rng, header, MODEL)[len(START) :])


def main() -> None:
    for folder in [argument for argument in sys.argv[1:] if not argument.startswith("-")][:1]:
        write_corpus(Path(folder))
    atheris.Setup([*sys.argv, "-rss_limit_mb=1024", "-timeout=20", "-max_len=4096"], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
