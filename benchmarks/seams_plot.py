"""The picture that belongs to `regrow bench seams`: where patches meet, enlarged, to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from regrow.benchmarks.seams import QUALITIES, Seams
from regrow.core.codec.encode.seeds.plan import tiling_of
from regrow.core.codec.images import Picture, Pixels

REGION, ENLARGED, BORDER = 96, 4, 14
MOST_ROWS = 4
INK, PAPER = (28, 31, 33), (255, 255, 255)


def plot_seams(pictures: Sequence[Picture], found: Mapping[tuple[int, float], Seams], path: Path) -> None:
    """A row for each of the pictures that lose most beside their seams: the original, and every quality, as PNG.

    Seams are marked in the border only, so that nobody sees one because it is drawn.
    """
    numbers = sorted({number for number, _ in found}, key=lambda each: -_lost(found, each))[:MOST_ROWS]
    cell = REGION * ENLARGED + 2 * BORDER
    sheet = Image.new("RGB", (cell * (1 + len(QUALITIES)), cell * len(numbers)), PAPER)
    for row, number in enumerate(numbers):
        top, left, marks = _region(pictures[number])
        versions = [("original", pictures[number].pixels)]
        for quality in QUALITIES:
            seams = found[number, quality]
            versions.append((f"quality {quality:g}, {seams.bytes} bytes", seams.regrown))
        for column, (text, pixels) in enumerate(versions):
            cut = pixels[top : top + REGION, left : left + REGION]
            sheet.paste(_framed(cut, marks, text, cell), (column * cell, row * cell))
    sheet.save(path, "PNG")


def _lost(found: Mapping[tuple[int, float], Seams], number: int) -> float:
    """dB beside the seams, of all qualities together."""
    return sum(seams.lost[0] for (other, _), seams in found.items() if other == number)


def _region(picture: Picture) -> tuple[int, int, tuple[int | None, int | None]]:
    """Top and left of a part around the first seams, and at which of its rows and columns they are; None without."""
    tiling = tiling_of(picture)
    row = tiling.origin(tiling.columns)[0] if tiling.rows > 1 else None
    column = tiling.origin(1)[1] if tiling.columns > 1 else None
    top = _start(row, picture.height)
    left = _start(column, picture.width)
    return top, left, (None if row is None else row - top, None if column is None else column - left)


def _start(seam: int | None, length: int) -> int:
    middle = length // 2 if seam is None else seam
    return max(0, min(middle - REGION // 2, length - REGION))


def _framed(pixels: Pixels, marks: tuple[int | None, int | None], text: str, cell: int) -> Image.Image:
    """Enlarged without smoothing, in a white border with a dash at both ends of each seam."""
    frame = Image.new("RGB", (cell, cell), PAPER)
    height, width = (ENLARGED * side for side in pixels.shape[:2])
    colours = np.broadcast_to(pixels[..., :3], (*pixels.shape[:2], 3))
    large = Image.fromarray(np.ascontiguousarray(colours)).resize((width, height), Image.Resampling.NEAREST)
    frame.paste(large, (BORDER, BORDER))
    draw = ImageDraw.Draw(frame)
    draw.text((BORDER, 1), text, fill=INK)
    row, column = (None if mark is None else BORDER + ENLARGED * mark for mark in marks)
    for far in (0, 1):
        if row is not None:
            start = far * (BORDER + width)
            draw.line([(start + 2, row), (start + BORDER - 3, row)], fill=INK)
        if column is not None:
            start = far * (BORDER + height)
            draw.line([(column, start + 2), (column, start + BORDER - 3)], fill=INK)
    return frame
