import msgspec
import pytest

from ocs.faults.alarm import Alarm, Severity
from ocs.faults.book import operator_rules
from ocs.faults.book.administration import PurgeFilter, compressed
from ocs.faults.operator_axis import OperatorState
from tests.support.signals import Office, cleared, id_of, raised


def alarm(
    severity: Severity = Severity.MAJOR, *, is_cleared: bool = False, resource: str = "router7"
) -> Alarm:
    office = Office()
    office.take(raised(resource, at_ms=1_000, severity=severity))
    if is_cleared:
        office.take(cleared(resource, at_ms=1_001))
    return office.alarm(resource)


ACKED = operator_rules.acknowledge(None, alarm(), "ann", "", 1_500)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (PurgeFilter(), True),
        (PurgeFilter(clearance="cleared"), False),
        (PurgeFilter(clearance="not-cleared"), True),
        (PurgeFilter(older_than_ms=1_000), True),
        (PurgeFilter(older_than_ms=1_001), False),
        (PurgeFilter(severity=Severity.MAJOR), True),
        (PurgeFilter(severity=Severity.CRITICAL, severity_is="below"), True),
        (PurgeFilter(severity=Severity.MAJOR, severity_is="below"), False),
        (PurgeFilter(severity=Severity.MAJOR, severity_is="above"), False),
        (PurgeFilter(severity=Severity.MINOR, severity_is="above"), True),
        (PurgeFilter(operator_state=OperatorState.ACK), True),
        (PurgeFilter(operator_state=OperatorState.NONE), False),
        (PurgeFilter(operator="ann"), True),
        (PurgeFilter(operator="bob"), False),
        (PurgeFilter(resource="router7"), True),
        (PurgeFilter(resource="router"), False),
        (PurgeFilter(alarm_type="link-down"), True),
        (PurgeFilter(alarm_type="link"), False),
        (PurgeFilter(qualifier="x"), False),
        (PurgeFilter(clearance="not-cleared", operator="bob"), False),
    ],
)
def test_each_filter_of_purge_alarms_takes_what_it_names(wanted: PurgeFilter, expected: bool) -> None:
    assert wanted.matches(alarm(), ACKED, 2_000) is expected


def test_a_filter_takes_the_parts_of_a_resource() -> None:
    assert PurgeFilter(resource="router7").matches(alarm(resource="router7/if/3"), None, 2_000)
    assert not PurgeFilter(resource="router7").matches(alarm(resource="router70"), None, 2_000)


def test_an_alarm_that_nobody_touched_is_in_the_state_none() -> None:
    assert PurgeFilter(operator_state=OperatorState.NONE).matches(alarm(), None, 2_000)
    assert not PurgeFilter(operator="ann").matches(alarm(), None, 2_000)


def test_purge_removes_and_compress_forgets_all_but_the_last_change() -> None:
    office = Office()
    office.take(raised(at_ms=1), cleared(at_ms=2), raised(at_ms=3), raised("other", at_ms=4))
    office.take(cleared("other", at_ms=5))
    outcome = office.keep(office.book.purge(PurgeFilter(clearance="cleared"), 10))
    assert outcome.purged == [id_of("other")]
    assert list(office.alarms) == [id_of()]
    short = msgspec.structs.replace(office.alarm(), changes=compressed(office.alarm().changes))
    office.keep(office.book.note_compressed(short, 10))
    assert [change.at_ms for change in alarm_in(office).changes] == [3]
    assert compressed(()) == ()


def alarm_in(office: Office) -> Alarm:
    found = office.book.alarm(id_of())
    assert found is not None
    return found


def test_compression_that_was_written_elsewhere_keeps_what_has_happened_since() -> None:
    office = Office()
    office.take(raised(at_ms=1), cleared(at_ms=2))
    short = msgspec.structs.replace(office.alarm(), changes=compressed(office.alarm().changes))
    office.take(raised(at_ms=3))
    outcome = office.keep(office.book.note_compressed(short, 10))
    assert [change.at_ms for change in office.alarm().changes] == [2, 3]
    assert outcome.alarms, "the store may have the longer one"
    short = msgspec.structs.replace(office.alarm(), changes=compressed(office.alarm().changes))
    again = office.book.note_compressed(short, 10)
    assert not again.alarms
    assert not office.book.note_compressed(alarm(resource="other"), 10).alarms
