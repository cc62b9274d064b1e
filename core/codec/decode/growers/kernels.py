"""The integer decoder's perception, activation and update of blocks of cells.

Callable from numba code; conventions as in core.codec.simd.tiles, but on an int32 arena. Everything is the arithmetic
of core.codec.format.fixed_point, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir  # type: ignore[import-untyped]

from regrow.core.codec.decode.growers.products import WORD, WORDS
from regrow.core.codec.format.fixed_point import CODE_LIMIT, MANTISSA_BITS, STATE_BITS, STATE_LIMIT
from regrow.core.codec.simd.tiles import index_sum, lowered
from regrow.core.codec.simd.vectors import LANES, VECTORS, Value, kernel, load, number, splat, store

LONGS = ir.VectorType(ir.IntType(64), LANES // 2)


def _constant(value: int, kind: Value = WORDS) -> Value:
    return ir.Constant(kind, [value] * kind.count)


def _spread(builder: Value, value: Value) -> Value:
    """An int64 argument in all 32-bit lanes."""
    return splat(builder, builder.trunc(value, WORD))


def _spread_long(builder: Value, value: Value) -> Value:
    """An int64 argument in all 64-bit lanes."""
    first = builder.insert_element(ir.Constant(LONGS, ir.Undefined), value, ir.Constant(WORD, 0))
    lanes = ir.VectorType(WORD, LANES // 2)
    return builder.shuffle_vector(first, ir.Constant(LONGS, ir.Undefined), _constant(0, lanes))


def _clamped(builder: Value, value: Value, low: Value, high: Value) -> Value:
    above = builder.select(builder.icmp_signed("<", value, low), low, value)
    return builder.select(builder.icmp_signed(">", above, high), high, above)


def _paired(builder: Value, first: Value, second: Value) -> Value:
    """The low halves of both, as pairs (growers.products)."""
    low = builder.and_(first, _constant(0xFFFF))
    return builder.or_(low, builder.shl(second, _constant(16)))


@kernel
def sobel_block(typing, arena, codes, stride, out):  # type: ignore[no-untyped-def]
    """The Sobel responses of one channel's block of codes, as pairs (x, y) into out (BLOCK)."""

    def emit(builder, base, codes, stride, out):  # type: ignore[no-untyped-def]
        one, half = _constant(1), _constant(4)
        for v in range(VECTORS):

            def at(down: int, right: int, v: int = v) -> Value:
                place = index_sum(builder, codes, builder.mul(number(down), stride), right + v * LANES)
                return load(builder, base, place, WORDS)

            falling = builder.add(builder.sub(at(1, 1), at(-1, -1)), half)
            rising = builder.sub(at(-1, 1), at(1, -1))
            across = builder.shl(builder.sub(at(0, 1), at(0, -1)), one)
            down = builder.shl(builder.sub(at(1, 0), at(-1, 0)), one)
            sobel_x = builder.add(builder.add(falling, rising), across)
            sobel_y = builder.add(builder.sub(falling, rising), down)
            shifted = [builder.ashr(response, _constant(3)) for response in (sobel_x, sobel_y)]
            store(builder, _paired(builder, *shifted), base, index_sum(builder, out, v * LANES))

    return lowered(arena, 3, emit)


@kernel
def pair_block(typing, arena, first, second, out):  # type: ignore[no-untyped-def]
    """Two blocks as pairs."""

    def emit(builder, base, first, second, out):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            rows = [load(builder, base, index_sum(builder, row, v * LANES), WORDS) for row in (first, second)]
            store(builder, _paired(builder, *rows), base, index_sum(builder, out, v * LANES))

    return lowered(arena, 3, emit)


