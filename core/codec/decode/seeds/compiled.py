"""A patch of the profile `seeds` read and grown by compiled code: what decode.seeds.reference does, fast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from regrow.core.codec.decode.seeds import activation, law_kernels, symbol_kernels
from regrow.core.codec.decode.seeds.law_kernels import (
    MARGIN,
    answer_details,
    answer_low_pass,
    detail_law,
    fronts_of,
    low_pass_law,
    squashed,
)
from regrow.core.codec.decode.seeds.symbol_kernels import OK, raise_failure, read_alpha, read_seed, stream_of, tables_of
from regrow.core.codec.decode.seeds.walk import DetailBand, Frame, LowPassBand, grow_patch
from regrow.core.codec.format.seeds.alpha_plane import OPAQUE
from regrow.core.codec.format.seeds.contexts import squash_table
from regrow.core.codec.format.seeds.geometry import Size
from regrow.core.codec.format.seeds.model import COLOURS, SeedModel
from regrow.core.codec.simd import dense, vectors
from regrow.core.codec.simd.cache import cached, digest

RGBA = 4
SQUASHED = squash_table().astype(np.float32)


def decode_patch(
    payload: bytes,
    model: SeedModel,
    size: Size,
    channels: int,
    code: int,
    on_frame: Callable[[Frame], None] | None = None,
) -> npt.NDArray[np.uint8]:
    """The pixels of a patch, uint8 (height, width, channels); channels: 1, 3 or 4. Raises DamagedBundle."""
    reader = _Reader(payload, model)
    if channels != RGBA:
        pixels = grow_patch(model, size, channels, code, reader, on_frame)
    else:
        alpha = reader.alpha(size)
        pixels = np.zeros((*size, RGBA), dtype=np.uint8)
        if alpha.any():
            pixels[..., :COLOURS] = grow_patch(model, size, COLOURS, code, reader, on_frame)
            pixels[..., COLOURS] = alpha
    reader.end()
    return pixels


class _Reader:
    """Seeds out of a patch's bytes."""

    def __init__(self, payload: bytes, model: SeedModel) -> None:
        self._stream, self._tables = stream_of(payload), tables_of(model.tables)

    def alpha(self, size: Size) -> npt.NDArray[np.uint8]:
        padded = np.full((size[0] + 2 * MARGIN, size[1] + 2 * MARGIN), OPAQUE, dtype=np.int64)
        raise_failure(_read_alpha(self._stream, padded))
        return padded[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.uint8)

    def low_pass(self, band: LowPassBand) -> None:
        raise_failure(
            _read_low_pass(
                self._stream, self._tables, band.colour, band.planes, band.size, band.step, band.told, band.network
            )
        )

    def details(self, band: DetailBand) -> None:
        place = (band.own, band.others, band.planes, band.parent, band.seen, band.told)
        raise_failure(_read_details(self._stream, self._tables, band.seeds, place, band.network, SQUASHED))

    def end(self) -> None:
        """Raises DamagedBundle where bytes are left."""
        if self._stream.state[2] < len(self._stream.data):
            raise_failure(symbol_kernels.NOT_AT_END)


_SOURCES = digest(activation, law_kernels, symbol_kernels, dense, vectors)


def _read_alpha_with(sources: str) -> Callable[..., int]:
    """An entry point, cached on disk; compiled anew when `sources` changes (core.codec.simd.cache)."""

    @cached(nogil=True, error_model="numpy")
    def read_plane(stream, padded):  # type: ignore[no-untyped-def]
        """Alpha into a plane; OK or a failure."""
        _ = sources
        return read_alpha(stream, padded)

    return read_plane


def _read_low_pass_with(sources: str) -> Callable[..., int]:
    @cached(nogil=True, error_model="numpy")
    def read_low_pass(stream, tables, colour, planes, size, step, told, network):  # type: ignore[no-untyped-def]
        """A colour of the low-pass band into its plane; OK or a failure."""
        _ = sources
        for front in range(fronts_of(size)):
            first, end = answer_low_pass(front, size, colour, planes, step, told, network)
            for row in range(first, end):
                column = front - 2 * row
                mean, scale = low_pass_law(network, row - first, row, column, planes[colour], step)
                seed, failure = read_seed(stream, tables, mean, scale)
                if failure != OK:
                    return failure
                planes[colour, row + MARGIN, column + MARGIN] = seed
        return OK

    return read_low_pass


def _read_details_with(sources: str) -> Callable[..., int]:
    @cached(nogil=True, error_model="numpy")
    def read_details(stream, tables, seeds, place, network, squash):  # type: ignore[no-untyped-def]
        """A colour of a band into its seeds and its squashed plane; OK or a failure."""
        _ = sources
        own, planes, size = place[0], place[2], seeds.shape
        for front in range(fronts_of(size)):
            first, end = answer_details(front, size, place, network)
            for row in range(first, end):
                column = front - 2 * row
                mean, scale = detail_law(network, row - first)
                seed, failure = read_seed(stream, tables, mean, scale)
                if failure != OK:
                    return failure
                if seed:
                    seeds[row, column] = seed
                    planes[own, row + MARGIN, column + MARGIN] = squashed(squash, seed)
        return OK

    return read_details


_read_alpha = _read_alpha_with(_SOURCES)
_read_low_pass = _read_low_pass_with(_SOURCES)
_read_details = _read_details_with(_SOURCES)
