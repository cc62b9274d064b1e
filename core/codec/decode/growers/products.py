"""Products of the integer decoder: tiles of matrices whose elements are pairs of 16-bit numbers.

A "pair" is two 16-bit numbers in one 32-bit word, the first in the low half. Perception, hidden layer and weights of a
product are pairs, so that one instruction multiplies and adds both (pmaddwd on x86; where the machine has VNNI, LLVM
makes it one with the addition). Other machines, and `portable_tile` everywhere, do the same in separate 32-bit steps.
Integers are exact: both give the same numbers. Conventions as in simd.tiles, but on an int32 arena.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir  # type: ignore[import-untyped]

from regrow.core.codec.simd.target import target_features
from regrow.core.codec.simd.tiles import BLOCK, CASES, index_sum, lowered
from regrow.core.codec.simd.vectors import (
    LANES,
    VECTORS,
    Value,
    for_each_case,
    kernel,
    load,
    number,
    product_tile,
    splat,
    store,
)

WORD = ir.IntType(32)
WORDS = ir.VectorType(WORD, LANES)


def pair_instruction_for(features: frozenset[str], widest: int) -> tuple[str, int] | None:
    """The target's instruction for products of pairs, and its 32-bit lanes, at most `widest` (a power of two).

    None where no feature promises one: LLVM ends the process where it is asked for what the target lacks.
    """
    known = (
        ("avx512bw", "llvm.x86.avx512.pmaddw.d.512", 16),
        ("avx2", "llvm.x86.avx2.pmadd.wd", 8),
        ("sse2", "llvm.x86.sse2.pmadd.wd", 4),
    )
    return next(((name, lanes) for feature, name, lanes in known if feature in features and lanes <= widest), None)


PAIR_INSTRUCTION = pair_instruction_for(target_features(), LANES)


HALF_WORD = ir.Constant(WORDS, [16] * LANES)


def _pair_product(builder: Value, a: Value, b: Value, total: Value) -> Value:
    """total + both products of the pairs, by the target's instruction."""
    if PAIR_INSTRUCTION is None:
        return _pair_product_in_words(builder, a, b, total)
    name, lanes = PAIR_INSTRUCTION
    halves, words = ir.VectorType(ir.IntType(16), 2 * lanes), ir.VectorType(WORD, lanes)
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(words, [halves, halves]), name)
    parts = []
    for start in range(0, LANES, lanes):
        order = ir.Constant(words, list(range(start, start + lanes)))
        part = [builder.bitcast(builder.shuffle_vector(x, x, order), halves) for x in (a, b)]
        parts.append(builder.call(function, part))
    while len(parts) > 1:
        joined = ir.Constant(ir.VectorType(WORD, 2 * parts[0].type.count), list(range(2 * parts[0].type.count)))
        parts = [builder.shuffle_vector(*two, joined) for two in zip(parts[::2], parts[1::2], strict=True)]
    return builder.add(total, parts[0])


def _pair_product_in_words(builder: Value, a: Value, b: Value, total: Value) -> Value:
    """total + both products of the pairs."""
    a_first, b_first = (builder.ashr(builder.shl(x, HALF_WORD), HALF_WORD) for x in (a, b))
    second = builder.mul(builder.ashr(a, HALF_WORD), builder.ashr(b, HALF_WORD))
    return builder.add(builder.add(total, builder.mul(a_first, b_first)), second)


def _pair_tile(accumulate: Callable[[Value, Value, Value, Value], Value]) -> Callable[..., None]:
    """What emits rows of left^T · right + bias into out (rows, BLOCK), with the given product of pairs.

    left: pairs (depth, width); right: pairs (depth, BLOCK); bias: words (rows).
    """

    def emit(builder, base, rows, left, width, right, depth, bias, out):  # type: ignore[no-untyped-def]
        def word(index: Value) -> Value:
            return splat(builder, builder.load(builder.gep(base, [index])))

        def finish(row: int, totals: list[Value]) -> None:
            for v, total in enumerate(totals):
                store(builder, total, base, index_sum(builder, out, row * BLOCK + v * LANES))

        def tile(count: int) -> None:
            product_tile(
                builder,
                count,
                VECTORS,
                depth,
                lambda row, _: word(index_sum(builder, bias, row)),
                lambda row, k: builder.load(builder.gep(base, [index_sum(builder, left, builder.mul(k, width), row)])),
                lambda v, k: load(
                    builder, base, index_sum(builder, right, builder.mul(k, number(BLOCK)), v * LANES), WORDS
                ),
                finish,
                accumulate,
            )

        for_each_case(builder, rows, CASES, tile)

    return emit


@kernel
def native_tile(typing, arena, rows, left, width, right, depth, bias, out):  # type: ignore[no-untyped-def]
    """1 to ROWS rows of a product, by the target's instruction: see _pair_tile."""
    return lowered(arena, 7, _pair_tile(_pair_product))


@kernel
def portable_tile(typing, arena, rows, left, width, right, depth, bias, out):  # type: ignore[no-untyped-def]
    """The same as native_tile, without special instructions."""
    return lowered(arena, 7, _pair_tile(_pair_product_in_words))
