"""What goes before what in a worker that has much to do."""

import pytest
import trio
import trio.testing

from ocs.charging import engine as engine_module
from tests.support.engine_lab import Lab
from tests.support.requests import event, events, mscc

_MANY = 4


async def test_answers_that_are_ready_leave_before_many_requests_are_decided(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine_module, "_LARGE_GROUP", _MANY)
    worker = lab.worker()
    first, *others = [
        event(mscc(None, requested=events(1)), session_id=f"e{index}") for index in range(_MANY + 1)
    ]
    worker.ask(first)  # the account is known from here on
    ready, went_first = trio.lowlevel.ParkingLot(), list[bool]()

    async def write_answers() -> None:
        await ready.park()
        went_first.append(not worker.connection.queued)

    # trio runs tasks that wake together in any order: often enough one of them is the wrong one.
    for _ in range(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_answers)
            nursery.start_soon(worker.engine.run)
            await trio.testing.wait_all_tasks_blocked()
            worker.send(*others)
            ready.unpark()
            await trio.testing.wait_all_tasks_blocked()
            assert worker.connection.queued
            nursery.cancel_scope.cancel()
        worker.run()
    assert all(went_first)
