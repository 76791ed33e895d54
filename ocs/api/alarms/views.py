"""An alarm as TMF642 and the native API show it. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from ocs.api.alarms.resources import ALARM
from ocs.api.alarms.words import (
    ALARM_TYPES,
    ack_word,
    operator_word,
    probable_cause_word,
    severity_word,
)
from ocs.api.tmf.resources import Attributes, date_time
from ocs.faults.alarm import Alarm, AlarmKey, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.operator_axis import OperatorChange, OperatorRecord, OperatorState
from ocs.faults.view.alarm_view import Summary
from ocs.faults.view.selection import AlarmRow

# How a deed's text says from which system its user came.
_FROM: Final = "from "


def system_text(system_id: str) -> str:
    """The text of a deed that names the system of who did it; empty for none."""
    return f"{_FROM}{system_id}" if system_id else ""


def alarm_reference(alarm_id: str) -> Attributes:
    """A pointer to an alarm."""
    return {"id": alarm_id, "href": ALARM.href(alarm_id), "@referredType": ALARM.name}


class AlarmResource(Mapping[str, Any]):
    """An alarm as TMF642 shows it, of which only what is asked for is made: a condition needs one attribute of many.

    Attributes that an alarm does not have are not there.
    """

    __slots__ = ("_alarm", "_known", "_name", "_record")

    def __init__(self, alarm: Alarm, record: OperatorRecord | None, name: str = "") -> None:
        self._alarm = alarm
        self._name = name
        self._record = record
        self._known: Attributes = {}

    def __getitem__(self, name: str) -> Any:
        value = self._value(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._value(name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in _ATTRIBUTES if self._value(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _value(self, name: str) -> Any:
        if name not in self._known:
            make = _ATTRIBUTES.get(name)
            self._known[name] = None if make is None else make(self._alarm, self._record)
            if name == "alarmedObject" and self._name not in {"", self._alarm.key.resource}:
                self._known[name]["name"] = self._name
        return self._known[name]


def tmf_alarm(
    alarm: Alarm, record: OperatorRecord | None, symptoms: Sequence[str] = (), *, name: str = ""
) -> Attributes:
    """An alarm as TMF642 shows it.

    Args:
        name: what people call its resource; told beside the id by which the alarm is known.
        symptoms: ids of those that are grouped under it.
    """
    shown = dict(AlarmResource(alarm, record, name))
    if symptoms:
        shown["correlatedAlarm"] = [alarm_reference(symptom) for symptom in symptoms]
    return shown


def state_of(alarm: Alarm) -> str:
    """TMF642's life cycle: raised, updated, cleared."""
    if alarm.is_cleared:
        return "cleared"
    return "raised" if alarm.last_changed_ms == alarm.last_raised_ms else "updated"


def object_type_of(resource: str) -> str:
    """What kind of thing a resource's name says it is: ``router7/if/3`` is an interface."""
    parts = resource.split("/", 2)
    return {"if": "interface"}.get(parts[1], parts[1]) if len(parts) > 2 else "element"


def _acknowledgement(record: OperatorRecord | None) -> OperatorChange | None:
    """What was last said of who takes care of it."""
    for change in reversed(record.changes if record else ()):
        if change.state in {OperatorState.ACK, OperatorState.NONE}:
            return change
    return None


def _ack_user(record: OperatorRecord | None) -> str | None:
    said = _acknowledgement(record)
    return None if said is None else said.operator


def _ack_system(record: OperatorRecord | None) -> str | None:
    said = _acknowledgement(record)
    return said.text.removeprefix(_FROM) if said is not None and said.text.startswith(_FROM) else None


def _comments(record: OperatorRecord | None) -> list[Attributes] | None:
    said = record.comments if record else ()
    return [
        {"comment": one.text, "time": date_time(one.at_ms), "userId": one.operator} for one in said
    ] or None


def _specific_problem(key: AlarmKey) -> str:
    return f"{key.alarm_type}:{key.qualifier}" if key.qualifier else key.alarm_type


