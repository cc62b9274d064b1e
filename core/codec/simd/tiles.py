"""The CPU engine's kernels, callable from numba code: tiles of the rule's matrix products, masks, transposition.

All work on one flat float32 array `arena` (a thread's scratch memory); the other arguments are int64 offsets into it,
strides and sizes. Cells run along the vector lanes: a block is BLOCK consecutive cells, and a matrix called
"(rows, BLOCK)" is stored row by row without gaps. `plane` is the distance between two channels of a state. Tiles take
1 to ROWS rows of a product; their left matrix is (depth, width), so that a tile's scalars lie side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types

from regrow.core.codec.simd.vectors import (
    LANES,
    ROWS,
    VECTORS,
    Value,
    constant,
    for_each_case,
    kernel,
    load,
    number,
    product_tile,
    splat,
    store,
    transposed,
)

BLOCK = LANES * VECTORS
TALL = 2 * ROWS
CASES = range(1, ROWS + 1)
TALL_CASES = range(1, TALL + 1)
Place = Callable[[int, int], Value]


def lowered(arena: Any, count: int, emit: Callable[..., None]) -> tuple[Any, Any]:
    """What an intrinsic returns: its type (arena, count integers) -> none, and a call of emit(builder, base, *them)."""

    def generate(context: Any, builder: Value, signature: Any, arguments: Any) -> Value:
        base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        emit(builder, base, *arguments[1:])
        return context.get_dummy_value()

    return types.void(arena, *[types.int64] * count), generate


def index_sum(builder: Value, *terms: Value | int) -> Value:
    """The sum of indices; Python integers count as constants."""
    total = number(0)
    for term in terms:
        total = builder.add(total, number(term) if isinstance(term, int) else term)
    return total


def _scalar(builder: Value, base: Value, index: Value) -> Value:
    return builder.load(builder.gep(base, [index]))


def _block_place(builder: Value, start: Value, stride: Value) -> Place:
    """Where vector v of row r of a tile lies, for rows `stride` apart; computed once per tile."""
    rows = [index_sum(builder, start, builder.mul(number(row), stride)) for row in range(TALL)]
    return lambda row, vector: index_sum(builder, rows[row], vector * LANES)


def _store_row(builder: Value, base: Value, place: Place, row: int, totals: list[Value]) -> None:
    for v, total in enumerate(totals):
        store(builder, total, base, place(row, v))


def _cells_product(
    builder: Value,
    base: Value,
    rows: int,
    operands: tuple[Value, Value, Value, Value],
    start: Callable[[int, int], Value],
    finish: Callable[[int, list[Value]], None],
) -> None:
    """A tile of left^T · right, of operands (left, width, right, depth): right is (depth, BLOCK)."""
    left, width, right, depth = operands
    product_tile(
        builder,
        rows,
        VECTORS,
        depth,
        start,
        lambda row, k: _scalar(builder, base, index_sum(builder, left, builder.mul(k, width), row)),
        lambda v, k: load(builder, base, index_sum(builder, right, builder.mul(k, number(BLOCK)), v * LANES)),
        finish,
    )


@kernel
def hidden_tile(typing, arena, rows, left, width, right, depth, bias, out):  # type: ignore[no-untyped-def]
    """Rows of relu(left^T · right + bias) into out (rows, BLOCK). A not-a-number stays one."""

    def emit(builder, base, rows, left, width, right, depth, bias, out):  # type: ignore[no-untyped-def]
        place = _block_place(builder, out, number(BLOCK))

        def start(row: int, _: int) -> Value:
            return splat(builder, _scalar(builder, base, index_sum(builder, bias, row)))

        def finish(row: int, totals: list[Value]) -> None:
            for v, total in enumerate(totals):
                negative = builder.fcmp_ordered("<", total, constant(0.0))
                store(builder, builder.select(negative, constant(0.0), total), base, place(row, v))

        operands = (left, width, right, depth)
        for_each_case(builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, start, finish))

    return lowered(arena, 7, emit)


@kernel
def update_tile(typing, arena, rows, left, width, right, depth, mask, old, new, plane):  # type: ignore[no-untyped-def]
    """Rows of old + left^T · right into new; old and new are blocks of states.

    Cells where mask (BLOCK) is zero stay as they are, whatever the product is, so that borders stay zero.
    """

    def emit(builder, base, rows, left, width, right, depth, mask, old, new, plane):  # type: ignore[no-untyped-def]
        source = _block_place(builder, old, plane)
        place = _block_place(builder, new, plane)

        def finish(row: int, totals: list[Value]) -> None:
            for v, total in enumerate(totals):
                fires = load(builder, base, index_sum(builder, mask, v * LANES))
                before = load(builder, base, source(row, v))
                rests = builder.fcmp_ordered("==", fires, constant(0.0))
                after = builder.select(rests, before, builder.fadd(before, total))
                store(builder, after, base, place(row, v))

        operands = (left, width, right, depth)
        zero = constant(0.0)
        for_each_case(
            builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
        )

    return lowered(arena, 9, emit)


@kernel
def gated_tile(typing, arena, rows, left, width, right, depth, gate, out, sums):  # type: ignore[no-untyped-def]
    """Rows of left^T · right, zeroed where gate (rows, BLOCK) is zero, into out (rows, BLOCK): back through a ReLU.

    Adds each row's vectors to sums (rows, LANES).
    """

    def emit(builder, base, rows, left, width, right, depth, gate, out, sums):  # type: ignore[no-untyped-def]
        source = _block_place(builder, gate, number(BLOCK))
        place = _block_place(builder, out, number(BLOCK))
        row_sum = _block_place(builder, sums, number(LANES))

        def finish(row: int, totals: list[Value]) -> None:
            added = load(builder, base, row_sum(row, 0))
            for v, total in enumerate(totals):
                closed = builder.fcmp_ordered("==", load(builder, base, source(row, v)), constant(0.0))
                passed = builder.select(closed, constant(0.0), total)
                store(builder, passed, base, place(row, v))
                added = builder.fadd(added, passed)
            store(builder, added, base, row_sum(row, 0))

        operands = (left, width, right, depth)
        zero = constant(0.0)
        for_each_case(
            builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
        )

    return lowered(arena, 8, emit)


@kernel
def plane_tile(typing, arena, rows, left, width, right, depth, out, plane):  # type: ignore[no-untyped-def]
    """Rows of left^T · right into a block of planes."""

    def emit(builder, base, rows, left, width, right, depth, out, plane):  # type: ignore[no-untyped-def]
        place = _block_place(builder, out, plane)
        operands = (left, width, right, depth)
        zero = constant(0.0)

        def finish(row: int, totals: list[Value]) -> None:
            _store_row(builder, base, place, row, totals)

        for_each_case(
            builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
        )

    return lowered(arena, 7, emit)


@kernel
def weight_tile(typing, arena, rows, vectors, left, right, out, width):  # type: ignore[no-untyped-def]
    """out += left · right, a sum over the block's cells.

    left: (rows, BLOCK); right: (BLOCK, width), of which `vectors` (1 or VECTORS) vectors a row are taken; out: rows
    `width` apart. A tile of one vector a row takes up to TALL rows, as fewer sums would wait for each other.
    """

    def emit(builder, base, rows, vectors, left, right, out, width):  # type: ignore[no-untyped-def]
        place = _block_place(builder, out, width)

        def tile(n: int, v_count: int) -> None:
            product_tile(
                builder,
                n,
                v_count,
                number(BLOCK),
                lambda row, v: load(builder, base, place(row, v)),
                lambda row, k: _scalar(builder, base, index_sum(builder, left, k, row * BLOCK)),
                lambda v, k: load(builder, base, index_sum(builder, right, builder.mul(k, width), v * LANES)),
                lambda row, totals: _store_row(builder, base, place, row, totals),
            )

        def tiles(v_count: int) -> None:
            for_each_case(builder, rows, TALL_CASES if v_count == 1 else CASES, lambda n: tile(n, v_count))

        for_each_case(builder, vectors, (1, VECTORS), tiles)

    return lowered(arena, 6, emit)


@kernel
def transpose_block(typing, arena, source, rows, out, width):  # type: ignore[no-untyped-def]
    """source (LANES, BLOCK), of which `rows` rows are taken, into LANES columns of out (BLOCK, width); zeros beyond."""

    def emit(builder, base, source, rows, out, width):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            taken = []
            for row in range(LANES):
                inside = builder.icmp_signed("<", number(row), rows)
                # A row beyond the last reads the first one instead, which is always there.
                index = builder.select(inside, number(row * BLOCK), number(0))
                value = load(builder, base, index_sum(builder, source, index, v * LANES))
                taken.append(builder.select(inside, value, constant(0.0)))
            for lane, column in enumerate(transposed(builder, taken)):
                offset = builder.mul(number(v * LANES + lane), width)
                store(builder, column, base, index_sum(builder, out, offset))

    return lowered(arena, 4, emit)


@kernel
def masked_block(typing, arena, gradient, mask, out):  # type: ignore[no-untyped-def]
    """out = gradient · mask, blocks of one channel; nothing but zeros where the mask is zero."""

    def emit(builder, base, gradient, mask, out):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            fires = load(builder, base, index_sum(builder, mask, v * LANES))
            rests = builder.fcmp_ordered("==", fires, constant(0.0))
            value = load(builder, base, index_sum(builder, gradient, v * LANES))
            store(builder, builder.select(rests, constant(0.0), value), base, index_sum(builder, out, v * LANES))

    return lowered(arena, 3, emit)
