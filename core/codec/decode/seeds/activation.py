"""A hidden layer's sums to what the next layer sees, on explicit vectors (core.codec.simd.vectors). From numba code."""

from __future__ import annotations

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types

from regrow.core.codec.format.seeds.contexts import INPUT_LIMIT
from regrow.core.codec.simd.vectors import LANES, VECTOR, kernel, load, splat, store

_WORD = ir.IntType(32)
_WORDS = ir.VectorType(_WORD, LANES)


@kernel
def _activate_vector(typing, sums, bias, place, unit, shift):  # type: ignore[no-untyped-def]
    """LANES sums from sums[place] on, whose biases begin at bias[unit]: flat arrays of float32."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        base, biases = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
        )
        place, unit, shift = arguments[2:]
        total = builder.fptosi(builder.fadd(load(builder, base, place), load(builder, biases, unit)), _WORDS)
        bits = splat(builder, builder.trunc(shift, _WORD))
        one, zero, limit = (ir.Constant(_WORDS, [value] * LANES) for value in (1, 0, INPUT_LIMIT))
        half = builder.lshr(builder.shl(one, bits), one)
        value = builder.ashr(builder.add(total, half), bits)
        value = builder.select(builder.icmp_signed(">", value, zero), value, zero)
        value = builder.select(builder.icmp_signed("<", value, limit), value, limit)
        store(builder, builder.sitofp(value, VECTOR), base, place)
        return context.get_dummy_value()

    return types.void(sums, bias, types.int64, types.int64, types.int64), generate


@njit(nogil=True, error_model="numpy")
def activate(sums, bias, shift):  # type: ignore[no-untyped-def]
    """Sums (places, units) with their bias (units,), down by `shift` bits, to whole numbers from 0 to INPUT_LIMIT, in
    place. Sums are whole numbers under 2**24 with their bias."""
    places, units = sums.shape
    flat = sums.reshape(places * units)
    whole = units - units % LANES
    half = (1 << shift) >> 1
    for i in range(places):
        for j in range(0, whole, LANES):
            _activate_vector(flat, bias, i * units + j, j, shift)
        for j in range(whole, units):
            total = (np.int64(sums[i, j] + bias[j]) + half) >> shift
            sums[i, j] = np.float32(max(0, min(INPUT_LIMIT, total)))
