"""Device functions that read a rule's flat weights into zero-padded matrices, and apply its first layer."""

# mypy: ignore-errors
# Triton has no type stubs, and its kernels are not Python: arguments are what the compiler makes of them.

from __future__ import annotations

import triton
import triton.language as tl

from regrow.core.codec.fit.engines.gpu.products import multiply, split


@triton.jit
def w1_part(weights, part: tl.constexpr, rows, columns, CHANNELS: tl.constexpr, HIDDEN: tl.constexpr):
    """Part 0, 1 or 2 of W1 (identity, Sobel-x, Sobel-y) as pointers and mask, for index tensors that broadcast.

    `rows` number hidden units, `columns` channels; their orientation is the result's.
    """
    return weights + rows * (3 * CHANNELS) + part * CHANNELS + columns, (rows < HIDDEN) & (columns < CHANNELS)


@triton.jit
def w2_whole(weights, rows, columns, CHANNELS: tl.constexpr, HIDDEN: tl.constexpr):
    """W2 as pointers and mask, for index tensors that broadcast; `rows` number channels, `columns` hidden units."""
    start: tl.constexpr = HIDDEN * (3 * CHANNELS + 1)
    return weights + start + rows * HIDDEN + columns, (rows < CHANNELS) & (columns < HIDDEN)


@triton.jit
def load_w1(weights, rows, columns, CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, PRECISION: tl.constexpr):
    """The three parts of W1, zero-padded and split. Those of the Sobel responses are divided by 8 here."""
    at_state, inside = w1_part(weights, 0, rows, columns, CHANNELS, HIDDEN)
    at_x, _ = w1_part(weights, 1, rows, columns, CHANNELS, HIDDEN)
    at_y, _ = w1_part(weights, 2, rows, columns, CHANNELS, HIDDEN)
    of_state = tl.load(at_state, mask=inside, other=0.0)
    of_x = tl.load(at_x, mask=inside, other=0.0) * 0.125
    of_y = tl.load(at_y, mask=inside, other=0.0) * 0.125
    return split(of_state, PRECISION), split(of_x, PRECISION), split(of_y, PRECISION)


@triton.jit
def load_w2(weights, rows, columns, CHANNELS: tl.constexpr, HIDDEN: tl.constexpr, PRECISION: tl.constexpr):
    """W2, zero-padded and split."""
    at, inside = w2_whole(weights, rows, columns, CHANNELS, HIDDEN)
    return split(tl.load(at, mask=inside, other=0.0), PRECISION)


@triton.jit
def hidden_units(parts, w1, b1, BLOCK: tl.constexpr, UNITS: tl.constexpr, PRECISION: tl.constexpr):
    """relu(W1 · z + b1), (BLOCK, UNITS), for the three split parts of z, each (BLOCK, PADDED)."""
    total = multiply(parts[0], w1[0], tl.zeros((BLOCK, UNITS), tl.float32), PRECISION)
    total = multiply(parts[1], w1[1], total, PRECISION)
    total = multiply(parts[2], w1[2], total, PRECISION)
    return tl.maximum(total + b1[None, :], 0.0)
