"""What operators say about alarms: acknowledged, assigned, commented, shelved, closed (RFC 8632 operator-state).

Values only; what may follow what is in :mod:`ocs.faults.operator_rules`.
"""

import enum

import msgspec


class OperatorState(enum.IntEnum):
    """operator-state of RFC 8632; SHELVED and UN_SHELVED are written by the system alone."""

    NONE = 1
    ACK = 2
    CLOSED = 3
    SHELVED = 4
    UN_SHELVED = 5


class OperatorChange(msgspec.Struct, frozen=True, array_like=True):
    """One entry of operator-state-change: who, when, what, and a word on it."""

    at_ms: int
    operator: str
    state: OperatorState
    text: str = ""


class Comment(msgspec.Struct, frozen=True, array_like=True):
    """A remark by a person or a system."""

    at_ms: int
    operator: str
    text: str


class OperatorRecord(msgspec.Struct, frozen=True, array_like=True):
    """The operator's axis of one alarm; an alarm that nobody touched has none.

    Attributes:
        alarm_id: whose.
        state: the last of ``changes``.
        assigned_to: a person or a group; empty for nobody.
        shelved_until_ms: 0 when it is not shelved.
        changes: oldest first, bounded.
        grouped_under: id of the alarm under which operators have put it; empty for none. What the topology says of
            causes is on the device's axis, and stays.
    """

    alarm_id: str
    state: OperatorState = OperatorState.NONE
    assigned_to: str = ""
    shelved_until_ms: int = 0
    changes: tuple[OperatorChange, ...] = ()
    comments: tuple[Comment, ...] = ()
    grouped_under: str = ""
