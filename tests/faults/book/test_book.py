"""The list as a whole: deeds, shelves, age, bounds and restarts. Most parts have tests of their own.

Seen from here alone: ``outcome`` (each changed alarm once, each with a line, in tests.support.signals.Office) and
``outlook`` (what holds notices back, and when what is due).
"""

import msgspec
import pytest

from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book import book as book_module
from ocs.faults.book import operator_rules, room
from ocs.faults.book.policy import EscalationStep
from ocs.faults.operator_axis import OperatorState
from tests.support.signals import PLAIN, Office, cleared, id_of, kinds_of, raised

RAISED, CLEARED, REGROUPED = ChangeKind.RAISED, ChangeKind.CLEARED, ChangeKind.REGROUPED
AGE = msgspec.structs.replace(
    PLAIN, escalations=(EscalationStep(Severity.MAJOR, 1_000), EscalationStep(Severity.CRITICAL, 3_000))
)


def test_a_shelved_alarm_is_silent_and_true_and_is_told_when_its_time_is_over() -> None:
    office = Office()
    office.take(raised(at_ms=100))
    office.note(operator_rules.shelve(None, office.alarm(), "ann", "known", 200, until_ms=5_000), 200)
    assert office.alarm().suppression == "shelved"
    office.take(raised(at_ms=300, severity=Severity.CRITICAL))
    assert office.alarm().severity is Severity.CRITICAL
    assert kinds_of(office.notices) == [RAISED]
    office.tick(4_999)
    assert office.book.due_ms() == 5_000
    office.tick(5_000)
    assert kinds_of(office.notices) == [RAISED, REGROUPED]
    record = office.operators[id_of()]
    assert (record.state, record.changes[-1].operator) == (OperatorState.UN_SHELVED, "system")


def test_a_shelf_outlives_a_restart_and_a_new_raise() -> None:
    office = Office()
    office.take(raised(at_ms=100))
    office.note(operator_rules.shelve(None, office.alarm(), "ann", "", 200, until_ms=5_000), 200)
    office.take(cleared(at_ms=300))
    office.restart()
    office.take(raised(at_ms=400))
    office.tick(4_999)
    assert kinds_of(office.notices) == [RAISED, CLEARED]
    office.tick(5_000)
    assert kinds_of(office.notices) == [RAISED, CLEARED, REGROUPED]


def test_an_alarm_nobody_takes_care_of_is_escalated_by_age_and_severity() -> None:
    office = Office(policy=AGE)
    office.take(
        raised(at_ms=100, severity=Severity.CRITICAL), raised("other", at_ms=100, severity=Severity.MINOR)
    )
    office.tick(1_099)
    assert kinds_of(office.notices) == [RAISED, RAISED]
    office.tick(1_100)
    assert office.notices[2:] == [(ChangeKind.ESCALATED, id_of())]
    office.tick(50_000)
    assert office.alarm().escalation == 2
    assert office.alarm("other").escalation == 0


def test_an_acknowledged_alarm_is_not_escalated_until_it_is_handed_back() -> None:
    office = Office(policy=AGE)
    office.take(raised(at_ms=100))
    record = operator_rules.acknowledge(None, office.alarm(), "ann", "", 200)
    office.note(record, 200)
    office.tick(60_000)
    assert office.alarm().escalation == 0
    office.note(operator_rules.unacknowledge(record, office.alarm(), "ann", "", 61_000), 61_000)
    assert office.alarm().escalation == 1


def test_a_new_raise_begins_its_age_anew() -> None:
    office = Office(policy=AGE)
    office.take(raised(at_ms=100))
    office.tick(2_000)
    office.take(cleared(at_ms=3_000), raised(at_ms=4_000))
    assert office.alarm().escalation == 0
    office.tick(5_000)
    assert office.alarm().escalation == 1


def test_escalation_goes_on_after_a_restart() -> None:
    office = Office(policy=AGE)
    office.take(raised(at_ms=100, severity=Severity.CRITICAL))
    office.tick(1_100)
    office.restart()
    office.tick(3_100)
    assert kinds_of(office.notices) == [RAISED, ChangeKind.ESCALATED, ChangeKind.ESCALATED]


def test_a_cleared_alarm_leaves_the_list_after_its_time() -> None:
    office = Office(policy=msgspec.structs.replace(PLAIN, cleared_kept_ms=1_000))
    office.take(raised(at_ms=100), raised("other", at_ms=100))
    office.take(cleared(at_ms=200))
    office.tick(1_199)
    assert len(office.alarms) == 2
    office.tick(1_200)
    assert list(office.alarms) == [id_of("other")]
    office.restart()
    office.tick(100_000)
    assert list(office.alarms) == [id_of("other")]


