"""ICC profiles that the tests make themselves: ICC.1:2010, version 2, a matrix and gamma, or one gamma for grey."""

from __future__ import annotations

import struct

import numpy as np

D65 = (0.3127, 0.3290)
SRGB_XY = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_XY = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE_XY = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
BT2020_XY = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def matrix_of(corners: tuple[float, ...], white: tuple[float, float] = D65) -> np.ndarray:
    """Linear RGB to XYZ, relative to the white. corners: x and y of red, green, blue."""
    columns = np.stack([_xyz(*corners[at : at + 2]) for at in (0, 2, 4)], axis=1)
    return columns * np.linalg.solve(columns, _xyz(*white))


def shown(levels: np.ndarray, corners: tuple[float, ...], gamma: float | None) -> np.ndarray:
    """What 0..1 levels of a space with a D65 white are in sRGB, 0..255, unrounded: IEC 61966-2-1, written again. gamma:
    None for sRGB's own curve."""
    dark = levels <= 0.04045
    light = levels**gamma if gamma else np.where(dark, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    light = light @ matrix_of(corners).T @ np.linalg.inv(matrix_of(SRGB_XY)).T
    return 255 * encoded(np.clip(light, 0, 1))


def encoded(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def _profile(space: bytes, tags: dict[bytes, bytes], between: bytes = b"XYZ ") -> bytes:
    name = b"desc" + bytes(4) + struct.pack(">I", 10) + b"test pink\0" + bytes(78)
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz_tag(_D50)} | tags
    table, data = struct.pack(">I", len(tags)), b""
    begin = 128 + 4 + 12 * len(tags)
    for tag, body in tags.items():
        table += struct.pack(">4sII", tag, begin + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    head = struct.pack(">I4sI4s4s4s", begin + len(data), bytes(4), 0x02400000, b"mntr", space, between)
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return head.ljust(128, b"\0") + table + data


def _xyz_tag(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _gamma_tag(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def rgb_profile(corners: tuple[float, ...], gamma: float, extra: dict[bytes, bytes] | None = None) -> bytes:
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _xyz(*D65))) @ _BRADFORD
    columns = adapt @ matrix_of(corners)
    tags = {name + b"XYZ": _xyz_tag(columns[:, at]) for at, name in enumerate((b"r", b"g", b"b"))}
    tags |= {name + b"TRC": _gamma_tag(gamma) for name in (b"r", b"g", b"b")}
    return _profile(b"RGB ", tags | (extra or {}))


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", {b"kTRC": _gamma_tag(gamma)})


def cmyk_profile() -> bytes:
    """Ink that only makes darker: L* is 100 · (1 − K) · (1 − the mean of C, M and Y); a table of two points a side."""
    ink = np.stack(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    lightness = (1 - ink[:, 3]) * (1 - ink[:, :3].mean(axis=1))
    lab = np.stack([np.rint(255 * lightness), np.full(16, 128.0), np.full(16, 128.0)], axis=1).astype(np.uint8)
    matrix = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).reshape(-1))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + bytes(range(256)) * 4 + lab.tobytes()
    return _profile(b"CMYK", {b"A2B0": table + bytes(range(256)) * 3}, between=b"Lab ")


def hdr_profile(transfer: int) -> bytes:
    """With the tag `cicp` of ICC.1:2022."""
    return rgb_profile(BT2020_XY, 2.4, {b"cicp": b"cicp" + bytes(4) + bytes([9, transfer, 0, 1])})
