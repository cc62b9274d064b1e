"""What Redis' errors become."""

from __future__ import annotations

import pytest
from redis.exceptions import ResponseError

from core.errors import StorageFull
from core.jobs.scripts import redis_errors


def test_a_full_disk_under_redis_is_no_bug() -> None:
    with pytest.raises(StorageFull, match="full or broken"), redis_errors():
        raise ResponseError("MISCONF Errors writing to the AOF file: No space left on device")
    with pytest.raises(ResponseError), redis_errors():
        raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
