"""The cache: bounded by bytes, made once, errors for all who wait and for nobody later."""

from __future__ import annotations

import threading

import pytest

from regrow.api.cache import ByteCache


def _cache(most_bytes: int = 10) -> ByteCache[bytes]:
    return ByteCache(most_bytes, len)


def test_a_value_is_made_once() -> None:
    cache, made = _cache(), []

    def make() -> bytes:
        made.append(1)
        return b"value"

    assert [cache.get("key", make) for _ in range(3)] == [b"value"] * 3
    assert made == [1]


def test_the_least_recently_used_goes_first() -> None:
    cache, made = _cache(10), []

    def get(key: str) -> None:
        cache.get(key, lambda: made.append(key) or b"four")  # type: ignore[func-returns-value]

    for key in "ab":
        get(key)
    get("a")
    get("c")  # and b has to go
    made.clear()
    for key in "ac":
        get(key)
    assert made == []
    get("b")
    assert made == ["b"]


def test_what_is_larger_than_the_cache_is_not_kept() -> None:
    cache, made = _cache(10), []
    for _ in range(2):
        cache.get("key", lambda: made.append(1) or bytes(11))  # type: ignore[func-returns-value]
    assert made == [1, 1]
    assert cache.get("small", lambda: b"kept") == b"kept"


def test_all_who_ask_meanwhile_wait_for_the_first() -> None:
    cache, made = _cache(), []
    begun, go_on = threading.Event(), threading.Event()
    answers: list[bytes] = []

    def make() -> bytes:
        made.append(1)
        begun.set()
        assert go_on.wait(10)
        return b"value"

    threads = [threading.Thread(target=lambda: answers.append(cache.get("key", make))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    assert cache.get("other", lambda: b"not held up") == b"not held up"
    go_on.set()
    for thread in threads:
        thread.join()
    assert (answers, made) == ([b"value"] * 5, [1])


def test_an_error_is_not_kept() -> None:
    cache = _cache()

    def fail() -> bytes:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        cache.get("key", fail)
    assert cache.get("key", lambda: b"now") == b"now"
