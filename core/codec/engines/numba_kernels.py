"""The CPU engine's kernels, callable from numba code: tiles of the rule's matrix products, Sobel, transposition.

All work on one flat float32 array `arena` (a thread's scratch memory); the other arguments are int64 offsets into it,
strides and sizes. Cells run along the vector lanes: a block is BLOCK consecutive cells, and a matrix called
"(rows, BLOCK)" is stored row by row without gaps. `plane` is the distance between two channels of a state. Tiles take
1 to ROWS rows of a product; their left matrix is (depth, width), so that a tile's scalars lie side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from core.codec.engines.numba_vectors import (
    LANES,
    ROWS,
    VECTORS,
    Value,
    constant,
    for_each_case,
    load,
    multiply_add,
    number,
    product_tile,
    splat,
    store,
    transposed,
)

BLOCK = LANES * VECTORS
<<<<<<< HEAD
TALL = 2 * ROWS
CASES = range(1, ROWS + 1)
TALL_CASES = range(1, TALL + 1)
=======
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)
Place = Callable[[int, int], Value]


def _lowered(arena: Any, count: int, emit: Callable[..., None]) -> tuple[Any, Any]:
    """What an intrinsic returns: its type (arena, count integers) -> none, and a call of emit(builder, base, *them)."""

    def generate(context: Any, builder: Value, signature: Any, arguments: Any) -> Value:
        base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        emit(builder, base, *arguments[1:])
        return context.get_dummy_value()

    return types.void(arena, *[types.int64] * count), generate


def _sum(builder: Value, *terms: Value | int) -> Value:
    """The sum of indices; Python integers count as constants."""
    total = number(0)
    for term in terms:
        total = builder.add(total, number(term) if isinstance(term, int) else term)
    return total


def _scalar(builder: Value, base: Value, index: Value) -> Value:
    return builder.load(builder.gep(base, [index]))


def _block_place(builder: Value, start: Value, stride: Value) -> Place:
    """Where vector v of row r of a tile lies, for rows `stride` apart; computed once per tile."""
<<<<<<< HEAD
    rows = [_sum(builder, start, builder.mul(number(row), stride)) for row in range(TALL)]
    return lambda row, vector: _sum(builder, rows[row], vector * LANES)


def _store_row(builder: Value, base: Value, place: Place, row: int, totals: list[Value]) -> None:
    for v, total in enumerate(totals):
        store(builder, total, base, place(row, v))


=======
    rows = [_sum(builder, start, builder.mul(number(row), stride)) for row in range(ROWS)]
    return lambda row, vector: _sum(builder, rows[row], vector * LANES)


>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)
def _cells_product(
    builder: Value,
    base: Value,
    rows: int,
    operands: tuple[Value, Value, Value, Value],
    start: Callable[[int, int], Value],
<<<<<<< HEAD
    finish: Callable[[int, list[Value]], None],
=======
    finish: Callable[[int, int, Value], None],
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)
) -> None:
    """A tile of left^T · right, of operands (left, width, right, depth): right is (depth, BLOCK)."""
    left, width, right, depth = operands
    product_tile(
        builder,
        rows,
        VECTORS,
        depth,
        start,
        lambda row, k: _scalar(builder, base, _sum(builder, left, builder.mul(k, width), row)),
        lambda v, k: load(builder, base, _sum(builder, right, builder.mul(k, number(BLOCK)), v * LANES)),
        finish,
    )


@intrinsic
def hidden_tile(typing, arena, rows, left, width, right, depth, bias, out):  # type: ignore[no-untyped-def]
    """Rows of relu(left^T · right + bias) into out (rows, BLOCK). A not-a-number stays one."""

    def emit(builder, base, rows, left, width, right, depth, bias, out):  # type: ignore[no-untyped-def]
        place = _block_place(builder, out, number(BLOCK))

        def start(row: int, _: int) -> Value:
            return splat(builder, _scalar(builder, base, _sum(builder, bias, row)))

<<<<<<< HEAD
        def finish(row: int, totals: list[Value]) -> None:
            for v, total in enumerate(totals):
                negative = builder.fcmp_ordered("<", total, constant(0.0))
                store(builder, builder.select(negative, constant(0.0), total), base, place(row, v))

        operands = (left, width, right, depth)
        for_each_case(builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, start, finish))
=======
        def finish(row: int, v: int, total: Value) -> None:
            negative = builder.fcmp_ordered("<", total, constant(0.0))
            store(builder, builder.select(negative, constant(0.0), total), base, place(row, v))

        operands = (left, width, right, depth)
        for_each_case(builder, rows, ROWS, lambda n: _cells_product(builder, base, n, operands, start, finish))
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)

    return _lowered(arena, 7, emit)


@intrinsic
def update_tile(typing, arena, rows, left, width, right, depth, mask, old, new, plane):  # type: ignore[no-untyped-def]
<<<<<<< HEAD
    """Rows of old + left^T · right into new; old and new are blocks of states.

    Cells where mask (BLOCK) is zero stay as they are, whatever the product is, so that borders stay zero.
    """
=======
    """Rows of old + mask · (left^T · right) into new; old and new are blocks of states, mask a row of BLOCK."""
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)

    def emit(builder, base, rows, left, width, right, depth, mask, old, new, plane):  # type: ignore[no-untyped-def]
        source = _block_place(builder, old, plane)
        place = _block_place(builder, new, plane)

<<<<<<< HEAD
        def finish(row: int, totals: list[Value]) -> None:
            for v, total in enumerate(totals):
                fires = load(builder, base, _sum(builder, mask, v * LANES))
                before = load(builder, base, source(row, v))
                rests = builder.fcmp_ordered("==", fires, constant(0.0))
                after = builder.select(rests, before, builder.fadd(before, total))
                store(builder, after, base, place(row, v))
=======
        def finish(row: int, v: int, total: Value) -> None:
            fires = load(builder, base, _sum(builder, mask, v * LANES))
            before = load(builder, base, source(row, v))
            store(builder, multiply_add(builder, total, fires, before), base, place(row, v))
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)

        operands = (left, width, right, depth)
        zero = constant(0.0)
        for_each_case(
<<<<<<< HEAD
            builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
=======
            builder, rows, ROWS, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)
        )

    return _lowered(arena, 9, emit)


@intrinsic
<<<<<<< HEAD
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
=======
def gated_tile(typing, arena, rows, left, width, right, depth, gate, out):  # type: ignore[no-untyped-def]
    """Rows of left^T · right, zeroed where gate (rows, BLOCK) is zero, into out (rows, BLOCK): back through a ReLU."""

    def emit(builder, base, rows, left, width, right, depth, gate, out):  # type: ignore[no-untyped-def]
        source = _block_place(builder, gate, number(BLOCK))
        place = _block_place(builder, out, number(BLOCK))

        def finish(row: int, v: int, total: Value) -> None:
            closed = builder.fcmp_ordered("==", load(builder, base, source(row, v)), constant(0.0))
            store(builder, builder.select(closed, constant(0.0), total), base, place(row, v))
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)

        operands = (left, width, right, depth)
        zero = constant(0.0)
        for_each_case(
<<<<<<< HEAD
            builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
        )

    return _lowered(arena, 8, emit)
=======
            builder, rows, ROWS, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
        )

    return _lowered(arena, 7, emit)
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)


@intrinsic
def plane_tile(typing, arena, rows, left, width, right, depth, out, plane):  # type: ignore[no-untyped-def]
    """Rows of left^T · right into a block of planes."""

    def emit(builder, base, rows, left, width, right, depth, out, plane):  # type: ignore[no-untyped-def]
        place = _block_place(builder, out, plane)
        operands = (left, width, right, depth)
        zero = constant(0.0)

<<<<<<< HEAD
        def finish(row: int, totals: list[Value]) -> None:
            _store_row(builder, base, place, row, totals)

        for_each_case(
            builder, rows, CASES, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
=======
        def finish(row: int, v: int, total: Value) -> None:
            store(builder, total, base, place(row, v))

        for_each_case(
            builder, rows, ROWS, lambda n: _cells_product(builder, base, n, operands, lambda *_: zero, finish)
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)
        )

    return _lowered(arena, 7, emit)


@intrinsic
def weight_tile(typing, arena, rows, vectors, left, right, out, width):  # type: ignore[no-untyped-def]
    """out += left · right, a sum over the block's cells.

