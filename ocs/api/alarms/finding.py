"""Finds alarms of the view that a TMF query asks for, without showing a hundred thousand to find ten.

What the view can select by itself it selects; what is left of the conditions is asked of each alarm
(:mod:`ocs.api.alarms.sifting`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

import trio

from ocs.api.alarms.sifting import SearchWork, sift
from ocs.api.alarms.views import AlarmResource, tmf_alarm
from ocs.api.alarms.words import ACKNOWLEDGED, SEVERITIES, UNACKNOWLEDGED
from ocs.api.tmf.query import Filter, Query, Resource
from ocs.faults.alarm import Severity
from ocs.faults.view.alarm_view import AlarmView, cut
from ocs.faults.view.selection import SORT_KEYS, AlarmFilter, AlarmRow, Order, PageRequest

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
            return {"parent": value}
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


def is_search(query: Query) -> bool:
    """Whether alarms must be asked one by one, for which callers wait for their turn."""
    return bool(narrow(query.filters).left) or _order_of(query) is None


async def find_page(view: AlarmView, query: Query, now_ms: int, work: SearchWork | None = None) -> FoundPage:
    """The page that a query asks for, newest change first unless it sorts.

    Args:
        work: counts what it costs.

    Raises:
        TmfError: 400, it is more work than one request may cost.
    """
    work = work or SearchWork()
    wanted, left = narrow(query.filters)
    order = _order_of(query)
    rows = rows_of(view, query, wanted, now_ms, work)
    if left:
        rows = await sift(rows, left, work)
    if order is None:
        work.spend_on_sorting(len(rows), [path for path, _ in query.order])
        by_change = sorted(rows, key=SORT_KEYS[Order.CHANGED], reverse=True)
        found = query.sorted([AlarmResource(row.alarm, view.said_of(row), row.name) for row in by_change])
        return FoundPage(found[query.offset : query.offset + query.limit], len(found))
    kind, is_descending = order
    page = PageRequest(order=kind, is_descending=is_descending, offset=query.offset, limit=query.limit)
    first, total = cut(rows, page)
    await trio.lowlevel.checkpoint()
    return FoundPage([tmf_alarm(row.alarm, view.said_of(row), name=row.name) for row in first], total)


async def find_ids(
    view: AlarmView, patterns: Iterable[tuple[Filter, ...]], now_ms: int, work: SearchWork | None = None
) -> list[str]:
    """The ids of alarms that fulfil all conditions of any pattern, each once.

    Raises:
        TmfError: 400, it is more work than one request may cost.
    """
    work = work or SearchWork()
    ids: dict[str, None] = {}
    for filters in patterns:
        wanted, left = narrow(filters)
        rows = rows_of(view, Query(filters=filters), wanted, now_ms, work)
        ids |= dict.fromkeys(row.alarm.alarm_id for row in await sift(rows, left, work))
    return list(ids)


def rows_of(
    view: AlarmView, query: Query, wanted: AlarmFilter, now_ms: int, work: SearchWork
) -> list[AlarmRow]:
    """Alarms among which all are that a query can find."""
    named = dict.fromkeys(query.only_values("id"))
    if not named:
        work.spend(len(view), "alarms")
        return list(view.rows(wanted, now_ms))
    rows = [row for alarm_id in named if (row := view.get(alarm_id)) is not None]
    return [row for row in rows if wanted.matches(row, now_ms)]


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
