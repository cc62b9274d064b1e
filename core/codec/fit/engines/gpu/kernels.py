"""The CUDA engine's two kernels: a whole rollout in one launch, and its whole backward pass in another.

One thread block works one patch through all steps. A step's cells need their neighbours of the step before, which
other threads of the same block wrote to global memory; tl.debug_barrier() is a __syncthreads(), which makes a block's
writes visible to that block, and no other block touches the patch. That is why no step needs a launch of its own.
Nothing is added up by atomics: a result depends neither on the order of blocks nor on the patches beside it.
"""

# mypy: ignore-errors
# Triton has no type stubs, and its kernels are not Python: arguments are what the compiler makes of them.

from __future__ import annotations

import triton
import triton.language as tl

from regrow.core.codec.fit.engines.gpu.cells import fires, locate, perceive, sobel_x, sobel_y
from regrow.core.codec.fit.engines.gpu.products import multiply, split, transpose
from regrow.core.codec.fit.engines.gpu.weights import hidden_units, load_w1, load_w2, w1_part, w2_whole

# Whether one of these is 1 or divisible by 16 is not worth a kernel of its own.
RUNTIME = ["weights_stride", "seeds_stride", "steps", "fire_start", "fire_threshold"]


@triton.jit
def add(at, first, more, number, mask):
    """Store `first` in the first turn, `number` 0, and add `more` to what is there in later ones."""
    if number == 0:
        tl.store(at, first, mask=mask)
    else:
        tl.store(at, tl.load(at, mask=mask, other=0.0) + more, mask=mask)


