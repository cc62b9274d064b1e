"""What environment variables hold, read as people write it, and which of them there are."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_settings import NoDecode

PREFIX = "REGROW_"

_NAMES = """
access_log allowed_hosts api_key batch_time behind_private_network blob_folder blob_store
body_timeout bundle_cache_bytes checkpoint_time cors_origins engine gather_messages gather_time
header_timeout heartbeat host image_decode_memory image_decode_timeout lease log_format log_level
max_body_bytes max_connections max_group_bytes max_group_images max_patches max_patches_per_owner
max_pixels max_side nice pick_up picture_cache_bytes port published_port queues redis_url result_ttl root_path
s3_access_key s3_attempts s3_bucket s3_connect_timeout s3_endpoint s3_region s3_secret_key
s3_timeout stall_timeout trusted_proxies webhook_networks webhook_timeout webhook_waits
"""

KNOWN = frozenset(PREFIX + name.upper() for name in _NAMES.split())
"""Of all kinds of processes, as they share an environment: api and worker must not know each other."""

NOT_OURS = ("REGROW_TEST_", "REGROW_BENCH_", "REGROW_SERVICE_", "REGROW_PORT_")
"""Of tests and benchmarks; and what Kubernetes sets by itself beside a service that is called regrow."""

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_ISO = TypeAdapter(timedelta)


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    simple = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|[smhd]?)", value.strip())
    try:
        if simple:
            return timedelta(seconds=float(simple[1]) * _UNITS[simple[2]])
        return _ISO.validate_python(value.strip())
    except (OverflowError, ValidationError) as error:
        raise ValueError(f"{value!r} is not a duration: write 30s, 15m, 1d or PT30S") from error


def _list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith(("[", "{")):
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise ValueError(f'{value!r} is not a list: write a,b or ["a", "b"]')
    return found


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""`30s`, `15m`, `2h`, `1d`, `500ms`, seconds without a unit, or ISO 8601 (`PT30S`)."""

Listed = (NoDecode, BeforeValidator(_list))
"""For Annotated: `a,b`, or a JSON list."""


def unknown_settings(names: Iterable[str]) -> dict[str, str | None]:
    """The environment's variables that look like settings and are none, each with the name that may have been meant."""
    wrong = sorted(
        name
        for name in names
        if name.upper().startswith(PREFIX) and name.upper() not in KNOWN and not name.upper().startswith(NOT_OURS)
    )
    return {name: next(iter(difflib.get_close_matches(name.upper(), KNOWN, 1, 0.8)), None) for name in wrong}


def told(unknown: dict[str, str | None]) -> str:
    """One sentence about such variables, for a log. unknown: as `unknown_settings` has them."""
    words = [f"{name} (did you mean {meant}?)" if meant else name for name, meant in unknown.items()]
    return f"there is no such setting, so it changes nothing: {', '.join(words)}"
