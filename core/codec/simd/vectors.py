"""LLVM building blocks of the CPU kernels: vector loads and stores, register-tiled products, transposition.

Numba cannot be told to keep a tile of sums in vector registers, so the kernels' inner loops are written as LLVM
instructions on explicit vectors, as wide as the registers of the machine that numba compiles for. LLVM splits or widens
them where the machine has no such registers, so every width is correct everywhere.

Functions here run while numba compiles; they append instructions to `builder`. `base` is a pointer to floats or to
32-bit integers, and `index` counts these from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.extending import intrinsic

from regrow.core.codec.simd.target import target_features

FLOAT = ir.FloatType()
INDEX = ir.IntType(64)

Value = Any  # an llvmlite value, instruction or builder; llvmlite has no type stubs

# numba.extending.intrinsic, without its type: callers of an intrinsic do not pass the typing context.
kernel: Callable[[Callable[..., Any]], Callable[..., Any]] = intrinsic


def tile_for(features: frozenset[str]) -> tuple[int, int]:
    """Floats per vector, and rows of a register tile of 3 vectors a row, such that the tile fits the registers."""
    if "avx512f" in features:
        return 16, 8  # 24 of 32 registers are sums
    if "avx" in features:
        return 8, 4  # 12 of 16
    return (4, 8) if "neon" in features else (4, 4)


LANES, ROWS = tile_for(target_features())
VECTORS = 3
VECTOR = ir.VectorType(FLOAT, LANES)


def number(value: int) -> Value:
    """A constant index."""
    return ir.Constant(INDEX, value)


def load(builder: Value, base: Value, index: Value, kind: Value = VECTOR) -> Value:
    """The vector that starts at base[index]; need not be aligned."""
    pointer = builder.bitcast(builder.gep(base, [index]), kind.as_pointer())
    return builder.load(pointer, align=4)


def store(builder: Value, value: Value, base: Value, index: Value) -> None:
    """Write a vector to base[index:index + LANES]."""
    pointer = builder.bitcast(builder.gep(base, [index]), value.type.as_pointer())
    builder.store(value, pointer, align=4)


def splat(builder: Value, scalar: Value) -> Value:
    """A vector with `scalar` in every lane."""
    undefined = ir.Constant(ir.VectorType(scalar.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.VectorType(ir.IntType(32), LANES)
    return builder.shuffle_vector(first, undefined, ir.Constant(lanes, [0] * LANES))


def constant(value: float) -> Value:
    """A constant vector."""
    return ir.Constant(VECTOR, [value] * LANES)


def multiply_add(builder: Value, a: Value, b: Value, c: Value) -> Value:
    """a * b + c, in one rounding where the machine has such an instruction."""
    name = f"llvm.fmuladd.v{LANES}f32"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(VECTOR, [VECTOR] * 3), name)
    return builder.call(function, [a, b, c])


def product_tile(
    builder: Value,
    rows: int,
    vectors: int,
    depth: Value,
    start: Callable[[int, int], Value],
    left: Callable[[int, Value], Value],
    right: Callable[[int, Value], Value],
    finish: Callable[[int, list[Value]], None],
    accumulate: Callable[[Value, Value, Value, Value], Value] = multiply_add,
) -> None:
    """One register tile of a matrix product, rows x (vectors * LANES), summed over `depth` >= 1 terms.

    start(row, vector): first value of a sum. left(row, k): scalar factor. right(vector, k): vector factor.
    finish(row, totals): what becomes of a row's sums. accumulate(builder, a, b, sum): the sum with one more term.
    """
    before = builder.block
    initial = [[start(row, vector) for vector in range(vectors)] for row in range(rows)]
    loop = builder.append_basic_block("product")
    after = builder.append_basic_block("product.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(INDEX)
    k.add_incoming(number(0), before)
    sums = [[builder.phi(first.type) for first in row] for row in initial]
    factors = [right(vector, k) for vector in range(vectors)]
    totals = []
    for row in range(rows):
        scalar = splat(builder, left(row, k))
        totals.append([accumulate(builder, scalar, factors[v], sums[row][v]) for v in range(vectors)])
    following = builder.add(k, number(1))
    k.add_incoming(following, loop)
    for row in range(rows):
        for vector in range(vectors):
            sums[row][vector].add_incoming(initial[row][vector], before)
            sums[row][vector].add_incoming(totals[row][vector], loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    builder.position_at_end(after)
    for row in range(rows):
        finish(row, totals[row])


def for_each_case(builder: Value, selector: Value, cases: Iterable[int], emit: Callable[[int], None]) -> None:
    """Run emit(selector), compiled once for each of `cases`; nothing for another selector."""
    end = builder.append_basic_block("cases.end")
    switch = builder.switch(selector, end)
    for case in cases:
        block = builder.append_basic_block(f"case.{case}")
        switch.add_case(number(case), block)
        builder.position_at_end(block)
        emit(case)
        builder.branch(end)
    builder.position_at_end(end)


def transposed(builder: Value, rows: Sequence[Value]) -> list[Value]:
    """The transposition of a LANES x LANES square held in LANES vectors.

    Interleaves row i with row i + LANES/2, log2(LANES) times (a perfect shuffle of the index bits).
    """
    half = LANES // 2
    lanes = ir.VectorType(ir.IntType(32), LANES)
    low = ir.Constant(lanes, [i // 2 + (i % 2) * LANES for i in range(LANES)])
    high = ir.Constant(lanes, [half + i // 2 + (i % 2) * LANES for i in range(LANES)])
    current = list(rows)
    for _ in range(LANES.bit_length() - 1):
        pairs = [(current[i], current[i + half]) for i in range(half)]
        current = [builder.shuffle_vector(a, b, order) for a, b in pairs for order in (low, high)]
    return current
