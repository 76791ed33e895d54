"""The watch over the replicas: what it tells, when, and how often."""

from collections.abc import Callable

import pytest
import structlog.testing
import trio
import trio.testing

from ocs.balance import replica_watch
from ocs.balance.replica_watch import ReplicaWatch, watched_by
from ocs.balance.replicas import Replica, ReplicaReport, Replication
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import StoreUnreachableError
from ocs.settings import StoreSettings
from ocs.store_url import Endpoint

COVERED = ReplicaReport(1, (Replication(Endpoint("p", 1), (Replica(Endpoint("r", 1), True, True, 0),)),))
MISSING = ReplicaReport(1, (Replication(Endpoint("p", 1), ()),))
UNCOVERABLE = ReplicaReport(
    1,
    (
        Replication(
            Endpoint("p", 1), tuple(Replica(Endpoint("r", number), True, True, 0) for number in (1, 2))
        ),
    ),
)
UNSAFE = ReplicaReport(
    1, (Replication(Endpoint("p", 1), (Replica(Endpoint("r", 1), True, True, 0, "r:1: bad"),)),)
)

Watched = Callable[..., list[tuple[str, str]]]


def level(gauge: object) -> float:
    (sample,) = gauge.family().samples  # type: ignore[attr-defined]
    return sample.value


async def watch(*reports: ReplicaReport | Exception) -> list[tuple[str, str]]:
    """What is logged while these reports come one after the other, the last one for ever."""
    left, last_was_dealt_with, looks = list(reports), trio.Event(), 0

    def check() -> ReplicaReport:
        nonlocal looks
        found = left.pop(0) if len(left) > 1 else left[0]
        looks += 1
        if looks > len(reports):
            trio.from_thread.run_sync(last_was_dealt_with.set)
        if isinstance(found, Exception):
            raise found
        return found

    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ReplicaWatch(check).run)
            await last_was_dealt_with.wait()
            nursery.cancel_scope.cancel()
    assert all("remedy" in line for line in lines if line["event"] != "store_covered")
    return [(line["event"], line.get("reason", "")) for line in lines]


async def test_nothing_is_said_while_all_is_covered(autojump_clock: trio.testing.MockClock):
    assert await watch(COVERED, COVERED) == []
    assert (level(replica_watch._MISSING), level(replica_watch._NOT_COVERED)) == (0, 0)


async def test_missing_replica_is_told_once_and_its_return_too(autojump_clock: trio.testing.MockClock):
    reason = "0 of 1 replicas follow p:1 (it knows none)"
    assert await watch(COVERED, MISSING, MISSING) == [("store_not_covered", reason)]
    assert (level(replica_watch._MISSING), level(replica_watch._NOT_COVERED)) == (1, 1)
    assert await watch(MISSING, MISSING, COVERED) == [("store_not_covered", reason), ("store_covered", "")]
    assert level(replica_watch._NOT_COVERED) == 0


async def test_another_reason_is_told_again(autojump_clock: trio.testing.MockClock):
    told = await watch(MISSING, UNCOVERABLE)
    assert [event for event, _ in told] == ["store_not_covered"] * 2
    assert "p:1 has 2 replicas" in told[1][1]


async def test_store_that_cannot_be_asked_is_not_covered(autojump_clock: trio.testing.MockClock):
    told = await watch(StoreUnreachableError("gone"), COVERED)
    assert told == [("store_not_covered", "gone"), ("store_covered", "")]


async def test_replica_in_which_money_would_not_be_safe_is_told_once(autojump_clock: trio.testing.MockClock):
    assert await watch(UNSAFE, UNSAFE) == [("store_replica_unsafe", "r:1: bad")]


async def test_change_of_the_topology_is_looked_at_at_once():
    looks = 0
    seen = trio.Event()

    def check() -> ReplicaReport:
        nonlocal looks
        looks += 1
        if looks == 2:
            trio.from_thread.run_sync(seen.set)
        return COVERED

    watched = ReplicaWatch(check)
    with trio.fail_after(30):  # real time: it would be the test's limit, were it not looked at
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watched.run)
            await trio.testing.wait_all_tasks_blocked()
            watched.look_now()
            await seen.wait()
            nursery.cancel_scope.cancel()


def test_watch_over_a_store_that_is_away_says_so():
    with pytest.raises(StoreUnreachableError, match="start the store"):
        watched_by(plain_address("redis://127.0.0.1:1"), StoreSettings())._check()
