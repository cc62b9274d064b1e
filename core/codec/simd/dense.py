"""Products of small dense float32 matrices in numba code, on explicit vectors. For the optimiser's rotations."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from regrow.core.codec.simd.vectors import (
    LANES,
    Value,
    constant,
    for_each_case,
    kernel,
    load,
    number,
    product_tile,
    store,
)

TILE = 8  # rows whose sums are held in registers together


@kernel
def _dense_tile(typing, left, right, out, rows, row, column):  # type: ignore[no-untyped-def]
    """out[row:row + rows, column:column + LANES] of left · right; rows is 1 or TILE."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
        ]
        left, right, out = (array.data for array in arrays)
        rows, row, column = arguments[3:]
        depth, width = _sizes(builder, arrays[1])

        def place(i: int) -> Value:
            return builder.add(builder.mul(builder.add(row, number(i)), width), column)

        def scalar(i: int, k: Value) -> Value:
            index = builder.add(builder.mul(builder.add(row, number(i)), depth), k)
            return builder.load(builder.gep(left, [index]))

        def vector(_: int, k: Value) -> Value:
            return load(builder, right, builder.add(builder.mul(k, width), column))

        def tile(n: int) -> None:
            zero = constant(0.0)
            product_tile(
                builder,
                n,
                1,
                depth,
                lambda *_: zero,
                scalar,
                vector,
                lambda i, sums: store(builder, sums[0], out, place(i)),
            )

        for_each_case(builder, rows, (1, TILE), tile)
        return context.get_dummy_value()

    return types.void(left, right, out, types.int64, types.int64, types.int64), generate


def _sizes(builder: Value, array: Value) -> tuple[Value, Value]:
    """Rows and columns of a two-dimensional array."""
    return builder.extract_value(array.shape, 0), builder.extract_value(array.shape, 1)


@njit(nogil=True, error_model="numpy")
def product(left, right, out):  # type: ignore[no-untyped-def]
    """out = left · right, all C-contiguous and two-dimensional.

    The last tiles overlap those before them, so that all are whole; matrices narrower than a vector take plain loops.
    """
    height, width = out.shape
    if width < LANES:
        for i in range(height):
            for j in range(width):
                total = np.float32(0.0)
                for k in range(right.shape[0]):
                    total += left[i, k] * right[k, j]
                out[i, j] = total
        return
    rows = TILE if height >= TILE else 1
    for i in range(0, height, rows):
        for j in range(0, width, LANES):
            _dense_tile(left, right, out, rows, min(i, height - rows), min(j, width - LANES))
