"""Alarms, changes and batches as tests want them."""

from typing import Any, NamedTuple

from ocs.balance.store import TokenSource
from ocs.faults.alarm import Alarm, AlarmKey, EventType, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.operator_axis import OperatorChange, OperatorRecord, OperatorState
from ocs.faults.store.batch import AlarmBatch

NOW_MS = 1_800_000_000_000
TOKENS = TokenSource(b"testing")


class Fact(NamedTuple):
    """What the book says of a change."""

    kind: ChangeKind
    alarm_id: str
    at_ms: int = NOW_MS
    is_notified: bool = True


def alarm_of(resource: str, alarm_type: str = "link-down", **more: Any) -> Alarm:
    """An alarm that stands, raised a moment ago."""
    key = AlarmKey(resource, alarm_type, more.pop("qualifier", ""))
    fields: dict[str, Any] = {
        "created_ms": NOW_MS,
        "severity": Severity.MAJOR,
        "is_cleared": False,
        "last_raised_ms": NOW_MS,
        "last_changed_ms": NOW_MS,
        "last_signal_ms": NOW_MS,
        "event_type": EventType.COMMUNICATIONS_ALARM,
        "probable_cause": 1024,
        "text": f"{resource} is down",
        "source": "192.0.2.1",
        **more,
    }
    return Alarm(key.alarm_id, key, **fields)


def batch_of(*alarms: Alarm, kind: ChangeKind = ChangeKind.RAISED, **more: Any) -> AlarmBatch:
    """A batch that tells one change of each alarm."""
    changes = [Fact(kind, alarm.alarm_id) for alarm in alarms]
    return AlarmBatch(TOKENS.next(), alarms, more.pop("changes", changes), **more)


def change_of(
    alarm: Alarm, kind: ChangeKind = ChangeKind.RAISED, at_ms: int = NOW_MS, **more: Any
) -> AlarmChange:
    """A change as it stands in the stream, each with an id of its own."""
    return AlarmChange(TOKENS.next().hex(), kind, alarm.alarm_id, at_ms, alarm, **more)


def acknowledged_by(alarm: Alarm, operator: str, at_ms: int = NOW_MS) -> OperatorRecord:
    """What operators said of an alarm that one of them has acknowledged."""
    changes = (OperatorChange(at_ms, operator, OperatorState.ACK, "on it"),)
    return OperatorRecord(alarm.alarm_id, OperatorState.ACK, changes=changes)
