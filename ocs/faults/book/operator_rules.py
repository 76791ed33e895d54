"""What operators may do to an alarm, and what that makes of their axis (RFC 8632 section 4.3, operator-state-change).

Pure: a record and an action go in, a new record comes out. The device's axis stays as it is: an operator's closing is
not a clear. An alarm that no device ever clears (``will_clear`` false) may be cleared by hand: :func:`clear_signal`.
"""

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

from ocs.faults.alarm import Alarm, AlarmSignal, Severity
from ocs.faults.operator_axis import Comment, OperatorChange, OperatorRecord, OperatorState
from ocs.limits import (
    ALARM_COMMENTS_MAX,
    OPERATOR_CHANGES_MAX,
    OPERATOR_NAME_CHARACTERS_MAX,
    OPERATOR_TEXT_CHARACTERS_MAX,
    SHELVE_MAX_MS,
)

# Who did what nobody did: a shelf that ended, an acknowledgement that a new raise made void.
SYSTEM: Final = "system"


class OperatorRuleError(ValueError):
    """The action is not allowed now; ``str()`` is one line for whoever asked."""


class Action(enum.StrEnum):
    """What moves the operator's axis."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    CLOSE = "close"
    SHELVE = "shelve"
    UN_SHELVE = "un-shelve"
    # By the system alone:
    SHELF_ENDS = "end the shelf of"
    RAISED_AGAIN = "raise again"


_NONE, _ACK, _CLOSED = OperatorState.NONE, OperatorState.ACK, OperatorState.CLOSED
_SHELVED, _UN_SHELVED = OperatorState.SHELVED, OperatorState.UN_SHELVED

# RFC 8632, typedef operator-state, and what each state means there: none is not being taken care of, ack is being taken
# care of, closed has been taken care of, shelved and un-shelved are written by the system. A pair that is missing is
# refused. Acknowledging again hands the work over; a shelf's end may be moved.
TRANSITIONS: Final[dict[tuple[OperatorState, Action], OperatorState]] = {
    (_NONE, Action.ACKNOWLEDGE): _ACK,
    (_NONE, Action.CLOSE): _CLOSED,
    (_NONE, Action.SHELVE): _SHELVED,
    (_ACK, Action.ACKNOWLEDGE): _ACK,
    (_ACK, Action.UNACKNOWLEDGE): _NONE,
    (_ACK, Action.CLOSE): _CLOSED,
    (_ACK, Action.SHELVE): _SHELVED,
    # X.733's successors (3GPP TS 32.111-2): what was acknowledged was an earlier failure.
    (_ACK, Action.RAISED_AGAIN): _NONE,
    (_CLOSED, Action.ACKNOWLEDGE): _ACK,
    (_CLOSED, Action.SHELVE): _SHELVED,
    (_CLOSED, Action.RAISED_AGAIN): _NONE,
    (_SHELVED, Action.SHELVE): _SHELVED,
    (_SHELVED, Action.UN_SHELVE): _UN_SHELVED,
    (_SHELVED, Action.SHELF_ENDS): _UN_SHELVED,
    (_UN_SHELVED, Action.ACKNOWLEDGE): _ACK,
    (_UN_SHELVED, Action.CLOSE): _CLOSED,
    (_UN_SHELVED, Action.SHELVE): _SHELVED,
}
_WORDS: Final = {
    _NONE: "not taken care of",
    _ACK: "acknowledged",
    _CLOSED: "closed",
    _SHELVED: "shelved",
    _UN_SHELVED: "un-shelved",
}


def acknowledge(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int
) -> OperatorRecord:
    """Take care of an alarm; again by another operator, to take it over.

    Raises:
        OperatorRuleError: it is shelved, or a text is too long. All actions raise it for what they do not allow.
    """
    return _step(_record_of(record, alarm), Action.ACKNOWLEDGE, operator, text, now_ms)


def unacknowledge(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int
) -> OperatorRecord:
    """Hand an alarm back to everybody."""
    return _step(_record_of(record, alarm), Action.UNACKNOWLEDGE, operator, text, now_ms)


def close(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int
) -> OperatorRecord:
    """Say that the work on an alarm is done; whether the device has cleared it makes no difference."""
    return _step(_record_of(record, alarm), Action.CLOSE, operator, text, now_ms)


def shelve(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int, *, until_ms: int
) -> OperatorRecord:
    """Silence an alarm until a moment; on a shelved one, move its end. Its state is kept on the shelf."""
    if not now_ms < until_ms <= now_ms + SHELVE_MAX_MS:
        raise OperatorRuleError(
            f"expected an end in the future, at most {SHELVE_MAX_MS // 86_400_000} days ahead"
        )
    step = _step(_record_of(record, alarm), Action.SHELVE, operator, text, now_ms)
    return msgspec.structs.replace(step, shelved_until_ms=until_ms)


def unshelve(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int
) -> OperatorRecord:
    """End a shelf before its time."""
    step = _step(_record_of(record, alarm), Action.UN_SHELVE, operator, text, now_ms)
    return msgspec.structs.replace(step, shelved_until_ms=0)


def assign(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int, *, assigned_to: str
) -> OperatorRecord:
    """Give an alarm to a person or a group; empty: to nobody. A text is kept as a comment."""
    _check(assigned_to, OPERATOR_NAME_CHARACTERS_MAX, "the name of whom it is assigned to")
    given = comment(record, alarm, operator, text, now_ms) if text else _record_of(record, alarm)
    _check_operator(operator)
    return msgspec.structs.replace(given, assigned_to=assigned_to)


def comment(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int
) -> OperatorRecord:
    """Add a remark. Of very many the oldest are forgotten."""
    if not text:
        raise OperatorRuleError("expected a text")
    _check_operator(operator)
    _check(text, OPERATOR_TEXT_CHARACTERS_MAX, "a comment")
    before = _record_of(record, alarm)
    comments = (*before.comments, Comment(now_ms, operator, text))[-ALARM_COMMENTS_MAX:]
    return msgspec.structs.replace(before, comments=comments)


def group(
    record: OperatorRecord | None,
    alarm: Alarm,
    operator: str,
    text: str,
    now_ms: int,
    *,
    parent: str,
    parents_above: Sequence[str] = (),
) -> OperatorRecord:
    """Put an alarm under another by hand (TMF642 groupAlarms); from under a third one it moves.

    Args:
        parent: id of the other alarm. parents_above: the alarms that this is grouped under itself, upwards.
    """
    if alarm.alarm_id in {parent, *parents_above}:
        raise OperatorRuleError("an alarm cannot be grouped under itself")
    return _grouped(record, alarm, operator, text, now_ms, parent)


def ungroup(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int, *, parent: str
) -> OperatorRecord:
    """Take an alarm from under the one that operators had put it under (TMF642 unGroupAlarms)."""
    if record is None or not parent or record.grouped_under != parent:
        raise OperatorRuleError(f"it is not grouped under alarm {parent!r}")
    return _grouped(record, alarm, operator, text, now_ms, "")


def _grouped(
    record: OperatorRecord | None, alarm: Alarm, operator: str, text: str, now_ms: int, parent: str
) -> OperatorRecord:
    given = comment(record, alarm, operator, text, now_ms) if text else _record_of(record, alarm)
    _check_operator(operator)
    return msgspec.structs.replace(given, grouped_under=parent)


def clear_signal(alarm: Alarm, operator: str, text: str, now_ms: int) -> AlarmSignal:
    """What clears by hand an alarm that its device never clears; it goes the way of the device's own signals.

    Raises:
        OperatorRuleError: the device will say when it is over, or it is over.
    """
    _check_operator(operator)
    _check(text, OPERATOR_TEXT_CHARACTERS_MAX, "a text")
    if alarm.will_clear:
        raise OperatorRuleError("the device clears this alarm itself: close it instead, or shelve it")
    if alarm.is_cleared:
        raise OperatorRuleError("the alarm is cleared already")
    return AlarmSignal(
        key=alarm.key,
        severity=Severity.CLEARED,
        # Never older than what it clears, whatever the device's clock says.
        at_ms=max(now_ms, alarm.last_signal_ms),
        event_type=alarm.event_type,
        probable_cause=alarm.probable_cause,
        text=f"cleared by {operator}" + (f": {text}" if text else ""),
        source=alarm.source,
        will_clear=False,
    )


# --- By the system ------------------------------------------------------------------------------------------------


def shelf_ended(record: OperatorRecord, now_ms: int) -> OperatorRecord:
    """Take an alarm from the shelf, its time being over."""
    step = _step(record, Action.SHELF_ENDS, SYSTEM, "the shelf's time is over", now_ms)
    return msgspec.structs.replace(step, shelved_until_ms=0)


def raised_again(record: OperatorRecord, now_ms: int) -> OperatorRecord | None:
    """What a new raise makes of the record; None: no difference. The operator had spoken of the failure before."""
    if (record.state, Action.RAISED_AGAIN) in TRANSITIONS:
        record = _step(record, Action.RAISED_AGAIN, SYSTEM, "raised again", now_ms)
    elif not record.grouped_under:
        return None
    return msgspec.structs.replace(record, grouped_under="")


def is_shelved(record: OperatorRecord | None, now_ms: int) -> bool:
    """Whether an alarm is on the shelf at a moment, also before the system wrote that its time is over."""
    return record is not None and record.state is _SHELVED and now_ms < record.shelved_until_ms


# --- Steps --------------------------------------------------------------------------------------------------------


def _record_of(record: OperatorRecord | None, alarm: Alarm) -> OperatorRecord:
    return OperatorRecord(alarm.alarm_id) if record is None else record


def _step(record: OperatorRecord, action: Action, operator: str, text: str, now_ms: int) -> OperatorRecord:
    _check_operator(operator)
    _check(text, OPERATOR_TEXT_CHARACTERS_MAX, "a text")
    state = TRANSITIONS.get((record.state, action))
    if state is None:
        raise OperatorRuleError(f"cannot {action.value} an alarm that is {_WORDS[record.state]}")
    changes = (*record.changes, OperatorChange(now_ms, operator, state, text))[-OPERATOR_CHANGES_MAX:]
    return OperatorRecord(
        record.alarm_id,
        state,
        record.assigned_to,
        record.shelved_until_ms if state is _SHELVED else 0,
        changes,
        record.comments,
        record.grouped_under,
    )


def _check_operator(operator: str) -> None:
    if not operator:
        raise OperatorRuleError("expected the name of an operator")
    _check(operator, OPERATOR_NAME_CHARACTERS_MAX, "an operator's name")


def _check(text: str, characters_max: int, what: str) -> None:
    if len(text) > characters_max:
        raise OperatorRuleError(f"expected {what} of at most {characters_max} characters")
