"""What the receiver says of its sources."""

from ocs.faults.alarm import EventType, Severity
from ocs.faults.receiver.own_signals import DiscardAlarms, storm_signal
from ocs.faults.receiver.rations import Storm
from ocs.faults.snmp.discard import DiscardReason
from ocs.faults.snmp.engine import Discard
from ocs.limits import DISCARD_ALARM_INTERVAL_MS, DISCARD_SOURCES_MAX


def discard(address: str = "10.0.0.9", reason: DiscardReason = DiscardReason.MALFORMED) -> Discard:
    return Discard(reason, address, "a length beyond the end")


def test_storm_is_raised_and_cleared_under_one_key() -> None:
    begins = storm_signal(Storm("10.0.0.1", is_over=False, dropped=1), "router7", 1_000)
    ends = storm_signal(Storm("10.0.0.1", is_over=True, dropped=70), "router7", 9_000)
    assert begins.key == ends.key
    assert (begins.severity, ends.severity) == (Severity.MAJOR, Severity.CLEARED)
    assert "70 were dropped" in ends.text


def test_discarded_source_is_told_once_a_day_whatever_the_reasons() -> None:
    alarms = DiscardAlarms()
    first = alarms.signal(discard(), "10.0.0.9", 0)
    assert first is not None
    assert first.severity is Severity.WARNING
    assert not first.will_clear
    assert alarms.signal(discard(reason=DiscardReason.BAD_COMMUNITY), "10.0.0.9", 1_000) is None
    assert alarms.signal(discard(), "10.0.0.9", DISCARD_ALARM_INTERVAL_MS) is not None


def test_wrong_secrets_are_a_matter_of_security() -> None:
    signal = DiscardAlarms().signal(discard(reason=DiscardReason.WRONG_DIGEST), "10.0.0.9", 0)
    assert signal is not None
    assert signal.event_type is EventType.SECURITY_SERVICE_OR_MECHANISM_VIOLATION


def test_forged_addresses_share_one_alarm_past_a_number_of_sources() -> None:
    alarms = DiscardAlarms()
    signals = [
        alarms.signal(discard(f"forged-{number}"), f"forged-{number}", number)
        for number in range(DISCARD_SOURCES_MAX + 100)
    ]
    told = {signal.key for signal in signals if signal is not None}
    assert len(told) == DISCARD_SOURCES_MAX + 1
    assert alarms.signal(discard("late"), "late", 2 * DISCARD_ALARM_INTERVAL_MS) is not None
