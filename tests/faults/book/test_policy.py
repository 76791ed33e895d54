import msgspec
import pytest

from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.policy import BookPolicy, EscalationStep, NotifyChanges
from tests.support.signals import PLAIN, Office, cleared, raised

MAJOR, MINOR, WARNING, CRITICAL = Severity.MAJOR, Severity.MINOR, Severity.WARNING, Severity.CRITICAL
# ietf-alarms@2019-09-11, the example in the description of severity-level: T1 to T8, the level being major.
YANG_STATES = [MAJOR, MINOR, WARNING, MINOR, MAJOR, CRITICAL, MAJOR, Severity.CLEARED]


def told_times(policy: BookPolicy) -> list[int]:
    """Which of T1 to T8 are told."""
    office = Office(policy=policy)
    told: list[int] = []
    for time, severity in enumerate(YANG_STATES, 1):
        before = len(office.notices)
        office.take(
            cleared(at_ms=time) if severity is Severity.CLEARED else raised(at_ms=time, severity=severity)
        )
        told += [time] * (len(office.notices) - before)
    return told


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (NotifyChanges.SEVERITY_LEVEL, [1, 2, 5, 6, 7, 8]),
        (NotifyChanges.RAISE_AND_CLEAR, [1, 8]),
        (NotifyChanges.ALL_STATE_CHANGES, [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_the_example_of_the_yang_module_is_told_as_it_says(
    changes: NotifyChanges, expected: list[int]
) -> None:
    assert told_times(msgspec.structs.replace(PLAIN, notify_changes=changes)) == expected


def test_a_clear_is_told_even_of_an_alarm_below_the_level() -> None:
    policy = msgspec.structs.replace(PLAIN, notify_changes=NotifyChanges.SEVERITY_LEVEL)
    office = Office(policy=policy)
    office.take(raised(at_ms=1, severity=WARNING))
    assert office.notices == []
    office.take(cleared(at_ms=2))
    assert [kind for kind, _ in office.notices] == [ChangeKind.CLEARED]


def test_the_ladder_of_a_severity_has_the_steps_for_it_and_for_lesser_ones() -> None:
    policy = BookPolicy(escalations=(EscalationStep(CRITICAL, 10), EscalationStep(MAJOR, 5)))
    assert policy.ladder(CRITICAL) == (5, 10)
    assert policy.ladder(MAJOR) == (5,)
    assert policy.ladder(MINOR) == ()
