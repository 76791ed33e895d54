"""What the receiver itself has to say: a source that babbles, or whose datagrams cannot be taken. Pure."""

from collections import OrderedDict
from typing import Final

from ocs.faults.alarm import AlarmKey, AlarmSignal, EventType, Severity
from ocs.faults.receiver.rations import Storm
from ocs.faults.snmp.discard import DiscardReason
from ocs.faults.snmp.engine import Discard
from ocs.limits import DISCARD_ALARM_INTERVAL_MS, DISCARD_SOURCES_MAX

# IANAItuProbableCause.
_CONGESTION: Final = 202
_COMMUNICATIONS_PROTOCOL_ERROR: Final = 504
_UNAUTHORIZED_ACCESS_ATTEMPT: Final = 614
_TEXT_CHARACTERS_MAX: Final = 256
# All sources beyond those that have an alarm of their own.
_MANY: Final = "many-sources"
# They speak of who sends rather than of what is sent.
_SECURITY_REASONS: Final = frozenset(
    {
        DiscardReason.BAD_COMMUNITY,
        DiscardReason.UNKNOWN_USER,
        DiscardReason.UNSUPPORTED_LEVEL,
        DiscardReason.WRONG_DIGEST,
        DiscardReason.NOT_IN_TIME_WINDOW,
    }
)


def storm_signal(storm: Storm, element: str, at_ms: int) -> AlarmSignal:
    """Raise or clear the one alarm of a source that sends more than its ration."""
    if storm.is_over:
        text = f"notifications come at a usual rate again; {storm.dropped} were dropped"
    else:
        text = "more notifications than this source's ration: those that clear nothing are dropped"
    return AlarmSignal(
        key=AlarmKey(element, "trap-storm"),
        severity=Severity.CLEARED if storm.is_over else Severity.MAJOR,
        at_ms=at_ms,
        event_type=EventType.QUALITY_OF_SERVICE_ALARM,
        probable_cause=_CONGESTION,
        text=text,
        source=element,
        repair="look what the element reports; raise snmp.traps_per_source_per_s if it is right to report so much",
    )


class DiscardAlarms:
    """One alarm a day for each source whose datagrams are discarded, whatever the reasons.

    Addresses of datagrams are easily forged: past a number of sources the rest share one alarm.
    """

    def __init__(self) -> None:
        self._told_ms: OrderedDict[str, int] = OrderedDict()

    def signal(self, discard: Discard, element: str, at_ms: int) -> AlarmSignal | None:
        """What a discarded datagram raises; None when its source was told of within a day."""
        resource = element if self._has_room_for(discard.address, at_ms) else _MANY
        told_ms = self._told_ms.get(resource)
        if told_ms is not None and 0 <= at_ms - told_ms < DISCARD_ALARM_INTERVAL_MS:
            return None
        self._told_ms[resource] = at_ms
        self._told_ms.move_to_end(resource)
        is_security = discard.reason in _SECURITY_REASONS
        text = f"datagrams from {discard.address} are discarded: {discard.reason.value}: {discard.detail}"
        return AlarmSignal(
            key=AlarmKey(resource, "snmp-discard"),
            severity=Severity.WARNING,
            at_ms=at_ms,
            event_type=(
                EventType.SECURITY_SERVICE_OR_MECHANISM_VIOLATION
                if is_security
                else EventType.COMMUNICATIONS_ALARM
            ),
            probable_cause=_UNAUTHORIZED_ACCESS_ATTEMPT if is_security else _COMMUNICATIONS_PROTOCOL_ERROR,
            text=text[:_TEXT_CHARACTERS_MAX],
            source=resource,
            will_clear=False,
            repair="compare the element's SNMP settings with ours; `ocs_snmp_discarded_total` counts by reason",
        )

    def _has_room_for(self, resource: str, at_ms: int) -> bool:
        """Whether a source may have an alarm of its own; those told of longest ago make room after their day."""
        while self._told_ms:
            oldest, told_ms = next(iter(self._told_ms.items()))
            if at_ms - told_ms < DISCARD_ALARM_INTERVAL_MS:
                break
            del self._told_ms[oldest]
        return resource in self._told_ms or len(self._told_ms) < DISCARD_SOURCES_MAX
