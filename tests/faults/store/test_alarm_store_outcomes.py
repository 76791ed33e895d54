"""The owner when answers are lost, calls overtake each other, or the store forgets what it acknowledged."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import structlog.testing
import trio
import trio.testing

from ocs.balance.redis_connection import Reply, StoreError
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store import Unavailable
from ocs.balance.store_address import plain_address
from ocs.faults.store import keys
from ocs.faults.store.alarm_store import AlarmStore
from ocs.faults.store.batch import Command, LeaseLostError, StoreUnavailableError
from ocs.faults.store.owner_identity import own_identity
from tests.support.alarm_lab import PARTITIONS, AlarmLab, lab
from tests.support.alarms import alarm_of, batch_of

__all__ = ["lab"]
A, B, C = (alarm_of(f"router{number}") for number in range(3))

Done = Callable[[Reply], None]


class Road:
    """What lies between the owner and the store: it loses answers and calls, or holds calls back.

    Attributes:
        loses_answers, loses_calls: how many commits of batches from now on. holds: calls are kept in ``held``.
    """

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self.loses_answers = self.loses_calls = 0
        self.holds = False
        self.held: list[Callable[[], None]] = []

    def call(self, key: str, command: Command, done: Done, *, is_commit: bool = False) -> None:
        if command[1] != "ocs_alarms_commit":
            self._store.call(key, command, done, is_commit=is_commit)
        elif self.holds:
            self.held.append(lambda: self._store.call(key, command, done, is_commit=is_commit))
        elif self.loses_calls:
            self.loses_calls -= 1
            done(Unavailable("lost on its way"))
        elif self.loses_answers:
            self.loses_answers -= 1
            self._store.call(
                key, command, lambda _: done(Unavailable("the answer was lost")), is_commit=is_commit
            )
        else:
            self._store.call(key, command, done, is_commit=is_commit)


@pytest.fixture
async def road(lab: AlarmLab) -> AsyncIterator[Road]:
    lab.client.delete(keys.OWNER)
    store = RedisStore(StoreServers(plain_address(lab.url)), partitions=PARTITIONS)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(30):
            await nursery.start(store.run)
        with trio.fail_after(60):
            yield Road(store)
        nursery.cancel_scope.cancel()


@pytest.fixture
async def owner(road: Road) -> AlarmStore:
    owner = AlarmStore(road, "north")
    await owner.open_as_owner()
    return owner


def told(lab: AlarmLab) -> list[str]:
    return [change.alarm_id for change in lab.changes()]


async def test_batch_whose_answer_was_lost_is_written_once(lab: AlarmLab, road: Road, owner: AlarmStore):
    batch = batch_of(A)
    road.loses_answers = 2
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="lost"):
            await owner.commit(batch)
    await owner.commit(batch)
    await owner.commit(batch_of(B))
    assert told(lab) == [A.alarm_id, B.alarm_id]


async def test_batch_that_was_lost_is_written_when_it_is_sent_again(
    lab: AlarmLab, road: Road, owner: AlarmStore
):
    batch = batch_of(A)
    road.loses_calls = 1
    with pytest.raises(StoreUnavailableError):
        await owner.commit(batch)
    await owner.commit(batch)
    assert told(lab) == [A.alarm_id]


async def test_batch_is_not_written_before_the_one_that_was_lost(
    lab: AlarmLab, road: Road, owner: AlarmStore
):
    first, second = batch_of(A), batch_of(B)
    road.loses_calls = 1
    with pytest.raises(StoreUnavailableError):
        await owner.commit(first)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(owner.commit, second)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert told(lab) == []
        await owner.commit(first)
    assert told(lab) == [A.alarm_id, B.alarm_id]


async def test_batch_whose_predecessor_never_comes_is_not_written(
    lab: AlarmLab, road: Road, owner: AlarmStore, monkeypatch: Any
):
    monkeypatch.setattr("ocs.limits.STORE_TIMEOUT_S", 0.2)
    road.loses_calls = 1
    with pytest.raises(StoreUnavailableError):
        await owner.commit(batch_of(A))
    with pytest.raises(StoreUnavailableError, match="earlier batch"):
        await owner.commit(batch_of(B))
    assert told(lab) == []


async def test_calls_that_overtake_each_other_are_written_in_their_order(
    lab: AlarmLab, road: Road, owner: AlarmStore
):
    road.holds = True
    async with trio.open_nursery() as nursery:
        for alarm in (A, B, C):
            nursery.start_soon(owner.commit, batch_of(alarm))
            await trio.testing.wait_all_tasks_blocked()
        road.holds = False
        for call in reversed(road.held):
            call()
    assert told(lab) == [A.alarm_id, B.alarm_id, C.alarm_id]


async def test_old_call_that_arrives_late_changes_nothing(lab: AlarmLab, road: Road, owner: AlarmStore):
    first = batch_of(A)
    road.holds = True
    with trio.move_on_after(0.01):
        await owner.commit(first)
    road.holds = False
    await owner.commit(first)
    newer = batch_of(alarm_of("router0", text="newer"))
    await owner.commit(newer)
    for call in road.held:
        call()
    await owner.renew()
    assert len(told(lab)) == 2
    assert b"newer" in lab.client.hget(keys.LIST, A.alarm_id)


async def test_store_that_forgot_what_it_acknowledged_is_left(lab: AlarmLab, owner: AlarmStore):
    await owner.commit(batch_of(A))
    lab.client.hset(keys.OWNER, "number", 0)
    with pytest.raises(LeaseLostError):
        await owner.commit(batch_of(B))
    with pytest.raises(LeaseLostError):
        await owner.commit(batch_of(C))
    assert told(lab) == [A.alarm_id]
    assert len((await owner.open_as_owner()).alarms) == 1


async def test_store_that_was_emptied_is_left(lab: AlarmLab, owner: AlarmStore):
    await owner.commit(batch_of(A))
    lab.client.delete(keys.OWNER, keys.LIST, keys.CHANGES, keys.DESK)
    with pytest.raises(LeaseLostError):
        await owner.commit(batch_of(B))
    with pytest.raises(LeaseLostError):
        await owner.renew()


async def test_error_of_the_store_is_an_unknown_outcome(lab: AlarmLab, owner: AlarmStore):
    batch = batch_of(A)
    lab.client.set(keys.CHANGES, "something else")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        await owner.commit(batch)
    lab.client.delete(keys.CHANGES)
    await owner.commit(batch)
    assert told(lab) == [A.alarm_id]


class Answers:
    """A store that answers each command with the same, and takes its time for a page of the list."""

    def __init__(self, page: Reply) -> None:
        self.verbs: list[object] = []
        self._replies: dict[object, Reply] = {
            "ocs_alarms_lease": [1],
            "ocs_alarms_read": [0, b"", b"0-0", []],
            "XREVRANGE": [],
            "HMGET": [b"engine"],
            "HINCRBY": 1,
            "HSCAN": page,
        }

    def call(self, key: str, command: Command, done: Done, *, is_commit: bool = False) -> None:
        name = command[1] if str(command[0]).startswith("FCALL") else command[0]
        if name == "ocs_alarms_lease":
            self.verbs.append(command[-2])
        delay_s = 1.5 if name == "HSCAN" else 0
        trio.lowlevel.spawn_system_task(self._answer, done, self._replies.get(name), delay_s)

    async def _answer(self, done: Done, reply: Reply, delay_s: float) -> None:
        await trio.sleep(delay_s)
        done(reply)


async def test_lease_is_kept_while_a_long_list_is_loaded(autojump_clock: trio.testing.MockClock):
    answers = Answers([b"0", []])
    await AlarmStore(answers, "north").open_as_owner()
    assert answers.verbs[0] == "take"
    assert answers.verbs.count("renew") >= 5


class Held(Answers):
    """A store whose list another has, who goes when we have asked so often."""

    def __init__(self, identity: str, asked_max: int) -> None:
        super().__init__([b"0", []])
        self._identity = identity
        self._asked_max = asked_max
        self.gone: list[object] = []

    def call(self, key: str, command: Command, done: Done, *, is_commit: bool = False) -> None:
        if command[1] == "ocs_alarms_lease" and command[-2] == "take":
            self.gone.append(command[-1])
            if command[-1] != self._identity and len(self.gone) < self._asked_max:
                trio.lowlevel.spawn_system_task(self._answer, done, [0, self._identity.encode(), b"5000"], 0)
                return
        super().call(key, command, done, is_commit=is_commit)


async def test_process_that_has_ended_is_not_waited_for(autojump_clock: trio.testing.MockClock):
    dead = own_identity("north") + "0"
    store = Held(dead, 100)
    owner = AlarmStore(store, own_identity("north"))
    await owner.open_as_owner()
    assert store.gone == ["", dead]


@pytest.mark.parametrize(
    ("holder", "event"),
    [("north", "alarm_list_owned_by_a_namesake"), ("south", "alarm_list_owned_by_another")],
)
async def test_who_stands_by_says_once_for_whom(
    holder: str, event: str, autojump_clock: trio.testing.MockClock
):
    store = Held(f"{holder} elsewhere:1:1", 5)
    owner = AlarmStore(store, own_identity("north"))
    with structlog.testing.capture_logs() as logged:
        await owner.open_as_owner()
    assert store.gone == [""] * 5
    assert [(entry["event"], entry["node"]) for entry in logged] == [(event, holder)]
    assert owner.holder == ""


async def test_error_reply_while_the_list_is_loaded_is_told(autojump_clock: trio.testing.MockClock):
    with pytest.raises(StoreUnavailableError, match="ERR no"):
        await AlarmStore(Answers(StoreError("ERR no")), "north").open_as_owner()
