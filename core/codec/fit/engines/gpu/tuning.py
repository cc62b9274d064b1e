"""Tile sizes and launch options of the CUDA engine, all in one place.

Fixed rather than autotuned: another tile size adds a gradient up in another order, and fits shall be repeatable. The
reasons are register, spill and instruction counts of the compiled kernels for an H100 (compute capability 9.0).
"""

from __future__ import annotations

from typing import Any

from regrow.core.codec.rule import RuleShape

# Cells per tile. With 64 cells for two warps, the backward kernel needs more registers than a thread has, and spills.
BLOCK = 32
# Warps per patch: the fewer, the more patches share a multiprocessor and fill each other's waits at barriers, and the
# less of each product's operands is held by several warps. One warp spills. Weights of up to 512 values need two.
WARPS = 2
WARPS_FOR_LARGE_RULES = 4
LARGE_RULE = 512
# Hidden units worked at a time. Backward holds all weights of so many units twice, each split in two, in at most
# 228 KiB of shared memory, and their gradients in registers; larger rules take turns.
MOST_UNITS = 64
MOST_WEIGHTS = 2048
# Registers per thread for small rules: backward would take 249, four patches per multiprocessor; 168 let it work six,
# for six values spilled. Larger rules would spill too much, and get what they take.
REGISTERS = 168
# tl.dot multiplies nothing smaller.
SMALLEST_SIDE = 16


def padded_size(size: int) -> int:
    """The power of two, at least SMALLEST_SIDE, that `size` is padded to."""
    return max(SMALLEST_SIDE, 1 << (size - 1).bit_length())


def launch_options(shape: RuleShape) -> dict[str, Any]:
    """Tile sizes and compiler options for rules of one shape; the same for all kernels."""
    padded = padded_size(shape.channels)
    units = min(padded_size(shape.hidden), MOST_UNITS, MOST_WEIGHTS // padded)
    small = padded * units <= LARGE_RULE
    return {
        "BLOCK": BLOCK,
        "UNITS": units,
        "num_warps": WARPS if small else WARPS_FOR_LARGE_RULES,
        "maxnreg": REGISTERS if small else None,
        # No software pipelining: it costs shared memory and registers, and would have to respect the barriers.
        "num_stages": 1,
    }
