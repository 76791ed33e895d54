"""Who wants to be told of what."""

import msgspec
import pytest

from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.notices.recipient import Recipient
from tests.support.alarms import NOW_MS, alarm_of, change_of

A = alarm_of("router1/if/1")
ALL = Recipient(name="noc", severity=Severity.INDETERMINATE)


@pytest.mark.parametrize("kind", ChangeKind)
def test_usual_recipient_is_told_of_what_happens_in_the_network(kind):
    told = {"raised", "changed", "cleared", "regrouped", "escalated"}
    assert ALL.wants(change_of(A, kind)) is (kind in told)


def test_alarm_that_is_told_late_is_raised_for_who_asked_for_raises_alone():
    recipient = Recipient(name="bot", kinds=frozenset({ChangeKind.RAISED, ChangeKind.CLEARED}))
    assert recipient.wants(change_of(A, ChangeKind.REGROUPED))
    assert not recipient.wants(change_of(A, ChangeKind.CHANGED))


def test_what_is_held_back_is_told_to_nobody():
    assert not ALL.wants(change_of(A, is_notified=False))


def test_alarm_that_left_the_list_is_told_to_nobody():
    assert not ALL.wants(AlarmChange("c", ChangeKind.RAISED, A.alarm_id, NOW_MS, None))


@pytest.mark.parametrize("severity", [severity for severity in Severity if severity > Severity.CLEARED])
def test_severity_is_a_lower_bound_also_for_what_is_over(severity):
    recipient = Recipient(name="noc", severity=Severity.MAJOR)
    alarm = msgspec.structs.replace(A, severity=severity)
    assert recipient.wants(change_of(alarm)) is (severity >= Severity.MAJOR)
    over = msgspec.structs.replace(alarm, is_cleared=True)
    assert recipient.wants(change_of(over, ChangeKind.CLEARED)) is (severity >= Severity.MAJOR)


@pytest.mark.parametrize(
    ("resource", "wanted"),
    [
        ("", True),
        ("router1", True),
        ("router1/if/1", True),
        ("router", False),
        ("router1/if", True),
        ("router2", False),
    ],
)
def test_resource_means_itself_and_what_is_within(resource, wanted):
    assert Recipient(name="noc", resource=resource).wants(change_of(A)) is wanted
