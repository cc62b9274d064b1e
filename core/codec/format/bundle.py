"""The bundle (`.gnca`): bytes to payloads and back, as docs/FORMAT.md specifies. Version 1.

Reading checks everything before anything is allocated for it. The version byte picks the parser, and the profile byte
that of the version. What is here but `read_bundle` is of the profile `rules`; `seeds` has a package of its own.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from regrow.core.codec.coder import Coder
from regrow.core.codec.format.fixed_point import IntegerRule
from regrow.core.codec.format.payload import preset_of, read_payload
from regrow.core.codec.format.seeds import bundle as seeds
from regrow.core.codec.format.seeds.bundle import SeedsBundle, SeedsHeader
from regrow.core.codec.format.seeds.model import released_model
from regrow.core.codec.patches import PatchGrid
from regrow.core.codec.rollout import Rollout
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.seeds import SeedKind
from regrow.core.errors import DamagedBundle, InvalidSettings, NotABundle, UnsupportedBundle

MAGIC = b"GNCA"
VERSION = 1
PROFILE = 0
NO_PRIOR = 0
MAX_SIDE = 16_384
MAX_PATCHES = 200_000
MAX_PRESETS = 7
MAX_PAYLOAD = 0xFFFF

OnDamage = Literal["refuse", "conceal"]

# magic, version, profile, prior, coding, patch size, presets, steps, width, height
_HEADER = struct.Struct("<4sBBBBBBHHH")
_PROFILE_PLACE = 5
_FIRE = struct.Struct("<HI")
_PRESET = struct.Struct("<BB")
_CRC = struct.Struct("<I")
_TABLE_ENTRY = struct.Struct("<HI")
# The coding byte: coder in bits 0 and 1, seed kind in bits 2 and 3, visible channels in bits 4 to 6, then this flag.
_FIRE_FLAG = 0x80
_FIRE_UNIT = 1 << 16

_SEED_CODES = {SeedKind.PIXEL: 0, SeedKind.SCAFFOLD: 1}
_SEEDS_BY_CODE = {code: kind for kind, code in _SEED_CODES.items()}
_CODER_CODES = {Coder.BYTES: 0, Coder.ANS: 1}
_CODERS_BY_CODE = {code: coder for coder, code in _CODER_CODES.items()}


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """Everything a decoder needs but the weights.

    height, width: of the picture, in pixels. patch_size: a patch's side in pixels. seed: what patches are grown from;
    rollout: how. coder: how the weights are written. presets: the sizes of the rules that occur, by their number.
    """

    height: int
    width: int
    patch_size: int
    seed: SeedKind
    rollout: Rollout
    coder: Coder
    presets: tuple[RuleShape, ...]

    @property
    def grid(self) -> PatchGrid:
        """Where each patch lies in the picture."""
        return PatchGrid(self.height, self.width, self.patch_size)

    @property
    def visible(self) -> int:
        """Channels of the picture: 1 (grey), 3 (RGB) or 4 (RGB and alpha)."""
        return self.presets[0].visible

    @property
    def steps(self) -> int:
        """Of the picture's growth."""
        return self.rollout.steps


@dataclass(frozen=True, slots=True)
class Bundle:
    """A header and one payload per patch, in the grid's order.

    damaged: numbers of the patches whose payload is not to be trusted; only ever any where damage is concealed.
    """

    header: BundleHeader
    payloads: tuple[bytes, ...]
    damaged: tuple[int, ...] = ()

    def shape(self, index: int) -> RuleShape:
        """The sizes of one patch's rule. Raises DamagedBundle."""
        number = preset_of(self.payloads[index])
        if number >= len(self.header.presets):
            raise DamagedBundle(f"patch {index} is of preset {number}: the header lists {len(self.header.presets)}")
        return self.header.presets[number]

    def rule(self, index: int) -> IntegerRule:
        """One patch's rule. Raises DamagedBundle."""
        try:
            return read_payload(self.payloads[index], self.shape(index), self.header.coder)
        except DamagedBundle as error:
            raise DamagedBundle(f"patch {index}: {error}") from error


