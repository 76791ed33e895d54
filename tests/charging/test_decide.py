"""RFC 8506 section 7, Table 6 (server, session and event based), row by row; and repeats."""

import pytest

from ocs.balance.model import LifecycleState, SessionState
from ocs.charging.decide import decide
from ocs.charging.decision import Moment, Policy, State
from ocs.charging.tariffs import Tariffs
from ocs.messages import CCRequestType, Outcome, RequestedAction, ServiceUnit
from tests.support.catalogue import lab_catalogue
from tests.support.ledger import Ledger, account_with, money, only, pack
from tests.support.requests import (
    ASK_US,
    SESSION,
    copy_of,
    event,
    events,
    initial,
    mscc,
    octets,
    request,
    termination,
    update,
)

# Rating group 1: 2,000 micro-units per started 10 octets.


def opened(*buckets, **more) -> Ledger:
    """A session that holds 1,000 octets for 200,000 micro-units."""
    ledger = Ledger(*(buckets or (money(1_000_000),)), **more)
    assert only(ledger.ask(initial(mscc(1, requested=octets(1000))))).granted == octets(1000)
    assert ledger.reserved == 200_000
    return ledger


# --- Idle -------------------------------------------------------------------------------------------------


def test_idle_initial_accepted_reserves_units_starts_tcc_and_opens():
    ledger = opened()
    session = ledger.session()
    assert session.state == SessionState.OPEN
    assert session.deadline_ms == (ledger.now_s + 600 + 3600) * 1000
    assert ledger.balance == 1_000_000 and not ledger.events


def test_idle_initial_that_cannot_be_paid_is_refused_and_stays_idle():
    ledger = Ledger(money(1_999))
    answer = ledger.ask(initial(mscc(1, requested=octets(1000)))).answer
    assert answer.outcome == answer.services[0].outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.session().state == SessionState.CLOSED and ledger.reserved == 0


@pytest.mark.parametrize("make", [update, termination])
def test_idle_update_or_termination_of_nothing_is_unknown_session(make):
    ledger = Ledger(money(1_000_000))
    decision = ledger.ask(make(1, mscc(1, used=octets(500))))
    assert decision.answer.outcome == Outcome.UNKNOWN_SESSION
    assert decision.session is None and not decision.events


def test_idle_direct_debiting_debits_at_once():
    ledger = Ledger(money(1_000_000))
    decision = ledger.ask(event(mscc(None, requested=events(2))))
    assert decision.answer.outcome == Outcome.SUCCESS
    assert ledger.balance == 820_000 and ledger.reserved == 0


# --- Open -------------------------------------------------------------------------------------------------


def test_open_update_debits_used_units_then_reserves_new_ones_and_restarts_tcc():
    ledger = opened()
    ledger.now_s += 60
    granted = only(ledger.ask(update(1, mscc(1, requested=octets(500), used=octets(705))))).granted
    assert granted == octets(500)
    assert ledger.balance == 1_000_000 - 71 * 2_000  # 71 started blocks of ten octets
    assert ledger.reserved == 50 * 2_000
    assert ledger.session().deadline_ms == (ledger.now_s + 600 + 3600) * 1000
    (debit,) = ledger.events
    assert (debit.units, debit.billed_units, debit.amount_micro) == (705, 710, -142_000)


def test_open_update_whose_new_units_cannot_be_paid_debits_the_used_ones_and_goes_idle():
    ledger = opened(money(200_000))
    decision = ledger.ask(update(1, mscc(1, requested=octets(500), used=octets(1000))))
    assert decision.answer.outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.balance == 0 and ledger.reserved == 0
    assert ledger.session().state == SessionState.CLOSED


def test_open_termination_debits_used_units_releases_the_rest_and_goes_idle():
    ledger = opened()
    decision = ledger.ask(termination(1, mscc(1, used=octets(400))))
    assert decision.answer.outcome == Outcome.SUCCESS
    assert ledger.balance == 920_000 and ledger.reserved == 0
    assert ledger.session().state == SessionState.CLOSED


def test_open_termination_without_report_releases_everything():
    ledger = opened()
    ledger.ask(termination(1))
    assert ledger.balance == 1_000_000 and ledger.reserved == 0 and not ledger.events


def test_open_tcc_expired_releases_reserved_units_and_goes_idle():
    ledger = opened()
    ledger.now_s += 4200
    decision = ledger.expire()
    assert ledger.session().state == SessionState.CLOSED
    assert ledger.balance == 1_000_000 and ledger.reserved == 0 and not decision.events


