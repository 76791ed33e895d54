"""What TMF642 calls things, whichever way a partner spells them."""

import pytest

from ocs.api.alarms.words import (
    ALARM_TYPES,
    ack_word,
    event_type_of,
    operator_word,
    probable_cause_of,
    probable_cause_word,
    severity_word,
)
from ocs.faults.alarm import EventType, Severity
from ocs.faults.operator_axis import OperatorState
from ocs.faults.rules.probable_causes import OTHER_CAUSE, PROBABLE_CAUSES
from tests.support.alarms import alarm_of


@pytest.mark.parametrize("kind", EventType)
def test_every_event_type_has_a_word_that_is_read_back(kind):
    assert event_type_of(ALARM_TYPES[kind]) is kind


@pytest.mark.parametrize("text", ["Communications Alarm", "communicationsAlarm", "COMMUNICATIONSALARM"])
def test_event_type_is_found_however_it_is_spelt(text):
    assert event_type_of(text) is EventType.COMMUNICATIONS_ALARM


def test_event_type_that_is_none_is_not_found():
    assert event_type_of("alarm") is None


def test_every_probable_cause_is_read_back_by_name_and_number():
    for number, word in PROBABLE_CAUSES.items():
        assert probable_cause_of(probable_cause_word(number)) == number, word
        assert probable_cause_of(str(number)) == number
    assert probable_cause_of("loss of signal") == 8
    assert probable_cause_of("what nobody knows") == probable_cause_of("99999") == OTHER_CAUSE
    assert probable_cause_word(77_777) == "77777"


@pytest.mark.parametrize("severity", [severity for severity in Severity if severity > Severity.CLEARED])
def test_severity_is_cleared_once_it_is_over(severity):
    assert severity_word(alarm_of("r", severity=severity)) == severity.name.lower()
    assert severity_word(alarm_of("r", severity=severity, is_cleared=True)) == "cleared"


def test_closed_is_more_than_acknowledged():
    taken_care_of = {OperatorState.ACK, OperatorState.CLOSED}
    for state in OperatorState:
        assert (ack_word(state) == "acknowledged") is (state in taken_care_of)
    assert operator_word(OperatorState.UN_SHELVED) == "un-shelved"