<<<<<<< HEAD
    left: (rows, BLOCK); right: (BLOCK, width), of which `vectors` (1 or VECTORS) vectors a row are taken; out: rows
    `width` apart. A tile of one vector a row takes up to TALL rows, as fewer sums would wait for each other.
=======
    left: (rows, BLOCK); right: (BLOCK, width), of which `vectors` (1 to VECTORS) vectors a row are taken; out: rows
    `width` apart.
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)
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
                lambda row, k: _scalar(builder, base, _sum(builder, left, k, row * BLOCK)),
                lambda v, k: load(builder, base, _sum(builder, right, builder.mul(k, width), v * LANES)),
<<<<<<< HEAD
                lambda row, totals: _store_row(builder, base, place, row, totals),
            )

        def tiles(v_count: int) -> None:
            for_each_case(builder, rows, TALL_CASES if v_count == 1 else CASES, lambda n: tile(n, v_count))

        for_each_case(builder, vectors, (1, VECTORS), tiles)
=======
                lambda row, v, total: store(builder, total, base, place(row, v)),
            )

        for_each_case(
            builder, vectors, VECTORS, lambda v: for_each_case(builder, rows, ROWS, lambda n: tile(n, v))
        )
>>>>>>> 3b2cdc4 (Numba CPU engine: fused rollout and hand-written backward pass on explicit vectors)

    return _lowered(arena, 6, emit)


