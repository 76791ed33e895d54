"""The follower: a view in step with the store, and watchers who are told."""

from collections import deque

import pytest
import trio
import trio.testing

from ocs.faults.alarm import Alarm
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.store.batch import FollowedChange, Snapshot, StoreUnavailableError
from ocs.faults.view.follower import AlarmFollower, Watch
from ocs.limits import ALARM_WATCH_CHANGES_MAX
from tests.support.alarms import NOW_MS, alarm_of


class Source:
    """A store's stream that a test writes."""

    def __init__(self, *alarms: Alarm) -> None:
        self.alarms = list(alarms)
        self.entries: list[FollowedChange] = []
        self.is_away = False
        self.loads = 0
        self.trimmed = 0
        self.is_closed = False
        self._waiting: deque[trio.Event] = deque()

    def change(self, *alarms: Alarm) -> str:
        for alarm in alarms:
            number = len(self.entries) + 1
            change = AlarmChange(f"c{number}", ChangeKind.RAISED, alarm.alarm_id, NOW_MS, alarm)
            self.entries.append(FollowedChange(f"{number}-0", change))
        for event in self._waiting:
            event.set()
        return self.entries[-1].entry_id

    def check(self) -> None:
        if self.is_away:
            raise StoreUnavailableError("away")

    async def load(self) -> Snapshot:
        self.check()
        self.loads += 1
        await trio.lowlevel.checkpoint()
        alarms = {alarm.alarm_id: alarm for alarm in self.alarms}
        alarms |= {entry.change.alarm_id: entry.change.alarm for entry in self.entries if entry.change.alarm}
        return Snapshot(list(alarms.values()), [], {}, [], {}, f"{len(self.entries)}-0")

    async def read(self, after_id: str) -> list[FollowedChange] | None:
        self.check()
        after = int(after_id.partition("-")[0])
        if after < self.trimmed:
            return None
        if after >= len(self.entries):
            event = trio.Event()
            self._waiting.append(event)
            with trio.move_on_after(1):
                await event.wait()
            self.check()
        return self.entries[after:]

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.fixture
async def source() -> Source:
    return Source(alarm_of("router1"))


@pytest.fixture
async def follower(
    source: Source, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> AlarmFollower:
    follower = AlarmFollower(source)
    await nursery.start(follower.run)
    await trio.testing.wait_all_tasks_blocked()
    return follower


def resources(found: list[FollowedChange] | None) -> list[str]:
    assert found is not None
    return [followed.change.alarm.key.resource for followed in found if followed.change.alarm]


async def test_view_is_loaded_and_follows(source: Source, follower: AlarmFollower):
    assert len(follower.view) == 1
    source.change(alarm_of("router2"))
    await trio.testing.wait_all_tasks_blocked()
    assert (len(follower.view), follower.last_id) == (2, "1-0")


async def test_view_that_missed_something_is_loaded_again(source: Source, follower: AlarmFollower):
    source.is_away = True
    await trio.sleep(2)
    assert not follower.is_current
    source.change(alarm_of("router2"), alarm_of("router3"))
    source.trimmed, source.is_away = 1, False
    await trio.sleep(2)
    assert (source.loads, len(follower.view), follower.is_current) == (2, 3, True)


async def test_store_that_is_away_for_a_moment_costs_no_loading(source: Source, follower: AlarmFollower):
    source.is_away = True
    await trio.sleep(2)
    source.is_away = False
    source.change(alarm_of("router2"))
    await trio.sleep(2)
    assert (source.loads, len(follower.view)) == (1, 2)


async def test_view_starts_when_the_store_comes(
    source: Source, nursery: trio.Nursery, autojump_clock: object
):
    source.is_away = True
    follower = AlarmFollower(source)
    nursery.start_soon(nursery.start, follower.run)
    await trio.sleep(1)
    assert len(follower.view) == 0
    source.is_away = False
    await trio.sleep(1)
    assert len(follower.view) == 1


async def test_follower_that_ends_lets_go_of_its_connection(source: Source, autojump_clock: object):
    follower = AlarmFollower(source)
    with trio.move_on_after(1):
        await follower.run()
    assert source.is_closed
    assert not follower.is_current


async def test_who_watches_is_told_of_each_change_in_order(source: Source, follower: AlarmFollower):
    with follower.watch() as watch:
        source.change(alarm_of("a"))
        await trio.testing.wait_all_tasks_blocked()
        source.change(alarm_of("b"), alarm_of("c"))
        await trio.testing.wait_all_tasks_blocked()
        assert resources(await watch.receive()) == ["a", "b", "c"]


async def test_who_comes_back_is_told_what_came_meanwhile(source: Source, follower: AlarmFollower):
    first = source.change(alarm_of("a"))
    source.change(alarm_of("b"))
    await trio.testing.wait_all_tasks_blocked()
    with follower.watch(first) as watch:
        assert resources(await watch.receive()) == ["b"]


@pytest.mark.parametrize("after_id", ["0-0", "nonsense", "0-7"])
async def test_who_comes_back_too_late_is_told_to_look_again(
    source: Source, follower: AlarmFollower, after_id: str
):
    source.change(alarm_of("a"))
    await trio.testing.wait_all_tasks_blocked()
    with follower.watch(after_id) as watch:
        assert await watch.receive() is None


async def test_who_is_up_to_date_waits(source: Source, follower: AlarmFollower):
    with follower.watch(follower.last_id) as watch:
        with trio.move_on_after(5) as waited:
            await watch.receive()
        assert waited.cancelled_caught


async def test_who_does_not_take_what_waits_is_told_to_look_again_and_then_goes_on(
    source: Source, follower: AlarmFollower
):
    with follower.watch() as watch:
        for _ in range(ALARM_WATCH_CHANGES_MAX + 1):
            source.change(alarm_of("a"))
            await trio.testing.wait_all_tasks_blocked()
        source.change(alarm_of("b"))
        await trio.testing.wait_all_tasks_blocked()
        assert await watch.receive() is None
        assert resources(await watch.receive()) == ["b"]


async def test_loading_again_is_told_to_who_watches(source: Source, follower: AlarmFollower):
    with follower.watch() as watch:
        source.is_away = True
        await trio.sleep(2)
        source.change(alarm_of("a"))
        source.trimmed, source.is_away = 1, False
        await trio.sleep(2)
        assert await watch.receive() is None


async def test_who_left_is_not_told():
    follower = AlarmFollower(Source())
    with follower.watch():
        assert follower._watches
    assert not follower._watches


async def test_changes_of_a_cancelled_call_wait_for_the_next():
    watch = Watch()
    with trio.move_on_after(0):
        await watch.receive()
    watch.put([FollowedChange("1-0", AlarmChange("c", ChangeKind.CLEARED, "a", NOW_MS, None))])
    assert len(await watch.receive() or []) == 1
