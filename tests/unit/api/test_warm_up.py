"""An API process that cannot decode is not ready, and says why."""

from __future__ import annotations

import pytest

from regrow.api import warm_up
from regrow.api.warm_up import WarmUp
from regrow.core.errors import ServiceUnavailable


def test_A2_readiness_fails_while_the_decoder_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ready, tries = WarmUp(), []

    def fails_twice() -> None:
        tries.append(None)
        if len(tries) == 2:
            with pytest.raises(ServiceUnavailable, match="cannot decode pictures: RuntimeError: no locator available"):
                ready.check()
        if len(tries) < 3:
            raise RuntimeError("no locator\navailable")

    monkeypatch.setattr(warm_up, "warm_up", fails_twice)
    ready.check()
    ready.run(again_seconds=0)
    ready.check()
    assert len(tries) == 3
    assert [record.message for record in caplog.records] == [
        "the decoder does not work: RuntimeError: no locator available"  # once for both
    ]
