"""What may be asked for: how to encode, and what to see of a picture. The API's documentation explains each option."""

from __future__ import annotations

from typing import Literal, TypedDict

PictureKind = Literal["png", "webp", "jpg", "gif"]
"""Of a picture's file; `gif` is its growth, as an animation."""


class EncodeOptions(TypedDict, total=False):
    """How to encode; what is left out is the server's default. A test compares the names and choices with the API's.

    preset, seed, seed_number, coder and effort paper are for the profile rules; quality, 0 to 100, is for seeds.
    target_psnr: dB, 10 to 55. max_bytes: of the whole file. Only one of preset, quality, target_psnr and max_bytes may
    be given.
    seed_number: 0 to 2³²−1. timeout: seconds that the job may run, once begun. start_timeout: seconds that it may wait
    for that. webhook: URL to call at its end.
    """

    profile: Literal["rules", "seeds"]
    quality: float
    preset: Literal["micro", "tiny", "mini", "small", "medium", "large", "huge"]
    effort: Literal["draft", "standard", "thorough", "paper"]
    seed: Literal["scaffold", "pixel"]
    seed_number: int
    coder: Literal["bytes", "ans"]
    target_psnr: float
    max_bytes: int
    priority: Literal["low", "normal", "high"]
    on_failure: Literal["fail", "flat"]
    timeout: float
    start_timeout: float
    webhook: str


class ViewOptions(TypedDict, total=False):
    """What to see of a picture.

    crop: x, y, width and height in pixels of the picture. step: the state of the automaton after so many steps; 0 is
    the seed. scale: pixels of the file per pixel of the picture, along each side.
    """

    crop: tuple[int, int, int, int]
    step: int
    scale: int
