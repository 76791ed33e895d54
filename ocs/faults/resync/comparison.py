"""The alarm list brought to what an element was found to say: which signals are missing. Pure.

All of them happened when the element was asked, by its own clock: whatever it sends of a later change comes after them,
in whatever order it arrives.
"""

from collections.abc import Iterable
from typing import Final

from ocs.faults.alarm import Alarm, AlarmKey, AlarmSignal, EventType, Severity

RESYNC_FAILED: Final = "resync-failed"
_OTHER_CAUSE: Final = 1024


def missing_signals(
    standing: Iterable[Alarm], said: Iterable[AlarmSignal], covers: frozenset[str], *, at_ms: int
) -> list[AlarmSignal]:
    """What must be taken so that the list stands as the element says.

    Args:
        standing: the alarms of the element that stand.
        said: what its tables say, all of ``at_ms``.
        covers: types of alarms of which the tables tell all that stand.
    """
    known = {alarm.key: alarm for alarm in standing if alarm.last_signal_ms < at_ms}
    newer = {alarm.key for alarm in standing if alarm.last_signal_ms >= at_ms}
    raised: dict[AlarmKey, AlarmSignal] = {}
    cleared: dict[AlarmKey, AlarmSignal] = {}
    for signal in said:
        if signal.key in newer:
            continue
        of_kind = cleared if signal.severity is Severity.CLEARED else raised
        other = of_kind.get(signal.key)
        if other is None or other.severity < signal.severity:
            of_kind[signal.key] = signal
    changed = [
        signal
        for key, signal in raised.items()
        if key not in known or known[key].severity is not signal.severity
    ]
    # A clear of what is not in the list would only be remembered as one that overtook its raise.
    over = [signal for key, signal in cleared.items() if key in known and key not in raised]
    gone = [
        _gone(alarm, at_ms)
        for key, alarm in known.items()
        if alarm.key.alarm_type in covers and alarm.will_clear and key not in raised and key not in cleared
    ]
    return [*over, *gone, *changed]


def _gone(alarm: Alarm, at_ms: int) -> AlarmSignal:
    return AlarmSignal(
        key=alarm.key,
        severity=Severity.CLEARED,
        at_ms=at_ms,
        event_type=alarm.event_type,
        probable_cause=alarm.probable_cause,
        text="The element was asked and does not report it any more",
        source=alarm.source,
    )


def failure_signals(element: str, failure: str, known: Alarm | None, now_ms: int) -> list[AlarmSignal]:
    """Raise, change or clear the one alarm of an element that cannot be asked; nothing when it stands so already.

    Args:
        failure: why it could not; empty when it could.
        known: that alarm as it is in the list.
    """
    key = AlarmKey(element, RESYNC_FAILED)
    stands = None if known is None or known.is_cleared else known
    text = f"Its alarms cannot be looked up: {failure}" if failure else "Its alarms were looked up"
    if (stands is None) if not failure else (stands is not None and stands.text == text):
        return []
    return [
        AlarmSignal(
            key=key,
            severity=Severity.MINOR if failure else Severity.CLEARED,
            at_ms=now_ms,
            event_type=EventType.COMMUNICATIONS_ALARM,
            probable_cause=_OTHER_CAUSE,
            text=text,
            source=element,
            repair="Compare the agent's settings with `agent` in config/topology; `ocs faults resync` asks it again.",
        )
    ]
