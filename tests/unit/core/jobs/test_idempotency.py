"""S1: a request that waits or works for long keeps its Idempotency-Key."""

from __future__ import annotations

from pathlib import Path

import pytest

from regrow.core.jobs.documents import IdempotencyDocument
from regrow.core.jobs.idempotency import Reservation
from regrow.core.stores.files import FilesBlobStore
from tests.services import wait_until


def test_S1_a_key_is_renewed_while_its_request_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regrow.core.jobs.idempotency.RENEW_SECONDS", 0.01)
    blobs, key = FilesBlobStore(tmp_path), "idempotency/today/key"
    reservation = Reservation("job", blob=key, fingerprint="abc")
    with reservation.kept(blobs):
        for _ in range(2):
            wait_until(lambda: blobs.exists(key), "the key being renewed")
            renewed = IdempotencyDocument.model_validate_json(blobs.get(key))
            assert (renewed.job_id, renewed.fingerprint) == ("job", "abc")
            blobs.delete(key)
        wait_until(lambda: blobs.exists(key), "the key being renewed")
    reservation.free(blobs)
    monkeypatch.undo()
    assert not blobs.exists(key), "it was written after it was freed"


def test_S1_a_request_without_a_key_keeps_none(tmp_path: Path) -> None:
    with Reservation("job").kept(FilesBlobStore(tmp_path)):
        pass
    assert not list(tmp_path.iterdir())
