"""An alarm as the book works on it: the device's axis, and what the book keeps beside it in memory."""

from typing import Final

import msgspec

from ocs.faults.alarm import Alarm, AlarmKey, AlarmSignal, EventType, Severity, StatusChange
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.operator_axis import OperatorRecord


class Entry(msgspec.Struct, eq=False, gc=False):
    """The fields of :class:`~ocs.faults.alarm.Alarm` in its order, to be changed in place, and working fields.

    Attributes:
        place: the resource by its one name. node: where its dependencies begin (see ocs.faults.topology.dependencies).
        may_wait: the topology knows something that might explain it.
        record: what operators said. raised_now_ms: our clock at the last raise.
        score: raises, the older the less they count, as of ``score_ms``.
        settle_ms: until when its notice waits for a cause; 0: it does not. released_ms: when the symptoms of a cause
            that went are looked at; 0: not. spread_ms: when those of one that came are; 0: not.
        is_doubtful: its cause is to be looked for again.
        scheduled_ms: the earliest look that is planned; 0: none.
        is_touched: it changed in this batch. quiet: what happened to it that is told to nobody, for one line a batch.
        is_stranger, owner: of whose share of the list it is, and the source that raised it first.
    """

    alarm_id: str
    key: AlarmKey
    created_ms: int
    severity: Severity
    is_cleared: bool
    last_raised_ms: int
    last_changed_ms: int
    last_signal_ms: int
    event_type: EventType
    probable_cause: int
    text: str
    source: str
    occurrences: int
    changes: tuple[StatusChange, ...]
    will_clear: bool
    details: tuple[tuple[str, str], ...]
    repair: str
    is_catch_all: bool
    root_cause: str = ""
    symptoms: int = 0
    suppression: str = ""
    is_flapping: bool = False
    affected_services: tuple[str, ...] = ()
    affected_subscribers: int = 0
    escalation: int = 0
    is_announced: bool = False
    place: str = ""
    node: str = ""
    may_wait: bool = False
    record: OperatorRecord | None = None
    raised_now_ms: int = 0
    score: float = 0.0
    score_ms: int = 0
    settle_ms: int = 0
    released_ms: int = 0
    spread_ms: int = 0
    is_doubtful: bool = False
    scheduled_ms: int = 0
    is_touched: bool = False
    quiet: ChangeKind | None = None
    is_stranger: bool = False
    owner: str = ""

    @property
    def stands(self) -> bool:
        """Whether it may explain others: also between the clears and raises of flapping."""
        return not self.is_cleared or self.is_flapping

    def freeze(self) -> Alarm:
        """The alarm as it is now."""
        return Alarm(
            self.alarm_id,
            self.key,
            self.created_ms,
            self.severity,
            self.is_cleared,
            self.last_raised_ms,
            self.last_changed_ms,
            self.last_signal_ms,
            self.event_type,
            self.probable_cause,
            self.text,
            self.source,
            self.occurrences,
            self.changes,
            self.will_clear,
            self.details,
            self.repair,
            self.is_catch_all,
            self.root_cause,
            self.symptoms,
            self.suppression,
            self.is_flapping,
            self.affected_services,
            self.affected_subscribers,
            self.escalation,
            self.is_announced,
        )


_FIELDS: Final = Alarm.__struct_fields__


def thaw(alarm: Alarm) -> Entry:
    """An entry of a stored alarm."""
    return Entry(*[getattr(alarm, field) for field in _FIELDS])


def first_entry(signal: AlarmSignal, alarm_id: str, at_ms: int) -> Entry:
    """The entry that a first raise makes (RFC 8632 section 4.2)."""
    return Entry(
        alarm_id,
        signal.key,
        at_ms,
        signal.severity,
        False,
        at_ms,
        at_ms,
        at_ms,
        signal.event_type,
        signal.probable_cause,
        signal.text,
        signal.source,
        1,
        (StatusChange(at_ms, signal.severity, signal.text),),
        signal.will_clear,
        signal.details,
        signal.repair,
        signal.is_catch_all,
    )
