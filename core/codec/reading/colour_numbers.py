"""Colour spaces given by numbers (PNG's cICP, gAMA and cHRM), and from them to sRGB.

Sources: ITU-T H.273 (code points), IEC 61966-2-1 (sRGB), PNG third edition (4.3, 11.3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regrow.core.codec.reading.raster import Bytes, Samples
from regrow.core.errors import UnsupportedImage

Floats = npt.NDArray[np.floating]
Curve = Callable[[Floats], Floats]
Corners = tuple[float, ...]
"""x and y of white, red, green and blue, as cHRM has them."""

_D65 = (0.3127, 0.3290)
_C = (0.310, 0.316)
_SRGB_CORNERS: Corners = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, Corners] = {
    1: _SRGB_CORNERS,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    10: (1 / 3, 1 / 3, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_NAMES = {1: "BT.709", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_HDR = {16: "PQ", 18: "HLG"}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_STRIPE = 1 << 20  # pixels that are floats at a time


def _srgb(levels: Floats) -> Floats:
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def _bt709(levels: Floats) -> Floats:
    return np.where(levels < 0.081, levels / 4.5, ((levels + 0.099) / 1.099) ** (1 / 0.45))


def _smpte240(levels: Floats) -> Floats:
    return np.where(levels < 0.0913, levels / 4, ((levels + 0.1115) / 1.1115) ** (1 / 0.45))


def _power(exponent: float) -> Curve:
    return lambda levels: levels**exponent


_CURVES: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _bt709),
    4: _power(2.2),
    5: _power(2.8),
    7: _smpte240,
    8: _power(1.0),
    13: _srgb,
    17: lambda levels: levels**2.6 * (52.37 / 48),
}


@dataclass(frozen=True, slots=True)
class ColourNumbers:
    """name: for people. curve: from levels 0..1 to light 0..1. narrow: black is 16/255 and white 235/255."""

    name: str
    corners: Corners
    curve: Curve
    narrow: bool = False

    @property
    def is_srgb(self) -> bool:
        return self.curve is _srgb and not self.narrow and bool(np.allclose(self.corners, _SRGB_CORNERS, atol=0.002))


SRGB = ColourNumbers("sRGB", _SRGB_CORNERS, _srgb)


def refuse_hdr(transfer: int) -> None:
    """Raises UnsupportedImage for H.273's transfer functions of HDR: there is no one right way to show them in sRGB."""
    if transfer in _HDR:
        raise UnsupportedImage(
            f"the image is in HDR ({_HDR[transfer]}), which is not supported: export it in a standard dynamic range"
        )


def of_cicp(primaries: int, transfer: int, matrix: int, full_range: int) -> ColourNumbers | None:
    """H.273's code points; None for those that are unknown or not for PNG. Raises UnsupportedImage for PQ and HLG."""
    refuse_hdr(transfer)
    if primaries not in _PRIMARIES or transfer not in _CURVES or matrix != 0 or full_range not in (0, 1):
        return None
    name = _NAMES.get(primaries, f"cICP {primaries}/{transfer}")
    return ColourNumbers(name, _PRIMARIES[primaries], _CURVES[transfer], narrow=full_range == 0)


def of_gamma(gamma: float | None, corners: Corners | None) -> ColourNumbers | None:
    """gAMA and cHRM: sRGB stands in for the one that is missing or makes no sense. None without both.

    A gamma of 1/2.2, give or take a twentieth as in libpng, with sRGB's primaries is how writers before the sRGB chunk
    said sRGB, and is taken so.
    """
    gamma = gamma if gamma is not None and 0.01 <= gamma <= 100 else None
    corners = corners if corners is not None and _make_sense(corners) else None
    if gamma is None and corners is None:
        return None
    numbers = ColourNumbers("gAMA/cHRM" if corners else f"gamma {gamma}", corners or _SRGB_CORNERS, _srgb)
    if gamma is None or (numbers.is_srgb and abs(gamma * 2.2 - 1) <= 0.05):
        return numbers
    return ColourNumbers(numbers.name, numbers.corners, _power(1 / gamma))


def _make_sense(corners: Corners) -> bool:
    if min(corners[1], min(corners)) < 0 or corners[1] == 0 or max(corners) > 1:
        return False
    return bool(np.linalg.cond(_to_xyz(corners)) < 1000) if np.linalg.det(_columns(corners)) else False


def _columns(corners: Corners) -> Floats:
    """The three primaries, each a column x, y, z."""
    x, y = np.array(corners[2::2]), np.array(corners[3::2])
    return np.stack([x, y, 1 - x - y])


def _white(corners: Corners) -> Floats:
    x, y = corners[:2]
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _to_xyz(corners: Corners) -> Floats:
    columns = _columns(corners)
    matrix: Floats = columns * np.linalg.solve(columns, _white(corners))
    return matrix


def _to_linear_srgb(corners: Corners) -> Floats:
    """3×3, with the white point adapted after Bradford."""
    ours, theirs = _BRADFORD @ _white(_SRGB_CORNERS), _BRADFORD @ _white(corners)
    adapt: Floats = np.linalg.solve(_BRADFORD, np.diag(ours / theirs) @ _BRADFORD)
    matrix: Floats = np.linalg.solve(_to_xyz(_SRGB_CORNERS), adapt @ _to_xyz(corners))
    return matrix


def convert(colour: Samples, numbers: ColourNumbers) -> Bytes:
    """Grey or RGB samples to 8-bit sRGB of the same shape; what is outside of sRGB is clipped. Grey stays grey."""
    light = _light_of_levels(int(np.iinfo(colour.dtype).max), numbers)
    encoded = _levels_of_light()
    if colour.shape[-1] == 1:
        grey: Bytes = _encode(light, encoded)[colour]
        return grey
    matrix = _to_linear_srgb(numbers.corners).T.astype(np.float32)
    result = np.empty(colour.shape, np.uint8)
    for rows in _stripes(colour):
        result[rows] = _encode(light.astype(np.float32)[colour[rows]] @ matrix, encoded)
    return result


def _light_of_levels(top: int, numbers: ColourNumbers) -> Floats:
    levels = np.linspace(0, 1, top + 1)
    if numbers.narrow:
        levels = np.clip((levels * 255 - 16) / 219, 0, 1)
    return numbers.curve(levels)


def _levels_of_light() -> Bytes:
    """sRGB's nearest level for each of 65536 amounts of light: within 0.03 levels of the exact curve."""
    light = np.linspace(0, 1, 65536)
    levels = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    nearest: Bytes = np.rint(levels * 255).astype(np.uint8)
    return nearest


def _encode(light: npt.NDArray[np.floating], encoded: Bytes) -> Bytes:
    levels: Bytes = encoded[np.rint(np.clip(light, 0, 1) * 65535).astype(np.uint16)]
    return levels


def _stripes(colour: Samples) -> Iterator[slice]:
    height, width = colour.shape[:2]
    step = max(1, _STRIPE // max(1, width))
    return (slice(top, top + step) for top in range(0, height, step))
