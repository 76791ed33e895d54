"""The device's axis of one alarm: what signals make of it, in the order of their own times (RFC 8632 section 4.2).

The network may deliver signals in any order. Each key's are ordered by ``at_ms``; of two at the same time a clear
follows a raise (what is over had begun), the worse raise follows the lesser, and texts decide the rest, so that
whatever order they come in they end in one state. A signal older than the newest one taken never changes the state: it
is *passed*, and only takes its place in the list of changes.
"""

import enum
from bisect import bisect_right
from typing import Final

from ocs.faults.alarm import AlarmSignal, Severity, StatusChange
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.entry import Entry
from ocs.limits import STATUS_CHANGES_MAX


class State(enum.Enum):
    """What the list says of a key."""

    ABSENT = enum.auto()
    ACTIVE = enum.auto()
    CLEARED = enum.auto()


class Event(enum.Enum):
    """What a signal says, against what is known of its key."""

    RAISE = enum.auto()
    SAME_RAISE = enum.auto()  # severity and text as before
    CLEAR = enum.auto()
    OLDER = enum.auto()  # than the newest signal taken


_ABSENT, _ACTIVE, _CLEARED = State.ABSENT, State.ACTIVE, State.CLEARED

# RFC 8632 sections 3.5 and 4.2: an entry appears with the first raise, a clear does not remove it, a new raise uses it
# again. None: nothing is in the list; a clear that comes before its raise leaves a tombstone. An absent key has no
# older signal but those that its tombstone tells.
TRANSITIONS: Final[dict[tuple[State, Event], tuple[State, ChangeKind | None]]] = {
    (_ABSENT, Event.RAISE): (_ACTIVE, ChangeKind.RAISED),
    (_ABSENT, Event.SAME_RAISE): (_ACTIVE, ChangeKind.RAISED),
    (_ABSENT, Event.CLEAR): (_ABSENT, None),
    (_ABSENT, Event.OLDER): (_CLEARED, ChangeKind.PASSED),
    (_ACTIVE, Event.RAISE): (_ACTIVE, ChangeKind.CHANGED),
    (_ACTIVE, Event.SAME_RAISE): (_ACTIVE, ChangeKind.REPEATED),
    (_ACTIVE, Event.CLEAR): (_CLEARED, ChangeKind.CLEARED),
    (_ACTIVE, Event.OLDER): (_ACTIVE, ChangeKind.PASSED),
    (_CLEARED, Event.RAISE): (_ACTIVE, ChangeKind.RAISED),
    (_CLEARED, Event.SAME_RAISE): (_ACTIVE, ChangeKind.RAISED),
    (_CLEARED, Event.CLEAR): (_CLEARED, ChangeKind.REPEATED),
    (_CLEARED, Event.OLDER): (_CLEARED, ChangeKind.PASSED),
}


def take(entry: Entry, signal: AlarmSignal, at_ms: int) -> ChangeKind:
    """Bring a signal into an entry, and say what it was.

    Args:
        entry: changed in place.
        signal: of the entry's key.
        at_ms: when it happened; never ahead of our clock.
    """
    event = _event(entry, signal, at_ms)
    kind = TRANSITIONS[_CLEARED if entry.is_cleared else _ACTIVE, event][1]
    if kind is ChangeKind.PASSED:
        pass_by(entry, signal, at_ms)
    elif kind is ChangeKind.REPEATED:
        entry.last_signal_ms = at_ms
        if event is Event.SAME_RAISE:
            entry.occurrences += 1
    elif kind is ChangeKind.CLEARED:
        _clear(entry, signal.text, at_ms)
    else:
        _raise(entry, signal, at_ms)
    return kind or ChangeKind.PASSED


def clear_late(entry: Entry, text: str, at_ms: int) -> None:
    """Clear an entry whose clear had come before its raise."""
    _clear(entry, text, at_ms)


