"""Alarms as notifications of ALARM-MIB: our own rules read them back as one alarm that is raised and cleared."""

from pathlib import Path

import msgspec
import pytest

from ocs.faults.alarm import EventType, Severity
from ocs.faults.mibs import open_mib_names
from ocs.faults.notices.alarm_mib import ACTIVE_STATE, CLEAR_STATE, notification_of, resource_id
from ocs.faults.notification import Notification
from ocs.faults.rules import RuleBook, load_rules
from tests.support.alarms import NOW_MS, alarm_of

RULES = Path(__file__).resolve().parents[3] / "config" / "alarms"
A = alarm_of("router1/if/1", probable_cause=8, text="no light", event_type=EventType.COMMUNICATIONS_ALARM)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleBook:
    return load_rules(RULES, open_mib_names(tmp_path_factory.mktemp("mibs")))


def read_back(rules: RuleBook, alarm):
    trap, varbinds = notification_of(alarm)
    notification = Notification(
        trap, 1, tuple(varbinds), "192.0.2.9", "192.0.2.9", 1, "public", 1, b"", True, NOW_MS
    )
    (signal,) = rules.signals(notification, NOW_MS)
    return signal


@pytest.mark.parametrize("severity", [severity for severity in Severity if severity > Severity.CLEARED])
def test_severity_cause_type_and_text_are_read_back(rules, severity):
    signal = read_back(rules, msgspec.structs.replace(A, severity=severity))
    assert (signal.severity, signal.probable_cause, signal.event_type) == (severity, 8, A.event_type)
    assert "no light" in signal.text


def test_clear_is_read_back_as_one_of_the_alarm_that_was_raised(rules):
    over = read_back(rules, msgspec.structs.replace(A, is_cleared=True))
    assert over.severity is Severity.CLEARED
    assert over.key == read_back(rules, A).key


def test_other_alarms_have_other_keys(rules):
    others = [A, alarm_of("router1/if/2"), alarm_of("router1/if/1", "high-temperature"), alarm_of("a" * 500)]
    assert len({read_back(rules, alarm).key for alarm in others}) == len(others)


def test_object_identifiers_are_no_longer_than_snmp_has_them():
    for name in ("a", "a" * 100, "a" * 101, "ä" * 200):
        assert len(resource_id(name).split(".")) <= 128
    trap, varbinds = notification_of(msgspec.structs.replace(A, text="ä" * 400))
    assert all(len(one.value) <= 255 for one in varbinds if isinstance(one.value, bytes))
    assert trap == ACTIVE_STATE
    assert notification_of(msgspec.structs.replace(A, is_cleared=True))[0] == CLEAR_STATE
