"""What is said of a finished encode. Every number is of the stored file, regrown by the decoder that ships."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, computed_field

from regrow.core.codec.encode.encoded import Encoded
from regrow.core.codec.encode.other_codecs import GoOn, OtherFile, best_files
from regrow.core.codec.format.bundle import read_bundle
from regrow.core.codec.format.seeds.arithmetic import STEPS_PER_OCTAVE
from regrow.core.codec.format.seeds.bundle import SeedsBundle
from regrow.core.codec.images import Picture
from regrow.core.codec.options import options_of
from regrow.core.codec.profile import Profile
from regrow.core.codec.quality import compression_ratio
from regrow.core.codec.reading.source_format import SourceFormat
from regrow.core.codec.settings import EncodeSettings

_NOTE = (
    "the image was a {0} file: what {0} loses of a picture is lost already, so its row here is better, often by many "
    "dB, than for a picture that was never such a file"
)
NOTES = {SourceFormat.JPEG: _NOTE.format("JPEG"), SourceFormat.WEBP: _NOTE.format("lossy WebP")}
"""By the source's format."""


class Report(BaseModel):
    """What was asked for, and what became of it.

    width, height: pixels. channels: 1 (grey), 3 (RGB) or 4 (RGB and alpha). profile, preset, effort, seed,
    seed_number, coder, quality: the settings of the encode (core.codec.settings.EncodeSettings), None for those that
    its profile or a target leaves no part. quantisation_step: of the profile seeds, as a share of the range of pixels.
    patches: how many the picture was cut into.

    psnr: dB. ssim: None where a side is under 11 pixels. mse: squared 8-bit levels. bytes: the whole stored file.
    original_bytes: the uploaded file; raw_bytes: width · height · channels. bits_per_pixel: of the stored file.
    cr_original, cr_raw: the paper's CR against original_bytes and raw_bytes.
    patch_iterations: training iterations, summed over the patches. device_seconds: of fitting, summed over the batches;
    both are what energy is proportional to. elapsed_seconds: from the begin of the first fit to the finished bundle, on
    however many devices. presets: how many patches use which. target_psnr, max_bytes: what was asked
    for; target_met: whether it was, None without one; next_bytes: of the smallest better file that was found beyond
    max_bytes. others: the best that other codecs make of this very picture in as many bytes as this file has. colours:
    how the uploaded file's became sRGB, as core.codec.images.Picture has it. source_format: what that file was, which
    others_note says something of. Older reports have none of these.
    """

    model_config = ConfigDict(frozen=True)

    width: int
    height: int
    channels: int
    profile: Profile = Profile.RULES
    preset: str | None
    effort: str
    seed: str | None
    seed_number: int | None
    coder: str | None
    quality: float | None = None
    quantisation_step: float | None = None
    target_psnr: float | None
    max_bytes: int | None
    target_met: bool | None
    next_bytes: int | None = None
    patches: int
    presets: dict[str, int]
    psnr: float
    ssim: float | None
    mse: float
    bytes: int
    original_bytes: int
    raw_bytes: int
    cr_original: float
    cr_raw: float
    bits_per_pixel: float
    patch_iterations: int
    device_seconds: float
    elapsed_seconds: float | None = None
    others: tuple[OtherFile, ...] = ()
    colours: str | None = None
    source_format: SourceFormat | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def others_note(self) -> str | None:
        """What must be known to compare with the others; None where there is nothing."""
        return NOTES.get(self.source_format) if self.source_format and self.others else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def bytes_per_patch(self) -> float:
        """Of the whole file."""
        return self.bytes / self.patches


def make_report(
    picture: Picture,
    settings: EncodeSettings,
    encoded: Encoded,
    *,
    original_bytes: int,
    patch_iterations: int,
    device_seconds: float,
    elapsed_seconds: float | None,
    colours: str | None = None,
    source_format: SourceFormat | None = None,
    go_on: GoOn = lambda: None,
) -> Report:
    """Put the figures together, and search what other codecs make of the picture: about two seconds for 512×512.

    go_on: as for core.codec.encode.other_codecs.best_files.
    """
    quality, stored_bytes, bundle = encoded.quality, len(encoded.bundle), read_bundle(encoded.bundle)
    step = 2 ** (-bundle.header.step / STEPS_PER_OCTAVE) if isinstance(bundle, SeedsBundle) else None
    return Report(
        width=picture.width,
        height=picture.height,
        channels=picture.channels,
        **options_of(settings) | {"preset": settings.preset_name},
        quantisation_step=step,
        target_met=encoded.target_met,
        next_bytes=encoded.next_bytes,
        patches=bundle.header.grid.count,
        presets=encoded.presets,
        psnr=quality.psnr,
        ssim=quality.ssim,
        mse=quality.mse,
        bytes=stored_bytes,
        original_bytes=original_bytes,
        raw_bytes=picture.pixels.size,
        cr_original=compression_ratio(stored_bytes, original_bytes),
        cr_raw=compression_ratio(stored_bytes, picture.pixels.size),
        bits_per_pixel=8 * stored_bytes / (picture.width * picture.height),
        patch_iterations=patch_iterations,
        device_seconds=device_seconds,
        elapsed_seconds=elapsed_seconds,
        others=best_files(picture, stored_bytes, go_on),
        colours=colours,
        source_format=source_format,
    )
