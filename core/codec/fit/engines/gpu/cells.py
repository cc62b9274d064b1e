"""Device functions that the kernels share: cells, neighbourhoods, fire masks.

A patch's state lies in memory cell by cell: `padded` channels of one cell side by side (`padded` is a power of two, at
least 16; the channels beyond the rule's are zero), rows of width + 2 cells, and a ring of zero cells around the patch.
So a neighbour is the same address plus a constant, reads of it are aligned 16-byte vectors, and edges need no masks.
"""

# mypy: ignore-errors
# Triton has no type stubs, and its kernels are not Python: arguments are what the compiler makes of them.

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def locate(tile, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Cells of a tile: row-major number, whether it exists, and its place in the ringed state; each (BLOCK,).

    Cells beyond the last one stand in for the last one; their results must be masked.
    """
    wanted = tile * BLOCK + tl.arange(0, BLOCK)
    cells = tl.minimum(wanted, HEIGHT * WIDTH - 1)
    places = (cells // WIDTH + 1) * (WIDTH + 2) + cells % WIDTH + 1
    return cells, wanted < HEIGHT * WIDTH, places


@triton.jit
def sobel_x(centre, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """Eight times the Sobel-x response where the pointers (BLOCK, PADDED) point."""
    row: tl.constexpr = (WIDTH + 2) * PADDED
    above = tl.load(centre - row + PADDED) - tl.load(centre - row - PADDED)
    below = tl.load(centre + row + PADDED) - tl.load(centre + row - PADDED)
    return above + below + 2 * (tl.load(centre + PADDED) - tl.load(centre - PADDED))


@triton.jit
def sobel_y(centre, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """Eight times the Sobel-y response where the pointers (BLOCK, PADDED) point."""
    row: tl.constexpr = (WIDTH + 2) * PADDED
    left = tl.load(centre + row - PADDED) - tl.load(centre - row - PADDED)
    right = tl.load(centre + row + PADDED) - tl.load(centre - row + PADDED)
    return left + right + 2 * (tl.load(centre + row) - tl.load(centre - row))


@triton.jit
def perceive(centre, exists, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """State, eight times Sobel-x and eight times Sobel-y, reading each neighbour once; each (BLOCK, PADDED).

    Zero where a cell does not exist. That is not needed for the result, but it keeps the compiler from bringing each of
    the nine loaded values into the products' operand layout, through shared memory, instead of the three responses.
    """
    row: tl.constexpr = (WIDTH + 2) * PADDED
    keep = exists[:, None]
    falling = tl.load(centre + row + PADDED) - tl.load(centre - row - PADDED)
    rising = tl.load(centre - row + PADDED) - tl.load(centre + row - PADDED)
    across = tl.load(centre + PADDED) - tl.load(centre - PADDED)
    down = tl.load(centre + row) - tl.load(centre - row)
    along_x = tl.where(keep, falling + rising + 2 * across, 0.0)
    along_y = tl.where(keep, falling - rising + 2 * down, 0.0)
    return tl.where(keep, tl.load(centre), 0.0), along_x, along_y


@triton.jit
def fires(cells, step, fire_start, fire_threshold):
    """1.0 where a cell updates at `step`, else 0.0; the hash of core.codec.fire. (BLOCK,)

    fire_start is key · 0x9E3779B1 and fire_threshold the mask's threshold, both modulo 2**32 in an int32.
    """
    start = fire_start.to(tl.uint32, bitcast=True) + step.to(tl.uint32) * 0x85EBCA77
    value = cells.to(tl.uint32) * 0xC2B2AE3D + start
    value ^= value >> 16
    value *= 0x85EBCA6B
    value ^= value >> 13
    value *= 0xC2B2AE35
    value ^= value >> 16
    return (value < fire_threshold.to(tl.uint32, bitcast=True)).to(tl.float32)
