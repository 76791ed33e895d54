"""Which alarms somebody wants to see, and in which order; pure.

A list of a hundred thousand is gone through in one pass for each condition that is said: what is unsaid costs nothing.
"""

import enum
from collections.abc import Callable, Collection, Iterable
from operator import attrgetter
from typing import Any, Final

import msgspec

from ocs.faults.alarm import Alarm, Severity
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.limits import ALARM_ROWS_PER_PAGE_MAX

_SEEN_TO: Final = frozenset({OperatorState.ACK, OperatorState.CLOSED})


class AlarmRow:
    """One alarm with what operators said of it.

    Attributes:
        name: what people call its resource (:mod:`ocs.faults.view.naming`); the resource itself for most.
    """

    __slots__ = ("_words", "alarm", "name", "operator")

    def __init__(self, alarm: Alarm, operator: OperatorRecord | None, name: str = "") -> None:
        self.alarm = alarm
        self.operator = operator
        self.name = name or alarm.key.resource
        self._words = ""

    @property
    def words(self) -> str:
        """What a search for text looks into, in lower case."""
        if not self._words:
            alarm = self.alarm
            key = alarm.key
            words = (self.name, key.resource, key.alarm_type, key.qualifier, alarm.text, alarm.source)
            self._words = "\n".join(words).lower()
        return self._words

    @property
    def parents(self) -> frozenset[str] | tuple[str, ...]:
        """Ids of alarms that it stands under, by the topology or because operators said so."""
        cause = self.alarm.root_cause
        said = self.operator.grouped_under if self.operator is not None else ""
        if cause and said:
            return frozenset((cause, said))
        return (cause or said,) if cause or said else ()

    @property
    def state(self) -> OperatorState:
        """What operators said last."""
        return OperatorState.NONE if self.operator is None else self.operator.state

    def is_shelved(self, now_ms: int) -> bool:
        """Whether nobody is to be told of it now."""
        record = self.operator
        return (
            record is not None
            and record.state is OperatorState.SHELVED
            and (not record.shelved_until_ms or now_ms < record.shelved_until_ms)
        )


class AlarmFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What an alarm must be; what is None or empty is any.

    Attributes:
        severities: of the last raise, also of alarms that are over.
        is_cleared: whether it is over. is_seen_to: acknowledged or closed by an operator.
        resource: that resource and everything narrower, by either of its names.
        is_symptom: whether it stands under a root cause. root_cause: under which one. parent: the same, or operators
            put it there.
        is_suppressed: whether nobody was told of it.
        changed_since_ms, changed_before_ms: its last change of severity, text or clearance; the latter excluded.
        text: a part of resource, type, text or source, in any case.
    """

    severities: frozenset[Severity] = frozenset()
    is_cleared: bool | None = None
    is_seen_to: bool | None = None
    is_shelved: bool | None = None
    operator_states: frozenset[OperatorState] = frozenset()
    assigned_to: str | None = None
    resource: str = ""
    alarm_type: str = ""
    source: str = ""
    is_symptom: bool | None = None
    root_cause: str = ""
    parent: str = ""
    is_suppressed: bool | None = None
    service: str = ""
    changed_since_ms: int | None = None
    changed_before_ms: int | None = None
    text: str = ""

    def matches(self, row: AlarmRow, now_ms: int) -> bool:
        """Whether one alarm is wanted."""
        return bool(select_rows((row,), self, now_ms))


class Order(enum.StrEnum):
    """What a list is sorted by; equal ones stand as they came, on every page alike."""

    CHANGED = "changed"
    RAISED = "raised"
    SEVERITY = "severity"
    RESOURCE = "resource"
    ALARM_TYPE = "alarm_type"


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a sorted list is wanted.

    Attributes:
        is_descending: newest, worst or last first.
        limit: a thousand at most.
    """

    order: Order = Order.CHANGED
    is_descending: bool = True
    offset: int = 0
    limit: int = 100

    @property
    def end(self) -> int:
        """Behind the last row."""
        return max(0, self.offset) + max(0, min(self.limit, ALARM_ROWS_PER_PAGE_MAX))


def _rank(row: AlarmRow) -> int:
    """By severity, what is over last; the most recent first among equals."""
    alarm = row.alarm
    severity = Severity.CLEARED if alarm.is_cleared else alarm.severity
    return (severity << _TIME_BITS) + alarm.last_changed_ms


# Until the year 5188.
_TIME_BITS: Final = 47
SORT_KEYS: Final[dict[Order, Callable[[AlarmRow], Any]]] = {
    Order.CHANGED: attrgetter("alarm.last_changed_ms"),
    Order.RAISED: attrgetter("alarm.last_raised_ms"),
    Order.SEVERITY: _rank,
    Order.RESOURCE: attrgetter("name", "alarm.key.alarm_type"),
    Order.ALARM_TYPE: attrgetter("alarm.key.alarm_type", "name"),
}


def select_rows(rows: Iterable[AlarmRow], wanted: AlarmFilter, now_ms: int) -> Collection[AlarmRow]:
    """The rows that a filter wants, in their order."""
    found: list[AlarmRow] = list(rows)
    if (cleared := wanted.is_cleared) is not None:
        found = [row for row in found if row.alarm.is_cleared is cleared]
    if severities := wanted.severities:
        found = [row for row in found if row.alarm.severity in severities]
    if name := wanted.resource:
        inside = f"{name}/"
        found = [
            row
            for row in found
            if (own := row.alarm.key.resource) == name
            or own.startswith(inside)
            or ((called := row.name) is not own and (called == name or called.startswith(inside)))
        ]
    if kind := wanted.alarm_type:
        found = [row for row in found if row.alarm.key.alarm_type == kind]
    if source := wanted.source:
        found = [row for row in found if row.alarm.source == source]
    if (symptom := wanted.is_symptom) is not None:
        found = [row for row in found if bool(row.alarm.root_cause) is symptom]
    if cause := wanted.root_cause:
        found = [row for row in found if row.alarm.root_cause == cause]
    if parent := wanted.parent:
        found = [row for row in found if parent in row.parents]
    if (suppressed := wanted.is_suppressed) is not None:
        found = [row for row in found if bool(row.alarm.suppression) is suppressed]
    if service := wanted.service:
        found = [row for row in found if service in row.alarm.affected_services]
    if (since := wanted.changed_since_ms) is not None:
        found = [row for row in found if row.alarm.last_changed_ms >= since]
    if (before := wanted.changed_before_ms) is not None:
        found = [row for row in found if row.alarm.last_changed_ms < before]
    found = _select_by_operators(found, wanted, now_ms)
    if text := wanted.text.lower():
        found = [row for row in found if text in row.words]
    return found


def _select_by_operators(found: list[AlarmRow], wanted: AlarmFilter, now_ms: int) -> list[AlarmRow]:
    """What operators said of it; most alarms nobody has touched."""
    if (seen_to := wanted.is_seen_to) is not None:
        found = [row for row in found if (row.operator is not None and row.state in _SEEN_TO) is seen_to]
    if (shelved := wanted.is_shelved) is not None:
        found = [row for row in found if (row.operator is not None and row.is_shelved(now_ms)) is shelved]
    if states := wanted.operator_states:
        found = [row for row in found if row.state in states]
    if (person := wanted.assigned_to) is not None:
        found = [row for row in found if (row.operator.assigned_to if row.operator else "") == person]
    return found
