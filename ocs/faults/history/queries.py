"""Questions to the history of alarms: what happened to one, to a resource, between two moments."""

from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, or_, select

from ocs.faults.history.question import HistoryQuery, HistoryRow
from ocs.faults.history.tables import ALARM_CHANGE
from ocs.limits import HISTORY_ROWS_PER_PAGE_MAX

_ID_CHARACTERS: Final = 16


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


def find_ids(connection: Connection, beginning: str, limit: int) -> list[str]:
    """Ids of alarms, also of those that are gone, that begin so; each once, a few of them."""
    column = ALARM_CHANGE.c.alarm_id
    # A range besides, which the index serves where LIKE alone would look at every row; z is the last letter of ids.
    is_near = column.between(beginning, beginning.ljust(_ID_CHARACTERS, "z"))
    begins_so = column.startswith(beginning, autoescape=True)
    wanted = select(column).where(is_near, begins_so).distinct().limit(limit)
    return list(connection.scalars(wanted))


def is_within(column: Column[Any], resource: str) -> ColumnElement[bool]:
    """Whether a column names a resource or something narrower."""
    return or_(column == resource, column.startswith(f"{resource}/", autoescape=True))
