"""The alarm ``configuration-drift`` of an element. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity
from ocs.limits import DRIFT_ALARM_LINE_CHARACTERS_MAX, DRIFT_ALARM_LINES_MAX
from ocs.provisioning.compliance.drift import Finding

CONFIGURATION_DRIFT: Final = "configuration-drift"
# configurationOrCustomizationError of IANAItuProbableCause (RFC 3877).
_CONFIGURATION_ERROR: Final = 506
_REPAIR: Final = "see `ocs config drift ELEMENT`; then `--revert` or `--accept` it there"


class DriftStory(msgspec.Struct, frozen=True):
    """What an alarm tells.

    Attributes:
        findings: what differs; empty: all is well. remark: who did it, what is done about it; may be empty.
    """

    findings: Sequence[Finding] = ()
    remark: str = ""

    @property
    def text(self) -> str:
        """In one sentence; equal texts are one state of the alarm. Empty: there is no drift."""
        if not self.findings:
            return ""
        first = self.findings[0]
        services = sorted({owner for finding in self.findings for owner in finding.owners})
        count = "1 path differs" if len(self.findings) == 1 else f"{len(self.findings)} paths differ"
        more = f" and {len(self.findings) - 1} more" if len(self.findings) > 1 else ""
        whose = f" ({', '.join(services[:3])}{' …' if len(services) > 3 else ''})"
        remark = f"; {self.remark}" if self.remark else ""
        return f"{count} from what services want{whose}: {_short('; '.join(first.lines))}{more}{remark}"


def drift_signal(element: str, address: str, story: DriftStory, now_ms: int) -> AlarmSignal:
    """What the alarm list is told of an element: that it drifts, or that it does not."""
    lines = [line for finding in story.findings for line in finding.lines]
    details = [(f"difference.{number}", _short(line)) for number, line in enumerate(lines, 1)]
    if len(details) > DRIFT_ALARM_LINES_MAX:
        details[DRIFT_ALARM_LINES_MAX:] = [("more", f"{len(lines) - DRIFT_ALARM_LINES_MAX} lines")]
    return AlarmSignal(
        key=AlarmKey(element, CONFIGURATION_DRIFT),
        severity=Severity.WARNING if story.findings else Severity.CLEARED,
        at_ms=now_ms,
        event_type=EventType.INTEGRITY_VIOLATION,
        probable_cause=_CONFIGURATION_ERROR,
        text=story.text or "the element runs what services want",
        source=address,
        details=tuple(details),
        repair=_REPAIR if story.findings else "",
    )


def _short(line: str) -> str:
    if len(line) <= DRIFT_ALARM_LINE_CHARACTERS_MAX:
        return line
    return f"{line[: DRIFT_ALARM_LINE_CHARACTERS_MAX - 1]}…"
