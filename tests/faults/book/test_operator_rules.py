from collections.abc import Callable

import pytest

from ocs.faults.alarm import Alarm
from ocs.faults.book import operator_rules as rules
from ocs.faults.book.operator_rules import TRANSITIONS, Action, OperatorRuleError
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.limits import (
    ALARM_COMMENTS_MAX,
    OPERATOR_CHANGES_MAX,
    OPERATOR_TEXT_CHARACTERS_MAX,
    SHELVE_MAX_MS,
)
from tests.support.signals import Office, cleared, raised

ALARM: Alarm = Office().take(raised(at_ms=1)).alarms[0]
NONE, ACK, CLOSED, SHELVED, UN_SHELVED = OperatorState
# RFC 8632: what each action makes of each state, in the columns' order none, ack, closed, shelved, un-shelved.
EXPECTED: dict[Action, tuple[OperatorState | None, ...]] = {
    Action.ACKNOWLEDGE: (ACK, ACK, ACK, None, ACK),
    Action.UNACKNOWLEDGE: (None, NONE, None, None, None),
    Action.CLOSE: (CLOSED, CLOSED, None, None, CLOSED),
    Action.SHELVE: (SHELVED, SHELVED, SHELVED, SHELVED, SHELVED),
    Action.UN_SHELVE: (None, None, None, UN_SHELVED, None),
    Action.SHELF_ENDS: (None, None, None, UN_SHELVED, None),
    Action.RAISED_AGAIN: (None, NONE, NONE, None, None),
}
ACTIONS: dict[Action, Callable[[OperatorRecord], OperatorRecord | None]] = {
    Action.ACKNOWLEDGE: lambda record: rules.acknowledge(record, ALARM, "ann", "mine", 50),
    Action.UNACKNOWLEDGE: lambda record: rules.unacknowledge(record, ALARM, "ann", "", 50),
    Action.CLOSE: lambda record: rules.close(record, ALARM, "ann", "", 50),
    Action.SHELVE: lambda record: rules.shelve(record, ALARM, "ann", "", 50, until_ms=90),
    Action.UN_SHELVE: lambda record: rules.unshelve(record, ALARM, "ann", "", 50),
    Action.SHELF_ENDS: lambda record: rules.shelf_ended(record, 50),
    Action.RAISED_AGAIN: lambda record: rules.raised_again(record, 50),
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", OperatorState)
def test_each_action_in_each_state_is_allowed_or_refused_as_the_table_says(
    action: Action, state: OperatorState
) -> None:
    expected = EXPECTED[action][list(OperatorState).index(state)]
    assert TRANSITIONS.get((state, action)) is expected
    record = OperatorRecord(ALARM.alarm_id, state, shelved_until_ms=70 if state is SHELVED else 0)
    if expected is None:
        if action is Action.RAISED_AGAIN:
            assert ACTIONS[action](record) is None
        else:
            with pytest.raises(OperatorRuleError, match="cannot"):
                ACTIONS[action](record)
        return
    after = ACTIONS[action](record)
    assert after is not None
    assert after.state is expected
    assert (after.changes[-1].state, after.changes[-1].at_ms) == (expected, 50)
    assert (after.shelved_until_ms > 0) is (expected is SHELVED)
    is_by_system = action in {Action.SHELF_ENDS, Action.RAISED_AGAIN}
    assert after.changes[-1].operator == ("system" if is_by_system else "ann")


def test_the_first_deed_makes_the_record() -> None:
    record = rules.acknowledge(None, ALARM, "ann", "looking into it", 50)
    assert (record.alarm_id, record.state, record.changes[0].text) == (ALARM.alarm_id, ACK, "looking into it")


def test_the_end_of_a_shelf_can_be_moved_and_must_lie_ahead() -> None:
    record = rules.shelve(None, ALARM, "ann", "", 50, until_ms=90)
    assert rules.shelve(record, ALARM, "bob", "", 60, until_ms=200).shelved_until_ms == 200
    for until_ms in (50, 49, 51 + SHELVE_MAX_MS):
        with pytest.raises(OperatorRuleError, match="end in the future"):
            rules.shelve(None, ALARM, "ann", "", 50, until_ms=until_ms)


def test_a_shelf_is_over_at_its_end_also_before_the_system_wrote_so() -> None:
    record = rules.shelve(None, ALARM, "ann", "", 50, until_ms=90)
    assert rules.is_shelved(record, 89)
    assert not rules.is_shelved(record, 90)
    assert not rules.is_shelved(None, 50)


def test_assigning_and_commenting_leave_the_state() -> None:
    record = rules.acknowledge(None, ALARM, "ann", "", 50)
    record = rules.assign(record, ALARM, "ann", "please", 60, assigned_to="transport")
    record = rules.comment(record, ALARM, "bob", "on my way", 70)
    assert (record.state, record.assigned_to) == (ACK, "transport")
    assert [(c.operator, c.text) for c in record.comments] == [("ann", "please"), ("bob", "on my way")]
    assert rules.assign(record, ALARM, "ann", "", 80, assigned_to="").assigned_to == ""


def test_what_is_kept_is_bounded_and_the_newest_stays() -> None:
    record: OperatorRecord | None = None
    for i in range(OPERATOR_CHANGES_MAX + 5):
        record = rules.acknowledge(record, ALARM, "ann", f"{i}", i)
    for i in range(ALARM_COMMENTS_MAX + 5):
        record = rules.comment(record, ALARM, "ann", f"{i}", i)
    assert record is not None
    assert len(record.changes) == OPERATOR_CHANGES_MAX
    assert record.changes[-1].text == f"{OPERATOR_CHANGES_MAX + 4}"
    assert len(record.comments) == ALARM_COMMENTS_MAX
    assert record.comments[-1].text == f"{ALARM_COMMENTS_MAX + 4}"


def test_texts_and_names_are_bounded_and_a_deed_has_somebody() -> None:
    with pytest.raises(OperatorRuleError, match="at most 1000"):
        rules.acknowledge(None, ALARM, "ann", "x" * (OPERATOR_TEXT_CHARACTERS_MAX + 1), 50)
    with pytest.raises(OperatorRuleError, match="name of an operator"):
        rules.close(None, ALARM, "", "", 50)
    with pytest.raises(OperatorRuleError, match="expected a text"):
        rules.comment(None, ALARM, "ann", "", 50)
    with pytest.raises(OperatorRuleError, match="assigned to"):
        rules.assign(None, ALARM, "ann", "", 50, assigned_to="x" * 101)


def test_an_operator_clears_by_hand_only_what_no_device_will_clear() -> None:
    with pytest.raises(OperatorRuleError, match="the device clears"):
        rules.clear_signal(ALARM, "ann", "", 50)
    office = Office()
    office.take(raised(at_ms=60, will_clear=False))
    office.take(rules.clear_signal(office.alarm(), "ann", "seen", 50), now_ms=70)
    assert office.alarm().is_cleared
    assert office.alarm().text == "cleared by ann: seen"
    with pytest.raises(OperatorRuleError, match="already"):
        rules.clear_signal(office.alarm(), "ann", "", 80)


def test_a_clear_by_the_device_does_not_close() -> None:
    office = Office()
    office.take(raised(at_ms=10))
    record = rules.acknowledge(None, office.alarm(), "ann", "", 20)
    office.note(record, 20)
    outcome = office.take(cleared(at_ms=30))
    assert outcome.operators == ()
    assert office.book.operator(record.alarm_id) == record


def test_an_acknowledgement_falls_away_when_the_alarm_is_raised_again() -> None:
    office = Office()
    office.take(raised(at_ms=10))
    office.note(rules.acknowledge(None, office.alarm(), "ann", "", 20), 20)
    office.take(raised(at_ms=25))
    assert office.operators[office.alarm().alarm_id].state is ACK
    office.take(cleared(at_ms=30), raised(at_ms=40))
    record = office.operators[office.alarm().alarm_id]
    assert record.state is NONE
    assert (record.changes[-1].operator, record.changes[-1].text) == ("system", "raised again")


def test_an_acknowledgement_that_crossed_a_new_raise_falls_away_too() -> None:
    office = Office()
    office.take(raised(at_ms=10), cleared(at_ms=20))
    crossed = rules.acknowledge(None, office.alarm(), "ann", "", 25)
    office.take(raised(at_ms=30), now_ms=30)
    office.note(crossed, 35)
    assert office.operators[crossed.alarm_id].state is NONE


def test_a_new_raise_ends_a_grouping_by_hand_and_a_shelf_keeps_it() -> None:
    grouped = rules.group(None, ALARM, "ann", "", 10, parent="root")
    shelved = rules.shelve(grouped, ALARM, "ann", "", 10, until_ms=20)
    assert shelved.grouped_under == "root"
    assert rules.shelf_ended(shelved, 20).grouped_under == "root"
    ended = rules.raised_again(grouped, 30)
    assert ended is not None
    assert (ended.grouped_under, ended.changes) == ("", ())
    acknowledged = rules.acknowledge(grouped, ALARM, "ann", "", 10)
    ended = rules.raised_again(acknowledged, 30)
    assert ended is not None
    assert (ended.grouped_under, ended.state) == ("", OperatorState.NONE)
