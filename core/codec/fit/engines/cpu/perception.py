"""The CPU engine's perception of a block of cells, and its adjoint; conventions as in simd.tiles."""

from __future__ import annotations

from collections.abc import Callable

from regrow.core.codec.simd.tiles import index_sum, lowered
from regrow.core.codec.simd.vectors import LANES, VECTORS, Value, constant, kernel, load, multiply_add, number, store


def _neighbours(builder: Value, base: Value, centre: Value, stride: Value) -> Callable[[int, int], Value]:
    """The vector of the cells `down` rows below and `right` columns right of each cell."""

    def at(down: int, right: int) -> Value:
        return load(builder, base, index_sum(builder, centre, builder.mul(number(down), stride), right))

    return at


def _sobel(builder: Value, at: Callable[[int, int], Value]) -> tuple[Value, Value]:
    """8 times the Sobel-x and Sobel-y responses."""
    falling = builder.fsub(at(1, 1), at(-1, -1))
    rising = builder.fsub(at(-1, 1), at(1, -1))
    across = builder.fsub(at(0, 1), at(0, -1))
    down = builder.fsub(at(1, 0), at(-1, 0))
    sobel_x = multiply_add(builder, across, constant(2.0), builder.fadd(falling, rising))
    sobel_y = multiply_add(builder, down, constant(2.0), builder.fsub(falling, rising))
    return sobel_x, sobel_y


@kernel
def perceive_block(typing, arena, state, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
    """One channel's block: copied to `identity`, and 8 times its Sobel responses. `stride`: from a row to the next."""

    def emit(builder, base, state, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            at = _neighbours(builder, base, index_sum(builder, state, v * LANES), stride)
            store(builder, at(0, 0), base, index_sum(builder, identity, v * LANES))
            for response, out in zip(_sobel(builder, at), (sobel_x, sobel_y), strict=True):
                store(builder, response, base, index_sum(builder, out, v * LANES))

    return lowered(arena, 5, emit)


@kernel
def perceive_block_back(typing, arena, gradient, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
    """The adjoint of perceive_block, added to one channel's block of `gradient`.

    Sobel kernels are odd, so the adjoint of correlating with one is minus the correlation with it.
    """

    def emit(builder, base, gradient, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            response_x, _ = _sobel(builder, _neighbours(builder, base, index_sum(builder, sobel_x, v * LANES), stride))
            _, response_y = _sobel(builder, _neighbours(builder, base, index_sum(builder, sobel_y, v * LANES), stride))
            place = index_sum(builder, gradient, v * LANES)
            direct = builder.fadd(
                load(builder, base, place), load(builder, base, index_sum(builder, identity, v * LANES))
            )
            total = builder.fsub(direct, builder.fadd(response_x, response_y))
            store(builder, total, base, place)

    return lowered(arena, 5, emit)
