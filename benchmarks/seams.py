"""`regrow bench seams`: whether patches of the profile `seeds` can be told where they meet.

Pixels beside seams are compared with pixels elsewhere, and, since a seam may lie where a picture is harder, with
themselves: the middle of the picture is encoded once more, cut so that they lie in the middle of patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from regrow.benchmarks.machine import machine
from regrow.benchmarks.rd_store import Tell, tell_nobody
from regrow.core.codec.decode import decode
from regrow.core.codec.encode.seeds.encoder import assemble_seeds, encode_units
from regrow.core.codec.encode.seeds.plan import LONGEST, tiling_of, units_of
from regrow.core.codec.format.seeds.geometry import Tiling
from regrow.core.codec.images import Picture, Pixels
from regrow.core.codec.presets import Effort
from regrow.core.codec.profile import Profile
from regrow.core.codec.quality import psnr_from_mse
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import InvalidSettings

QUALITIES = (10.0, 30.0, 50.0, 70.0)
WITHIN = (1, 2, 4)
"""Pixels from a seam; those beside it are 1 from it."""

FAR = 16
"""Pixels, beyond which a seam changes nothing that is looked at here."""

Row = dict[str, Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seams:
    """A picture at one quality.

    regrown: uint8 (height, width, channels). at, lost: dB by WITHIN: the PSNR of pixels beside seams, and by how much
    more it would be if they lay within a patch. elsewhere: PSNR of the pixels farther than FAR. steps: by how many
    levels the error jumps from one side of a seam to the other, root mean square, and the same places within a patch.
    """

    regrown: Pixels
    bytes: int
    at: tuple[float, ...]
    lost: tuple[float, ...]
    elsewhere: float
    steps: tuple[float, float]


def bench_seams(
    pictures: Sequence[Picture], effort: Effort, tell: Tell = tell_nobody
) -> tuple[dict[str, Any], dict[tuple[int, float], Seams]]:
    """All measurements, means over pictures; and each of them by the number of its picture and the quality.

    Raises InvalidSettings where no picture has seams.
    """
    numbers = [number for number, picture in enumerate(pictures) if tiling_of(picture).count > 1]
    if not numbers:
        raise InvalidSettings(f"no photo here is longer than {LONGEST} pixels, which is one patch without seams")
    tasks = [(number, quality) for number in numbers for quality in QUALITIES]
    found: dict[tuple[int, float], Seams] = {}

    def work(task: tuple[int, float]) -> None:
        found[task] = seams_of(pictures[task[0]], task[1], effort)
        tell("seams", len(found), len(tasks))

    tell("seams", 0, len(tasks))
    with ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS) as pool:
        list(pool.map(work, tasks))
    by_quality = {quality: [found[number, quality] for number in numbers] for quality in QUALITIES}
    result = {
        "machine": machine(),
        "pictures": len(numbers),
        "longest_side_of_a_patch": LONGEST,
        "effort": str(effort),
        "beside_seams": [row for quality, every in by_quality.items() for row in _psnr_rows(quality, every)],
        "across_seams": [_step_row(quality, every) for quality, every in by_quality.items()],
    }
    return result, found


def _psnr_rows(quality: float, every: Sequence[Seams]) -> list[Row]:
    return [
        {
            "quality": quality,
            "pixels_from_seam": within,
            "at_seams_db": float(np.mean([each.at[place] for each in every])),
            "elsewhere_db": float(np.mean([each.elsewhere for each in every])),
            "lost_against_same_pixels_within_a_patch_db": float(np.mean([each.lost[place] for each in every])),
            "most_lost_by_a_picture_db": max(each.lost[place] for each in every),
        }
        for place, within in enumerate(WITHIN)
    ]


def _step_row(quality: float, every: Sequence[Seams]) -> Row:
    return {
        "quality": quality,
        "mean_bytes": float(np.mean([each.bytes for each in every])),
        "jump_of_error_across_seams_levels": float(np.mean([each.steps[0] for each in every])),
        "at_same_places_within_a_patch_levels": float(np.mean([each.steps[1] for each in every])),
    }


def seams_of(picture: Picture, quality: float, effort: Effort) -> Seams:
    """One picture, which has more than one patch."""
    tiling = tiling_of(picture)
    regrown, size = _regrown(picture, quality, effort)
    errors = regrown.astype(np.int32) - picture.pixels
    middle = _middle(tiling)
    inner = Picture(np.ascontiguousarray(picture.pixels[middle]))
    inner_errors = _regrown(inner, quality, effort)[0].astype(np.int32) - inner.pixels
    near, undisturbed = distances(tiling), _undisturbed(inner, tiling)
    at, lost = [], []
    for within in WITHIN:
        at.append(_psnr(errors, near <= within))
        same = (near[middle] <= within) & undisturbed
        lost.append(_psnr(inner_errors, same) - _psnr(errors[middle], same))
    lines = [each[part] == 1 for each, part in zip(_from_lines(tiling), middle, strict=True)]
    steps = _jump(errors[middle], lines, undisturbed), _jump(inner_errors, lines, undisturbed)
    return Seams(regrown, size, tuple(at), tuple(lost), _psnr(errors, near > FAR), steps)


def distances(tiling: Tiling) -> npt.NDArray[np.int64]:
    """How far every pixel is from the nearest seam, int64 (height, width): 1 beside it."""
    rows, columns = _from_lines(tiling)
    return np.minimum(rows[:, None], columns[None, :])


def _from_lines(tiling: Tiling) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How far every row is from a seam between rows, and every column from one between columns."""
    rows = [tiling.origin(row * tiling.columns)[0] for row in range(1, tiling.rows)]
    columns = [tiling.origin(column)[1] for column in range(1, tiling.columns)]
    return _along(tiling.height, rows), _along(tiling.width, columns)