AnyHeader = BundleHeader | SeedsHeader
AnyBundle = Bundle | SeedsBundle
"""Of either profile."""


def encodable_fire_rate(fire_rate: float) -> float:
    """The nearest fire rate that a header can hold (multiples of 2**-16); what training must use."""
    return min(round(fire_rate * _FIRE_UNIT), _FIRE_UNIT - 1) / _FIRE_UNIT


def bundle_size(payloads: Sequence[int], presets: int, rollout: Rollout) -> int:
    """Bytes of a bundle whose payloads have these lengths."""
    fire = _FIRE.size if rollout.fire_rate else 0
    head = _HEADER.size + fire + presets * _PRESET.size + _CRC.size
    return head + len(payloads) * _TABLE_ENTRY.size + sum(payloads)


def write_bundle(header: BundleHeader, payloads: Sequence[bytes]) -> bytes:
    """The bytes of a bundle. Raises InvalidSettings where the format cannot hold a value."""
    if len(payloads) != header.grid.count:
        raise InvalidSettings(f"the grid has {header.grid.count} patches, not {len(payloads)}")
    if not (1 <= header.height <= MAX_SIDE and 1 <= header.width <= MAX_SIDE):
        raise InvalidSettings(f"a bundle holds pictures up to {MAX_SIDE} pixels a side")
    if not 1 <= len(header.presets) <= MAX_PRESETS:
        raise InvalidSettings(f"a bundle holds 1 to {MAX_PRESETS} presets, not {len(header.presets)}")
    if not 1 <= header.patch_size <= 255 or header.grid.count > MAX_PATCHES:
        raise InvalidSettings(f"a bundle holds up to {MAX_PATCHES} patches of 1 to 255 pixels a side")
    longest = max(len(payload) for payload in payloads)
    if longest > MAX_PAYLOAD:
        raise InvalidSettings(f"a patch takes at most {MAX_PAYLOAD} bytes, not {longest}")
    rollout = header.rollout
    if rollout.fire_rate != encodable_fire_rate(rollout.fire_rate):
        raise InvalidSettings(f"a bundle cannot hold a fire rate of {rollout.fire_rate}: see encodable_fire_rate")
    coding = _CODER_CODES[header.coder] | _SEED_CODES[header.seed] << 2 | header.visible << 4
    coding |= _FIRE_FLAG if rollout.fire_rate else 0
    sizes = header.patch_size, len(header.presets), rollout.steps, header.width, header.height
    head = _HEADER.pack(MAGIC, VERSION, PROFILE, NO_PRIOR, coding, *sizes)
    if rollout.fire_rate:
        head += _FIRE.pack(round(rollout.fire_rate * _FIRE_UNIT), rollout.fire_key)
    head += b"".join(_PRESET.pack(shape.channels, shape.hidden) for shape in header.presets)
    table = b"".join(_TABLE_ENTRY.pack(len(payload), zlib.crc32(payload)) for payload in payloads)
    return head + table + _CRC.pack(zlib.crc32(head + table)) + b"".join(payloads)


