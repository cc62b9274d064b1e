"""S1: no owner holds all processes that decode."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from starlette.requests import ClientDisconnect

from regrow.api.submit.gone import Gone
from regrow.api.submit.turns import ThreadTurns
from tests.services import wait_until


class Crowd:
    """Threads that take turns, and keep them until they are told to go on."""

    def __init__(self, turns: ThreadTurns, pool: ThreadPoolExecutor) -> None:
        self.turns, self.pool, self.begun = turns, pool, list[str]()
        self._go_on: dict[str, threading.Event] = {}

    def comes(self, name: str, gone: Gone | None = None) -> Future[None]:
        """name: the owner and a number. Returns when it waits, or has its turn."""
        self._go_on[name], before = threading.Event(), self._known
        found = self.pool.submit(self._work, name, gone or Gone())
        wait_until(lambda: self._known > before, f"{name} waiting")
        return found

    def goes_on(self, name: str) -> None:
        self._go_on[name].set()

    @property
    def _known(self) -> int:
        return len(self.begun) + len(self.turns._waiting)

    def _work(self, name: str, gone: Gone) -> None:
        with self.turns.of(name.split()[0], gone):
            self.begun.append(name)
            assert self._go_on[name].wait(60)


def test_S1_an_owner_with_many_leaves_one_for_another_and_who_has_fewest_is_next() -> None:
    with ThreadPoolExecutor(8) as pool:
        crowd = Crowd(ThreadTurns(2), pool)
        try:
            for number in range(4):
                crowd.comes(f"mallory {number}")
            wait_until(lambda: len(crowd.begun) == 2, "two of mallory's")
            crowd.comes("alice 0")
            wait_until(lambda: "alice 0" in crowd.begun, "alice's turn")
            crowd.comes("bob 0")
            assert sorted(crowd.begun) == ["alice 0", "mallory 0", "mallory 1"]
            crowd.goes_on("mallory 0")
            wait_until(lambda: len(crowd.begun) == 4, "the next turn")
            assert crowd.begun[-1] == "bob 0", "mallory's others came first, but have one turn already"
        finally:
            for name in list(crowd._go_on):
                crowd.goes_on(name)
    assert sorted(crowd.begun)[2:] == [f"mallory {number}" for number in range(4)]
    assert not crowd.turns._running


def test_S1_who_goes_while_waiting_leaves_its_place() -> None:
    with ThreadPoolExecutor(8) as pool:
        crowd, gone = Crowd(ThreadTurns(1), pool), Gone()
        crowd.comes("alice 0")
        leaver = crowd.comes("alice 1", gone)
        crowd.comes("alice 2")
        gone.set()
        with pytest.raises(ClientDisconnect):
            leaver.result(60)
        crowd.goes_on("alice 2")
        crowd.goes_on("alice 0")
    assert crowd.begun == ["alice 0", "alice 2"]
