"""Changes of alarms as TMF642's listeners are told of them. Pure.

Of what is held back by suppression nobody is told; that an alarm left the list is told always: that is no news of the
network but of the list.
"""

from typing import Any

from ocs.api.alarms.resources import ALARM
from ocs.api.alarms.views import tmf_alarm
from ocs.api.tmf.delivery import make_event
from ocs.api.tmf.resources import identified
from ocs.faults.alarm_change import AlarmChange, ChangeKind


def announcement(change: AlarmChange) -> dict[str, Any] | None:
    """What listeners are told of a change; None when they are not."""
    what = _what(change)
    if what is None or not (change.is_notified or change.kind is ChangeKind.PURGED):
        return None
    if change.alarm is None:
        resource = identified(ALARM, change.alarm_id, {})
    else:
        resource = tmf_alarm(change.alarm, change.operator)
    return make_event(ALARM, what, resource, event_id=change.change_id, now_ms=change.at_ms)


def _what(change: AlarmChange) -> str | None:
    """The event's name behind the resource's; None for what only moves counters."""
    match change.told_as:
        case ChangeKind.RAISED:
            alarm = change.alarm
            is_new = alarm is not None and alarm.created_ms == alarm.last_raised_ms
            return "Create" if is_new else "StateChange"
        case ChangeKind.CLEARED:
            return "StateChange"
        case ChangeKind.PURGED:
            return "Delete"
        case ChangeKind.CHANGED | ChangeKind.REGROUPED | ChangeKind.OPERATED | ChangeKind.ESCALATED:
            return "AttributeValueChange"
        case ChangeKind.REPEATED | ChangeKind.PASSED | ChangeKind.COMPRESSED:
            return None