@intrinsic
def transpose_block(typing, arena, source, rows, out, width):  # type: ignore[no-untyped-def]
    """source (LANES, BLOCK), of which `rows` rows are taken, into LANES columns of out (BLOCK, width); zeros beyond."""

    def emit(builder, base, source, rows, out, width):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            taken = []
            for row in range(LANES):
                inside = builder.icmp_signed("<", number(row), rows)
                # A row beyond the last reads the first one instead, which is always there.
                index = builder.select(inside, number(row * BLOCK), number(0))
                value = load(builder, base, _sum(builder, source, index, v * LANES))
                taken.append(builder.select(inside, value, constant(0.0)))
            for lane, column in enumerate(transposed(builder, taken)):
                offset = builder.mul(number(v * LANES + lane), width)
                store(builder, column, base, _sum(builder, out, offset))

    return _lowered(arena, 4, emit)


def _neighbours(builder: Value, base: Value, centre: Value, stride: Value) -> Callable[[int, int], Value]:
    """The vector of the cells `down` rows below and `right` columns right of each cell."""

    def at(down: int, right: int) -> Value:
        return load(builder, base, _sum(builder, centre, builder.mul(number(down), stride), right))

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


@intrinsic
def perceive_block(typing, arena, state, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
    """One channel's block: copied to `identity`, and 8 times its Sobel responses. `stride`: from a row to the next."""

    def emit(builder, base, state, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            at = _neighbours(builder, base, _sum(builder, state, v * LANES), stride)
            store(builder, at(0, 0), base, _sum(builder, identity, v * LANES))
            for response, out in zip(_sobel(builder, at), (sobel_x, sobel_y), strict=True):
                store(builder, response, base, _sum(builder, out, v * LANES))

    return _lowered(arena, 5, emit)


@intrinsic
def perceive_block_back(typing, arena, gradient, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
    """The adjoint of perceive_block, added to one channel's block of `gradient`.

    Sobel kernels are odd, so the adjoint of correlating with one is minus the correlation with it.
    """

    def emit(builder, base, gradient, stride, identity, sobel_x, sobel_y):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            response_x, _ = _sobel(builder, _neighbours(builder, base, _sum(builder, sobel_x, v * LANES), stride))
            _, response_y = _sobel(builder, _neighbours(builder, base, _sum(builder, sobel_y, v * LANES), stride))
            place = _sum(builder, gradient, v * LANES)
            direct = builder.fadd(load(builder, base, place), load(builder, base, _sum(builder, identity, v * LANES)))
            total = builder.fsub(direct, builder.fadd(response_x, response_y))
            store(builder, total, base, place)

    return _lowered(arena, 5, emit)


@intrinsic
def masked_block(typing, arena, gradient, mask, out):  # type: ignore[no-untyped-def]
    """out = gradient · mask, blocks of one channel; nothing but zeros where the mask is zero."""

    def emit(builder, base, gradient, mask, out):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            fires = load(builder, base, _sum(builder, mask, v * LANES))
            rests = builder.fcmp_ordered("==", fires, constant(0.0))
            value = load(builder, base, _sum(builder, gradient, v * LANES))
            store(builder, builder.select(rests, constant(0.0), value), base, _sum(builder, out, v * LANES))

    return _lowered(arena, 3, emit)
