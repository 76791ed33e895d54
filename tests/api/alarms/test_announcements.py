"""Which event of TMF642 a change of an alarm is, and what it carries."""

import msgspec
import pytest

from ocs.api.alarms.announcements import announcement
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from tests.support.alarms import NOW_MS, alarm_of, change_of
from tests.support.swagger import Definitions

TMF642 = Definitions("TMF642-Alarm-v4.0.0.swagger.json")
A = alarm_of("router1")
AGAIN = msgspec.structs.replace(A, last_raised_ms=NOW_MS + 1)


@pytest.mark.parametrize(
    ("change", "event"),
    [
        (change_of(A), "AlarmCreateEvent"),
        (change_of(AGAIN), "AlarmStateChangeEvent"),
        (change_of(A, ChangeKind.CLEARED), "AlarmStateChangeEvent"),
        (change_of(A, ChangeKind.CHANGED), "AlarmAttributeValueChangeEvent"),
        (change_of(A, ChangeKind.REGROUPED), "AlarmCreateEvent"),  # it stood for a while and is told only now
        (change_of(A, ChangeKind.OPERATED), "AlarmAttributeValueChangeEvent"),
        (change_of(A, ChangeKind.ESCALATED), "AlarmAttributeValueChangeEvent"),
        (
            AlarmChange("c", ChangeKind.PURGED, A.alarm_id, NOW_MS, None, is_notified=False),
            "AlarmDeleteEvent",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_change_is_told_as_the_event_that_the_standard_has_for_it(change, event):
    made = announcement(change)
    assert made is not None
    assert (made["eventType"], made["eventId"]) == (event, change.change_id)
    alarm = made["event"]["alarm"]
    assert alarm.pop("id") == A.alarm_id  # the file calls it a number, and in references a text
    TMF642.check(made, event)


@pytest.mark.parametrize("kind", [ChangeKind.REPEATED, ChangeKind.PASSED])
def test_what_only_moves_counters_is_told_to_nobody(kind):
    assert announcement(change_of(A, kind)) is None


@pytest.mark.parametrize("kind", [kind for kind in ChangeKind if kind is not ChangeKind.PURGED])
def test_what_is_held_back_is_told_to_nobody(kind):
    assert announcement(change_of(A, kind, is_notified=False)) is None
