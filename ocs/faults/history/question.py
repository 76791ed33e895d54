"""What is asked of the history of alarms, and what is answered; apart from the SQL, which takes a while to load."""

import msgspec

from ocs.faults.alarm_change import ChangeKind


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
