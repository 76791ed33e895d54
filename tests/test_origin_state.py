"""Origin-State-Id: raised once for a loss, adopted when it is higher, told to the others."""

import threading

import msgspec
import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from ocs.balance.store_admin import StoreUnreachableError
from ocs.origin_state import OriginState
from ocs.peer_notices import ORIGIN_STATE, Notice, NoticesUnavailableError

LOSS = "a" * 40


class Store:
    """What the workers of one store raise, and what they say to each other."""

    def __init__(self) -> None:
        self.state_id = 5
        self.causes: set[str] = set()
        self.asked: list[tuple[int, str]] = []
        self.refusals: list[Exception] = []
        self._lock = threading.Lock()
        self.workers: list[OriginState] = []
        self.used: list[list[int]] = []
        self.is_heard = True

    def advance(self, known: int, history: str) -> int:
        with self._lock:
            self.asked.append((known, history))
            if self.refusals:
                raise self.refusals.pop(0)
            if history not in self.causes:
                self.causes.add(history)
                self.state_id += 1
            return self.state_id

    async def publish(self, notice: Notice) -> None:
        await trio.lowlevel.checkpoint()
        if not self.is_heard:
            raise NoticesUnavailableError("nobody hears")
        assert (notice.kind, notice.origin_host) == (ORIGIN_STATE, "")
        assert [worker.hear(notice) for worker in self.workers] == [1] * len(self.workers)

    def worker(self, nursery: trio.Nursery) -> OriginState:
        used: list[int] = []
        worker = OriginState(self.state_id, advance=self.advance, use=used.append, publish=self.publish)
        self.workers.append(worker)
        self.used.append(used)
        nursery.start_soon(worker.run)
        return worker


async def settled(store: Store, asked: int) -> None:
    with trio.fail_after(60):
        while len(store.asked) < asked:
            await trio.sleep(0.01)
        await trio.testing.wait_all_tasks_blocked(0.01)


async def test_loss_that_every_worker_notices_raises_it_once(nursery: trio.Nursery) -> None:
    store = Store()
    workers = [store.worker(nursery) for _ in range(3)]
    for worker in workers:
        worker.sessions_were_lost(LOSS)
    await settled(store, 3)
    assert [worker.state_id for worker in workers] == [6, 6, 6]
    assert store.used == [[6], [6], [6]]
    workers[1].sessions_were_lost("b" * 40)
    await settled(store, 4)
    assert store.used == [[6, 7], [6, 7], [6, 7]]
    nursery.cancel_scope.cancel()


async def test_worker_that_heard_of_it_first_does_not_raise_it_again(nursery: trio.Nursery) -> None:
    store = Store()
    first, second = store.worker(nursery), store.worker(nursery)
    first.sessions_were_lost(LOSS)
    await settled(store, 1)
    assert second.state_id == 6
    second.sessions_were_lost(LOSS)
    await settled(store, 2)
    assert store.asked[1] == (6, LOSS)
    assert store.used == [[6], [6]]
    nursery.cancel_scope.cancel()


async def test_lower_one_is_older_news(nursery: trio.Nursery) -> None:
    store = Store()
    worker = store.worker(nursery)
    for state_id in (4, 5, 8, 7):
        worker.adopt(state_id)
    assert worker.state_id == 8 and store.used == [[8]]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("body", [b"", b"\xa1x", msgspec.msgpack.encode([1])])
async def test_notice_of_another_release_changes_nothing(nursery: trio.Nursery, body: bytes) -> None:
    store = Store()
    assert store.worker(nursery).hear(Notice(ORIGIN_STATE, body=body)) == 0
    assert store.used == [[]]
    nursery.cancel_scope.cancel()


async def test_store_that_is_away_is_asked_again_and_told_once(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    store = Store()
    store.refusals = [StoreUnreachableError("away"), StoreUnreachableError("away")]
    worker = store.worker(nursery)
    with capture_logs() as lines:
        worker.sessions_were_lost(LOSS)
        await settled(store, 3)
    assert worker.state_id == 6
    assert [line["event"] for line in lines] == ["origin_state_not_advanced", "origin_state_advanced"]
    nursery.cancel_scope.cancel()


async def test_nobody_who_hears_is_no_harm(nursery: trio.Nursery) -> None:
    store = Store()
    store.is_heard = False
    worker, other = store.worker(nursery), store.worker(nursery)
    worker.sessions_were_lost(LOSS)
    await settled(store, 1)
    assert (worker.state_id, other.state_id) == (6, 5)
    worker.sessions_were_lost("b" * 40)
    await settled(store, 2)
    assert worker.state_id == 7
    nursery.cancel_scope.cancel()
