"""The store's blocking clients in threads: faults translated, writes not abandoned."""

import threading

import pytest
import redis
import trio
import trio.testing

from ocs.api.threads import ReaderUnavailableError, read_in_thread, write_in_thread

pytestmark = pytest.mark.bounded(20)


def fail() -> None:
    raise redis.ConnectionError("gone")


@pytest.mark.parametrize("call", [read_in_thread, write_in_thread])
async def test_store_that_does_not_answer_is_an_error_of_this_side(call):
    with pytest.raises(ReaderUnavailableError, match="gone"):
        await call(fail)
    assert await call(divmod, 7, 2) == (3, 1)


async def test_cancelled_read_is_left_alone_and_cancelled_write_is_waited_for():
    may_end = threading.Event()
    ended: list[str] = []

    def work(name: str) -> None:
        may_end.wait(10)
        ended.append(name)

    with trio.CancelScope() as scope:
        scope.cancel()
        await read_in_thread(work, "read")
    assert ended == []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_in_thread, work, "write")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        may_end.set()
    assert "write" in ended