def test_open_initial_with_a_new_number_is_refused_and_changes_nothing():
    ledger = opened()
    decision = ledger.ask(initial(mscc(1, requested=octets(100)), number=5))
    assert decision.answer.outcome == Outcome.REPEATED_WITH_OTHER_CONTENT
    assert ledger.reserved == 200_000 and ledger.session().state == SessionState.OPEN


def test_event_inside_an_open_session_leaves_it_open():
    ledger = opened()
    assert ledger.ask(event(mscc(None, requested=events(1)), number=1)).answer.outcome == Outcome.SUCCESS
    ledger.ask(update(1, mscc(1, used=octets(10), requested=octets(10))))
    assert ledger.session().state == SessionState.OPEN
    assert ledger.balance == 1_000_000 - 90_000 - 2_000


# --- Closed by supervision --------------------------------------------------------------------------------


def test_update_after_supervision_is_unknown_session_but_its_report_is_debited_once():
    ledger = opened()
    ledger.expire()
    late = update(1, mscc(1, requested=octets(500), used=octets(300)))
    for _ in range(2):
        assert ledger.ask(late).answer.outcome == Outcome.UNKNOWN_SESSION
    assert ledger.balance == 940_000 and ledger.reserved == 0 and len(ledger.events) == 1


def test_termination_after_supervision_succeeds_and_its_report_is_debited_once():
    ledger = opened()
    ledger.expire()
    late = termination(1, mscc(1, used=octets(300)))
    for _ in range(2):
        assert ledger.ask(late).answer.outcome == Outcome.SUCCESS
    assert ledger.balance == 940_000 and len(ledger.events) == 1


def test_termination_of_a_refused_session_succeeds():
    ledger = Ledger(money(0))
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    assert ledger.ask(termination(1)).answer.outcome == Outcome.SUCCESS


# --- Repeats ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [copy_of, lambda original: original], ids=["with T", "without T"])
def test_repeat_gets_the_first_answer_and_costs_nothing(again):
    ledger = Ledger(money(1_000_000))
    for sent in (
        initial(mscc(1, requested=octets(1000))),
        update(1, mscc(1, requested=octets(500), used=octets(700))),
        termination(2, mscc(1, used=octets(100))),
    ):
        first = ledger.ask(sent)
        before = ledger.account
        second = ledger.ask(again(sent))
        assert second.answer == first.answer and second.is_repeat and not second.events
        assert second.account is before and second.session is ledger.session()
    assert ledger.balance == 1_000_000 - 80 * 2_000


def test_repeat_after_the_sessions_end_gets_the_first_answer():
    ledger = Ledger(money(1_000_000))
    sent = [initial(mscc(1)), update(1, mscc(1, used=octets(10), requested=ASK_US)), termination(2)]
    answers = [ledger.ask(each).answer for each in sent]
    balance = ledger.balance
    assert [ledger.ask(copy_of(each)).answer for each in sent] == answers
    assert ledger.balance == balance and ledger.session().state == SessionState.CLOSED


def test_repeat_of_a_refusal_is_refused_again_even_if_it_could_be_paid_now():
    ledger = Ledger(money(0))
    sent = initial(mscc(1, requested=octets(1000)))
    first = ledger.ask(sent).answer
    ledger.account = account_with(money(1_000_000))
    assert ledger.ask(copy_of(sent)).answer == first


def test_same_number_with_other_content_is_an_error_of_its_own():
    ledger = opened()
    ledger.ask(update(1, mscc(1, requested=octets(10), used=octets(10))))
    balance = ledger.balance
    decision = ledger.ask(update(1, mscc(1, requested=octets(10), used=octets(20))))
    assert decision.answer.outcome == Outcome.REPEATED_WITH_OTHER_CONTENT
    assert ledger.balance == balance and not decision.events


def test_number_too_old_to_remember_is_refused_rather_than_debited_again():
    ledger = opened()
    sent = [update(number, mscc(1, requested=octets(10), used=octets(10))) for number in range(1, 8)]
    for each in sent:
        ledger.ask(each)
    balance = ledger.balance
    assert ledger.ask(copy_of(sent[0])).answer.outcome == Outcome.REPEATED_WITH_OTHER_CONTENT
    assert ledger.balance == balance