# Attribute -> how it follows from an alarm and what operators said of it; None: the alarm has none.
_ATTRIBUTES: Final[dict[str, Callable[[Alarm, OperatorRecord | None], Any]]] = {
    "id": lambda alarm, _: alarm.alarm_id,
    "href": lambda alarm, _: ALARM.href(alarm.alarm_id),
    "@type": lambda _, __: ALARM.name,
    "ackState": lambda _, record: ack_word(record.state if record else OperatorState.NONE),
    "ackUserId": lambda _, record: _ack_user(record),
    "ackSystemId": lambda _, record: _ack_system(record),
    "alarmType": lambda alarm, _: ALARM_TYPES[alarm.event_type],
    "perceivedSeverity": lambda alarm, _: severity_word(alarm),
    "probableCause": lambda alarm, _: probable_cause_word(alarm.probable_cause),
    "specificProblem": lambda alarm, _: _specific_problem(alarm.key),
    "state": lambda alarm, _: state_of(alarm),
    "alarmedObject": lambda alarm, _: {"id": alarm.key.resource},
    "alarmedObjectType": lambda alarm, _: object_type_of(alarm.key.resource),
    "alarmRaisedTime": lambda alarm, _: date_time(alarm.last_raised_ms),
    "alarmReportingTime": lambda alarm, _: date_time(alarm.created_ms),
    "alarmChangedTime": lambda alarm, _: date_time(alarm.last_changed_ms),
    "alarmClearedTime": lambda alarm, _: date_time(alarm.last_changed_ms) if alarm.is_cleared else None,
    "alarmDetails": lambda alarm, _: alarm.text,
    "alarmEscalation": lambda alarm, _: alarm.escalation > 0,
    "isRootCause": lambda alarm, _: alarm.symptoms > 0 and not alarm.root_cause,
    "parentAlarm": lambda alarm, record: (
        [alarm_reference(parent) for parent in AlarmRow(alarm, record).parents] or None
    ),
    "proposedRepairedActions": lambda alarm, _: alarm.repair or None,
    "plannedOutageIndicator": lambda alarm, _: (
        "outOfService" if alarm.suppression == "maintenance" else "inService"
    ),
    "reportingSystemId": lambda _, __: "ocs",
    "sourceSystemId": lambda alarm, _: alarm.source,
    "serviceAffecting": lambda alarm, _: bool(alarm.affected_services),
    "affectedService": lambda alarm, _: [{"id": name} for name in alarm.affected_services] or None,
    "comment": lambda _, record: _comments(record),
    "affectedSubscribers": lambda alarm, _: alarm.affected_subscribers or None,
    "occurrences": lambda alarm, _: alarm.occurrences,
    "suppression": lambda alarm, _: alarm.suppression or None,
    "operatorState": lambda _, record: operator_word(record.state) if record else None,
    "assignedTo": lambda _, record: (record.assigned_to or None) if record else None,
    "shelvedUntil": lambda _, record: (
        date_time(record.shelved_until_ms) if record and record.shelved_until_ms else None
    ),
}


# --- Native -------------------------------------------------------------------------------------------------------


class StatusChangeView(msgspec.Struct, frozen=True):
    """One change on the device's axis; severity ``cleared`` is a clear."""

    at: str
    severity: str
    text: str


class DeedView(msgspec.Struct, frozen=True):
    """What an operator did or said; a remark has no state."""

    at: str
    operator: str
    text: str
    state: str = ""


class OperatorView(msgspec.Struct, frozen=True):
    """The operator's axis; `grouped_under` is the id of the alarm that operators have put it under."""

    state: str
    assigned_to: str
    shelved_until: str | None
    grouped_under: str | None
    changes: tuple[DeedView, ...]
    comments: tuple[DeedView, ...]


class NativeAlarmView(msgspec.Struct, frozen=True):
    """An alarm on all its axes; ``severity`` is that of the last raise, also when it is over.

    ``name`` is what people call its resource: an interface by its name, where ``resource`` has its number.
    """

    alarm_id: str
    resource: str
    name: str
    alarm_type: str
    qualifier: str
    severity: str
    is_cleared: bool
    event_type: str
    probable_cause: str
    text: str
    repair: str
    source: str
    created: str
    last_raised: str
    last_changed: str
    occurrences: int
    root_cause: str | None
    symptoms: int
    suppression: str | None
    is_flapping: bool
    will_clear: bool
    is_catch_all: bool
    escalation: int
    affected_services: tuple[str, ...]
    affected_subscribers: int
    details: dict[str, str]
    changes: tuple[StatusChangeView, ...]
    operator: OperatorView | None


