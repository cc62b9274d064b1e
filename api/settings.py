"""The API's settings, from environment variables named REGROW_*."""

from __future__ import annotations

from pydantic import Field

from core.codec.images import ImageLimits
from core.jobs.settings import ServiceSettings


class ApiSettings(ServiceSettings):
    """max_body_bytes: of an upload. max_side, max_pixels: of an image, read off its header."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    behind_private_network: bool = Field(
        default=False,
        description="Allow an address beyond loopback: only where something in front keeps strangers out",
    )
    max_body_bytes: int = Field(default=32 * 1024 * 1024, gt=0)
    max_side: int = Field(default=16_384, gt=0, le=16_384)
    max_pixels: int = Field(default=16_777_216, gt=0)

    @property
    def image_limits(self) -> ImageLimits:
        return ImageLimits(max_side=self.max_side, max_pixels=self.max_pixels)
