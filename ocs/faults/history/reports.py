"""Reports over episodes: how fast alarms were seen to and repaired (MTTA, MTTR), and what was down how long.

Times are when we took what happened, in ms; means are rounded down.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, and_, func, or_, select

from ocs.faults.alarm import Severity
from ocs.faults.history.queries import is_within
from ocs.faults.history.tables import ALARM_EPISODE
from ocs.limits import HISTORY_REPORT_EPISODES_MAX

Grouping = Literal["severity", "alarm_type", "resource"]
PARTS_PER_MILLION: Final = 1_000_000


class ReportTooLongError(ValueError):
    """The report would read more episodes than it may; ask for a shorter time."""


class RepairTimes(msgspec.Struct, frozen=True):
    """How fast the alarms of a group were seen to and repaired.

    Attributes:
        group: of what: a severity's number, an alarm type or a resource, as text.
        episodes: how many were raised. acknowledged, repaired: how many of those were, so far; purged ones are not
            repaired.
        time_to_acknowledge_ms, time_to_repair_ms: means over these; None without any.
    """

    group: str
    episodes: int
    acknowledged: int
    repaired: int
    time_to_acknowledge_ms: int | None
    time_to_repair_ms: int | None


class Availability(msgspec.Struct, frozen=True):
    """How long something was down within a time.

    Attributes:
        name: of the resource's element or of the service.
        outages: spans in which at least one alarm stood. down_ms: their length together.
        available_ppm: the share of the time without, in millionths, rounded down.
    """

    name: str
    outages: int
    down_ms: int
    available_ppm: int


def repair_times(
    connection: Connection,
    *,
    since_ms: int,
    until_ms: int,
    by: Grouping = "severity",
    resource: str = "",
    with_symptoms: bool = False,
) -> list[RepairTimes]:
    """Mean times to acknowledge and to repair of what was raised within a time.

    Args:
        until_ms: excluded.
        with_symptoms: whether alarms that stood under a root cause count; nobody is to see to those.
    """
    columns = ALARM_EPISODE.c
    group = columns[by]
    was_repaired = and_(columns.ended_ms.is_not(None), ~columns.is_purged)
    conditions = [columns.raised_ms >= since_ms, columns.raised_ms < until_ms]
    if not with_symptoms:
        conditions.append(~columns.is_symptom)
    if resource:
        conditions.append(is_within(columns.resource, resource))
    wanted = (
        select(
            group,
            func.count(),
            func.count(columns.acknowledged_ms),
            func.count().filter(was_repaired),
            func.sum(columns.acknowledged_ms - columns.raised_ms),
            func.sum(columns.ended_ms - columns.raised_ms).filter(was_repaired),
        )
        .where(*conditions)
        .group_by(group)
        .order_by(group)
    )
    return [
        RepairTimes(
            str(name),
            episodes,
            acknowledged,
            repaired,
            int(waited) // acknowledged if acknowledged else None,
            int(stood) // repaired if repaired else None,
        )
        for name, episodes, acknowledged, repaired, waited, stood in connection.execute(wanted)
    ]


def availability(
    connection: Connection,
    *,
    since_ms: int,
    until_ms: int,
    of: Literal["elements", "services"] = "elements",
    severity: Severity = Severity.MAJOR,
    resource: str = "",
) -> list[Availability]:
    """How long elements or services were down: while any alarm of a severity or worse stood on them.

    What had no outage is not listed: the history does not know what else there is.

    Raises:
        ReportTooLongError: there were too many alarms in that time.
        ValueError: the time is empty.
    """
    if since_ms >= until_ms:
        raise ValueError("expected a time that ends after it begins")
    columns = ALARM_EPISODE.c
    conditions = [
        columns.severity >= int(severity),
        columns.raised_ms < until_ms,
        or_(columns.ended_ms.is_(None), columns.ended_ms > since_ms),
    ]
    if resource:
        conditions.append(is_within(columns.resource, resource))
    if of == "services":
        conditions.append(columns.services != "")
    wanted = (
        select(columns.resource, columns.services, columns.raised_ms, columns.ended_ms)
        .where(*conditions)
        .order_by(columns.raised_ms)
        .limit(HISTORY_REPORT_EPISODES_MAX + 1)
    )
    rows: Sequence[Any] = connection.execute(wanted).all()
    if len(rows) > HISTORY_REPORT_EPISODES_MAX:
        raise ReportTooLongError("too many alarms in that time: ask for a shorter one")
    spans: dict[str, list[tuple[int, int]]] = {}
    for name, services, raised_ms, ended_ms in rows:
        span = max(raised_ms, since_ms), until_ms if ended_ms is None else min(ended_ms, until_ms)
        for affected in services.splitlines() if of == "services" else (name.partition("/")[0],):
            spans.setdefault(affected, []).append(span)
    return [
        _availability_of(name, merge_spans(found), until_ms - since_ms)
        for name, found in sorted(spans.items())
    ]


def _availability_of(name: str, spans: Sequence[tuple[int, int]], length_ms: int) -> Availability:
    down_ms = sum(end - begin for begin, end in spans)
    return Availability(name, len(spans), down_ms, (length_ms - down_ms) * PARTS_PER_MILLION // length_ms)


def merge_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of time as few spans that do not touch, in order."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged
