"""Our own alarms about elements: which are to be raised and cleared, by what stands and what should. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity

# A decided or undone change lacks the element. No connection with the element comes about.
IN_DOUBT: Final = "element-in-doubt"
UNREACHABLE: Final = "element-unreachable"
TYPES: Final = (IN_DOUBT, UNREACHABLE)

_SEVERITIES: Final = {IN_DOUBT: Severity.CRITICAL, UNREACHABLE: Severity.MAJOR}
_REPAIRS: Final = {
    IN_DOUBT: "Bring the element back, or see what hinders it with `ocs provision show`; it is tried again until it has"
    " what was decided",
    UNREACHABLE: "Look at the element, the way to it, its credential and host key: `ocs config show` says what fails",
}
_OVER: Final = {
    IN_DOUBT: "The element has what was decided",
    UNREACHABLE: "The element can be reached again",
}
_OTHER_CAUSE: Final = 1024


class ElementAlarms:
    """Remembers what the alarm list was told, so that it is told changes only.

    Args:
        standing: alarms of ours that stand already, from a process before this one.
    """

    def __init__(self, standing: Iterable[AlarmKey] = ()) -> None:
        self._told: dict[AlarmKey, str] = dict.fromkeys(standing, "")

    def signals(self, wanted: Mapping[AlarmKey, str], now_ms: int) -> list[AlarmSignal]:
        """What to tell the list.

        Args:
            wanted: alarms that should stand, each with its text.
        """
        raised = [
            _signal(key, _SEVERITIES[key.alarm_type], text, now_ms)
            for key, text in wanted.items()
            if self._told.get(key) != text
        ]
        cleared = [
            _signal(key, Severity.CLEARED, _OVER[key.alarm_type], now_ms)
            for key in self._told
            if key not in wanted
        ]
        return [*cleared, *raised]

    def note_told(self, signal: AlarmSignal) -> None:
        """The list has it."""
        if signal.severity is Severity.CLEARED:
            self._told.pop(signal.key, None)
        else:
            self._told[signal.key] = signal.text


def _signal(key: AlarmKey, severity: Severity, text: str, now_ms: int) -> AlarmSignal:
    return AlarmSignal(
        key=key,
        severity=severity,
        at_ms=now_ms,
        event_type=EventType.INTEGRITY_VIOLATION
        if key.alarm_type == IN_DOUBT
        else EventType.COMMUNICATIONS_ALARM,
        probable_cause=_OTHER_CAUSE,
        text=text,
        source=key.resource,
        repair=_REPAIRS[key.alarm_type],
    )
