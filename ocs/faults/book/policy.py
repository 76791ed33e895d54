"""What an operator decides about notices, grouping and age; everything has a usual value."""

import enum

import msgspec

from ocs.faults.alarm import Severity


class NotifyChanges(enum.StrEnum):
    """Of which state changes people are told (RFC 8632 notify-status-changes). Clears always are."""

    ALL_STATE_CHANGES = "all-state-changes"
    RAISE_AND_CLEAR = "raise-and-clear"
    SEVERITY_LEVEL = "severity-level"


class EscalationStep(msgspec.Struct, frozen=True):
    """An alarm at least this severe that nobody has taken care of for so long is escalated once more."""

    severity: Severity
    after_ms: int


# Alarm types whose failure takes down what depends on the resource, the deepest first: on one resource an earlier one
# explains a later one.
CAUSE_TYPES = (
    "power-lost",
    "fibre-cut",
    "element-down",
    "card-failed",
    "equipment-failed",
    "entity-disabled",
    "loss-of-signal",
    "link-down",
)


class BookPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How the list behaves.

    Attributes:
        notify_changes: which changes are told. notify_level: the level of ``severity-level``.
        settling_ms: how long a notice waits for the alarm's cause to come, where there may be one; and how long a
            cause that went may be outlived by its symptoms.
        cause_types: see :data:`CAUSE_TYPES`.
        flapping_raises: so many raises in quick succession are flapping; a raise counts half after
            ``flapping_half_life_ms``. It ends when they count less than ``flapping_ends_below``.
        escalations: steps by severity and age.
        leaves_when_cleared_and_acknowledged: the alarm list of 3GPP TS 32.111-2; RFC 8632 keeps alarms until a purge.
        cleared_kept_ms: a cleared alarm is purged after so long; 0: never.
    """

    notify_changes: NotifyChanges = NotifyChanges.ALL_STATE_CHANGES
    notify_level: Severity = Severity.MAJOR
    settling_ms: int = 2_000
    cause_types: tuple[str, ...] = CAUSE_TYPES
    flapping_raises: int = 5
    flapping_half_life_ms: int = 60_000
    flapping_ends_below: float = 1.5
    escalations: tuple[EscalationStep, ...] = (
        EscalationStep(Severity.CRITICAL, 15 * 60_000),
        EscalationStep(Severity.CRITICAL, 60 * 60_000),
        EscalationStep(Severity.MAJOR, 60 * 60_000),
    )
    leaves_when_cleared_and_acknowledged: bool = False
    cleared_kept_ms: int = 7 * 86_400_000

    def tells(self, before: Severity, after: Severity) -> bool:
        """Whether a change of severity is told; CLEARED before is a raise.

        Source: ietf-alarms notify-status-changes. Under ``severity-level`` both sides of the level count: that an alarm
        fell below it is told too, that it moves further below is not.
        """
        if after is Severity.CLEARED or self.notify_changes is NotifyChanges.ALL_STATE_CHANGES:
            return True
        if self.notify_changes is NotifyChanges.RAISE_AND_CLEAR:
            return before is Severity.CLEARED
        return before >= self.notify_level or after >= self.notify_level

    def ladder(self, severity: Severity) -> tuple[int, ...]:
        """The ages at which an alarm of a severity is escalated, rising."""
        return tuple(sorted(step.after_ms for step in self.escalations if severity >= step.severity))