def read_bundle(data: bytes, on_damage: OnDamage = "refuse") -> AnyBundle:
    """Parse a bundle, and check all but what the payloads say.

    on_damage: "conceal" tolerates damage to payloads, and payloads missing at the end, and tells of it. Raises
    NotABundle, UnsupportedBundle or DamagedBundle; never anything else, whatever the bytes.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise NotABundle("the file is not a Regrow bundle: it does not start with GNCA")
    if len(data) <= len(MAGIC):
        raise DamagedBundle("the bundle ends inside its header")
    parser = _PARSERS.get(data[len(MAGIC)])
    if parser is None:
        raise UnsupportedBundle(f"bundle version {data[len(MAGIC)]} is not known: this decoder knows {list(_PARSERS)}")
    return parser(data, on_damage)


def _parse_version_1(data: bytes, on_damage: OnDamage) -> AnyBundle:
    if len(data) <= _PROFILE_PLACE:
        raise DamagedBundle("the bundle ends inside its header")
    parser = _PROFILES.get(data[_PROFILE_PLACE])
    if parser is None:
        raise UnsupportedBundle(f"profile {data[_PROFILE_PLACE]} is not known: this decoder knows {list(_PROFILES)}")
    return parser(data, on_damage)


def _parse_seeds(data: bytes, on_damage: OnDamage) -> SeedsBundle:
    bundle = seeds.parse_seeds(data, conceal=on_damage == "conceal")
    released_model(bundle.header.model)
    return bundle


def _parse_rules(data: bytes, on_damage: OnDamage) -> Bundle:
    header, header_end = _parse_header(data)
    table_end = header_end + header.grid.count * _TABLE_ENTRY.size
    if len(data) < table_end + _CRC.size:
        raise DamagedBundle("the bundle ends inside its patch table")
    if _CRC.unpack_from(data, table_end)[0] != zlib.crc32(data[:table_end]):
        raise DamagedBundle("the checksum of the header and patch table is wrong")
    table = list(_TABLE_ENTRY.iter_unpack(data[header_end:table_end]))
    start = table_end + _CRC.size
    expected = start + sum(length for length, _ in table)
    if len(data) > expected or (len(data) < expected and on_damage == "refuse"):
        raise DamagedBundle(f"the bundle is {len(data)} bytes long, its patch table says {expected}")
    payloads, damaged = [], []
    for index, (length, crc) in enumerate(table):
        payload = data[start : start + length]
        if zlib.crc32(payload) != crc:
            if on_damage == "refuse":
                raise DamagedBundle(f"the checksum of patch {index} is wrong")
            damaged.append(index)
        payloads.append(payload)
        start += length
    return Bundle(header, tuple(payloads), tuple(damaged))


def _parse_header(data: bytes) -> tuple[BundleHeader, int]:
    """The header, and where it ends."""
    if len(data) < _HEADER.size:
        raise DamagedBundle("the bundle ends inside its header")
    _, _, _, prior, coding, size, presets, steps, width, height = _HEADER.unpack_from(data)
    coder, seed, visible = coding & 3, coding >> 2 & 3, coding >> 4 & 7
    for name, value, known in (
        ("prior", prior, (NO_PRIOR,)),
        ("coder", coder, _CODERS_BY_CODE),
        ("seed kind", seed, _SEEDS_BY_CODE),
    ):
        if value not in known:
            raise UnsupportedBundle(f"{name} {value} is not known: this decoder knows {list(known)}")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and size >= 1):
        raise DamagedBundle(f"the header's size {width}×{height} in patches of {size} is outside the limits")
    if not 1 <= presets <= MAX_PRESETS:
        raise DamagedBundle(f"the header lists {presets} presets: 1 to {MAX_PRESETS} are possible")
    fire_bytes = _FIRE.size if coding & _FIRE_FLAG else 0
    end = _HEADER.size + fire_bytes + presets * _PRESET.size
    if len(data) < end:
        raise DamagedBundle("the bundle ends inside its header")
    fire, key = _FIRE.unpack_from(data, _HEADER.size) if fire_bytes else (0, 0)
    if fire_bytes and not fire:
        raise DamagedBundle("the header gives a fire rate of zero, which it should leave out")
    try:
        sizes = _PRESET.iter_unpack(data[end - presets * _PRESET.size : end])
        shapes = tuple(RuleShape(channels, hidden, visible) for channels, hidden in sizes)
        rollout = Rollout(steps, fire / _FIRE_UNIT, key)
    except InvalidSettings as error:
        raise DamagedBundle(f"the header is wrong: {error}") from error
    header = BundleHeader(height, width, size, _SEEDS_BY_CODE[seed], rollout, _CODERS_BY_CODE[coder], shapes)
    if header.grid.count > MAX_PATCHES:
        raise DamagedBundle(f"the header asks for {header.grid.count} patches, more than {MAX_PATCHES}")
    return header, end


_PROFILES: dict[int, Callable[[bytes, OnDamage], AnyBundle]] = {PROFILE: _parse_rules, seeds.PROFILE: _parse_seeds}
_PARSERS = {VERSION: _parse_version_1}
