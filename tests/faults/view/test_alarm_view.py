"""The view: kept up by changes, counted, paged."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.alarm import Alarm, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.selection import AlarmFilter, Order, PageRequest
from tests.support.alarms import NOW_MS, alarm_of

A, B = alarm_of("router1"), alarm_of("router2", severity=Severity.CRITICAL)


def change_of(alarm: Alarm, kind: ChangeKind = ChangeKind.RAISED, operator: OperatorRecord | None = None):
    return AlarmChange("id", kind, alarm.alarm_id, NOW_MS, alarm, operator)


def closed(alarm: Alarm) -> OperatorRecord:
    return OperatorRecord(alarm.alarm_id, OperatorState.CLOSED)


def test_change_replaces_what_stood():
    view = AlarmView([A])
    cleared = msgspec.structs.replace(A, is_cleared=True)
    view.apply(change_of(cleared, ChangeKind.CLEARED, closed(A)))
    row = view.get(A.alarm_id)
    assert row is not None
    assert (row.alarm, row.operator, len(view)) == (cleared, closed(A), 1)


def test_purged_alarm_is_gone_and_may_come_back():
    view = AlarmView([A, B], [closed(A)])
    view.apply(change_of(A, ChangeKind.PURGED, closed(A)))
    assert view.get(A.alarm_id) is None
    view.apply(change_of(A))
    assert len(view) == 2


def test_change_that_was_taken_before_does_no_harm():
    view = AlarmView([A])
    for _ in range(2):
        view.apply(change_of(B))
    for _ in range(2):
        view.apply(change_of(A, ChangeKind.PURGED))
    assert (len(view), view.summary(NOW_MS).severities[0].total) == (1, 1)


def test_summary_has_the_counters_of_every_severity():
    over = alarm_of("router3", is_cleared=True)
    view = AlarmView([A, B, over], [closed(over), closed(B)])
    critical, major, *others = view.summary(NOW_MS).severities
    assert [severity.severity for severity in others] == [
        Severity.MINOR, Severity.WARNING, Severity.INDETERMINATE,
    ]  # fmt: skip
    assert {severity.total for severity in others} == {0}
    assert (critical.total, critical.not_cleared_closed, critical.not_cleared_not_closed) == (1, 1, 0)
    assert (major.total, major.cleared, major.cleared_closed, major.cleared_not_closed) == (2, 1, 1, 0)
    assert (major.not_cleared, major.not_cleared_not_closed) == (1, 1)


def test_shelves_are_counted_while_their_time_lasts():
    shelved = OperatorRecord(A.alarm_id, OperatorState.SHELVED, shelved_until_ms=NOW_MS + 10)
    view = AlarmView([A, B])
    view.apply(change_of(A, ChangeKind.OPERATED, shelved))
    assert view.summary(NOW_MS).shelves_active == 1
    assert view.summary(NOW_MS + 10).shelves_active == 0
    view.apply(change_of(A, ChangeKind.OPERATED))
    assert view.summary(NOW_MS).shelves_active == 0


def test_pages_of_every_order_and_depth_are_the_whole_list_once():
    generator = random.Random(1)
    alarms = [
        alarm_of(f"router{number}", last_changed_ms=NOW_MS + generator.randrange(50)) for number in range(300)
    ]
    view = AlarmView(alarms)
    for order in Order:
        for is_descending in (True, False):
            seen: list[str] = []
            for offset in range(0, 300, 20):
                page = PageRequest(order=order, is_descending=is_descending, offset=offset, limit=20)
                found = view.find(AlarmFilter(), page, NOW_MS)
                assert found.total == 300
                seen += [row.alarm.alarm_id for row in found.rows]
            assert len(set(seen)) == len(seen) == 300


def test_worst_come_first_and_symptoms_stand_under_their_cause():
    symptoms = [alarm_of(f"router9/if/{number}", root_cause=B.alarm_id) for number in range(3)]
    view = AlarmView([A, *symptoms, B])
    page = PageRequest(order=Order.SEVERITY, limit=1)
    assert view.find(AlarmFilter(is_symptom=False), page, NOW_MS).rows[0].alarm is B
    assert view.symptoms(B.alarm_id, PageRequest(), NOW_MS).total == 3
    assert len(view.ids(AlarmFilter(is_symptom=True), NOW_MS)) == 3


_STATES = st.sampled_from([None, OperatorState.ACK, OperatorState.CLOSED, OperatorState.SHELVED])
_CHANGES = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(list(ChangeKind)),
        st.sampled_from(list(Severity)[1:]),
        st.booleans(),
        _STATES,
    )
)


@given(_CHANGES)
def test_counters_are_what_counting_again_gives(
    story: list[tuple[int, ChangeKind, Severity, bool, OperatorState | None]],
):
    view = AlarmView()
    for number, kind, severity, is_cleared, state in story:
        alarm = alarm_of(f"router{number}", severity=severity, is_cleared=is_cleared)
        operator = None if state is None else OperatorRecord(alarm.alarm_id, state)
        view.apply(change_of(alarm, kind, operator))
    rows = view.find(AlarmFilter(), PageRequest(limit=100), NOW_MS).rows
    again = AlarmView([row.alarm for row in rows], [row.operator for row in rows if row.operator])
    assert view.summary(NOW_MS) == again.summary(NOW_MS)
    assert sum(counts.total for counts in view.summary(NOW_MS).severities) == len(view)


def test_symptoms_are_found_until_they_leave_their_cause_or_the_list():
    symptom = alarm_of("router3", root_cause=A.alarm_id)
    view = AlarmView([A, B, symptom])

    def under(parent: Alarm) -> list[str]:
        return [row.alarm.alarm_id for row in view.symptoms(parent.alarm_id, PageRequest(), NOW_MS).rows]

    view.apply(change_of(B, ChangeKind.OPERATED, OperatorRecord(B.alarm_id, grouped_under=A.alarm_id)))
    assert set(under(A)) == {symptom.alarm_id, B.alarm_id}
    view.apply(change_of(B, ChangeKind.OPERATED, OperatorRecord(B.alarm_id)))
    assert under(A) == [symptom.alarm_id]
    view.apply(change_of(symptom, ChangeKind.PURGED))
    assert under(A) == []
    assert not view._groups  # nothing is kept of those that left
