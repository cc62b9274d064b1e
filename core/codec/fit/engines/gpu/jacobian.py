"""The CUDA engine's Jacobian kernel: one weight's tangent through a whole rollout in one launch.

Forward mode, as in engines.cpu.jacobian. One thread block works one tangent through all steps, beside the
states that grow_kernel left for all of them; engines.gpu.kernels says why that needs no launch per step.
Perception and hidden layers are worked out anew, by the same products as in the rollout, so that the same units are on.
"""

# mypy: ignore-errors
# Triton has no type stubs, and its kernels are not Python: arguments are what the compiler makes of them.

from __future__ import annotations

import triton
import triton.language as tl

from regrow.core.codec.fit.engines.gpu.cells import fires, locate, perceive
from regrow.core.codec.fit.engines.gpu.kernels import add
from regrow.core.codec.fit.engines.gpu.products import multiply, split
from regrow.core.codec.fit.engines.gpu.weights import hidden_units, load_w1, load_w2

# Whether one of these is 1 or divisible by 16 is not worth a kernel of its own.
RUNTIME = ["first", "steps", "fire_start", "fire_threshold"]


@triton.jit
def place_of(weight, CHANNELS: tl.constexpr, HIDDEN: tl.constexpr):
    """Where a weight of the flat vector enters an update, -1 for each that is not of its tensor.

    For W1: row and column; for b1: row and 3 · CHANNELS, where the perception would have a one; for W2: row and column.
    """
    perceived: tl.constexpr = 3 * CHANNELS
    first_w2: tl.constexpr = HIDDEN * (perceived + 1)
    of_w1 = weight < HIDDEN * perceived
    of_w2 = weight >= first_w2
    unit = tl.where(of_w1, weight // perceived, weight - HIDDEN * perceived)
    entry = tl.where(of_w1, weight % perceived, perceived)
    to_channel = tl.where(of_w2, (weight - first_w2) // HIDDEN, -1)
    from_unit = tl.where(of_w2, (weight - first_w2) % HIDDEN, -1)
    return tl.where(of_w2, -1, unit), tl.where(of_w2, -1, entry), to_channel, from_unit


@triton.jit
def perceived_value(state, along_x, along_y, channels, entry, CHANNELS: tl.constexpr):
    """Value `entry` of each cell's perception, 1 beyond its end; (BLOCK,). Padding channels are zero, and may match."""
    values = tl.where(channels == entry, state, 0.0)
    values += tl.where(channels + CHANNELS == entry, along_x * 0.125, 0.0)
    values += tl.where(channels + 2 * CHANNELS == entry, along_y * 0.125, 0.0)
    return tl.where(entry == 3 * CHANNELS, 1.0, tl.sum(values, axis=1))


@triton.jit
def hidden_tangent(parts, hidden, own, w1, mine, BLOCK: tl.constexpr, UNITS: tl.constexpr, PRECISION: tl.constexpr):
    """The tangents of hidden units, (BLOCK, UNITS), for those of the perception in three parts, each (BLOCK, PADDED).

    own: what a weight of the first layer adds to its unit, (BLOCK,); mine: which unit that is.
    """
    total = multiply(split(parts[0], PRECISION), w1[0], tl.zeros((BLOCK, UNITS), tl.float32), PRECISION)
    total = multiply(split(parts[1], PRECISION), w1[1], total, PRECISION)
    total = multiply(split(parts[2], PRECISION), w1[2], total, PRECISION)
    return tl.where(hidden > 0.0, total + tl.where(mine[None, :], own[:, None], 0.0), 0.0)


@triton.jit
def tangent_step(
    weights,
    at,
    place,
    fire,
    SYNCHRONOUS: tl.constexpr,
    CHANNELS: tl.constexpr,
    HIDDEN: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    UNITS: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One update of a tangent.

    at: where the state, the tangent and the updated tangent are. place: what place_of says. fire: what fires wants.
    """
    state_at, before, after = at
    unit, entry, to_channel, from_unit = place
    channels = tl.arange(0, PADDED)[None, :]
    for chunk in range((HIDDEN + UNITS - 1) // UNITS):
        units = chunk * UNITS + tl.arange(0, UNITS)
        w1 = load_w1(weights, units[None, :], tl.trans(channels), CHANNELS, HIDDEN, PRECISION)
        b1 = tl.load(weights + HIDDEN * 3 * CHANNELS + units, mask=units < HIDDEN, other=0.0)
        w2 = load_w2(weights, channels, units[:, None], CHANNELS, HIDDEN, PRECISION)
        for tile in range((HEIGHT * WIDTH + BLOCK - 1) // BLOCK):
            cells, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
            offsets = places[:, None] * PADDED + channels
            state, along_x, along_y = perceive(state_at + offsets, exists, WIDTH, PADDED)
            parts = split(state, PRECISION), split(along_x, PRECISION), split(along_y, PRECISION)
            hidden = hidden_units(parts, w1, b1, BLOCK, UNITS, PRECISION)
            own = perceived_value(state, along_x, along_y, channels, entry, CHANNELS)

            parts = perceive(before + offsets, exists, WIDTH, PADDED)
            dhidden = hidden_tangent(parts, hidden, own, w1, units == unit, BLOCK, UNITS, PRECISION)
            update = multiply(split(dhidden, PRECISION), w2, tl.zeros_like(state), PRECISION)
            own = tl.sum(tl.where(units[None, :] == from_unit, hidden, 0.0), axis=1)
            update += tl.where(channels == to_channel, own[:, None], 0.0)
            if not SYNCHRONOUS:
                update *= fires(cells, fire[0], fire[1], fire[2])[:, None]
            add(after + offsets, parts[0] + update, update, chunk, exists[:, None])
        tl.debug_barrier()


@triton.jit
def clear(tangent, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, BLOCK: tl.constexpr):
    """Zeros into the tangent state at `tangent`, whose ring is zero already."""
    for tile in range((HEIGHT * WIDTH + BLOCK - 1) // BLOCK):
        _, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
        offsets = places[:, None] * PADDED + tl.arange(0, PADDED)[None, :]
        tl.store(tangent + offsets, tl.zeros((BLOCK, PADDED), tl.float32), mask=exists[:, None])
    tl.debug_barrier()


@triton.jit
def store_visible(
    tangent,
    row,
    extent,
    VISIBLE: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The visible channels of the tangent state at `tangent` into a row of J, zeros beyond the extent."""
    channels = tl.arange(0, PADDED)[None, :]
    rows, columns = tl.load(extent), tl.load(extent + 1)
    for tile in range((HEIGHT * WIDTH + BLOCK - 1) // BLOCK):
        cells, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
        counted = (cells // WIDTH < rows) & (cells % WIDTH < columns)
        values = tl.where(counted[:, None], tl.load(tangent + places[:, None] * PADDED + channels), 0.0)
        at = row + channels * (HEIGHT * WIDTH) + cells[:, None]
        tl.store(at, values, mask=exists[:, None] & (channels < VISIBLE))


@triton.jit(do_not_specialize=RUNTIME)
def tangent_kernel(
    weights,
    states,
    extent,
    chosen,
    tangents,
    jacobian,
    first,
    steps,
    fire_start,
    fire_threshold,
    SYNCHRONOUS: tl.constexpr,
    VISIBLE: tl.constexpr,
    CHANNELS: tl.constexpr,
    HIDDEN: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    UNITS: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Row first + program_id(0) of one rule's Jacobian: the grown picture, derived by weight chosen[row].

    weights, states: of one patch, as grow_kernel left them. extent: int32 (2,). chosen: int32 (n,).
    tangents: float32 scratch (programs, 2, ringed cells, PADDED) with zero rings; tangent states, in turns.
    jacobian: float32 (n, VISIBLE · height · width).
    """
    size: tl.constexpr = (HEIGHT + 2) * (WIDTH + 2) * PADDED
    program = tl.program_id(0).to(tl.int64)
    place = place_of(tl.load(chosen + first + program), CHANNELS, HIDDEN)
    tangents += program * (2 * size)
    clear(tangents, HEIGHT, WIDTH, PADDED, BLOCK)
    for number in range(steps):
        step = tl.full((), 0, tl.int64) + number
        at = states + step * size, tangents + step % 2 * size, tangents + (step + 1) % 2 * size
        fire = step, fire_start, fire_threshold
        tangent_step(
            weights, at, place, fire, SYNCHRONOUS, CHANNELS, HIDDEN, HEIGHT, WIDTH, PADDED, UNITS, BLOCK, PRECISION
        )
    row = jacobian + (first + program) * (VISIBLE * HEIGHT * WIDTH)
    store_visible(tangents + steps % 2 * size, row, extent, VISIBLE, HEIGHT, WIDTH, PADDED, BLOCK)
