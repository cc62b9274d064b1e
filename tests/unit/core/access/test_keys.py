from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from regrow.core.access.key_cache import ANYBODY, KeyCache
from regrow.core.access.keys import KeyStore, key_id_of
from regrow.core.access.principal import Role
from regrow.core.errors import InvalidSettings, KeyNotFound, ServiceUnavailable
from regrow.core.stores.files import FilesBlobStore


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(FilesBlobStore(tmp_path))


def _cache(store: KeyStore) -> KeyCache:
    cache = KeyCache(store)
    cache.refresh()
    return cache


def test_a_key_is_found_and_not_kept(store: KeyStore, tmp_path: Path) -> None:
    token, document = store.create("alice", Role.ADMIN, max_patches=7)
    found = _cache(store).find(token)
    assert found is not None
    assert (found.owner, found.role, found.key_id, found.max_patches) == ("alice", Role.ADMIN, document.id, 7)
    assert not any(token.encode() in path.read_bytes() for path in tmp_path.rglob("*.json"))
    assert key_id_of(token) == document.id


def test_without_keys_anybody_may(store: KeyStore) -> None:
    assert _cache(store).find(None) is ANYBODY
    assert _cache(store).find("whatever") is ANYBODY


def test_a_service_whose_only_key_was_revoked_is_not_open(store: KeyStore) -> None:
    token, document = store.create("alice")
    store.revoke(document.id)
    assert _cache(store).find(token) is None
    assert _cache(store).find(None) is None
    assert store.revoke(document.id).revoked_ms == store.all()[0].revoked_ms
    assert [key.id for key in store.all()] == [document.id]


@pytest.mark.parametrize("expires_ms", [0, 1])
def test_an_expired_key_is_none(store: KeyStore, expires_ms: int) -> None:
    token, _ = store.create("alice", expires_ms=expires_ms)
    assert _cache(store).find(token) is None


@pytest.mark.parametrize("change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), str.upper, lambda t: t + "x"])
def test_another_key_is_none(store: KeyStore, change) -> None:  # type: ignore[no-untyped-def]
    token, _ = store.create("alice")
    assert _cache(store).find(change(token)) is None


@pytest.mark.parametrize("owner", ["", "*", "Alice", "a b", "a/b", "-a", "a" * 64, "ä", "a\n"])
def test_owners_have_plain_names(store: KeyStore, owner: str) -> None:
    with pytest.raises(InvalidSettings, match="cannot be an owner"):
        store.create(owner)


@pytest.mark.parametrize("key_id", ["0" * 12, "../../x", ""])
def test_unknown_keys_cannot_be_revoked(store: KeyStore, key_id: str) -> None:
    with pytest.raises(KeyNotFound):
        store.revoke(key_id)


def test_an_outage_leaves_the_keys_seen_last(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = store.create("alice")
    cache, fresh = _cache(store), KeyCache(store)

    def down() -> None:
        raise ServiceUnavailable("down")

    monkeypatch.setattr(store, "ids", down)
    cache.refresh()
    assert cache.find(token) is not None
    with pytest.raises(ServiceUnavailable):
        fresh.refresh()
    assert fresh.find(token) is None


@pytest.mark.parametrize("how", ["moved", "unreadable"])
def test_a_folder_that_vanishes_opens_no_door(
    store: KeyStore, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = store.create("alice")
    cache = _cache(store)
    if how == "moved":
        (tmp_path / "keys").rename(tmp_path / "gone")
    else:
        monkeypatch.setattr("os.scandir", lambda *_: (_ for _ in ()).throw(OSError(116, "Stale file handle")))
    cache.refresh()
    assert cache.find(None) is None
    assert cache.find(token) is not None


def test_what_must_not_be_open_never_is(store: KeyStore) -> None:
    cache = KeyCache(store, may_be_open=False)
    cache.refresh()
    assert cache.find(None) is None


def test_one_bad_object_is_not_the_others(store: KeyStore, tmp_path: Path) -> None:
    token, _ = store.create("alice")
    other, document = store.create("bob")
    (tmp_path / "keys/active/notes.txt").write_text("x")
    (tmp_path / "keys/active/000000000000.json").write_text("")
    cache = _cache(store)
    assert cache.find(token) is not None
    store.revoke(document.id)
    cache.refresh()
    assert cache.find(other) is None
    assert cache.find(token) is not None


def test_nobody_waits_for_a_list_that_hangs(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token, _ = store.create("alice")
    cache = _cache(store)
    asked, answer = threading.Event(), threading.Event()

    def hang() -> tuple[set[str], bool]:
        asked.set()
        answer.wait(20)
        return set(), True

    monkeypatch.setattr(store, "ids", hang)
    monkeypatch.setattr("regrow.core.access.key_cache.FRESH_SECONDS", -1.0)
    monkeypatch.setattr("regrow.core.access.key_cache.PATIENCE_SECONDS", 0.01)
    cache._known = dataclasses.replace(cache._known, fresh_until=0.0)  # type: ignore[type-var]
    cache.refresh_soon()
    assert asked.wait(10)
    cache.refresh_soon()
    cache.refresh()
    assert cache.find(token) is not None
    answer.set()
