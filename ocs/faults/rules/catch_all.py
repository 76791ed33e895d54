"""What becomes of a trap that no rule knows: an alarm of its own, never silence."""

from collections import OrderedDict

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity
from ocs.faults.mibs import MibNames
from ocs.faults.notification import Notification
from ocs.faults.rules.compiler import first_details
from ocs.faults.rules.probable_causes import OTHER_CAUSE
from ocs.faults.rules.templates import key_text
from ocs.limits import ALARM_TEXT_CHARACTERS_MAX, UNKNOWN_TRAP_SOURCES_MAX, UNKNOWN_TRAPS_PER_SOURCE

UNKNOWN_TRAP = "unknown-trap"
# The qualifier of all kinds of one source above its number.
FURTHER = "further"


class CatchAll:
    """Alarms of unknown traps: one for each source and trap, so many for a source, then one for all the others."""

    def __init__(self, names: MibNames) -> None:
        self._names = names
        # The kinds of each source, the source heard last at the end.
        self._kinds: OrderedDict[str, set[str]] = OrderedDict()

    def signal(self, notification: Notification, element: str, at_ms: int) -> AlarmSignal:
        """Say that something came, with all that MIBs tell of it."""
        name = self._names.name_of(notification.trap_oid)
        details = first_details(notification, self._names)
        told = ", ".join(f"{label} = {value}" for label, value in details)
        text = f"No rule knows {name}{f': {told}' if told else ''}"
        return AlarmSignal(
            key=AlarmKey(key_text(element), UNKNOWN_TRAP, self._qualifier(notification)),
            # X.733 section 8.1.2.3: its effect cannot be told.
            severity=Severity.INDETERMINATE,
            at_ms=at_ms,
            event_type=EventType.OTHER,
            probable_cause=OTHER_CAUSE,
            text=text
            if len(text) <= ALARM_TEXT_CHARACTERS_MAX
            else f"{text[: ALARM_TEXT_CHARACTERS_MAX - 1]}…",
            source=notification.source,
            will_clear=False,
            details=details,
            repair="Write a rule for it (docs/alarm-rules.md); `ocs faults mib add` names its parts.",
            is_catch_all=True,
        )

    def _qualifier(self, notification: Notification) -> str:
        kinds = self._kinds.get(notification.source)
        if kinds is None:
            if len(self._kinds) >= UNKNOWN_TRAP_SOURCES_MAX:
                self._kinds.popitem(last=False)
            kinds = self._kinds[notification.source] = set()
        self._kinds.move_to_end(notification.source)
        kind = key_text(notification.trap_oid)
        if kind not in kinds:
            if len(kinds) >= UNKNOWN_TRAPS_PER_SOURCE:
                return FURTHER
            kinds.add(kind)
        return kind
