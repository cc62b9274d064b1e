"""`regrow grow`: how a picture grows, as an animation."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from PIL import Image

from cli.files import write_whole
from core.codec.bundle import Bundle, read_bundle
from core.codec.decoder import at_step, decode_bundle
from core.codec.engines.base import Rollout
from core.codec.fixed_point import IntegerRule, Integers, visible_pixels
from core.codec.images import Picture
from core.codec.rule import RuleShape
from core.errors import BundleError, InvalidSettings

FRAME_MS = 80
LAST_FRAME_MS = 1500
MOST_FRAMES = 60
LONGEST_SIDE = 8192
"""Pixels of a frame; GIF itself could hold 65,535."""


def grow(
    bundle: Annotated[Path, typer.Argument(help="A .gnca file")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The animation, a .gif file")] = None,
    scale: Annotated[int, typer.Option(min=1, max=64, help="Pixels of the animation per pixel of the picture")] = 1,
) -> None:
    """Show how the picture in a bundle grows, step by step (BUNDLE.gif beside it, unless -o says where)."""
    target = output or bundle.with_suffix(".gif")
    if output is None and target.exists():
        raise InvalidSettings(f"{target} is there already: say with -o where the animation goes")
    if target.suffix.lower() != ".gif":
        raise InvalidSettings(f"{target}: growth is written as GIF, so the name must end in .gif")
    try:
        parsed = read_bundle(bundle.read_bytes())
        header = parsed.header
        if scale * max(header.width, header.height) > LONGEST_SIDE:
            raise InvalidSettings(f"{scale} times {header.width}×{header.height} is over {LONGEST_SIDE} pixels a side")
        write_whole(target, _gif(parsed, scale))
    except BundleError as error:
        raise type(error)(f"{bundle}: {error}") from error
    size = f"{scale * header.width}×{scale * header.height}"
    print(f"{target}: {size}, from the seed to step {header.rollout.steps}")


def shown_steps(steps: int) -> list[int]:
    """The steps after the seed that are shown: all, or so many evenly spread ones, as each is grown from the start."""
    return sorted({round(step) for step in np.linspace(1, steps, min(steps, MOST_FRAMES))})


def frames(bundle: Bundle) -> Iterator[Picture]:
    """The seed, then the picture at the steps shown. Raises DamagedBundle."""
    yield decode_bundle(bundle, grower=_seed_pixels).picture
    for step in shown_steps(bundle.header.rollout.steps):
        yield decode_bundle(at_step(bundle, step)).picture


def _seed_pixels(
    shape: RuleShape, rules: Sequence[IntegerRule], seed: Integers, rollout: Rollout
) -> npt.NDArray[np.uint8]:
    """A grower that does not grow."""
    del rollout
    return np.stack([visible_pixels(seed[: shape.visible])] * len(rules))


def _gif(bundle: Bundle, scale: int) -> bytes:
    images = (_image(picture, scale) for picture in frames(bundle))
    steps, buffer = shown_steps(bundle.header.rollout.steps), io.BytesIO()
    durations = [FRAME_MS] * len(steps) + [LAST_FRAME_MS]
    next(images).save(buffer, "GIF", save_all=True, append_images=images, duration=durations, loop=0)
    return buffer.getvalue()


def _image(picture: Picture, scale: int) -> Image.Image:
    """One frame, in the 256 colours that suit it best; transparent pixels over white, for GIF knows no half-tones."""
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.channels == 1 else picture.pixels)
    if picture.channels == 4:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if scale > 1:
        image = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
    return image if picture.channels == 1 else image.quantize(256)