def test_late_copy_of_a_forgotten_initial_does_not_open_the_ended_session_again():
    ledger = Ledger(money(1_000_000))
    first = initial(mscc(1, requested=octets(10)))
    ledger.ask(first)
    for number in range(1, 6):
        ledger.ask(update(number, mscc(1, requested=octets(10), used=octets(10))))
    ledger.ask(termination(6))
    assert ledger.ask(copy_of(first)).answer.outcome == Outcome.REPEATED_WITH_OTHER_CONTENT
    assert ledger.session().state == SessionState.CLOSED and ledger.reserved == 0


def test_initial_that_uses_an_ended_session_id_again_opens_a_new_session():
    ledger = opened()
    ledger.ask(termination(1, mscc(1, used=octets(10))))
    again = initial(mscc(1, requested=octets(1000)), event_time_s=ledger.now_s + 100)
    assert only(ledger.ask(again)).granted == octets(1000)
    ledger.ask(termination(1, mscc(1, used=octets(20))))
    # Both lives reported under the same Session-Id and number; the events are told apart (checked by the ledger).
    assert [e.units for e in ledger.events] == [10, 20]


def test_update_and_termination_with_one_number_are_two_requests():
    ledger = opened()
    ledger.ask(update(1, mscc(1, requested=octets(10), used=octets(10))))
    ledger.ask(termination(1, mscc(1, used=octets(10))))
    assert [e.units for e in ledger.events] == [10, 10]
    assert len({e.event_id for e in ledger.events}) == 2


def test_reports_that_overtake_each_other_are_all_debited():
    ledger = opened()
    ledger.ask(update(2, mscc(1, requested=octets(10), used=octets(20))))
    ledger.ask(update(1, mscc(1, requested=octets(10), used=octets(10))))
    assert ledger.balance == 1_000_000 - 3 * 2_000


# --- Who is asking? ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [initial, event])
def test_identity_that_the_account_does_not_list_is_unknown_whatever_the_directory_said(make):
    ledger = Ledger(money(1_000_000))
    decision = ledger.ask(make(mscc(None), identities=("e164:491719999999",)))
    assert decision.answer.outcome == Outcome.USER_UNKNOWN
    assert decision.session is None and ledger.reserved == 0


@pytest.mark.parametrize("make", [initial, event])
def test_subscriber_that_belongs_to_another_account_is_unknown(make):
    ledger = Ledger(money(1_000_000))
    ledger.change_subscriber(account_id="b")
    assert ledger.ask(make(mscc(None))).answer.outcome == Outcome.USER_UNKNOWN
    ledger.subscriber = None
    assert ledger.ask(make(mscc(None))).answer.outcome == Outcome.USER_UNKNOWN


def test_one_listed_identity_among_several_is_enough():
    ledger = Ledger(money(1_000_000))
    sent = initial(mscc(1), identities=("imsi:262011234567890", "e164:491710000001"))
    assert ledger.ask(sent).answer.outcome == Outcome.SUCCESS


@pytest.mark.parametrize("state", [LifecycleState.SUSPENDED, LifecycleState.CLOSED])
@pytest.mark.parametrize("is_account", [True, False], ids=["account", "subscriber"])
def test_barred_account_or_subscriber_is_denied(is_account: bool, state: LifecycleState):
    ledger = Ledger(money(1_000_000))
    if is_account:
        ledger.change_account(state=state)
    else:
        ledger.change_subscriber(state=state)
    assert ledger.ask(initial(mscc(1))).answer.outcome == Outcome.END_USER_SERVICE_DENIED
    assert ledger.ask(event(mscc(None), session_id="e")).answer.outcome == Outcome.END_USER_SERVICE_DENIED
    assert ledger.balance == 1_000_000 and ledger.reserved == 0


def test_subscriber_barred_during_a_session_pays_what_was_used_and_gets_no_more():
    ledger = opened()
    ledger.change_subscriber(state=LifecycleState.SUSPENDED)
    decision = ledger.ask(update(1, mscc(1, requested=octets(1000), used=octets(100))))
    assert decision.answer.outcome == Outcome.END_USER_SERVICE_DENIED
    assert ledger.balance == 980_000 and ledger.reserved == 0
    assert ledger.session().state == SessionState.CLOSED


def test_update_needs_no_identity():
    ledger = opened()
    sent = update(1, mscc(1, requested=octets(10), used=octets(10)), identities=())
    assert ledger.ask(sent).answer.outcome == Outcome.SUCCESS


