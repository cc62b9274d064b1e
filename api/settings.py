"""The API's settings, from environment variables named REGROW_*."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from regrow.api.asgi.hosts import host_name
from regrow.api.asgi.prefix import parse_prefix
from regrow.api.submit.archive import UploadLimits
from regrow.api.submit.preparing import PreparingLimits
from regrow.core.codec.images import ImageLimits
from regrow.core.jobs.settings import ServiceSettings
from regrow.core.jobs.store import Limits
from regrow.core.setting_kinds import Duration, Listed


class ApiSettings(ServiceSettings):
    """max_body_bytes: of an upload. max_group_images, max_group_bytes: of a group's, which may be a ZIP, unpacked.
    max_side, max_pixels: of an image, read off its header. image_decode_timeout, image_decode_memory: that decoding one
    may take, the latter in bytes.

    max_patches_per_owner, max_patches: accepted and not done at a time; 0 for no limit. bundle_cache_bytes,
    picture_cache_bytes: of memory, in each API process. trusted_proxies: addresses whose X-Forwarded-* headers are
    believed. root_path: below which path a proxy serves this, such as `/regrow`; empty for none.
    allowed_hosts: names that browsers may call the service, beside this machine's own; `*` for any.
    cors_origins: whose pages may use the API; none by default. access_log: a line per request.
    header_timeout, body_timeout: until a request's are whole.
    stall_timeout: until the next byte of a request. max_connections: open at a time; beyond, 503.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    behind_private_network: bool = Field(
        default=False,
        description="Allow an address beyond loopback: only where something in front keeps strangers out",
    )
    access_log: bool = True
    root_path: Annotated[str, AfterValidator(parse_prefix)] = ""
    trusted_proxies: Annotated[tuple[str, ...], *Listed] = ()
    allowed_hosts: Annotated[tuple[Annotated[str, AfterValidator(host_name)], ...], *Listed] = ()
    cors_origins: Annotated[tuple[str, ...], *Listed] = ()
    max_body_bytes: int = Field(default=32 * 1024 * 1024, gt=0)
    max_group_images: int = Field(default=1000, ge=1, le=10_000)
    max_group_bytes: int = Field(default=256 * 1024 * 1024, gt=0)
    max_side: int = Field(default=16_384, gt=0, le=16_384)
    max_pixels: int = Field(default=16_777_216, gt=0)
    image_decode_timeout: Duration = Field(default=timedelta(seconds=30), gt=timedelta(0))
    image_decode_memory: int = Field(default=1536 * 1024 * 1024, ge=64 * 1024 * 1024)
    bundle_cache_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
    picture_cache_bytes: int = Field(default=128 * 1024 * 1024, ge=0)
    max_patches_per_owner: int = Field(default=200_000, ge=0)
    max_patches: int = Field(default=1_000_000, ge=0)
    header_timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0))
    body_timeout: Duration = Field(default=timedelta(seconds=300), gt=timedelta(0))
    stall_timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0))
    max_connections: int = Field(default=1000, gt=0)
    # Somebody waits for each answer: a store that is down is said to be within two seconds.
    s3_connect_timeout: Duration = Field(default=timedelta(milliseconds=500), gt=timedelta(0))
    s3_attempts: int = Field(default=2, ge=1, le=10)

    @property
    def image_limits(self) -> ImageLimits:
        return ImageLimits(max_side=self.max_side, max_pixels=self.max_pixels)

    @property
    def preparing_limits(self) -> PreparingLimits:
        return PreparingLimits(self.image_limits, self.image_decode_timeout.total_seconds(), self.image_decode_memory)

    @property
    def upload_limits(self) -> UploadLimits:
        return UploadLimits(self.max_group_images, self.max_body_bytes, self.max_group_bytes)

    @property
    def limits(self) -> Limits:
        return Limits(owned=self.max_patches_per_owner, in_all=self.max_patches)
