"""One line of the stream of alarm changes, which history, listeners, live views and other processes follow."""

import enum

import msgspec

from ocs.faults.alarm import Alarm
from ocs.faults.operator_axis import OperatorRecord


class ChangeKind(enum.StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"  # from nothing, or from cleared
    CHANGED = "changed"  # severity or text
    CLEARED = "cleared"
    PASSED = "passed"  # a signal older than the state came late: only the list of changes took it
    REPEATED = "repeated"  # only counters moved: nobody is told, views follow
    REGROUPED = "regrouped"  # root cause, symptoms, suppression, affected services
    OPERATED = "operated"  # the operator's axis
    ESCALATED = "escalated"
    COMPRESSED = "compressed"  # but the last status change was forgotten
    PURGED = "purged"


class AlarmChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A fact about one alarm, complete in itself: the values after it, not a difference.

    Attributes:
        change_id: unique: the alarm's id, the commit's token and an ordinal; a reader that saw it twice recognises it.
        at_ms: when we took it; the device's time is in the alarm.
        alarm: None only when PURGED.
        operator: what the operator's axis is now; None for an alarm that nobody touched.
        is_notified: whether people and partners are to be told (False: suppressed, see ``alarm.suppression``).
    """

    change_id: str
    kind: ChangeKind
    alarm_id: str
    at_ms: int
    alarm: Alarm | None
    operator: OperatorRecord | None = None
    is_notified: bool = True

    @property
    def told_as(self) -> ChangeKind:
        """What it is for those who are told.

        An alarm is told later than it was raised when its cause might still have come, or went: for them it is raised
        then.
        """
        is_late = self.kind is ChangeKind.REGROUPED and self.is_notified and self.alarm is not None
        return ChangeKind.RAISED if is_late else self.kind
