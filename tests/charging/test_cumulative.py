"""Counters that run from a session's beginning are charged by their differences, whatever comes twice, late or anew."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.balance.model import SessionState
from ocs.charging.cumulative import is_outrun, since_last_report
from ocs.limits import LATE_BEGINNING_SLACK_S
from ocs.messages import Outcome, ServiceUnit
from tests.support.ledger import Ledger, money
from tests.support.requests import ASK_US, initial, mscc, termination, update

WORD = 1 << 32
KIB = 1024


def counters(sent: int, time_s: int | None, received: int = 0) -> ServiceUnit:
    return ServiceUnit(sent + received, received, sent, time_s)


def cumulative(made):
    return msgspec.structs.replace(made, is_cumulative=True)


def opens(*used: ServiceUnit, number: int = 0):
    return cumulative(initial(mscc(requested=ASK_US, used=used), number=number))


def reports(sent: int, time_s: int):
    return cumulative(update(2 + time_s, mscc(requested=ASK_US, used=counters(sent, time_s))))


def ends(sent: int, time_s: int):
    return cumulative(termination(2 + time_s, mscc(used=counters(sent, time_s))))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(money(10_000_000))


def spent(ledger: Ledger) -> int:
    """Octets that were charged."""
    return sum(event.units for event in ledger.events)


def after(before: ServiceUnit, now: ServiceUnit) -> tuple[int, int]:
    """Octets and seconds used between two reports of one session."""
    told = Ledger(money(10_000_000))
    told.ask(opens())
    session = msgspec.structs.replace(told.session(), reported=before)
    _, request, _ = since_last_report(session, update(9, mscc(used=now)))
    (used,) = request.services[0].used
    return used.total_octets or 0, used.time_s or 0


def test_each_report_pays_what_was_added(ledger):
    ledger.ask(opens())
    for sent, time_s in ((10 * KIB, 60), (10 * KIB, 120), (50 * KIB, 180)):
        ledger.ask(reports(sent, time_s))
        assert spent(ledger) == sent
    ledger.ask(ends(70 * KIB, 200))
    assert spent(ledger) == 70 * KIB
    assert ledger.reserved == 0


def test_a_report_without_use_leaves_the_counters_alone(ledger):
    ledger.ask(opens())
    ledger.ask(reports(10 * KIB, 60))
    ledger.ask(cumulative(update(1)))
    ledger.ask(reports(20 * KIB, 120))
    assert spent(ledger) == 20 * KIB


def test_one_that_was_overtaken_says_nothing_new(ledger):
    ledger.ask(opens())
    ledger.ask(reports(30 * KIB, 180))
    late = ledger.ask(reports(10 * KIB, 60))
    assert late.answer.outcome is Outcome.REPEATED_WITH_OTHER_CONTENT
    assert spent(ledger) == 30 * KIB


def test_a_stop_with_less_than_was_reported_ends_the_session_and_costs_nothing(ledger):
    ledger.ask(opens())
    ledger.ask(reports(30 * KIB, 180))
    assert ledger.ask(ends(10 * KIB, 60)).answer.outcome is Outcome.SUCCESS
    assert spent(ledger) == 30 * KIB
    assert ledger.session().state is SessionState.CLOSED


def test_a_session_that_was_never_heard_of_is_charged_from_its_beginning(ledger):
    unknown = ledger.ask(reports(30 * KIB, 180))
    assert unknown.answer.outcome is Outcome.UNKNOWN_SESSION
    ledger.ask(opens(counters(30 * KIB, 180)))
    assert spent(ledger) == 30 * KIB
    ledger.ask(ends(40 * KIB, 240))
    assert spent(ledger) == 40 * KIB


def test_a_session_that_supervision_closed_goes_on_where_it_was(ledger):
    ledger.ask(opens())
    ledger.ask(reports(30 * KIB, 180))
    ledger.expire()
    late = ledger.ask(reports(50 * KIB, 7200))
    assert late.answer.outcome is Outcome.UNKNOWN_SESSION
    assert spent(ledger) == 50 * KIB, "what it reports late is charged"
    ledger.ask(opens(counters(50 * KIB, 7200), number=7202))
    assert spent(ledger) == 50 * KIB, "and not again when it is opened anew"
    ledger.ask(ends(60 * KIB, 7300))
    assert spent(ledger) == 60 * KIB


def test_a_session_id_that_is_used_again_counts_from_zero(ledger):
    ledger.ask(opens())
    ledger.ask(reports(30 * KIB, 180))
    ledger.ask(ends(30 * KIB, 180))
    again = msgspec.structs.replace(opens(), end_to_end_id=7)
    assert ledger.ask(again).answer.outcome is Outcome.SUCCESS
    ledger.ask(ends(10 * KIB, 60))
    assert spent(ledger) == 40 * KIB


def test_a_start_that_comes_behind_its_session_s_reports_begins_no_other_session(ledger):
    ledger.ask(opens(counters(3 * KIB, 180)))
    ledger.expire()
    ledger.now_s += 600
    start = msgspec.structs.replace(opens(), event_time_s=ledger.now_s - 800, end_to_end_id=7)
    assert ledger.ask(start).answer.outcome is Outcome.REPEATED_WITH_OTHER_CONTENT
    ledger.ask(reports(5 * KIB, 800))
    assert spent(ledger) == 5 * KIB, "what was charged before is not charged again"
    another = msgspec.structs.replace(start, event_time_s=ledger.now_s, end_to_end_id=8)
    assert ledger.ask(another).answer.outcome is Outcome.SUCCESS


def test_a_start_told_late_begins_no_other_session_though_its_worker_s_clock_is_ahead(ledger):
    ledger.ask(opens(counters(3 * KIB, 180)))
    ledger.expire()
    opened_s = ledger.session().opened_ms // 1000
    late = msgspec.structs.replace(
        opens(), retransmitted=True, event_time_s=opened_s + LATE_BEGINNING_SLACK_S, end_to_end_id=7
    )
    assert ledger.ask(late).answer.outcome is Outcome.REPEATED_WITH_OTHER_CONTENT
    ledger.ask(reports(5 * KIB, 800))
    assert spent(ledger) == 5 * KIB, "what was charged before is not charged again"


@pytest.mark.parametrize(("is_late", "after_s"), [(False, 1), (True, LATE_BEGINNING_SLACK_S + 1)])
def test_a_start_of_another_session_is_believed_at_once_and_told_late_behind_the_slack(
    ledger, is_late, after_s
):
    ledger.ask(opens(counters(3 * KIB, 180)))
    ledger.expire()
    start = msgspec.structs.replace(
        opens(),
        retransmitted=is_late,
        event_time_s=ledger.session().opened_ms // 1000 + after_s,
        end_to_end_id=7,
    )
    assert ledger.ask(start).answer.outcome is Outcome.SUCCESS
    assert ledger.session().reported is None


def test_a_late_interim_does_not_open_an_ended_session_again(ledger):
    ledger.ask(opens())
    ledger.ask(ends(30 * KIB, 180))
    late = ledger.ask(opens(counters(10 * KIB, 60), number=62))
    assert late.answer.outcome is Outcome.REPEATED_WITH_OTHER_CONTENT
    assert ledger.session().state is SessionState.CLOSED


def test_a_counter_without_gigawords_wraps():
    before, now = counters(WORD - 5, 60), counters(7, 120)
    assert after(before, now) == (12, 60)
    assert after(counters(3 * WORD + 100, 60), counters(150, 120)) == (50, 60)


def test_a_counter_that_begins_anew_is_charged_from_zero():
    assert after(counters(1000, 60), counters(7, 120)) == (7, 60)


def test_a_counter_with_gigawords_that_goes_back_is_not_believed():
    assert after(counters(3 * WORD, 60), counters(2 * WORD, 120)) == (0, 60)


def test_directions_are_counted_apart():
    before, now = counters(100, 60, received=WORD - 1), counters(150, 120, received=1)
    assert after(before, now) == (52, 60)


def test_without_time_a_lower_counter_says_nothing():
    assert after(counters(100, None), counters(50, None)) == (0, 0)
    assert not is_outrun(None, update(1))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=12), st.randoms())
def test_whatever_the_order_and_however_often_the_last_counters_are_what_is_charged(steps, random):
    ledger = Ledger(money(10_000_000))
    ledger.ask(opens())
    sent = time_s = 0
    told = []
    for added, elapsed in steps:
        sent, time_s = sent + added, time_s + elapsed
        told.append((sent, time_s))
    shuffled = [random.choice(told) for _ in range(2 * len(told))]
    for one in shuffled:
        ledger.ask(reports(*one))
    ledger.ask(ends(*told[-1]))
    assert spent(ledger) == sent
    assert ledger.reserved == 0
