"""The alarm list is told what changes, and nothing twice."""

from ocs.faults.alarm import AlarmKey, Severity
from ocs.provisioning.element_alarms import IN_DOUBT, UNREACHABLE, ElementAlarms

AWAY = AlarmKey("pe1", UNREACHABLE)
DOUBT = AlarmKey("pe1", IN_DOUBT)


def told(alarms: ElementAlarms, wanted: dict[AlarmKey, str]) -> list[tuple[AlarmKey, Severity]]:
    signals = alarms.signals(wanted, 1_000)
    for signal in signals:
        alarms.note_told(signal)
    return [(signal.key, signal.severity) for signal in signals]


def test_alarm_is_raised_once_and_cleared_by_itself() -> None:
    alarms = ElementAlarms()
    assert told(alarms, {AWAY: "no route"}) == [(AWAY, Severity.MAJOR)]
    assert told(alarms, {AWAY: "no route"}) == []
    assert told(alarms, {}) == [(AWAY, Severity.CLEARED)]
    assert told(alarms, {}) == []


def test_changed_reason_is_told() -> None:
    alarms = ElementAlarms()
    told(alarms, {DOUBT: "away"})
    assert told(alarms, {DOUBT: "refuses"}) == [(DOUBT, Severity.CRITICAL)]


def test_what_a_process_before_us_raised_is_cleared_when_it_is_over() -> None:
    assert told(ElementAlarms([AWAY, DOUBT]), {DOUBT: "away"}) == [
        (AWAY, Severity.CLEARED),
        (DOUBT, Severity.CRITICAL),
    ]


def test_signal_that_the_list_did_not_take_is_told_again() -> None:
    alarms = ElementAlarms()
    assert alarms.signals({AWAY: "no route"}, 1_000) == alarms.signals({AWAY: "no route"}, 1_000)