def test_by_the_rule_of_3gpp_an_alarm_leaves_when_it_is_cleared_and_acknowledged() -> None:
    policy = msgspec.structs.replace(PLAIN, leaves_when_cleared_and_acknowledged=True)
    for acknowledged_first in (True, False):
        office = Office(policy=policy)
        office.take(raised(at_ms=100))
        record = operator_rules.acknowledge(None, office.alarm(), "ann", "", 200)
        if acknowledged_first:
            office.note(record, 200)
            office.take(cleared(at_ms=300))
            office.tick(300)
        else:
            office.take(cleared(at_ms=150))
            assert office.alarms
            office.note(record, 200)
        assert office.alarms == {}


def test_when_the_list_is_full_the_longest_cleared_makes_room_and_else_what_is_new_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "ALARMS_MAX", 3)
    office = Office()
    office.take(raised("a", at_ms=1), raised("b", at_ms=2), raised("c", at_ms=3))
    office.take(cleared("b", at_ms=4), cleared("a", at_ms=5))
    outcome = office.take(raised("d", at_ms=6))
    assert outcome.purged == [id_of("b")]
    assert office.take(raised("e", at_ms=7)).refused == 0
    assert office.take(raised("f", at_ms=8)).refused == 1
    assert {a.key.resource for a in office.alarms.values()} == {"c", "d", "e", room.LIST_RESOURCE}


def test_an_alarm_that_made_room_and_came_back_in_one_batch_is_in_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "ALARMS_MAX", 1)
    office = Office()
    office.take(raised("a", at_ms=1), cleared("a", at_ms=2))
    outcome = office.take(raised("b", at_ms=3), cleared("b", at_ms=4), raised("a", at_ms=5))
    assert outcome.purged == [id_of("b")]
    assert [alarm.key.resource for alarm in outcome.alarms] == ["a"]
    assert not office.alarm("a").is_cleared


def test_much_that_is_due_at_once_is_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "ALARMS_DUE_PER_TICK", 10)
    office = Office(policy=AGE)
    office.take(*[raised(f"r{i}", "other", at_ms=100) for i in range(25)])
    assert len(office.keep(office.book.tick(2_000)).changes) == 10
    assert office.book.due_ms() == 1_100
    office.tick(2_000)
    assert office.kinds.count(ChangeKind.ESCALATED) == 25


def test_deeds_on_alarms_that_are_gone_are_nothing() -> None:
    office = Office()
    office.take(raised(at_ms=100))
    record = operator_rules.acknowledge(None, office.alarm(), "ann", "", 200)
    office.keep(office.book.note_purged([id_of(), id_of("stranger")], 300))
    assert office.book.note_operator(record, 400).alarms == []
    assert office.book.operator(id_of()) is None
    assert office.book.alarm(id_of()) is None


def test_a_deed_while_an_alarm_flaps_is_not_undone_by_each_of_its_raises() -> None:
    office = Office(policy=msgspec.structs.replace(PLAIN, flapping_raises=2))
    for i in range(4):
        office.take(raised(at_ms=1_000 + 20 * i), cleared(at_ms=1_010 + 20 * i))
    office.note(operator_rules.acknowledge(None, office.alarm(), "ann", "", 2_000), 2_000)
    office.take(raised(at_ms=2_010), cleared(at_ms=2_020), raised(at_ms=2_030))
    assert office.operators[id_of()].state is OperatorState.ACK


def test_the_alarms_of_one_element_that_stand_can_be_compared_with_its_own_table() -> None:
    office = Office()
    office.take(
        raised("a/if/1", at_ms=1), raised("a", at_ms=1), raised("ab", at_ms=1), raised("a/if/2", at_ms=1)
    )
    office.take(cleared("a/if/2", at_ms=2))
    assert {alarm.key.resource for alarm in office.book.active_of("a")} == {"a", "a/if/1"}


def test_a_restarted_book_goes_on_as_if_nothing_had_been() -> None:
    office = Office(policy=AGE)
    office.take(raised("a", at_ms=100), raised("b", at_ms=100), cleared("b", at_ms=200))
    office.restart()
    assert {alarm.alarm_id: alarm for alarm in office.book.alarms()} == office.alarms
    office.take(raised("b", at_ms=150), now_ms=300)
    assert office.alarm("b").is_cleared