def pass_by(entry: Entry, signal: AlarmSignal, at_ms: int) -> None:
    """Put an older signal where it belongs among the changes; the state stays, what led to it may read otherwise."""
    severity, text = signal.severity, signal.text
    if severity is not Severity.CLEARED:
        entry.occurrences += 1
    changes = entry.changes
    late = StatusChange(at_ms, severity, text)
    position = bisect_right(changes, _order(late), key=_order)
    if position == 0 and len(changes) >= STATUS_CHANGES_MAX:
        return
    if position and _same(changes[position - 1], late):
        return
    if position == len(changes):
        # After the last change and before the last repeat: the state was left and came back.
        severity_now = Severity.CLEARED if entry.is_cleared else entry.severity
        back = StatusChange(entry.last_signal_ms, severity_now, entry.text)
        added = (late,) if _same(late, back) else (late, back)
    else:
        added = (late,)
    entry.changes = (*changes[:position], *added, *changes[position:])[-STATUS_CHANGES_MAX:]
    _derive(entry)


def _event(entry: Entry, signal: AlarmSignal, at_ms: int) -> Event:
    """Which event it is; at the same time the order is clear after raise, worse after lesser, then by text."""
    is_clear = signal.severity is Severity.CLEARED
    if at_ms < entry.last_signal_ms:
        return Event.OLDER
    if at_ms == entry.last_signal_ms and not is_clear:
        if entry.is_cleared:
            return Event.OLDER
        if (signal.severity, signal.text) < (entry.severity, entry.text):
            return Event.OLDER
    if is_clear:
        return Event.CLEAR
    is_same = signal.severity is entry.severity and signal.text == entry.text
    return Event.SAME_RAISE if is_same else Event.RAISE


def _raise(entry: Entry, signal: AlarmSignal, at_ms: int) -> None:
    if entry.is_cleared:
        entry.last_raised_ms = at_ms
    entry.is_cleared = False
    entry.severity = signal.severity
    entry.last_changed_ms = entry.last_signal_ms = at_ms
    entry.event_type = signal.event_type
    entry.probable_cause = signal.probable_cause
    entry.text = signal.text
    entry.source = signal.source
    entry.will_clear = signal.will_clear
    entry.details = signal.details
    entry.repair = signal.repair
    entry.is_catch_all = signal.is_catch_all
    entry.occurrences += 1
    _append(entry, StatusChange(at_ms, signal.severity, signal.text))


def _clear(entry: Entry, text: str, at_ms: int) -> None:
    """RFC 8632: perceived-severity stays that of the last raise; alarm-text is the last reported."""
    entry.is_cleared = True
    entry.last_changed_ms = entry.last_signal_ms = at_ms
    entry.text = text or entry.text
    _append(entry, StatusChange(at_ms, Severity.CLEARED, text))


def _append(entry: Entry, change: StatusChange) -> None:
    entry.changes = (*entry.changes, change)[-STATUS_CHANGES_MAX:]


def _order(change: StatusChange) -> tuple[int, bool, Severity, str]:
    return change.at_ms, change.severity is Severity.CLEARED, change.severity, change.text


def _same(one: StatusChange, other: StatusChange) -> bool:
    if one.severity is Severity.CLEARED and other.severity is Severity.CLEARED:
        return True
    return one.severity is other.severity and one.text == other.text


def _derive(entry: Entry) -> None:
    """Read from the changes in their true order when it was last raised, and how severe it was."""
    changes = entry.changes
    entry.last_changed_ms = changes[-1].at_ms
    last = next(
        (i for i in reversed(range(len(changes))) if changes[i].severity is not Severity.CLEARED), None
    )
    if last is None:
        return
    entry.severity = changes[last].severity
    while last and changes[last - 1].severity is not Severity.CLEARED:
        last -= 1
    if last or len(changes) < STATUS_CHANGES_MAX:
        entry.last_raised_ms = changes[last].at_ms
