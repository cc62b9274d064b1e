"""The secrets that webhooks are signed with, and how one follows another."""

from __future__ import annotations

from pathlib import Path

import pytest

from regrow.core.stores.files import FilesBlobStore
from regrow.core.webhooks.secrets import MOST_FORMER, SecretStore

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def clock() -> list[int]:
    """The time in ms, to be moved by hand."""
    return [1_000_000]


@pytest.fixture
def secrets(tmp_path: Path, clock: list[int]) -> SecretStore:
    return SecretStore(FilesBlobStore(tmp_path), lambda: clock[0])


def test_a_replaced_secret_signs_for_a_day(secrets: SecretStore, clock: list[int]) -> None:
    first = secrets.current("ann")
    assert secrets.signing("ann") == (first,)
    second = secrets.rotate("ann")
    assert secrets.current("ann") == second != first
    assert secrets.signing("ann") == (second, first)
    clock[0] += DAY_MS - 1
    assert secrets.signing("ann") == (second, first)
    clock[0] += 1
    assert secrets.signing("ann") == (second,)


def test_one_that_leaked_is_out_after_a_few_more(secrets: SecretStore) -> None:
    leaked = secrets.current("ann")
    replaced = [secrets.rotate("ann") for _ in range(MOST_FORMER + 1)]
    assert leaked not in secrets.signing("ann")
    assert secrets.signing("ann") == tuple(reversed(replaced))


def test_other_owners_keep_theirs(secrets: SecretStore) -> None:
    bobs = secrets.current("bob")
    secrets.rotate("ann")
    assert secrets.signing("bob") == (bobs,)
