"""The events of one client: none lost when its wait is cancelled, one word when some were missed."""

import trio

from ocs.api.alarm_stream import RELOAD, AlarmEvents
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.store.batch import FollowedChange
from ocs.faults.view.follower import Watch
from ocs.faults.view.selection import AlarmFilter
from ocs.limits import ALARM_WATCH_CHANGES_MAX
from tests.support.alarms import NOW_MS, alarm_of, change_of

A = alarm_of("router1")


def events_of(watch: Watch, wanted: AlarmFilter | None = None) -> AlarmEvents:
    return AlarmEvents(watch, wanted or AlarmFilter(), lambda: NOW_MS, lambda: "9-9")


async def test_wait_that_is_cancelled_loses_no_event():
    watch = Watch()
    events = events_of(watch)
    with trio.CancelScope() as scope:
        scope.cancel()
        await events.next()
    watch.put([FollowedChange(f"{number}-0", change_of(A)) for number in (1, 2)])
    assert [(await events.next()).event_id for _ in range(2)] == ["1-0", "2-0"]


async def test_client_that_is_behind_is_told_to_read_the_list_again():
    watch = Watch()
    events = events_of(watch)
    watch.put([FollowedChange(f"{number}-0", change_of(A)) for number in range(ALARM_WATCH_CHANGES_MAX + 1)])
    event = await events.next()
    assert (event.event_id, event.kind) == ("9-9", RELOAD)
    watch.put([FollowedChange("7-0", change_of(A))])
    assert (await events.next()).event_id == "7-0"


async def test_alarm_that_left_the_list_is_told_whatever_the_conditions_are():
    watch = Watch()
    events = events_of(watch, AlarmFilter(resource="router2", is_cleared=False))
    watch.put(
        [
            FollowedChange("1-0", change_of(A)),
            FollowedChange("2-0", AlarmChange("c", ChangeKind.PURGED, A.alarm_id, NOW_MS, None)),
        ]
    )
    event = await events.next()
    assert (event.event_id, event.kind) == ("2-0", "purged")
    assert b'"matches":false' in event.body
