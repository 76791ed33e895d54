"""The sweep: time first, then what is due, each handed to the engine; nothing while the store is away."""

from typing import cast

import trio
import trio.testing

from ocs import limits
from ocs.balance.keys import deadline_member
from ocs.balance.memory_store import MemoryStore
from ocs.balance.store import Commit, DeadlineChange, Unavailable
from ocs.charging.engine import Engine
from ocs.charging.supervision_clock import SupervisionClock
from ocs.charging.supervisor import Supervisor
from ocs.clock import ManualClock

PARTITIONS = 4


class FakeEngine:
    def __init__(self) -> None:
        self.supervision = SupervisionClock()
        self.expired: list[tuple[str, str]] = []

    def expire(self, account_id: str, session_id: str) -> None:
        self.expired.append((account_id, session_id))


class Lab:
    """A supervisor on a store in memory, with sessions due at given times."""

    def __init__(self, **deadlines_ms: int) -> None:
        self.clock = ManualClock(1_000_000)
        self.store = MemoryStore(self.clock)
        self.engine = FakeEngine()
        self.supervisor = Supervisor(
            cast("Engine", self.engine), self.store, self.clock, partitions=PARTITIONS
        )
        for number, (session_id, deadline_ms) in enumerate(deadlines_ms.items()):
            change = DeadlineChange(deadline_member("A1", session_id), deadline_ms)
            self.store.apply(Commit(number % PARTITIONS, (), (), b"", deadlines=(change,)))

    def sweep(self) -> list[tuple[str, str]]:
        self.engine.expired.clear()
        self.supervisor.sweep()
        while self.store.step():
            pass
        return self.engine.expired


def test_sessions_whose_time_has_come_are_handed_over_from_every_partition() -> None:
    lab = Lab(one=999_999, two=1_000_000, three=1_000_001, four=0, five=5)
    assert sorted(lab.sweep()) == [("A1", "five"), ("A1", "four"), ("A1", "one"), ("A1", "two")]


def test_session_id_with_any_characters_comes_through() -> None:
    lab = Lab(**{"gw;1;{x}:y": 0})
    assert lab.sweep() == [("A1", "gw;1;{x}:y")]


def test_after_an_outage_of_ours_nothing_is_due_that_was_not_before() -> None:
    lab = Lab(one=1_060_000)
    lab.sweep()
    lab.clock.advance_ms(600_000)
    assert lab.sweep() == []
    lab.clock.advance_ms(limits.OUTAGE_THRESHOLD_MS)
    due = lab.sweep()
    assert due == []
    while lab.engine.supervision.at(lab.clock.now_ms()) < 1_060_000:
        lab.clock.advance_ms(limits.OUTAGE_THRESHOLD_MS)
        due = lab.sweep()
    assert due == [("A1", "one")]


def test_store_that_is_away_closes_nothing() -> None:
    lab = Lab(one=0)
    away = Unavailable("away")
    lab.supervisor._beaten(away)
    lab.supervisor._due(away)
    assert lab.store.queued == 0
    assert lab.engine.expired == []
    assert lab.sweep() == [("A1", "one")]


async def test_it_sweeps_for_ever(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    lab = Lab(one=0)
    nursery.start_soon(lab.supervisor.run)
    await trio.sleep(10 * limits.SWEEP_INTERVAL_S + 0.5)
    assert lab.store.queued == 11
    nursery.cancel_scope.cancel()