# --- Several services -------------------------------------------------------------------------------------


def test_each_service_has_its_own_result_and_one_success_keeps_the_command_successful():
    ledger = Ledger(money(100_000))
    answer = ledger.ask(
        initial(
            mscc(1, requested=octets(100)),
            mscc(30, requested=octets(100)),
            mscc(40),
            mscc(20, requested=octets(77)),
        )
    ).answer
    assert answer.outcome == Outcome.SUCCESS
    assert [(a.rating_group, a.outcome) for a in answer.services] == [
        (1, Outcome.SUCCESS),
        (30, Outcome.CREDIT_CONTROL_NOT_APPLICABLE),
        (40, Outcome.CREDIT_LIMIT_REACHED),
        (20, Outcome.SUCCESS),
    ]


def test_refused_service_does_not_end_a_session_in_which_another_still_holds_a_grant():
    ledger = opened()
    decision = ledger.ask(update(1, mscc(40, requested=octets(10))))
    assert decision.answer.outcome == Outcome.SUCCESS
    assert decision.answer.services[0].outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.session().state == SessionState.OPEN and ledger.reserved == 200_000


def test_one_services_overrun_pays_before_anothers_new_grant():
    ledger = Ledger(money(300_000))
    ledger.ask(initial(mscc(1, requested=octets(100)), mscc(50, requested=octets(1000))))
    # Rating group 1 asks for more, and only then in the message stands what 50 has overrun.
    decision = ledger.ask(
        update(1, mscc(1, requested=octets(1000), used=octets(0)), mscc(50, used=octets(2500)))
    )
    assert ledger.balance == 50_000
    assert decision.answer.services[0].granted == octets(250)
    assert ledger.reserved == 50_000


def test_service_named_twice_is_one_service_with_one_grant():
    ledger = opened()
    answer = ledger.ask(
        update(1, mscc(1, used=octets(100)), mscc(1, requested=octets(500), used=octets(200)))
    ).answer
    assert [a.granted for a in answer.services] == [octets(500)]
    assert ledger.balance == 940_000 and ledger.reserved == 100_000


def test_session_without_services_opens_and_holds_nothing():
    ledger = Ledger(money(0))
    assert ledger.ask(initial()).answer.outcome == Outcome.SUCCESS
    assert ledger.session().state == SessionState.OPEN
    assert ledger.ask(update(1)).answer.outcome == Outcome.SUCCESS


def test_remaining_balance_is_shown_where_the_operator_wants_it():
    ledger = opened(policy=Policy(show_remaining_balance=True))
    answer = ledger.ask(update(1, mscc(1, requested=octets(100), used=octets(10)))).answer
    assert answer.remaining is not None
    assert answer.remaining.micro == 1_000_000 - 2_000 - 20_000


def test_every_state_and_request_type_keeps_the_books():
    for prepare in ("nothing", "open", "expired", "terminated", "refused", "event"):
        for kind in CCRequestType:
            for action in RequestedAction if kind == CCRequestType.EVENT else (None,):
                for number in (0, 1, 9):
                    ledger = Ledger(money(0 if prepare == "refused" else 1_000_000), pack(500))
                    if prepare == "event":
                        ledger.ask(event(mscc(None, requested=events(1))))
                    elif prepare != "nothing":
                        ledger.ask(initial(mscc(1, requested=octets(1000)), mscc(10, requested=octets(300))))
                    if prepare == "expired":
                        ledger.expire()
                    if prepare == "terminated":
                        ledger.ask(termination(1, mscc(1, used=octets(3))))
                    for later, service in enumerate(
                        (mscc(1, used=octets(2000)), mscc(10, requested=ServiceUnit()), mscc(99))
                    ):
                        ledger.ask(
                            request(kind, number + later, service, action=action)
                        )  # the ledger checks the rest
                    if SESSION in ledger.sessions and ledger.session().state == SessionState.OPEN:
                        ledger.expire()
                    assert ledger.reserved == 0 and not ledger.held()


def test_decisions_never_change_what_they_were_given():
    account = account_with(money(1_000_000))
    ledger = Ledger()
    state = State(account, ledger.subscriber, None)
    moment = Moment(ledger.now_s * 1000, ledger.now_s * 1000)
    first, second = (
        decide(state, initial(mscc(1)), Tariffs(lab_catalogue()), moment, Policy()) for _ in range(2)
    )
    assert first == second
    assert account == account_with(money(1_000_000))
