"""The last part of an encode: one candidate for each patch is chosen, and the bundle is written and measured."""

from __future__ import annotations

from collections.abc import Sequence

from regrow.core.codec.decode import decode
from regrow.core.codec.encode.allocation import allocate
from regrow.core.codec.encode.candidate import Candidate
from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.plan import rollout_of
from regrow.core.codec.format.bundle import MAX_PRESETS, BundleHeader, bundle_size, write_bundle
from regrow.core.codec.format.payload import with_preset
from regrow.core.codec.images import Picture
from regrow.core.codec.presets import PATCH_SIZE, Preset
from regrow.core.codec.quality import measure
from regrow.core.codec.rule import RuleShape
from regrow.core.codec.settings import EncodeSettings
from regrow.core.errors import BudgetTooSmall


def assemble(picture: Picture, settings: EncodeSettings, patches: Sequence[Sequence[Candidate]]) -> Encoded:
    """The bundle of the best choice of every patch's candidates, and the quality of what the decoder makes of it.

    Raises BudgetTooSmall where no choice is as small as was asked for.
    """
    choice, met, next_bytes = [0] * len(patches), None, None
    if settings.target_psnr is not None:
        values = picture.pixels.size
        choice, met = allocate(patches, max_error=values * 255**2 * 10 ** (-settings.target_psnr / 10))
    elif settings.max_bytes is not None:
        # A bundle lists each preset that it uses: two bytes for each that may be.
        overhead = bundle_size([0] * len(patches), min(len(patches), MAX_PRESETS), rollout_of(settings))
        limit = settings.max_bytes
        choice, met = allocate(patches, max_bytes=limit - overhead)
        least = _size(settings, patches, choice)
        if least > limit:
            raise BudgetTooSmall(f"{limit} bytes are too few for this picture: the smallest bundle takes {least}")
        met, next_bytes = True, _next_size(settings, patches, choice, limit)
    bundle = _bundle(picture, settings, patches, choice)
    shapes = [candidates[number].shape for candidates, number in zip(patches, choice, strict=True)]
    return Encoded(bundle, measure(picture.pixels, decode(bundle).picture.pixels), _counts(shapes), met, next_bytes)


def _bundle(
    picture: Picture, settings: EncodeSettings, patches: Sequence[Sequence[Candidate]], choice: Sequence[int]
) -> bytes:
    chosen = [candidates[number] for candidates, number in zip(patches, choice, strict=True)]
    shapes = sorted({candidate.shape for candidate in chosen}, key=lambda shape: (shape.parameters, shape.channels))
    header = BundleHeader(
        height=picture.height,
        width=picture.width,
        patch_size=PATCH_SIZE,
        seed=settings.seed,
        rollout=rollout_of(settings),
        coder=settings.coder,
        presets=tuple(shapes),
    )
    return write_bundle(header, [with_preset(each.payload, shapes.index(each.shape)) for each in chosen])


def _size(settings: EncodeSettings, patches: Sequence[Sequence[Candidate]], choice: Sequence[int]) -> int:
    """The size of the bundle in bytes."""
    chosen = [candidates[number] for candidates, number in zip(patches, choice, strict=True)]
    presets = len({candidate.shape for candidate in chosen})
    return bundle_size([len(each.payload) for each in chosen], presets, rollout_of(settings))


def _next_size(
    settings: EncodeSettings, patches: Sequence[Sequence[Candidate]], choice: Sequence[int], limit: int
) -> int | None:
    """The size, in bytes, of the smallest bundle over the limit in which one patch is better; None if there is none."""
    size, chosen = (
        _size(settings, patches, choice),
        [some[number] for some, number in zip(patches, choice, strict=True)],
    )
    shapes, rollout = {each.shape for each in chosen}, rollout_of(settings)
    listing = bundle_size([], 1, rollout) - bundle_size([], 0, rollout)
    sizes = [
        size + len(other.payload) - len(each.payload) + (0 if other.shape in shapes else listing)
        for some, each in zip(patches, chosen, strict=True)
        for other in some
        if other.error < each.error
    ]
    return min((bytes_ for bytes_ in sizes if bytes_ > limit), default=None)


def _counts(shapes: Sequence[RuleShape]) -> dict[str, int]:
    names = {preset.shape(shapes[0].visible): str(preset) for preset in Preset}
    counts = {name: sum(shape == other for other in shapes) for shape, name in names.items()}
    return {name: count for name, count in counts.items() if count}
