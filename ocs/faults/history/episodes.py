"""Episodes: from a raise to its end, with who saw to it; what reports are made of. Pure."""

import msgspec

from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.operator_axis import OperatorState

_SEEN_TO = frozenset({OperatorState.ACK, OperatorState.CLOSED})


class Episode(msgspec.Struct):
    """One time that an alarm stood. Times are when we took what happened, in ms.

    Attributes:
        number: of its row; 0 while it has none.
        severity: the worst that it had. is_symptom: of another alarm, when last heard of.
        acknowledged_ms: when an operator first acknowledged or closed it.
        ended_ms: when it was cleared, or purged (``is_purged``).
    """

    alarm_id: str
    resource: str
    alarm_type: str
    qualifier: str
    severity: int
    raised_ms: int
    is_symptom: bool = False
    services: tuple[str, ...] = ()
    acknowledged_ms: int | None = None
    acknowledged_by: str = ""
    ended_ms: int | None = None
    is_purged: bool = False
    number: int = 0


def advance_episode(episode: Episode | None, change: AlarmChange) -> Episode | None:
    """What a change makes of the episode that stands.

    Args:
        episode: the open one of the change's alarm; None while the alarm does not stand. It is not altered.

    Returns:
        The episode after it, perhaps ended; None when there is none.
    """
    alarm = change.alarm
    if change.kind is ChangeKind.PURGED:
        return None if episode is None else _ended(episode, change.at_ms, is_purged=True)
    if alarm is None:
        return episode
    if change.kind is ChangeKind.CLEARED:
        return None if episode is None else _ended(episode, change.at_ms, is_purged=False)
    if episode is None:
        if change.kind is not ChangeKind.RAISED and alarm.is_cleared:
            return None
        # Without its raise, which was forgotten before it was read, the device's own time must do.
        raised_ms = change.at_ms if change.kind is ChangeKind.RAISED else alarm.last_raised_ms
        key = alarm.key
        episode = Episode(
            alarm.alarm_id, key.resource, key.alarm_type, key.qualifier, int(Severity.CLEARED), raised_ms
        )
    seen_to = _seen_to(change) if episode.acknowledged_ms is None else ""
    return msgspec.structs.replace(
        episode,
        severity=max(episode.severity, int(alarm.severity)),
        is_symptom=bool(alarm.root_cause),
        services=alarm.affected_services or episode.services,
        acknowledged_ms=change.at_ms if seen_to else episode.acknowledged_ms,
        acknowledged_by=seen_to or episode.acknowledged_by,
    )


def _ended(episode: Episode, at_ms: int, *, is_purged: bool) -> Episode:
    return msgspec.structs.replace(episode, ended_ms=max(at_ms, episode.raised_ms), is_purged=is_purged)


def _seen_to(change: AlarmChange) -> str:
    """Who saw to the alarm with this change; empty when nobody did."""
    record = change.operator
    if change.kind is not ChangeKind.OPERATED or record is None or record.state not in _SEEN_TO:
        return ""
    return record.changes[-1].operator if record.changes else "unknown"
