"""Checklist row B5: coverage-guided fuzzing of the decoder. `python -m tests.format.fuzz_bundle -max_total_time=60`.

The input is used twice: as a file, and as a file whose checksums are made right first, so that the fuzzer gets past
them. Anything but a picture or a BundleError is a crash.
"""

from __future__ import annotations

import struct
import sys
import zlib

import atheris

with atheris.instrument_imports(include=["regrow.core.codec"]):
    from regrow.core.codec.decode import decode
    from regrow.core.codec.decode.growing import reference_grower
    from regrow.core.codec.format.bundle import Bundle, read_bundle
    from regrow.core.errors import BundleError

from tests.format.make_golden import FOLDER

MOST_WORK = 2_000_000
"""Products that an input may ask for: the time a picture takes is in proportion to what its header says, as for any
format, and the fuzzer shall not spend its time growing."""


def sealed(data: bytes) -> bytes:
    """The bytes with the checksums that their header and table ask for, as far as they can be found."""
    if len(data) < 16:
        return data
    presets, width, height, size = data[9], *struct.unpack_from("<HH", data, 12), max(1, data[8])
    start = 16 + (6 if data[7] & 0x80 else 0) + 2 * presets
    count = -(-width // size) * -(-height // size)
    if count > 100 or len(data) < start + 6 * count + 4:
        return data
    out, at = bytearray(data), start + 6 * count + 4
    for entry in range(start, start + 6 * count, 6):
        (length,) = struct.unpack_from("<H", out, entry)
        struct.pack_into("<I", out, entry + 2, zlib.crc32(out[at : at + length]))
        at += length
    struct.pack_into("<I", out, start + 6 * count, zlib.crc32(out[: start + 6 * count]))
    return bytes(out[:at])


def one_input(data: bytes) -> None:
    """What the fuzzer calls."""
    for tried in (data, sealed(data)):
        for on_damage in ("refuse", "conceal"):
            try:
                bundle = read_bundle(tried, on_damage)  # type: ignore[arg-type]
                if not isinstance(bundle, Bundle):  # of the profile seeds: fuzz_seeds has these
                    continue
                header = bundle.header
                cells = header.grid.count * header.patch_size**2
                if cells * header.rollout.steps * max(shape.parameters for shape in header.presets) <= MOST_WORK:
                    decode(tried, on_damage=on_damage, grower=reference_grower)  # type: ignore[arg-type]
            except BundleError:
                continue


def main() -> None:
    atheris.Setup([*sys.argv, "-rss_limit_mb=1024", "-timeout=10", str(FOLDER)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
