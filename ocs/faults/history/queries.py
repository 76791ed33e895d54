"""Questions to the history of alarms: what happened to one, to a resource, between two moments."""

from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, or_, select

from ocs.faults.alarm_change import ChangeKind
from ocs.faults.history.tables import ALARM_CHANGE
from ocs.limits import HISTORY_ROWS_PER_PAGE_MAX


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes are wanted; what is unsaid is any.

    Attributes:
        resource: that resource and everything narrower.
        since_ms, until_ms: when we took the change; the latter excluded.
        before_number: only older ones than this row: where the next page goes on.
        limit: a thousand at most.
    """

    alarm_id: str = ""
    resource: str = ""
    alarm_type: str = ""
    kinds: tuple[ChangeKind, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    before_number: int | None = None
    limit: int = 100


class HistoryRow(msgspec.Struct, frozen=True):
    """One change as the history keeps it; the fields are those of the table (:mod:`ocs.faults.history.tables`)."""

    change_number: int
    change_id: str
    alarm_id: str
    kind: str
    at_ms: int
    device_ms: int
    resource: str
    alarm_type: str
    qualifier: str
    severity: int
    is_cleared: bool
    event_type: int
    probable_cause: int
    text: str
    source: str
    occurrences: int
    root_cause: str
    suppression: str
    is_notified: bool
    operator: str
    operator_state: int
    operator_text: str
    assigned_to: str


def find_changes(connection: Connection, query: HistoryQuery) -> list[HistoryRow]:
    """The changes that are asked for, newest first."""
    columns = ALARM_CHANGE.c
    conditions: list[ColumnElement[bool]] = []
    if query.alarm_id:
        conditions.append(columns.alarm_id == query.alarm_id)
    if query.resource:
        conditions.append(is_within(columns.resource, query.resource))
    if query.alarm_type:
        conditions.append(columns.alarm_type == query.alarm_type)
    if query.kinds:
        conditions.append(columns.kind.in_([str(kind) for kind in query.kinds]))
    if query.since_ms is not None:
        conditions.append(columns.at_ms >= query.since_ms)
    if query.until_ms is not None:
        conditions.append(columns.at_ms < query.until_ms)
    if query.before_number is not None:
        conditions.append(columns.change_number < query.before_number)
    wanted = (
        select(ALARM_CHANGE)
        .where(*conditions)
        .order_by(columns.change_number.desc())
        .limit(max(1, min(query.limit, HISTORY_ROWS_PER_PAGE_MAX)))
    )
    return [HistoryRow(*row) for row in connection.execute(wanted)]


def is_within(column: Column[Any], resource: str) -> ColumnElement[bool]:
    """Whether a column names a resource or something narrower."""
    return or_(column == resource, column.startswith(f"{resource}/", autoescape=True))
