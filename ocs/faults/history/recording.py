"""Puts changes of alarms into the history: one unit of work, whatever part of it was there already."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.history.episodes import Episode, advance_episode
from ocs.faults.history.tables import ALARM_CHANGE, ALARM_EPISODE

_INT32_MAX: Final = 2**31 - 1


def record_changes(connection: Connection, changes: Sequence[AlarmChange]) -> int:
    """Write changes that the history has not got; returns how many those were.

    Raises:
        sqlalchemy.exc.IntegrityError: another process wrote one of them just now: nothing was written, do it again.
    """
    known = select(ALARM_CHANGE.c.change_id).where(
        ALARM_CHANGE.c.change_id.in_([change.change_id for change in changes])
    )
    seen = set(connection.scalars(known))
    new: list[AlarmChange] = []
    for change in changes:
        if change.change_id not in seen and change.kind is not ChangeKind.REPEATED:
            seen.add(change.change_id)
            new.append(change)
    if new:
        connection.execute(insert(ALARM_CHANGE), [_row(change) for change in new])
        _record_episodes(connection, new)
    return len(new)


def forget_before(connection: Connection, before_ms: int, limit: int) -> int:
    """Forget the oldest changes and ended episodes of before a moment, so many of each at most; returns how many."""
    old_changes = (
        select(ALARM_CHANGE.c.change_number)
        .where(ALARM_CHANGE.c.at_ms < before_ms)
        .order_by(ALARM_CHANGE.c.at_ms)
        .limit(limit)
    )
    old_episodes = (
        select(ALARM_EPISODE.c.episode_number)
        .where(ALARM_EPISODE.c.ended_ms < before_ms)
        .order_by(ALARM_EPISODE.c.ended_ms)
        .limit(limit)
    )
    gone = connection.execute(
        delete(ALARM_CHANGE).where(ALARM_CHANGE.c.change_number.in_(old_changes))
    ).rowcount
    gone += connection.execute(
        delete(ALARM_EPISODE).where(ALARM_EPISODE.c.episode_number.in_(old_episodes))
    ).rowcount
    return gone


def _row(change: AlarmChange) -> dict[str, Any]:
    alarm = change.alarm
    operator, operator_text = _who(change)
    row: dict[str, Any] = {
        "change_id": change.change_id,
        "alarm_id": change.alarm_id,
        "kind": str(change.kind),
        "at_ms": change.at_ms,
        "is_notified": change.is_notified,
        "operator": _clean(operator),
        "operator_state": int(change.operator.state) if change.operator else 0,
        "operator_text": _clean(operator_text),
        "assigned_to": _clean(change.operator.assigned_to) if change.operator else "",
    }
    if alarm is None:
        absent: dict[str, Any] = dict.fromkeys(
            ("resource", "alarm_type", "qualifier", "text", "source", "root_cause", "suppression"), ""
        )
        numbers = ("device_ms", "severity", "event_type", "probable_cause", "occurrences")
        return row | absent | dict.fromkeys(numbers, 0) | {"is_cleared": False}
    return row | {
        "device_ms": alarm.last_signal_ms,
        "resource": _clean(alarm.key.resource),
        "alarm_type": _clean(alarm.key.alarm_type),
        "qualifier": _clean(alarm.key.qualifier),
        "severity": int(alarm.severity),
        # A batch may raise and clear: its changes all carry what the alarm is after it.
        "is_cleared": change.kind is ChangeKind.CLEARED
        or (alarm.is_cleared and change.kind is not ChangeKind.RAISED),
        "event_type": int(alarm.event_type),
        "probable_cause": min(alarm.probable_cause, _INT32_MAX),
        "text": _clean(alarm.text),
        "source": _clean(alarm.source),
        "occurrences": alarm.occurrences,
        "root_cause": alarm.root_cause,
        "suppression": alarm.suppression,
    }


def _who(change: AlarmChange) -> tuple[str, str]:
    """Who did what an OPERATED change tells, and with which words: the newest of state changes and comments."""
    record = change.operator
    if change.kind is not ChangeKind.OPERATED or record is None:
        return "", ""
    deeds = [*record.changes[-1:], *record.comments[-1:]]
    newest = max(deeds, key=lambda deed: deed.at_ms, default=None)
    return ("", "") if newest is None else (newest.operator, newest.text)


def _clean(text: str) -> str:
    """Text as every database takes it: PostgreSQL knows no NUL, and devices send some."""
    return text.replace("\x00", "\ufffd")


# --- Episodes -----------------------------------------------------------------------------------------------------


def _record_episodes(connection: Connection, changes: Iterable[AlarmChange]) -> None:
    alarm_ids = {change.alarm_id for change in changes}
    standing = select(ALARM_EPISODE).where(
        ALARM_EPISODE.c.alarm_id.in_(alarm_ids), ALARM_EPISODE.c.ended_ms.is_(None)
    )
    standing_rows = connection.execute(standing).mappings()
    opened = {row["alarm_id"]: _episode_of(row) for row in standing_rows}
    before = dict(opened)
    ended: list[Episode] = []
    for change in changes:
        after = advance_episode(opened.get(change.alarm_id), change)
        if after is None:
            continue
        if after.ended_ms is None:
            opened[change.alarm_id] = after
        else:
            del opened[change.alarm_id]
            ended.append(after)
    open_ones = [episode for alarm_id, episode in opened.items() if episode is not before.get(alarm_id)]
    _save(connection, [*ended, *open_ones])


def _save(connection: Connection, episodes: Sequence[Episode]) -> None:
    """Write them with two statements: one for each costs the receiver beside us its processor."""
    new = [_values(episode) for episode in episodes if not episode.number]
    if new:
        connection.execute(insert(ALARM_EPISODE), new)
    known = [_values(episode) | {"number": episode.number} for episode in episodes if episode.number]
    if known:
        row = ALARM_EPISODE.c.episode_number == bindparam("number")
        connection.execute(update(ALARM_EPISODE).where(row), known)


def _values(episode: Episode) -> dict[str, Any]:
    return {
        "alarm_id": episode.alarm_id,
        "resource": _clean(episode.resource),
        "alarm_type": _clean(episode.alarm_type),
        "qualifier": _clean(episode.qualifier),
        "severity": episode.severity,
        "is_symptom": episode.is_symptom,
        "services": _clean("\n".join(episode.services)),
        "raised_ms": episode.raised_ms,
        "acknowledged_ms": episode.acknowledged_ms,
        "acknowledged_by": _clean(episode.acknowledged_by),
        "ended_ms": episode.ended_ms,
        "is_purged": episode.is_purged,
    }


def _episode_of(row: Any) -> Episode:
    return Episode(
        row["alarm_id"],
        row["resource"],
        row["alarm_type"],
        row["qualifier"],
        row["severity"],
        row["raised_ms"],
        row["is_symptom"],
        tuple(row["services"].splitlines()),
        row["acknowledged_ms"],
        row["acknowledged_by"],
        row["ended_ms"],
        row["is_purged"],
        row["episode_number"],
    )
