"""Finds alarms of the view that a TMF query asks for, without showing a hundred thousand to find ten.

What the view can select by itself it selects; what is left of the conditions is asked of each alarm as TMF642 shows it,
some at a time so that others are served between.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, cast

import trio

from ocs.api.alarms.views import AlarmResource, tmf_alarm
from ocs.api.alarms.words import ACKNOWLEDGED, SEVERITIES, UNACKNOWLEDGED
from ocs.api.tmf.query import Filter, Query, Resource
from ocs.faults.alarm import Severity
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.selection import AlarmFilter, AlarmRow, Order, PageRequest

_SHOWN_AT_A_TIME: Final = 250
# One query at a time is asked of every alarm: a hundred thousand take a second, and others are to be served meanwhile.
_SIFTING: Final = trio.Semaphore(1)
_ORDERS: Final[dict[tuple[str, ...], Order]] = {
    ("alarmChangedTime",): Order.CHANGED,
    ("alarmRaisedTime",): Order.RAISED,
    ("perceivedSeverity",): Order.SEVERITY,
    ("alarmedObject", "id"): Order.RESOURCE,
}


class Narrowed(NamedTuple):
    """A query's conditions as the view takes them, and what is left of them."""

    wanted: AlarmFilter
    left: tuple[Filter, ...]


class FoundPage(NamedTuple):
    """A page of alarms as TMF642 shows them, and how many match in all."""

    alarms: Sequence[Resource]
    total: int


def narrow(filters: Iterable[Filter]) -> Narrowed:
    """Take over the conditions that the view knows."""
    known: dict[str, Any] = {}
    left: list[Filter] = []
    for condition in filters:
        taken = None if condition.comparison else _known(condition.path, condition.values)
        if taken is None or not known.keys().isdisjoint(taken):
            left.append(condition)
            taken = {} if condition.comparison else _hint(condition.path, condition.values)
        known |= {name: value for name, value in taken.items() if name not in known}
    return Narrowed(AlarmFilter(**known), tuple(left))


def _known(path: tuple[str, ...], values: tuple[str, ...]) -> dict[str, Any] | None:
    """One condition as fields of the view's filter; None when it has none for it."""
    if path == ("perceivedSeverity",):
        severities = {SEVERITIES[value] for value in values if value in SEVERITIES}
        if severities == {Severity.CLEARED}:
            return {"is_cleared": True}
        if severities and Severity.CLEARED not in severities:
            return {"is_cleared": False, "severities": frozenset(severities)}
    elif len(values) == 1 and values[0]:
        (value,) = values
        if path == ("state",) and value == "cleared":
            return {"is_cleared": True}
        if path == ("ackState",) and value in {ACKNOWLEDGED, UNACKNOWLEDGED}:
            return {"is_seen_to": value == ACKNOWLEDGED}
        if path == ("sourceSystemId",):
            return {"source": value}
        if path == ("affectedService", "id"):
            return {"service": value}
        if path == ("parentAlarm", "id"):
            return {"root_cause": value}
    return None


def _hint(path: tuple[str, ...], values: tuple[str, ...]) -> dict[str, Any]:
    """What leaves out most that a condition does not mean, and nothing that it means."""
    if len(values) == 1 and values[0]:
        (value,) = values
        if path == ("alarmedObject", "id"):
            return {"resource": value}
        if path == ("specificProblem",):
            return {"alarm_type": value.partition(":")[0]}
        if path == ("state",) and value in {"raised", "updated"}:
            return {"is_cleared": False}
    return {}


async def find_page(view: AlarmView, query: Query, now_ms: int) -> FoundPage:
    """The page that a query asks for, newest change first unless it sorts."""
    wanted, left = narrow(query.filters)
    order = _order_of(query)
    if left or order is None:
        rows = rows_of(view, query, wanted, now_ms)
        rows.sort(key=attrgetter("alarm.last_changed_ms"), reverse=True)
        async with _SIFTING:
            found = [alarm async for alarm in _sifted(rows, Query(filters=left))]
        first = query.sorted(found)[query.offset : query.offset + query.limit]
        return FoundPage(first, len(found))
    kind, is_descending = order
    page = PageRequest(order=kind, is_descending=is_descending, offset=query.offset, limit=query.limit)
    rows, total = view.find(wanted, page, now_ms)
    await trio.lowlevel.checkpoint()
    return FoundPage([tmf_alarm(row.alarm, row.operator) for row in rows], total)


async def find_ids(view: AlarmView, patterns: Iterable[tuple[Filter, ...]], now_ms: int) -> list[str]:
    """The ids of alarms that fulfil all conditions of any pattern, each once."""
    ids: dict[str, None] = {}
    for filters in patterns:
        wanted, left = narrow(filters)
        rows = rows_of(view, Query(filters=filters), wanted, now_ms)
        async with _SIFTING:
            async for alarm in _sifted(rows, Query(filters=left)):
                ids[alarm["id"]] = None
    return list(ids)


def rows_of(view: AlarmView, query: Query, wanted: AlarmFilter, now_ms: int) -> list[AlarmRow]:
    """Alarms among which all are that a query can find."""
    named = dict.fromkeys(query.only_values("id"))
    rows = map(view.get, named or view.ids(wanted, now_ms))
    return [row for row in rows if row is not None and (not named or _is_wanted(row, wanted, now_ms))]


def _is_wanted(row: AlarmRow, wanted: AlarmFilter, now_ms: int) -> bool:
    return wanted.matches(row.alarm, row.operator, now_ms)


async def _sifted(rows: list[AlarmRow], query: Query) -> AsyncIterator[Resource]:
    for first in range(0, len(rows), _SHOWN_AT_A_TIME):
        await trio.lowlevel.checkpoint()
        for row in rows[first : first + _SHOWN_AT_A_TIME]:
            shown = AlarmResource(row.alarm, row.operator)
            if query.matches(shown):
                yield shown


def _order_of(query: Query) -> tuple[Order, bool] | None:
    """The view's order for a query's; None when it has none."""
    if not query.order:
        return Order.CHANGED, True
    (path, is_descending), *others = query.order
    return None if others or path not in _ORDERS else (_ORDERS[path], is_descending)


# --- Patterns -----------------------------------------------------------------------------------------------------


def pattern_filters(pattern: Mapping[str, Any]) -> tuple[Filter, ...]:
    """The conditions that an alarm pattern makes: all its attributes, compared as a query compares them."""
    return tuple(Filter(path, (value,)) for path, value in _flat((), pattern))


def _flat(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for name, inner in cast("Mapping[str, Any]", value).items():
            yield from _flat((*path, name), inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _flat(path, inner)
    else:
        yield path, str(value).lower() if isinstance(value, bool) else str(value)
