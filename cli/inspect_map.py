"""A map of a bundle: what each patch takes, and how good it is, as colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from regrow.core.codec.decode import decode_bundle
from regrow.core.codec.format.bundle import AnyBundle
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.quality import psnr_from_mse
from regrow.core.errors import InvalidSettings

Values = npt.NDArray[np.float64]

_COLOURS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64)
"""From least to most; evenly spaced on viridis, which the colour-blind can read and which stays in order in grey."""

_SIDE = 480  # pixels that the longer side of a map takes, at least
_NARROWEST = 200  # pixels: the scale's numbers need as much
_MARGIN, _TITLE, _SCALE = 16, 30, 52
_INK, _PAPER = (28, 31, 33), (255, 255, 255)


def sizes_of(bundle: AnyBundle) -> Values:
    """Bytes of each patch's payload; float64 (rows, columns)."""
    grid = bundle.header.grid
    return np.array([len(payload) for payload in bundle.payloads], dtype=np.float64).reshape(grid.rows, grid.columns)


def psnrs_of(bundle: AnyBundle, original: Picture) -> Values:
    """PSNR of each patch in dB; float64 (rows, columns). Raises InvalidSettings where the pictures do not match."""
    header = bundle.header
    ours, theirs = (header.width, header.height, header.visible), (original.width, original.height, original.channels)
    if ours != theirs:
        raise InvalidSettings(
            "the original is {}×{} with {} channels".format(*theirs)
            + ", the bundle's picture {}×{} with {}".format(*ours)
        )
    regrown, psnrs = decode_bundle(bundle).picture.pixels, []
    for index in range(header.grid.count):
        (top, left), (height, width) = header.grid.origin(index), header.grid.extent(index)
        part = np.s_[top : top + height, left : left + width]
        difference = original.pixels[part].astype(np.float64) - regrown[part]
        psnrs.append(psnr_from_mse(float(np.mean(difference**2))))
    return np.array(psnrs).reshape(header.grid.rows, header.grid.columns)


def draw_map(bundle: AnyBundle, original: Picture | None) -> Picture:
    """A panel of bytes per patch; with the original, a second one of PSNR per patch. Raises InvalidSettings."""
    panels = [_panel(sizes_of(bundle), "bytes per patch")]
    if original is not None:
        panels.append(_panel(psnrs_of(bundle, original), "PSNR per patch, dB"))
    sheet = Image.new("RGB", (sum(panel.width for panel in panels), panels[0].height), _PAPER)
    left = 0
    for panel in panels:
        sheet.paste(panel, (left, 0))
        left += panel.width
    return Picture(np.asarray(sheet))


def _panel(values: Values, title: str) -> Image.Image:
    """One map under its title, over its scale."""
    rows, columns = values.shape
    cell = -(-_SIDE // max(rows, columns))
    low, high = float(values.min()), float(values.max())
    shares = (values - low) / (high - low) if high > low else np.full(values.shape, 0.5)
    cells = np.kron(_colours(shares), np.ones((cell, cell, 1), dtype=np.uint8))
    width = max(columns * cell, _NARROWEST)
    panel = Image.new("RGB", (width + 2 * _MARGIN, _TITLE + rows * cell + _SCALE), _PAPER)
    panel.paste(Image.fromarray(cells), (_MARGIN, _TITLE))
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(13)
    draw.text((_MARGIN, _TITLE // 2), title, _INK, font, anchor="lm")
    top = _TITLE + rows * cell + 10
    ramp = np.repeat(_colours(np.linspace(0, 1, width)[None]), 12, axis=0)
    panel.paste(Image.fromarray(ramp), (_MARGIN, top))
    for share, anchor in ((0.0, "lt"), (0.5, "mt"), (1.0, "rt")):
        number = f"{low + share * (high - low):.4g}"
        draw.text((_MARGIN + share * width, top + 17), number, _INK, font, anchor=anchor)
    return panel


def _colours(shares: Values) -> Pixels:
    """Shares in [0, 1] of any shape to uint8 (..., 3)."""
    places = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(shares, places, _COLOURS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