class SeverityCountsView(msgspec.Struct, frozen=True):
    """The counters of one severity (RFC 8632, alarm-summary)."""

    severity: str
    total: int
    not_cleared: int
    cleared: int
    cleared_not_closed: int
    cleared_closed: int
    not_cleared_closed: int
    not_cleared_not_closed: int


class SummaryView(msgspec.Struct, frozen=True):
    """Counters over the list, worst severity first; `is_current` is false while the store does not answer."""

    severities: tuple[SeverityCountsView, ...]
    shelves_active: int
    is_current: bool


def native_alarm(row: AlarmRow) -> NativeAlarmView:
    """An alarm as the native API shows it."""
    alarm = row.alarm
    return NativeAlarmView(
        alarm_id=alarm.alarm_id,
        resource=alarm.key.resource,
        name=row.name,
        alarm_type=alarm.key.alarm_type,
        qualifier=alarm.key.qualifier,
        severity=alarm.severity.name.lower(),
        is_cleared=alarm.is_cleared,
        event_type=ALARM_TYPES[alarm.event_type],
        probable_cause=probable_cause_word(alarm.probable_cause),
        text=alarm.text,
        repair=alarm.repair,
        source=alarm.source,
        created=date_time(alarm.created_ms),
        last_raised=date_time(alarm.last_raised_ms),
        last_changed=date_time(alarm.last_changed_ms),
        occurrences=alarm.occurrences,
        root_cause=alarm.root_cause or None,
        symptoms=alarm.symptoms,
        suppression=alarm.suppression or None,
        is_flapping=alarm.is_flapping,
        will_clear=alarm.will_clear,
        is_catch_all=alarm.is_catch_all,
        escalation=alarm.escalation,
        affected_services=alarm.affected_services,
        affected_subscribers=alarm.affected_subscribers,
        details=dict(alarm.details),
        changes=tuple(
            StatusChangeView(date_time(change.at_ms), Severity(change.severity).name.lower(), change.text)
            for change in alarm.changes
        ),
        operator=None if row.operator is None else operator_view(row.operator),
    )


def change_record(change: AlarmChange, row: AlarmRow | None = None) -> Attributes:
    """A change as clients are told of it; without the alarm where it left the list.

    Args:
        row: of the changed alarm, which knows what people call its resource.
    """
    if row is None and change.alarm is not None:
        row = AlarmRow(change.alarm, change.operator)
    is_there = change.alarm is not None and change.kind is not ChangeKind.PURGED
    return {
        "alarm_id": change.alarm_id,
        "kind": str(change.kind),
        "at": date_time(change.at_ms),
        "is_notified": change.is_notified,
        "alarm": native_alarm(row) if is_there and row else None,
    }


def operator_view(record: OperatorRecord) -> OperatorView:
    """The operator's axis as the native API shows it."""
    return OperatorView(
        operator_word(record.state),
        record.assigned_to,
        date_time(record.shelved_until_ms) if record.shelved_until_ms else None,
        record.grouped_under or None,
        tuple(
            DeedView(date_time(change.at_ms), change.operator, change.text, operator_word(change.state))
            for change in record.changes
        ),
        tuple(DeedView(date_time(said.at_ms), said.operator, said.text) for said in record.comments),
    )


def summary_view(summary: Summary, *, is_current: bool) -> SummaryView:
    """The counters as the native API shows them."""
    counted = tuple(
        SeverityCountsView(
            counts.severity.name.lower(),
            counts.total,
            counts.not_cleared,
            counts.cleared,
            counts.cleared_not_closed,
            counts.cleared_closed,
            counts.not_cleared_closed,
            counts.not_cleared_not_closed,
        )
        for counts in summary.severities
    )
    return SummaryView(counted, summary.shelves_active, is_current)


def epoch_ms(moment: datetime) -> int:
    """A client's date and time in milliseconds; one without an offset is UTC."""
    from_utc = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(from_utc.timestamp() * 1000)