@kernel
def hidden_block(typing, arena, first, second, shift, out):  # type: ignore[no-untyped-def]
    """Two units' inputs (BLOCK) through the ReLU and down by `shift` bits, as pairs."""

    def emit(builder, base, first, second, shift, out):  # type: ignore[no-untyped-def]
        bits = _spread(builder, shift)
        half = builder.lshr(builder.shl(_constant(1), bits), _constant(1))
        zero, limit = _constant(0), _constant(CODE_LIMIT)

        def activated(row: Value, v: int) -> Value:
            value = load(builder, base, index_sum(builder, row, v * LANES), WORDS)
            positive = builder.select(builder.icmp_signed(">", value, zero), value, zero)
            dropped = builder.ashr(builder.add(positive, half), bits)
            return builder.select(builder.icmp_signed("<", dropped, limit), dropped, limit)

        for v in range(VECTORS):
            pairs = _paired(builder, activated(first, v), activated(second, v))
            store(builder, pairs, base, index_sum(builder, out, v * LANES))

    return lowered(arena, 4, emit)


def _coded(builder: Value, states: Value, precision: Value) -> Value:
    """States in units of 2 ** -precision, as perception sees them."""
    drop = builder.sub(_constant(STATE_BITS), _spread(builder, precision))
    half = builder.lshr(builder.shl(_constant(1), drop), _constant(1))
    codes = builder.ashr(builder.add(states, half), drop)
    return _clamped(builder, codes, _constant(-CODE_LIMIT), _constant(CODE_LIMIT))


def _updated(builder: Value, states: Value, sums: Value, mantissa: Value, shift: Value) -> Value:
    """clamp(states + ((sums · mantissa + half) >> shift)): in 64 bits, the even and the odd lanes after each other."""
    # Masked, so that LLVM sees that both factors of a product fit 32 bits.
    factor = builder.and_(_spread_long(builder, mantissa), _constant((1 << MANTISSA_BITS + 1) - 1, LONGS))
    bits = _spread_long(builder, shift)
    half = builder.shl(_constant(1, LONGS), builder.sub(bits, _constant(1, LONGS)))
    low, high = _constant(-STATE_LIMIT, LONGS), _constant(STATE_LIMIT, LONGS)
    word = _constant(32, LONGS)

    def even(value: Value) -> Value:
        return builder.ashr(builder.shl(builder.bitcast(value, LONGS), word), word)

    def odd(value: Value) -> Value:
        return builder.ashr(builder.bitcast(value, LONGS), word)

    def lanes(part: Callable[[Value], Value]) -> Value:
        update = builder.ashr(builder.add(builder.mul(part(sums), factor), half), bits)
        return _clamped(builder, builder.add(part(states), update), low, high)

    evens = builder.and_(lanes(even), _constant(0xFFFFFFFF, LONGS))
    return builder.bitcast(builder.or_(evens, builder.shl(lanes(odd), word)), WORDS)


@kernel
def update_block(typing, arena, sums, mask, states, codes, mantissa, shift, precision):  # type: ignore[no-untyped-def]
    """One channel's block of states, updated in place by its sums where mask (BLOCK) is not zero; and its codes.

    Cells where the mask is zero stay as they are, so that borders stay zero.
    """

    def emit(builder, base, sums, mask, states, codes, mantissa, shift, precision):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            place = index_sum(builder, states, v * LANES)
            before = load(builder, base, place, WORDS)
            fires = load(builder, base, index_sum(builder, mask, v * LANES), WORDS)
            added = load(builder, base, index_sum(builder, sums, v * LANES), WORDS)
            rests = builder.icmp_signed("==", fires, _constant(0))
            after = builder.select(rests, before, _updated(builder, before, added, mantissa, shift))
            store(builder, after, base, place)
            store(builder, _coded(builder, after, precision), base, index_sum(builder, codes, v * LANES))

    return lowered(arena, 7, emit)


@kernel
def code_block(typing, arena, states, codes, precision):  # type: ignore[no-untyped-def]
    """One channel's block of states as perception sees it."""

    def emit(builder, base, states, codes, precision):  # type: ignore[no-untyped-def]
        for v in range(VECTORS):
            value = load(builder, base, index_sum(builder, states, v * LANES), WORDS)
            store(builder, _coded(builder, value, precision), base, index_sum(builder, codes, v * LANES))

    return lowered(arena, 3, emit)
