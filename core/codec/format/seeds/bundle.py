"""Bundles of the profile `seeds`: bytes to a header and the patches' coded seeds, and back.

With one patch: header, payload, and the low 24 bits of the CRC-32 of both. With more: header, a table of each payload's
length and checksum (3 bytes each), the checksum of header and table, payloads.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from regrow.core.codec.format.seeds.arithmetic import STEP_CODES
from regrow.core.codec.format.seeds.geometry import PATCH_SIZES, Tiling, levels_of
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.errors import DamagedBundle, InvalidSettings, UnsupportedBundle

MAGIC, VERSION, PROFILE = b"GNCA", 1, 1
MAX_SIDE = 16_384
MAX_PAYLOAD = (1 << 24) - 1
CHANNELS = (1, 3, 4)
"""Of the picture, by their code: grey, RGB, RGBA."""

_FIXED = struct.Struct("<4sBBBH")
_CRC_BYTES = 3
_ENTRY_BYTES = 6


@dataclass(frozen=True, slots=True)
class SeedsHeader:
    """height, width: of the picture. channels: 1 (grey), 3 (RGB) or 4 (RGBA). step: code of the quantisation step size,
    0 to 2560; it is 2 ** (-step / 256). longest: longest side of a patch. model: id of the model."""

    height: int
    width: int
    channels: int
    step: int
    longest: int
    model: int

    @property
    def tiling(self) -> Tiling:
        """Where each patch lies in the picture."""
        return Tiling(self.height, self.width, self.longest)

    @property
    def grid(self) -> Tiling:
        """The same, by the name that it has in all profiles."""
        return self.tiling

    @property
    def visible(self) -> int:
        """Channels of the picture, by the name that they have in all profiles."""
        return self.channels

    @property
    def steps(self) -> int:
        """Of the longest growth of a patch; each new scale is a step, too. Raises UnsupportedBundle."""
        model, tiling = released_model(self.model), self.tiling
        levels = levels_of((-(-self.height // tiling.rows), -(-self.width // tiling.columns)))
        return levels * (model.coarse_steps + 1) + model.fine_steps


@dataclass(frozen=True, slots=True)
class SeedsBundle:
    """A header and one payload per patch. damaged: numbers of the patches whose payload is not to be trusted."""

    header: SeedsHeader
    payloads: tuple[bytes, ...]
    damaged: tuple[int, ...] = ()


def _crc(data: bytes) -> bytes:
    """The low 24 bits of CRC-32."""
    return zlib.crc32(data).to_bytes(4, "little")[:_CRC_BYTES]


def _side(side: int) -> bytes:
    """A side less 1: seven bits a byte, the low ones first, with bit 7 where more follow."""
    return bytes([side - 1]) if side <= 128 else bytes([(side - 1) & 0x7F | 0x80, (side - 1) >> 7])


def seeds_bundle_size(header: SeedsHeader, payloads: Sequence[int]) -> int:
    """Bytes of a bundle whose payloads have these lengths."""
    head = _FIXED.size + len(_side(header.width)) + len(_side(header.height)) + _CRC_BYTES
    return head + (_ENTRY_BYTES * len(payloads) if len(payloads) > 1 else 0) + sum(payloads)


def write_seeds_bundle(header: SeedsHeader, payloads: Sequence[bytes]) -> bytes:
    """The bytes of a bundle. Raises InvalidSettings where the format cannot hold a value."""
    if not (1 <= header.height <= MAX_SIDE and 1 <= header.width <= MAX_SIDE):
        raise InvalidSettings(f"a bundle holds pictures up to {MAX_SIDE} pixels a side")
    if not 0 <= header.step < STEP_CODES:
        raise InvalidSettings(f"a step is from 0 to {STEP_CODES - 1}, not {header.step}")
    if len(payloads) != header.tiling.count:
        raise InvalidSettings(f"the picture has {header.tiling.count} patches, not {len(payloads)}")
    longest = max(len(payload) for payload in payloads)
    if longest > MAX_PAYLOAD:
        raise InvalidSettings(f"a patch takes at most {MAX_PAYLOAD} bytes, not {longest}")
    kinds = CHANNELS.index(header.channels) << 12 | PATCH_SIZES.index(header.longest) << 14
    head = _FIXED.pack(MAGIC, VERSION, PROFILE, header.model, header.step | kinds)
    head += _side(header.width) + _side(header.height)
    if len(payloads) == 1:
        body = head + payloads[0]
        return body + _crc(body)
    table = b"".join(len(payload).to_bytes(3, "little") + _crc(payload) for payload in payloads)
    return head + table + _crc(head + table) + b"".join(payloads)


def parse_seeds(data: bytes, *, conceal: bool) -> SeedsBundle:
    """Read bytes that begin with magic, version and profile, and check all but what payloads say.

    Raises UnsupportedBundle or DamagedBundle.
    """
    header, end = _header(data)
    if header.tiling.count == 1:
        sound = len(data) >= end + _CRC_BYTES and data[-_CRC_BYTES:] == _crc(data[:-_CRC_BYTES])
        if not sound and not conceal:
            raise DamagedBundle("the checksum of the bundle is wrong, or it is cut short")
        return SeedsBundle(header, (data[end:-_CRC_BYTES],), () if sound else (0,))
    table_end = end + _ENTRY_BYTES * header.tiling.count
    start = table_end + _CRC_BYTES
    if len(data) < start:
        raise DamagedBundle("the bundle ends inside its patch table")
    if data[table_end:start] != _crc(data[:table_end]):
        raise DamagedBundle("the checksum of the header and patch table is wrong")
    entries = [data[place : place + _ENTRY_BYTES] for place in range(end, table_end, _ENTRY_BYTES)]
    expected = start + sum(int.from_bytes(entry[:3], "little") for entry in entries)
    if len(data) > expected or (len(data) < expected and not conceal):
        raise DamagedBundle(f"the bundle is {len(data)} bytes long, its patch table says {expected}")
    payloads, damaged = [], []
    for index, entry in enumerate(entries):
        length = int.from_bytes(entry[:3], "little")
        payload = data[start : start + length]
        if len(payload) < length or _crc(payload) != entry[3:]:
            if not conceal:
                raise DamagedBundle(f"the checksum of patch {index} is wrong")
            damaged.append(index)
        payloads.append(payload)
        start += length
    return SeedsBundle(header, tuple(payloads), tuple(damaged))


def _header(data: bytes) -> tuple[SeedsHeader, int]:
    """The header, and where it ends."""
    if len(data) < _FIXED.size:
        raise DamagedBundle("the bundle ends inside its header")
    *_, model, fields = _FIXED.unpack_from(data)
    kind = fields >> 12 & 3
    if kind >= len(CHANNELS):
        raise UnsupportedBundle(
            f"a picture of kind {kind} is not known: this decoder knows {list(range(len(CHANNELS)))}"
        )
    step = fields & 0xFFF
    if step >= STEP_CODES:
        raise DamagedBundle(f"the header's step is {step}: {STEP_CODES - 1} is the largest")
    place, sides = _FIXED.size, []
    for _ in range(2):
        part = data[place : place + 2]
        long = 2 if part[:1] >= b"\x80" else 1
        if len(part) < long:
            raise DamagedBundle("the bundle ends inside its header")
        side = part[0] & 0x7F | (part[1] << 7 if long == 2 else 0)
        if side >= MAX_SIDE or (long == 2 and side < 128):
            raise DamagedBundle("the header's size is outside the limits, or not written as it should be")
        sides.append(side + 1)
        place += long
    width, height = sides
    return SeedsHeader(height, width, CHANNELS[kind], step, PATCH_SIZES[fields >> 14], model), place
