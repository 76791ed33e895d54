"""A trap that no rule knows is an alarm of its own, named by MIBs, and so many kinds a source at most."""

from ocs.faults.alarm import Severity
from ocs.faults.rules import catch_all
from ocs.faults.rules.catch_all import FURTHER, CatchAll
from ocs.limits import UNKNOWN_TRAPS_PER_SOURCE
from tests.support.notifications import standard_names, trap


def test_unknown_trap_tells_its_name_and_varbinds_and_stays_until_somebody_looks() -> None:
    notification = trap("RMON-MIB::risingAlarm", "RMON-MIB::alarmIndex.4=4", "IF-MIB::ifOperStatus.3=down")
    signal = CatchAll(standard_names()).signal(notification, "router7", 5)
    assert signal.key.resource == "router7"
    assert signal.key.alarm_type == "unknown-trap"
    assert signal.key.qualifier == "1.3.6.1.2.1.16.0.1"
    assert signal.severity is Severity.INDETERMINATE
    assert signal.is_catch_all
    assert not signal.will_clear
    assert (
        signal.text
        == "No rule knows RMON-MIB::risingAlarm: RMON-MIB::alarmIndex.4 = 4, IF-MIB::ifOperStatus.3 = down"
    )
    assert signal.details == (("RMON-MIB::alarmIndex.4", "4"), ("IF-MIB::ifOperStatus.3", "down"))


def test_kinds_of_one_source_are_bounded_and_the_known_ones_keep_their_alarm() -> None:
    alarms = CatchAll(standard_names())

    def qualifier(number: int, source: str = "192.0.2.7") -> str:
        return alarms.signal(trap(f"1.3.6.1.4.1.32473.0.{number}", source=source), source, 0).key.qualifier

    kinds = {qualifier(number) for number in range(1_000)}
    assert len(kinds) == UNKNOWN_TRAPS_PER_SOURCE + 1
    assert FURTHER in kinds
    assert qualifier(0) == "1.3.6.1.4.1.32473.0.0"
    assert qualifier(999, source="192.0.2.8") == "1.3.6.1.4.1.32473.0.999"


def test_sources_that_are_remembered_are_bounded_and_the_silent_ones_go_first(monkeypatch) -> None:
    monkeypatch.setattr(catch_all, "UNKNOWN_TRAP_SOURCES_MAX", 2)
    alarms = CatchAll(standard_names())
    for source in ("a", "b", "a", "c"):
        alarms.signal(trap("1.3.6.1.4.1.32473.0.1", source=source), source, 0)
    assert list(alarms._kinds) == ["a", "c"]
