"""S1: no owner holds all slots."""

from __future__ import annotations

import threading

import anyio
import pytest

from regrow.api.submit.concurrency import Turns

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_S1_an_owner_has_a_share_and_others_do_not_wait_for_it() -> None:
    turns, go_on, begun = Turns(2), threading.Event(), []

    def work(name: str) -> str:
        begun.append(name)
        assert go_on.wait(60)
        return name

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(turns.run, "mallory", lambda number=number: work(f"mallory {number}"))
        with anyio.fail_after(60):
            while len(begun) < 2:
                await anyio.sleep(0.01)
            assert await turns.run("alice", lambda: "done") == "done"
        assert len(begun) == 2
        go_on.set()
    assert sorted(begun) == [f"mallory {number}" for number in range(5)]


async def test_S1_who_goes_while_waiting_leaves_its_place() -> None:
    turns, go_on = Turns(1), threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turns.run, "alice", lambda: go_on.wait(60))
        async with anyio.create_task_group() as others:
            others.start_soon(turns.run, "alice", lambda: pytest.fail("nobody waits for this"))
            await anyio.sleep(0.01)
            others.cancel_scope.cancel()
        go_on.set()
    assert await turns.run("alice", lambda: 5) == 5
    assert not turns.owners
