"""Matrix products on tensor cores at nearly float32's precision, and plain float32 ones to compare with."""

# mypy: ignore-errors
# Triton has no type stubs, and its kernels are not Python: arguments are what the compiler makes of them.

from __future__ import annotations

import triton
import triton.language as tl

# Whether the kernels are for Triton's interpreter; it is set when they are defined.
INTERPRETED = bool(triton.knobs.runtime.interpret)
# The interpreter multiplies bfloat16's bits as if they were integers; there, float32 carries bfloat16's values.
WIDENED = tl.constexpr(INTERPRETED)


@triton.jit
def split(values, PRECISION: tl.constexpr):
    """`values` (float32) as a high and a low part for `multiply`; for "ieee", which needs no parts, twice themselves.

    "bf16x3": two bfloat16, 16 bits of significand together. "tf32x3": two float32 whose leading 11 bits count, 21 bits
    together. The subtraction is exact, and bfloat16 has float32's range, so that tiny adjoints do not vanish.
    """
    # One return at the end: the compiler looks at the types of all, also of those behind one that is taken.
    if PRECISION == "bf16x3":
        # Rounded by hand, as the compiler would convert each value twice, and not in pairs, to get the low part.
        high = ((values.to(tl.uint32, bitcast=True) + 0x8000) & 0xFFFF0000).to(tl.float32, bitcast=True)
        if WIDENED:
            parts = high, (values - high).to(tl.bfloat16).to(tl.float32)
        else:
            parts = high.to(tl.bfloat16), (values - high).to(tl.bfloat16)
    elif PRECISION == "tf32x3":
        high = (values.to(tl.uint32, bitcast=True) & 0xFFFFE000).to(tl.float32, bitcast=True)
        parts = high, values - high
    else:
        parts = values, values
    return parts


@triton.jit
def transpose(parts):
    """Both parts transposed."""
    return tl.trans(parts[0]), tl.trans(parts[1])


@triton.jit
def multiply(a, b, total, PRECISION: tl.constexpr):
    """`total` + a·b in float32, for split a and b. The product of the low parts is below the others' rounding."""
    if PRECISION == "ieee":
        total = tl.dot(a[0], b[0], total, input_precision="ieee")
    else:
        total = tl.dot(a[1], b[0], total, input_precision="tf32")
        total = tl.dot(a[0], b[1], total, input_precision="tf32")
        total = tl.dot(a[0], b[0], total, input_precision="tf32")
    return total
