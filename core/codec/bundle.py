"""The bundle (`.gnca`): bytes to rules and back, as docs/FORMAT.md specifies. Version 0.

Reading checks everything before anything is allocated for it. The version byte picks the parser; a parser returns the
same `Bundle` value whatever its version.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.codec.engines.base import Rollout
from core.codec.patches import PatchGrid
from core.codec.quantization import QuantizedRules
from core.codec.rule import RuleShape
from core.codec.seeds import SeedKind
from core.errors import DamagedBundle, InvalidSettings, NotABundle, UnsupportedBundle

MAGIC = b"GNCA"
VERSION = 0
MAX_SIDE = 16_384
MAX_PATCHES = 200_000

# version, seed kind, visible, patch size, channels, hidden, steps, width, height, fire rate (in 2**-16), fire key
_HEADER = struct.Struct("<4sBBBBBHHHHHI")
_CRC = struct.Struct("<I")
_TABLE_ENTRY = struct.Struct("<HI")
_STEP_CODES = 3
_FIRE_UNIT = 1 << 16

_SEED_CODES = {SeedKind.PIXEL: 0, SeedKind.SCAFFOLD: 1}
_SEEDS_BY_CODE = {code: kind for kind, code in _SEED_CODES.items()}


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """Everything a decoder needs but the weights. height, width: pixels."""

    height: int
    width: int
    patch_size: int
    seed: SeedKind
    shape: RuleShape
    rollout: Rollout

    @property
    def grid(self) -> PatchGrid:
        return PatchGrid(self.height, self.width, self.patch_size)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A header and one payload per patch, in the grid's order. A payload is three step codes, then the symbols."""

    header: BundleHeader
    payloads: tuple[bytes, ...]

    def rules(self) -> QuantizedRules:
        """All rules, ready to decode."""
        table = np.frombuffer(b"".join(self.payloads), dtype=np.uint8).reshape(len(self.payloads), -1)
        return QuantizedRules(table[:, :_STEP_CODES], table[:, _STEP_CODES:].view(np.int8))


def encodable_fire_rate(fire_rate: float) -> float:
    """The nearest fire rate that a header can hold (multiples of 2**-16); what training must use."""
    return min(round(fire_rate * _FIRE_UNIT), _FIRE_UNIT - 1) / _FIRE_UNIT


def pack_payloads(rules: QuantizedRules) -> list[bytes]:
    """One payload per rule."""
    return [codes.tobytes() + symbols.tobytes() for codes, symbols in zip(rules.step_codes, rules.symbols, strict=True)]


def write_bundle(header: BundleHeader, payloads: Sequence[bytes]) -> bytes:
    """The bytes of a bundle. Raises InvalidSettings where the header cannot hold a value."""
    if len(payloads) != header.grid.count:
        raise InvalidSettings(f"the grid has {header.grid.count} patches, not {len(payloads)}")
    if not (1 <= header.height <= MAX_SIDE and 1 <= header.width <= MAX_SIDE):
        raise InvalidSettings(f"a bundle holds pictures up to {MAX_SIDE} pixels a side")
    head = _HEADER.pack(
        MAGIC,
        VERSION,
        _SEED_CODES[header.seed],
        header.shape.visible,
        header.patch_size,
        header.shape.channels,
        header.shape.hidden,
        header.rollout.steps,
        header.width,
        header.height,
        round(header.rollout.fire_rate * _FIRE_UNIT),
        header.rollout.fire_key,
    )
    table = b"".join(_TABLE_ENTRY.pack(len(payload), zlib.crc32(payload)) for payload in payloads)
    return head + table + _CRC.pack(zlib.crc32(head + table)) + b"".join(payloads)


def read_bundle(data: bytes) -> Bundle:
    """Parse and check a bundle.

    Raises NotABundle, UnsupportedBundle or DamagedBundle; never anything else, whatever the bytes.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise NotABundle("the file is not a Regrow bundle: it does not start with GNCA")
    if len(data) <= len(MAGIC):
        raise DamagedBundle("the bundle ends inside its header")
    parser = _PARSERS.get(data[len(MAGIC)])
    if parser is None:
        raise UnsupportedBundle(f"bundle version {data[len(MAGIC)]} is not known: this decoder knows {list(_PARSERS)}")
    return parser(data)


def _parse_version_0(data: bytes) -> Bundle:
    if len(data) < _HEADER.size:
        raise DamagedBundle("the bundle ends inside its header")
    header = _parse_header(data)
    count = header.grid.count
    table_end = _HEADER.size + count * _TABLE_ENTRY.size
    if len(data) < table_end + _CRC.size:
        raise DamagedBundle("the bundle ends inside its patch table")
    if _CRC.unpack_from(data, table_end)[0] != zlib.crc32(data[:table_end]):
        raise DamagedBundle("the checksum of the header and patch table is wrong")
    start = table_end + _CRC.size
    expected = _STEP_CODES + header.shape.parameters
    if len(data) != start + count * expected:
        raise DamagedBundle(f"the bundle is {len(data)} bytes long, its header says {start + count * expected}")
    payloads = []
    for index, (length, crc) in enumerate(_TABLE_ENTRY.iter_unpack(data[_HEADER.size : table_end])):
        payload = data[start : start + length]
        if length != expected:
            raise DamagedBundle(f"patch {index} is {length} bytes long, not {expected}")
        if zlib.crc32(payload) != crc:
            raise DamagedBundle(f"the checksum of patch {index} is wrong")
        if b"\x80" in payload[_STEP_CODES:]:
            raise DamagedBundle(f"patch {index} has a symbol of -128, which is outside the range")
        payloads.append(payload)
        start += length
    return Bundle(header, tuple(payloads))


def _parse_header(data: bytes) -> BundleHeader:
    _, _, seed, visible, size, channels, hidden, steps, width, height, fire, key = _HEADER.unpack_from(data)
    if seed not in _SEEDS_BY_CODE:
        raise UnsupportedBundle(f"seed kind {seed} is not known")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and size >= 1):
        raise DamagedBundle(f"the header's size {width}×{height} in patches of {size} is outside the limits")
    try:
        shape, rollout = RuleShape(channels, hidden, visible), Rollout(steps, fire / _FIRE_UNIT, key)
    except InvalidSettings as error:
        raise DamagedBundle(f"the header is wrong: {error}") from error
    header = BundleHeader(height, width, size, _SEEDS_BY_CODE[seed], shape, rollout)
    if header.grid.count > MAX_PATCHES:
        raise DamagedBundle(f"the header asks for {header.grid.count} patches, more than {MAX_PATCHES}")
    return header


_PARSERS: dict[int, Callable[[bytes], Bundle]] = {0: _parse_version_0}