@triton.jit(do_not_specialize=RUNTIME)
def grow_kernel(
    weights,
    seeds,
    states,
    weights_stride,
    seeds_stride,
    steps,
    fire_start,
    fire_threshold,
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
    """Grow patch program_id(0) from its seed.

    weights, seeds: float32, rows of `parameters` and of (channels, height, width); stride 0 for a common one.
    states: float32 (G, steps + 1, ringed cells, PADDED); slot t gets the state after t steps. PADDED is channels,
    rounded up for tl.dot; UNITS is how many hidden units are worked at a time. Their weights are read at every step:
    that is little beside the step's cells.
    """
    size: tl.constexpr = (HEIGHT + 2) * (WIDTH + 2) * PADDED
    tiles: tl.constexpr = (HEIGHT * WIDTH + BLOCK - 1) // BLOCK
    chunks: tl.constexpr = (HIDDEN + UNITS - 1) // UNITS
    patch = tl.program_id(0).to(tl.int64)
    weights += patch * weights_stride
    seeds += patch * seeds_stride
    states += patch * (steps + 1) * size
    channels = tl.arange(0, PADDED)[None, :]

    for tile in range(tiles):
        cells, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
        seed_at = seeds + channels * (HEIGHT * WIDTH) + cells[:, None]
        seed = tl.load(seed_at, mask=channels < CHANNELS, other=0.0)
        tl.store(states + places[:, None] * PADDED + channels, seed, mask=exists[:, None])
    tl.debug_barrier()

    for number in range(steps):
        step = tl.full((), 0, tl.int64) + number
        before, after = states + step * size, states + (step + 1) * size
        for chunk in range(chunks):
            units = chunk * UNITS + tl.arange(0, UNITS)
            w1 = load_w1(weights, units[None, :], tl.trans(channels), CHANNELS, HIDDEN, PRECISION)
            b1 = tl.load(weights + HIDDEN * 3 * CHANNELS + units, mask=units < HIDDEN, other=0.0)
            w2 = load_w2(weights, channels, units[:, None], CHANNELS, HIDDEN, PRECISION)
            for tile in range(tiles):
                cells, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
                offsets = places[:, None] * PADDED + channels
                state, along_x, along_y = perceive(before + offsets, exists, WIDTH, PADDED)
                parts = split(state, PRECISION), split(along_x, PRECISION), split(along_y, PRECISION)
                hidden = split(hidden_units(parts, w1, b1, BLOCK, UNITS, PRECISION), PRECISION)
                update = multiply(hidden, w2, tl.zeros_like(state), PRECISION)
                if not SYNCHRONOUS:
                    update *= fires(cells, step, fire_start, fire_threshold)[:, None]
                add(after + offsets, state + update, update, chunk, exists[:, None])
            tl.debug_barrier()


@triton.jit
def add_gradients(at, dw1, dw1x, dw1y, db1, dw2, back, channels, units, CHANNELS: tl.constexpr, HIDDEN: tl.constexpr):
    """Add a step's part to a rule's gradient, or start it with step 0 from the `back`.

    at: where the flat gradient is. dw1, dw1x, dw1y: (units, channels); db1: (units,); dw2: (channels, units).
    """
    rows = units[:, None]
    at_state, inside = w1_part(at, 0, rows, channels, CHANNELS, HIDDEN)
    at_x, _ = w1_part(at, 1, rows, channels, CHANNELS, HIDDEN)
    at_y, _ = w1_part(at, 2, rows, channels, CHANNELS, HIDDEN)
    add(at_state, dw1, dw1, back, inside)
    add(at_x, dw1x * 0.125, dw1x * 0.125, back, inside)
    add(at_y, dw1y * 0.125, dw1y * 0.125, back, inside)
    add(at + HIDDEN * 3 * CHANNELS + units, db1, db1, back, units < HIDDEN)
    w2_at, inside = w2_whole(at, tl.trans(channels), units[None, :], CHANNELS, HIDDEN)
    add(w2_at, dw2, dw2, back, inside)


@triton.jit
def gather_adjoint(at, size: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    """The state's whole adjoint where `at` (BLOCK, PADDED) points into the first of three parts of `size` values.

    With zeros outside, the adjoint of a Sobel filter is its negative. The last sum is written as a reduction because
    the compiler does not look through one: else it would bring each of the 13 loaded values, instead of their sum, into
    the layout of the products' results.
    """
    through_x = sobel_x(at + size, WIDTH, PADDED)
    through_y = sobel_y(at + 2 * size, WIDTH, PADDED)
    return tl.sum(tl.join(tl.load(at) - through_x, -through_y), axis=2)


@triton.jit(do_not_specialize=RUNTIME)
def backward_kernel(
    weights,
    states,
    pixels,
    extents,
    adjoints,
    losses,
    gradients,
    seed_gradients,
    weights_stride,
    steps,
    fire_start,
    fire_threshold,
    SYNCHRONOUS: tl.constexpr,
    SEED_GRADIENTS: tl.constexpr,
    VISIBLE: tl.constexpr,
    OFFSET: tl.constexpr,
    CHANNELS: tl.constexpr,
    HIDDEN: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    PADDED: tl.constexpr,
    UNITS: tl.constexpr,
    BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Loss of patch program_id(0)'s last state, and the gradient by its rule's weights and, if asked for, its seed.

    weights, states: as grow_kernel left them. pixels: (G, VISIBLE, height, width). extents: int32 (G, 2).
    adjoints: float32 scratch (G, 2, 3, ringed cells, PADDED) with zero rings: in turns for odd and even steps, the
    adjoint of the state less what comes through the Sobel responses, and the adjoints of these responses. The latter
    are gathered into the state's adjoint one step later, so that a step needs one barrier, and no scatter.
    losses: (G,); gradients: (G, parameters); seed_gradients: (G, channels, height, width).
    """
    size: tl.constexpr = (HEIGHT + 2) * (WIDTH + 2) * PADDED
    count: tl.constexpr = HEIGHT * WIDTH
    tiles: tl.constexpr = (count + BLOCK - 1) // BLOCK
    chunks: tl.constexpr = (HIDDEN + UNITS - 1) // UNITS
    patch = tl.program_id(0).to(tl.int64)
    weights += patch * weights_stride
    states += patch * (steps + 1) * size
    pixels += patch * (VISIBLE * count)
    adjoints += patch * (6 * size)
    gradients += patch * (HIDDEN * (4 * CHANNELS + 1))
    channels = tl.arange(0, PADDED)[None, :]

    rows = tl.load(extents + 2 * patch)
    columns = tl.load(extents + 2 * patch + 1)
    scale = 1.0 / (VISIBLE * rows * columns)
    last = states + steps.to(tl.int64) * size
    loss = tl.zeros((BLOCK,), tl.float32)
    for tile in range(tiles):
        cells, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
        offsets = places[:, None] * PADDED + channels
        counted = exists & (cells // WIDTH < rows) & (cells % WIDTH < columns)
        shown = counted[:, None] & (channels < VISIBLE)
        wanted = tl.load(pixels + channels * count + cells[:, None], mask=shown, other=0.0)
        errors = tl.where(shown, tl.load(last + offsets) + OFFSET - wanted, 0.0)
        loss += tl.sum(errors * errors, axis=1)
        tl.store(adjoints + offsets, 2 * scale * errors, mask=exists[:, None])
        tl.store(adjoints + size + offsets, tl.zeros_like(errors), mask=exists[:, None])
        tl.store(adjoints + 2 * size + offsets, tl.zeros_like(errors), mask=exists[:, None])
    tl.store(losses + patch, tl.sum(loss, axis=0) * scale)
    tl.debug_barrier()

    for back in range(steps):
        step = steps - 1 - back
        before = states + step.to(tl.int64) * size
        read = adjoints + back % 2 * (3 * size)
        write = adjoints + (back + 1) % 2 * (3 * size)
        for chunk in range(chunks):
            units = chunk * UNITS + tl.arange(0, UNITS)
            w1 = load_w1(weights, units[None, :], tl.trans(channels), CHANNELS, HIDDEN, PRECISION)
            w1_t = load_w1(weights, units[:, None], channels, CHANNELS, HIDDEN, PRECISION)
            b1 = tl.load(weights + HIDDEN * 3 * CHANNELS + units, mask=units < HIDDEN, other=0.0)
            w2 = load_w2(weights, tl.trans(channels), units[None, :], CHANNELS, HIDDEN, PRECISION)
            dw1 = tl.zeros((UNITS, PADDED), tl.float32)
            dw1x = tl.zeros((UNITS, PADDED), tl.float32)
            dw1y = tl.zeros((UNITS, PADDED), tl.float32)
            db1 = tl.zeros((UNITS,), tl.float32)
            dw2 = tl.zeros((PADDED, UNITS), tl.float32)
            for tile in range(tiles):
                cells, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
                offsets = places[:, None] * PADDED + channels
                adjoint = gather_adjoint(read + offsets, size, WIDTH, PADDED)
                update = tl.where(exists[:, None], adjoint, 0.0)
                if not SYNCHRONOUS:
                    update *= fires(cells, step, fire_start, fire_threshold)[:, None]
                update = split(update, PRECISION)

                state, along_x, along_y = perceive(before + offsets, exists, WIDTH, PADDED)
                parts = split(state, PRECISION), split(along_x, PRECISION), split(along_y, PRECISION)
                hidden = hidden_units(parts, w1, b1, BLOCK, UNITS, PRECISION)
                zeros = tl.zeros((BLOCK, UNITS), tl.float32)
                dhidden = tl.where(hidden > 0.0, multiply(update, w2, zeros, PRECISION), 0.0)
                dparts = split(dhidden, PRECISION)

                # Not added to `adjoint` in the product itself, for the sake of layouts once more.
                direct = multiply(dparts, w1_t[0], tl.zeros_like(adjoint), PRECISION)
                add(write + offsets, adjoint + direct, direct, chunk, exists[:, None])
                dx = multiply(dparts, w1_t[1], tl.zeros_like(adjoint), PRECISION)
                add(write + size + offsets, dx, dx, chunk, exists[:, None])
                dy = multiply(dparts, w1_t[2], tl.zeros_like(adjoint), PRECISION)
                add(write + 2 * size + offsets, dy, dy, chunk, exists[:, None])

                dw2 = multiply(transpose(update), split(hidden, PRECISION), dw2, PRECISION)
                dparts = transpose(dparts)
                dw1 = multiply(dparts, parts[0], dw1, PRECISION)
                dw1x = multiply(dparts, parts[1], dw1x, PRECISION)
                dw1y = multiply(dparts, parts[2], dw1y, PRECISION)
                db1 += tl.sum(dhidden, axis=0)
            add_gradients(gradients, dw1, dw1x, dw1y, db1, dw2, back, channels, units, CHANNELS, HIDDEN)
            tl.debug_barrier()

    if SEED_GRADIENTS:
        read = adjoints + steps % 2 * (3 * size)
        seed_gradients += patch * (CHANNELS * count)
        for tile in range(tiles):
            cells, exists, places = locate(tile, HEIGHT, WIDTH, BLOCK)
            offsets = places[:, None] * PADDED + channels
            adjoint = gather_adjoint(read + offsets, size, WIDTH, PADDED)
            seed_at = seed_gradients + channels * count + cells[:, None]
            tl.store(seed_at, adjoint, mask=exists[:, None] & (channels < CHANNELS))
