"""A decoder of `.gnca` bundles (format version 1), written from FORMAT.md alone.

It shares no code with any other implementation and aims at being easy to compare with the document: its parts carry
the numbers of the document's sections. All arithmetic is on integers, but for theta (section 2) and the seed (3.1).

    python independent_decoder.py IN.gnca OUT.png
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class FormatError(ValueError):
    """The data are not a bundle that a reader of version 1 accepts."""


def require(condition: bool, message: str) -> None:
    """Refuse the data, with one sentence, unless the condition holds."""
    if not condition:
        raise FormatError(message)


# ---------------------------------------------------------------------------------------------------------------------
# 1. Layout
# ---------------------------------------------------------------------------------------------------------------------

MAGIC = b"GNCA"
FIXED_HEADER = struct.Struct("<4sBBBBBBHHH")  # the 16 bytes that every header has
FIRE_FIELDS = struct.Struct("<HI")
PATCH_ENTRY = struct.Struct("<HI")
CRC_FIELD = struct.Struct("<I")
PAYLOAD_HEAD = 6  # bytes of a payload before its symbols
MAX_PATCHES = 200_000


@dataclass(frozen=True)
class Header:
    """The fields of section 1.1, and the patch table's place in the file."""

    coder: int
    seed_kind: int
    visible: int
    patch_size: int
    steps: int
    width: int
    height: int
    fire: tuple[int, int] | None  # rate F and key K
    presets: tuple[tuple[int, int], ...]  # n_c and h_s of each
    table_start: int

    @property
    def columns(self) -> int:
        """Patches in a row of patches."""
        return -(-self.width // self.patch_size)

    @property
    def patches(self) -> int:
        """Patches of the picture."""
        return self.columns * -(-self.height // self.patch_size)


@dataclass(frozen=True)
class Patch:
    """A payload of section 1.3: the rule of one patch, with the quantities that follow from its fields."""

    channels: int  # n_c
    hidden: int  # h_s
    precision: int  # p
    hidden_shift: int  # r
    bias_shift: int  # beta
    update_shift: int  # n
    multiplier: int  # m
    w1: Ints  # (h_s, 3 n_c)
    b1: Ints  # (h_s, 1)
    w2: Ints  # (n_c, h_s)


# 1.1 Header


def read_header(data: bytes) -> Header:
    """Read and check the header."""
    require(data[:4] == MAGIC, "This is no .gnca bundle: it does not start with GNCA.")
    require(len(data) >= FIXED_HEADER.size, "The file ends inside its header.")
    _, version, profile, prior, coding, size, preset_count, steps, width, height = FIXED_HEADER.unpack_from(data)
    require(version == 1, f"Version {version} of the format is not known; this reader knows version 1.")
    require(profile == 0, f"Profile {profile} is reserved.")
    require(prior == 0, f"Prior {prior} is reserved.")
    coder, seed_kind, visible, has_fire = coding & 3, coding >> 2 & 3, coding >> 4 & 7, coding >> 7
    require(coder <= 1, f"Coder {coder} is not known.")
    require(seed_kind <= 1, f"Seed kind {seed_kind} is not known.")
    require(visible in (1, 3, 4), f"A picture cannot have {visible} channels; 1, 3 and 4 are allowed.")
    require(size >= 1, "The patch size is 0.")
    require(1 <= preset_count <= 7, f"The number of presets is {preset_count}, not 1 to 7.")
    require(1 <= steps <= 1024, f"The number of steps is {steps}, not 1 to 1024.")
    require(1 <= width <= 16_384, f"The width is {width}, not 1 to 16384.")
    require(1 <= height <= 16_384, f"The height is {height}, not 1 to 16384.")
    position = FIXED_HEADER.size
    presets_start = position + (FIRE_FIELDS.size if has_fire else 0)
    table_start = presets_start + 2 * preset_count
    require(len(data) >= table_start, "The file ends inside its header.")
    fire: tuple[int, int] | None = None
    if has_fire:
        rate, key = FIRE_FIELDS.unpack_from(data, position)
        require(rate >= 1, "The fire rate is 0.")
        fire = (rate, key)
    raw = data[presets_start:table_start]
    presets = tuple(zip(raw[0::2], raw[1::2], strict=True))
    for number, (channels, hidden) in enumerate(presets):
        require(visible + 1 <= channels <= 64, f"Preset {number} has {channels} channels, not {visible + 1} to 64.")
        require(hidden >= 1, f"Preset {number} has a hidden size of 0.")
    header = Header(coder, seed_kind, visible, size, steps, width, height, fire, presets, table_start)
    require(header.patches <= MAX_PATCHES, f"The bundle has {header.patches} patches; {MAX_PATCHES} is the most.")
    return header


# 1.2 Patch table


def read_table(data: bytes, header: Header) -> list[tuple[int, int, int]]:
    """Check the table, its CRC and the file's length; give start, end and CRC of every payload."""
    table_end = header.table_start + PATCH_ENTRY.size * header.patches
    position = table_end + CRC_FIELD.size
    require(len(data) >= position, "The file ends inside its patch table.")
    (crc,) = CRC_FIELD.unpack_from(data, table_end)
    require(zlib.crc32(data[:table_end]) == crc, "The CRC of header and patch table is wrong.")
    payloads: list[tuple[int, int, int]] = []
    for length, payload_crc in PATCH_ENTRY.iter_unpack(data[header.table_start : table_end]):
        payloads.append((position, position + length, payload_crc))
        position += length
    require(position == len(data), f"The file has {len(data)} bytes; by its patch table it must have {position}.")
    return payloads


# 1.3 Payload

MULTIPLIERS = (32768, 35734, 38968, 42495, 46341, 50535, 55109, 60097)  # M of section 3.2


def read_payload(payload: bytes, crc: int, header: Header, name: str) -> Patch:
    """Read and check one patch's payload; `name` says in an error which patch it is."""
    require(zlib.crc32(payload) == crc, f"The CRC of {name} is wrong.")
    require(len(payload) >= PAYLOAD_HEAD, f"The payload of {name} is too short.")
    gain, second, third = payload[:3]
    models = payload[3:PAYLOAD_HEAD]
    precision, hidden_shift = second & 15, second >> 4
    bias_shift, preset = third & 31, third >> 5
    require(precision >= 4, f"The precision of {name} is {precision}, not 4 to 15.")
    require(bias_shift <= 23, f"The bias shift of {name} is {bias_shift}, not 0 to 23.")
    require(preset < len(header.presets), f"The preset of {name} is {preset}; the bundle has {len(header.presets)}.")
    most = 63 if header.coder == 1 else 0
    require(max(models) <= most, f"A model of {name} is {max(models)}; {most} is the most.")
    update_shift = precision - hidden_shift - 1 - (-gain // 8)
    require(1 <= update_shift <= 46, f"The update shift of {name} is {update_shift}, not 1 to 46.")

    channels, hidden = header.presets[preset]
    counts = (hidden * 3 * channels, hidden, channels * hidden)
    coded = payload[PAYLOAD_HEAD:]
    read = read_coded_symbols if header.coder == 1 else read_plain_symbols
    w1, b1, w2 = np.split(read(coded, counts, models, name), (counts[0], counts[0] + counts[1]))
    return Patch(
        channels=channels,
        hidden=hidden,
        precision=precision,
        hidden_shift=hidden_shift,
        bias_shift=bias_shift,
        update_shift=update_shift,
        multiplier=MULTIPLIERS[-gain % 8],
        w1=w1.reshape(hidden, 3 * channels),
        b1=b1.reshape(hidden, 1),
        w2=w2.reshape(channels, hidden),
    )


# ---------------------------------------------------------------------------------------------------------------------
# 2. Symbols
# ---------------------------------------------------------------------------------------------------------------------

LARGEST = 127
TOTAL_BITS = 24
LOW_BITS = (1 << TOTAL_BITS) - 1


def read_plain_symbols(coded: bytes, counts: tuple[int, int, int], models: bytes, name: str) -> Ints:
    """Coder 0: one signed byte per symbol, and no models."""
    require(len(coded) == sum(counts), f"The payload of {name} has {len(coded)} symbols, not {sum(counts)}.")
    symbols = np.frombuffer(coded, np.int8).astype(np.int64)
    require(int(symbols.min()) >= -LARGEST, f"A symbol of {name} is -128.")
    return symbols


def read_coded_symbols(coded: bytes, counts: tuple[int, int, int], models: bytes, name: str) -> Ints:
    """Coder 1: an asymmetric numeral system, with one model per tensor."""
    require(not coded.endswith(b"\0"), f"The coded symbols of {name} end with a zero byte.")
    padded = coded + bytes(-len(coded) % 4)
    words = list(struct.unpack(f"<{len(padded) // 4}I", padded))
    state = words.pop() if words else 0
    if words:
        state = state << 32 | words.pop()
    symbols: list[int] = []
    for count, model in zip(counts, models, strict=True):
        frequencies, cumulative = model_tables(model)
        for _ in range(count):
            q = state & LOW_BITS
            index = bisect_right(cumulative, q) - 1
            symbols.append(index - LARGEST)
            state = frequencies[index] * (state >> TOTAL_BITS) + q - cumulative[index]
            if state < 1 << 32 and words:
                state = state << 32 | words.pop()
    require(state == 0 and not words, f"The coded symbols of {name} do not end where they should.")
    return np.array(symbols, np.int64)


@lru_cache(maxsize=64)
def model_tables(model: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Frequencies f(k) and cumulative frequencies c(k) of a model, for k = -127 to 127."""
    theta = round(math.exp(-1 / 2 ** ((model - 16) / 8)) * 2**32)
    u = 1 << 32
    weights: list[int] = []
    for _ in range(LARGEST + 1):
        weights.append((u << 64) // ((1 << 32) + u) ** 2)
        u = u * theta >> 32
    total = weights[0] + 2 * sum(weights[1:])
    tail = [1 + ((1 << TOTAL_BITS) - 255) * weight // total for weight in weights[1:]]
    frequencies = (*reversed(tail), (1 << TOTAL_BITS) - 2 * sum(tail), *tail)
    cumulative: list[int] = []
    below = 0
    for frequency in frequencies:
        cumulative.append(below)
        below += frequency
    return frequencies, tuple(cumulative)


# ---------------------------------------------------------------------------------------------------------------------
# 3. Growing a patch
# ---------------------------------------------------------------------------------------------------------------------

ONE = 1 << 16  # values are in units of 2^-16
CODE_LIMIT = 32_767
STATE_LIMIT = 1 << 30


def grow(patch: Patch, header: Header) -> NDArray[np.uint8]:
    """Grow one patch from its seed for all steps; give its pixels, (S, S, V)."""
    state = make_seed(header, patch.channels)
    for step in range(header.steps):
        update(state, patch, header, step)
    return make_pixels(state[: header.visible])


# 3.1 Seed


def make_seed(header: Header, channels: int) -> Ints:
    """Make the state before the first update, (n_c, S, S)."""
    size, visible = header.patch_size, header.visible
    state = np.zeros((channels, size, size), np.int64)
    if header.seed_kind == 0:
        state[visible:, size // 2, size // 2] = ONE
        return state
    for channel, plane in zip(range(visible, channels), scaffold(size), strict=False):
        state[channel] = plane
    return state


@lru_cache(maxsize=4)
def scaffold(size: int) -> Ints:
    """Make the twelve planes of seed kind 1, (12, S, S)."""
    planes: list[Ints] = []
    for frequency in (1, 2.5, 6):
        for wave in (math.sin, math.cos):
            values = [wave(math.pi * frequency * (i + 0.5) / size) for i in range(size)]
            line = np.array([math.floor(value * ONE + 0.5) for value in values], np.int64)
            planes.append(np.broadcast_to(line[None, :], (size, size)))  # by column
            planes.append(np.broadcast_to(line[:, None], (size, size)))  # by row
    return np.stack(planes)


# 3.2 Update


def update(state: Ints, patch: Patch, header: Header, step: int) -> None:
    """Update the state once, in place."""
    channels, size, _ = state.shape
    p, r, n = patch.precision, patch.hidden_shift, patch.update_shift
    # Steps 1 and 2: codes and perception. The codes have a border of zeros, which is what lies outside the patch.
    codes = np.zeros((channels, size + 2, size + 2), np.int64)
    codes[:, 1:-1, 1:-1] = np.clip((state + (1 << (15 - p))) >> (16 - p), -CODE_LIMIT, CODE_LIMIT)
    z = np.empty((3, channels, size, size), np.int64)
    z[0] = codes[:, 1:-1, 1:-1]
    down = codes[:, :-2] + 2 * codes[:, 1:-1] + codes[:, 2:]
    z[1] = (down[:, :, 2:] - down[:, :, :-2] + 4) >> 3
    across = codes[:, :, :-2] + 2 * codes[:, :, 1:-1] + codes[:, :, 2:]
    z[2] = (across[:, 2:] - across[:, :-2] + 4) >> 3
    # Steps 3 to 6: the rule. Cells are columns.
    a = (patch.b1 << patch.bias_shift) + patch.w1 @ z.reshape(3 * channels, size * size)
    h = np.minimum((np.maximum(a, 0) + ((1 << r) >> 1)) >> r, CODE_LIMIT)
    d = patch.w2 @ h
    u = ((d * patch.multiplier + (1 << (n - 1))) >> n).reshape(state.shape)
    # Step 7. A cell that does not fire stays as it is; the clamp does not change it, as it was clamped before.
    if header.fire is not None:
        u *= firing(header.fire, step, size)
    np.clip(state + u, -STATE_LIMIT, STATE_LIMIT, out=state)


def firing(fire: tuple[int, int], step: int, size: int) -> NDArray[np.bool_]:
    """Say which cells of a patch fire at a step, (S, S)."""
    rate, key = fire
    start = (key * 0x9E3779B1 + step * 0x85EBCA77) % (1 << 32)
    h = np.arange(size * size, dtype=np.uint32) * np.uint32(0xC2B2AE3D) + np.uint32(start)  # wraps, as it should
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return (h < np.uint32(rate << 16)).reshape(size, size)


# 3.3 Pixels


def make_pixels(state: Ints) -> NDArray[np.uint8]:
    """Turn visible channels, (V, S, S), into pixels, (S, S, V)."""
    half = ONE // 2
    values = (255 * (np.clip(state, -half, half) + half) + half) >> 16
    return values.astype(np.uint8).transpose(1, 2, 0)


# ---------------------------------------------------------------------------------------------------------------------
# 4. What a reader checks, and the whole
# ---------------------------------------------------------------------------------------------------------------------


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decode a bundle into a picture, (H, W, V).

    Patches are read one at a time: a payload without coded bytes stands for up to 65,535 symbols, so that to hold all
    rules at once could take far more memory than the file or the picture.

    Raises:
        FormatError: if the data are not a bundle that a reader accepts.
    """
    header = read_header(data)
    payloads = read_table(data, header)
    picture = np.empty((header.height, header.width, header.visible), np.uint8)
    size = header.patch_size
    for number, (start, end, crc) in enumerate(payloads):
        patch = read_payload(data[start:end], crc, header, f"patch {number}")
        row, column = size * (number // header.columns), size * (number % header.columns)
        target = picture[row : row + size, column : column + size]
        target[...] = grow(patch, header)[: target.shape[0], : target.shape[1]]
    return picture


def main() -> None:
    """Decode the bundle named by the first argument into the PNG file named by the second."""
    from PIL import Image

    if len(sys.argv) != 3:
        sys.exit("usage: python independent_decoder.py IN.gnca OUT.png")
    try:
        picture = decode(Path(sys.argv[1]).read_bytes())
    except FormatError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(sys.argv[2], "PNG")


if __name__ == "__main__":
    main()
