"""The device's axis, against RFC 8632's rules and a reference that knows nothing but the newest signal."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.alarm import AlarmSignal, Severity, StatusChange
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.lifecycle import TRANSITIONS, Event, State
from ocs.limits import SIGNAL_AHEAD_MAX_MS, STATUS_CHANGES_MAX
from tests.support.signals import Office, cleared, raised

NOW_MS = 1_000_000


def office_with(*signals: AlarmSignal) -> Office:
    office = Office()
    for signal in signals:
        office.take(signal, now_ms=NOW_MS)
    return office


def test_the_table_covers_every_state_and_event() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in State for event in Event}


@pytest.mark.parametrize(("state", "event"), sorted(TRANSITIONS, key=str))
def test_each_row_is_what_the_list_does(state: State, event: Event) -> None:
    before = {
        State.ABSENT: [cleared(at_ms=500)] if event is Event.OLDER else [],
        State.ACTIVE: [raised(at_ms=500)],
        State.CLEARED: [raised(at_ms=400), cleared(at_ms=500)],
    }[state]
    signal = {
        Event.RAISE: raised(at_ms=600, text="other"),
        Event.SAME_RAISE: raised(at_ms=600),
        Event.CLEAR: cleared(at_ms=600),
        Event.OLDER: raised(at_ms=300),
    }[event]
    office = office_with(*before)
    office.kinds.clear()
    office.take(signal, now_ms=NOW_MS)
    after, kind = TRANSITIONS[state, event]
    if after is State.ABSENT:
        assert not office.alarms
    else:
        assert office.alarm().is_cleared is (after is State.CLEARED)
    if (state, event) == (State.ABSENT, Event.OLDER):
        assert office.kinds == [ChangeKind.RAISED, ChangeKind.CLEARED]
        assert not office.notices
    else:
        assert office.kinds == ([] if kind is None else [kind])


def test_an_entry_outlives_its_clear_and_is_used_again() -> None:
    office = office_with(raised(at_ms=100), cleared(at_ms=200), raised(at_ms=300, severity=Severity.CRITICAL))
    alarm = office.alarm()
    assert (alarm.created_ms, alarm.last_raised_ms, alarm.last_changed_ms) == (100, 300, 300)
    assert alarm.occurrences == 2
    assert [(change.at_ms, change.severity) for change in alarm.changes] == [
        (100, Severity.MAJOR),
        (200, Severity.CLEARED),
        (300, Severity.CRITICAL),
    ]


def test_a_cleared_alarm_keeps_the_severity_of_its_raise() -> None:
    alarm = office_with(raised(at_ms=100, severity=Severity.MINOR), cleared(at_ms=200)).alarm()
    assert alarm.is_cleared
    assert alarm.severity is Severity.MINOR
    assert alarm.text == "it is up"


def test_a_clear_never_creates_an_entry() -> None:
    office = office_with(cleared(at_ms=100))
    assert len(office.book) == 0
    assert office.kinds == []


def test_sixty_four_repeats_in_a_batch_are_one_changed_alarm_and_one_line() -> None:
    office = office_with(raised(at_ms=100))
    outcome = office.take(*[raised(at_ms=100 + i) for i in range(1, 65)], now_ms=NOW_MS)
    assert len(outcome.alarms) == 1
    assert [(change.kind, change.is_notified) for change in outcome.changes] == [(ChangeKind.REPEATED, False)]
    assert office.alarm().occurrences == 65
    assert office.alarm().last_changed_ms == 100
    assert len(office.alarm().changes) == 1


def test_an_older_raise_does_not_reopen_a_cleared_alarm_but_stands_in_its_history() -> None:
    office = office_with(raised(at_ms=100), cleared(at_ms=300), raised(at_ms=200, severity=Severity.CRITICAL))
    alarm = office.alarm()
    assert alarm.is_cleared
    assert [(change.at_ms, change.severity) for change in alarm.changes] == [
        (100, Severity.MAJOR),
        (200, Severity.CRITICAL),
        (300, Severity.CLEARED),
    ]
    assert alarm.severity is Severity.CRITICAL


def test_a_clear_that_comes_late_between_two_raises_is_told_by_the_history_alone() -> None:
    office = office_with(raised(at_ms=100), raised(at_ms=300), cleared(at_ms=200))
    alarm = office.alarm()
    assert not alarm.is_cleared
    assert [(change.at_ms, change.severity) for change in alarm.changes] == [
        (100, Severity.MAJOR),
        (200, Severity.CLEARED),
        (300, Severity.MAJOR),
    ]
    assert alarm.last_raised_ms == 300
    assert office.kinds[-1] is ChangeKind.PASSED


def test_at_one_time_a_clear_follows_a_raise_whatever_came_first() -> None:
    for order in permutations([raised(at_ms=100), cleared(at_ms=100)]):
        assert office_with(*order).alarm().is_cleared


def test_at_one_time_the_worse_of_two_raises_stands() -> None:
    signals = [raised(at_ms=100, severity=Severity.MINOR), raised(at_ms=100, severity=Severity.CRITICAL)]
    for order in permutations(signals):
        assert office_with(*order).alarm().severity is Severity.CRITICAL


def test_the_list_of_changes_is_bounded_and_keeps_the_newest() -> None:
    signals = [raised(at_ms=i, text=f"state {i}") for i in range(1, STATUS_CHANGES_MAX + 10)]
    changes = office_with(*signals, raised(at_ms=0, text="long ago")).alarm().changes
    assert len(changes) == STATUS_CHANGES_MAX
    assert changes[-1].text == f"state {STATUS_CHANGES_MAX + 9}"
    assert changes[0].text == "state 10"


def test_a_signal_from_far_ahead_is_taken_as_of_now_so_that_others_can_follow() -> None:
    office = office_with(raised(at_ms=NOW_MS + 86_400_000))
    office.take(cleared(at_ms=NOW_MS + SIGNAL_AHEAD_MAX_MS + 1), now_ms=NOW_MS + SIGNAL_AHEAD_MAX_MS + 1)
    assert office.alarm().is_cleared


def test_when_our_clock_went_back_signals_are_not_late_for_ever() -> None:
    office = office_with(raised(at_ms=NOW_MS))
    office.take(cleared(at_ms=NOW_MS - 3_600_000), now_ms=NOW_MS - 3_600_000)
    assert office.alarm().is_cleared


SIGNALS = st.lists(
    st.builds(
        lambda severity, at_ms, text: (
            cleared(at_ms=at_ms)
            if severity is Severity.CLEARED
            else raised(at_ms=at_ms, severity=severity, text=text)
        ),
        st.sampled_from([Severity.CLEARED, Severity.MINOR, Severity.CRITICAL]),
        st.integers(100, 112),
        st.sampled_from(["one", "two"]),
    ),
    min_size=1,
    max_size=9,
)


def newest(signals: list[AlarmSignal]) -> AlarmSignal:
    return max(signals, key=lambda s: (s.at_ms, s.severity is Severity.CLEARED, s.severity, s.text))


@given(SIGNALS, st.randoms(use_true_random=False))
def test_whatever_order_signals_come_in_the_newest_decides(signals: list[AlarmSignal], random) -> None:
    random.shuffle(signals)
    office = office_with(*signals)
    if all(signal.severity is Severity.CLEARED for signal in signals):
        assert not office.alarms
        return
    last = newest(signals)
    alarm = office.alarm()
    assert alarm.is_cleared is (last.severity is Severity.CLEARED)
    if not alarm.is_cleared:
        assert (alarm.severity, alarm.text, alarm.last_signal_ms) == (last.severity, last.text, last.at_ms)
    assert list(alarm.changes) == sorted(alarm.changes, key=lambda change: change.at_ms)
    is_clear = alarm.changes[-1].severity is Severity.CLEARED
    assert is_clear is alarm.is_cleared


@given(SIGNALS, st.randoms(use_true_random=False))
def test_the_history_is_in_the_order_of_time_and_loses_nothing_to_what_comes_late(signals, random) -> None:
    random.shuffle(signals)
    office = Office()
    before: tuple[StatusChange, ...] = ()
    for signal in signals:
        office.take(signal, now_ms=NOW_MS)
        if not office.alarms:
            continue
        alarm = office.alarm()
        assert list(alarm.changes) == sorted(alarm.changes, key=lambda change: change.at_ms)
        assert set(before) <= set(alarm.changes)
        assert alarm.last_changed_ms == alarm.changes[-1].at_ms
        before = alarm.changes
