"""The administrative axis: which alarms are purged or compressed (RFC 8632 purge-alarms, compress-alarms). Pure."""

from typing import Literal

import msgspec

from ocs.faults.alarm import Alarm, Severity, StatusChange
from ocs.faults.operator_axis import OperatorRecord, OperatorState


class PurgeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The input of purge-alarms; what is not said does not limit.

    Attributes:
        clearance: the device's axis.
        older_than_ms: not changed for so long.
        severity: compared as ``severity_is`` says; for a cleared alarm that of its last raise.
        operator_state: the last one. operator: who wrote it.
        resource: this one and everything below it. alarm_type, qualifier: exactly.
    """

    clearance: Literal["any", "cleared", "not-cleared"] = "any"
    older_than_ms: int = 0
    severity: Severity | None = None
    severity_is: Literal["below", "is", "above"] = "is"
    operator_state: OperatorState | None = None
    operator: str = ""
    resource: str = ""
    alarm_type: str = ""
    qualifier: str = ""

    def matches(self, alarm: Alarm, record: OperatorRecord | None, now_ms: int) -> bool:
        """Whether an alarm is meant; all that is said must hold."""
        if self.clearance != "any" and alarm.is_cleared is not (self.clearance == "cleared"):
            return False
        if self.older_than_ms and now_ms - alarm.last_changed_ms < self.older_than_ms:
            return False
        if self.severity is not None and not self._is_meant(alarm.severity, self.severity):
            return False
        state = OperatorState.NONE if record is None else record.state
        if self.operator_state is not None and state is not self.operator_state:
            return False
        if self.operator and not (record and record.changes and record.changes[-1].operator == self.operator):
            return False
        key = alarm.key
        if self.alarm_type not in {"", key.alarm_type} or self.qualifier not in {"", key.qualifier}:
            return False
        resource = key.resource
        return not self.resource or resource == self.resource or resource.startswith(f"{self.resource}/")

    def _is_meant(self, severity: Severity, level: Severity) -> bool:
        if self.severity_is == "below":
            return severity < level
        return severity > level if self.severity_is == "above" else severity is level


def compressed(
    changes: tuple[StatusChange, ...], known: tuple[StatusChange, ...] = ()
) -> tuple[StatusChange, ...]:
    """The last change alone; or those from the last known one on, where more have come since."""
    first = changes.index(known[-1]) if known and known[-1] in changes else -1
    return changes[first:]