def _along(length: int, seams: Sequence[int]) -> npt.NDArray[np.int64]:
    """seams: the first places behind them."""
    nearest = np.full(length, np.iinfo(np.int64).max)
    for seam in seams:
        place = np.arange(length)
        nearest = np.minimum(nearest, np.where(place < seam, seam - place, place - seam + 1))
    return nearest


def _middle(tiling: Tiling) -> tuple[slice, slice]:
    """The picture without half a patch on every side, where it is more than one patch long: seams are middles there."""
    cuts = []
    for length, count, side in zip(
        (tiling.height, tiling.width), (tiling.rows, tiling.columns), tiling.extent(0), strict=True
    ):
        off = side // 2 if count > 1 else 0
        cuts.append(slice(off, length - off))
    return cuts[0], cuts[1]


def _undisturbed(inner: Picture, outer: Tiling) -> Mask:
    """The pixels of the middle that are far from its own seams, and from where it was cut off."""
    far = distances(tiling_of(inner)) > FAR
    if outer.rows > 1:
        far[:FAR], far[-FAR:] = False, False
    if outer.columns > 1:
        far[:, :FAR], far[:, -FAR:] = False, False
    return far


def _regrown(picture: Picture, quality: float, effort: Effort) -> tuple[Pixels, int]:
    """Its pixels as decoded, and bytes of the file."""
    settings = EncodeSettings(profile=Profile.SEEDS, effort=effort, quality=quality)
    units = encode_units(picture, range(units_of(picture, settings)), settings)
    bundle = assemble_seeds(picture, settings, units).bundle
    return decode(bundle).picture.pixels, len(bundle)


def _psnr(errors: npt.NDArray[np.int32], where: Mask) -> float:
    return psnr_from_mse(float(np.mean(errors[where].astype(np.float64) ** 2)))


def _jump(errors: npt.NDArray[np.int32], beside: Sequence[Mask], where: Mask) -> float:
    """Root mean square of the difference of errors between the two pixels on either side of a seam.

    beside: which rows, and which columns, lie beside one.
    """
    total, count = 0, 0
    for axis in (0, 1):
        turned, allowed = np.moveaxis(errors, axis, 0), np.moveaxis(where, axis, 0)
        pairs = (beside[axis][1:] & beside[axis][:-1])[:, None] & allowed[1:] & allowed[:-1]
        jumps = (turned[1:] - turned[:-1])[pairs].astype(np.int64)
        total, count = total + int(np.sum(jumps**2)), count + jumps.size
    return float(np.sqrt(total / count))
