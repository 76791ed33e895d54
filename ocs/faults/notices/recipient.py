"""Who is told of which changes of alarms. Pure."""

import msgspec

from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One who is told.

    Attributes:
        name: of the recipient's outbox: unique, and not changed while something waits in it.
        severity: alarms at least so severe; of one that is over that of its last raise counts.
        resource: alarms of this resource and what is within it; empty for all.
        kinds: what must have happened.
        digest_s: after something was sent, what follows waits so long to be sent together; 0: each is sent at once.
    """

    name: str
    severity: Severity = Severity.MAJOR
    resource: str = ""
    kinds: frozenset[ChangeKind] = frozenset(
        {
            ChangeKind.RAISED,
            ChangeKind.CLEARED,
            ChangeKind.ESCALATED,
            ChangeKind.CHANGED,
        }
    )
    digest_s: float = 0

    def wants(self, change: AlarmChange) -> bool:
        """Whether a change is told; what suppression holds back never is."""
        alarm = change.alarm
        if alarm is None or not change.is_notified or change.told_as not in self.kinds:
            return False
        resource = alarm.key.resource
        return alarm.severity >= self.severity and (
            not self.resource or resource == self.resource or resource.startswith(f"{self.resource}/")
        )
