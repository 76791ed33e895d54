"""EVENT requests: direct debiting, refund, balance check, price enquiry (RFC 8506 section 6)."""

import msgspec
import pytest

from ocs.balance.notices import NoticeRules
from ocs.charging.decision import Policy
from ocs.events import NoticeKind
from ocs.messages import Outcome, RequestedAction, Service, ServiceUnit, UsageContext
from ocs.units import Money
from tests.support.ledger import MORNING_S, Ledger, money, pack, texts
from tests.support.requests import copy_of, event, events, mscc, octets
from tests.support.rich_catalogue import rich_catalogue

DEBIT, REFUND, CHECK, PRICE = RequestedAction
SMS = 90_000


def test_direct_debiting_answers_units_and_cost():
    ledger = Ledger(money(1_000_000))
    answer = ledger.ask(event(mscc(None, requested=events(2)))).answer
    assert answer.services[0].granted == events(2)
    assert answer.cost == Money(2 * SMS, "EUR")
    assert ledger.balance == 1_000_000 - 2 * SMS


def test_event_that_names_no_units_is_one_event():
    ledger = Ledger(money(1_000_000))
    for index, services in enumerate([(), (mscc(None),), (mscc(None, requested=ServiceUnit()),)]):
        ledger.ask(event(*services, session_id=f"e{index}"))
    assert ledger.balance == 1_000_000 - 3 * SMS


def test_allowance_pays_for_events_before_money():
    ledger = Ledger(money(1_000_000), texts(3))
    ledger.ask(event(mscc(None, requested=events(5))))
    assert ledger.bucket("texts").value == 0 and ledger.balance == 1_000_000 - 2 * SMS
    assert {m.bucket_id: m.amount for m in ledger.events[0].movements} == {"texts": -3, "main": -2 * SMS}


def test_event_that_cannot_be_paid_in_full_debits_nothing():
    ledger = Ledger(money(2 * SMS - 1), texts(0))
    decision = ledger.ask(event(mscc(None, requested=events(2))))
    assert decision.answer.outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.balance == 2 * SMS - 1 and not decision.events


def test_services_of_one_event_are_all_paid_or_none():
    ledger = Ledger(money(SMS))
    asked = (mscc(1, requested=events(1)), mscc(2, requested=events(1)))
    decision = ledger.ask(event(*asked))
    assert decision.answer.outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.balance == SMS and not decision.events


def test_debits_of_two_services_are_two_events():
    ledger = Ledger(money(1_000_000))
    answer = ledger.ask(event(mscc(1, requested=events(1)), mscc(2, requested=events(1)))).answer
    assert answer.cost == Money(2 * SMS, "EUR") and len(ledger.events) == 2


def test_repeated_event_is_debited_once_and_another_number_again():
    ledger = Ledger(money(1_000_000))
    sent = event(mscc(None))
    first = ledger.ask(sent).answer
    assert ledger.ask(copy_of(sent)).answer == first
    ledger.ask(event(mscc(None), number=1))
    assert ledger.balance == 1_000_000 - 2 * SMS


def test_debit_by_money_takes_exactly_that():
    ledger = Ledger(money(1_000_000))
    unit = ServiceUnit(money=Money(123_456, "EUR"))
    ledger.ask(event(mscc(None, requested=unit)))
    assert ledger.balance == 1_000_000 - 123_456


@pytest.mark.parametrize("amount", [Money(1, "USD"), Money(-1, "EUR")])
@pytest.mark.parametrize("action", list(RequestedAction))
def test_foreign_or_negative_money_is_not_rated(action: RequestedAction, amount: Money):
    ledger = Ledger(money(1_000_000))
    decision = ledger.ask(event(mscc(None, requested=ServiceUnit(money=amount)), action=action))
    assert decision.answer.outcome == Outcome.RATING_FAILED
    assert ledger.balance == 1_000_000


@pytest.mark.parametrize("action", list(RequestedAction))
def test_event_without_a_price_is_rating_failed(action: RequestedAction):
    ledger = Ledger(money(1_000_000))
    sent = event(mscc(None, requested=octets(10)), service=Service.VOICE, called_party="999", action=action)
    assert ledger.ask(sent).answer.outcome == Outcome.RATING_FAILED


def test_event_that_needs_no_credit_control_is_told_so():
    ledger = Ledger(money(0))
    sent = event(mscc(30, requested=octets(10)), service=Service.DATA)
    assert ledger.ask(sent).answer.outcome == Outcome.CREDIT_CONTROL_NOT_APPLICABLE


# --- Refund -----------------------------------------------------------------------------------------------


def test_refund_gives_back_what_the_event_cost():
    ledger = Ledger(money(1_000_000))
    ledger.ask(event(mscc(None, requested=events(2))))
    answer = ledger.ask(event(mscc(None, requested=events(2)), action=REFUND, number=1)).answer
    assert answer.outcome == Outcome.SUCCESS and answer.cost == Money(-2 * SMS, "EUR")
    assert ledger.balance == 1_000_000


def test_refund_of_what_an_allowance_paid_goes_to_the_allowance():
    ledger = Ledger(money(1_000_000), texts(3))
    ledger.ask(event(mscc(None, requested=events(2))))
    ledger.ask(event(mscc(None, requested=events(2)), action=REFUND, number=1))
    assert ledger.bucket("texts").value == 3 and ledger.balance == 1_000_000


def test_repeated_refund_is_given_once():
    ledger = Ledger(money(0))
    sent = event(mscc(None), action=REFUND)
    first = ledger.ask(sent).answer
    assert ledger.ask(copy_of(sent)).answer == first
    assert ledger.balance == SMS


def test_refund_is_worth_no_more_than_the_operator_allows_wherever_it_goes():
    for bucket in (money(0), texts(0)):
        ledger = Ledger(money(0), bucket) if bucket.allowance else Ledger(bucket)
        ledger.policy = Policy(refund_max_micro=3 * SMS)
        refused = ledger.ask(event(mscc(None, requested=events(4)), action=REFUND))
        assert refused.answer.outcome == Outcome.END_USER_SERVICE_DENIED and not refused.events
        given = ledger.ask(event(mscc(None, requested=events(3)), action=REFUND, number=1))
        assert given.answer.outcome == Outcome.SUCCESS and len(given.events) == 1


def test_refund_that_no_bucket_can_take_is_denied_and_its_repeat_hears_the_same():
    expired = msgspec.structs.replace(money(0), valid_until_ms=MORNING_S * 1000)
    for ledger in (Ledger(), Ledger(expired)):
        sent = event(mscc(None), action=REFUND)
        decision = ledger.ask(sent)
        assert decision.answer.outcome == Outcome.END_USER_SERVICE_DENIED
        assert ledger.balance == 0 and not decision.events
        assert ledger.ask(copy_of(sent)).answer == decision.answer


# --- Enquiries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("balance", "enough"), [(2 * SMS, True), (2 * SMS - 1, False), (-1, False)])
def test_balance_check_says_whether_a_debit_would_succeed_and_moves_nothing(balance: int, enough: bool):
    ledger = Ledger(money(balance))
    decision = ledger.ask(event(mscc(None, requested=events(2)), action=CHECK))
    assert decision.answer.outcome == Outcome.SUCCESS
    assert decision.answer.enough_credit is enough
    assert ledger.balance == balance and decision.session is None and not decision.events
    debit = ledger.ask(event(mscc(None, requested=events(2)))).answer.outcome
    assert (debit == Outcome.SUCCESS) is enough


def test_balance_check_counts_what_sessions_hold_as_gone():
    from tests.support.requests import initial

    ledger = Ledger(money(SMS))
    ledger.ask(initial(mscc(50, requested=octets(10))))
    assert ledger.ask(event(mscc(None), action=CHECK, session_id="e")).answer.enough_credit is False


def test_balance_check_of_two_services_counts_an_allowance_once():
    ledger = Ledger(money(0), texts(1))
    asked = (mscc(1, requested=events(1)), mscc(2, requested=events(1)))
    assert ledger.ask(event(*asked, action=CHECK)).answer.enough_credit is False
    assert ledger.ask(event(asked[0], action=CHECK)).answer.enough_credit is True


def test_balance_check_of_what_only_an_allowance_pays_asks_no_money():
    ledger = Ledger(money(9_000_000), pack(10))
    for wanted, enough in ((10, True), (11, False)):
        sent = event(mscc(40, requested=octets(wanted)), service=Service.DATA, action=CHECK)
        assert ledger.ask(sent).answer.enough_credit is enough


def test_price_enquiry_tells_the_price_in_money_and_moves_nothing():
    ledger = Ledger(money(0), texts(3))
    decision = ledger.ask(event(mscc(None, requested=events(3)), action=PRICE))
    assert decision.answer.cost == Money(3 * SMS, "EUR")
    assert decision.session is None and not decision.events


def test_price_enquiry_includes_connection_fee_and_rounding():
    ledger = Ledger(money(0))
    unit = ServiceUnit(time_s=1)
    sent = event(mscc(None, requested=unit), service=Service.VOICE, called_party="4930", action=PRICE)
    assert ledger.ask(sent).answer.cost == Money(110_000, "EUR")


def test_enquiries_may_be_repeated_and_see_the_balance_of_now():
    ledger = Ledger(money(0))
    sent = event(mscc(None), action=CHECK)
    assert ledger.ask(sent).answer.enough_credit is False
    ledger.ask(event(mscc(None), action=REFUND, session_id="r"))
    assert ledger.ask(copy_of(sent)).answer.enough_credit is True


@pytest.mark.parametrize(("service", "cost"), [(Service.SMS, 540_000), (Service.MMS, 400_000)])
def test_message_counts_once_for_each_recipient_where_its_price_says_so(service: Service, cost: int):
    ledger = Ledger(money(1_000_000), catalogue=rich_catalogue(), offers=("rich",))
    request = event(mscc(None, requested=events(2)), service=service, context=UsageContext(recipients=3))
    answer = ledger.ask(request).answer
    assert 1_000_000 - ledger.balance == cost
    assert answer.services[0].granted == events(2)
    ledger.ask(
        event(
            mscc(None, requested=events(2)), service=service, context=UsageContext(recipients=3),
            session_id="back", action=RequestedAction.REFUND_ACCOUNT,
        )
    )  # fmt: skip
    assert ledger.balance == 1_000_000


def test_refund_needs_no_debit_before_it():
    # RFC 8506 section 6.4: what was won in a game was never paid.
    ledger = Ledger(money(0))
    ledger.ask(event(mscc(None, requested=events(1)), action=RequestedAction.REFUND_ACCOUNT))
    assert ledger.balance == 90_000


def test_event_that_makes_the_balance_low_tells_so_in_the_same_commit():
    policy = Policy(notices=NoticeRules((), (), 950_000))
    ledger = Ledger(money(1_000_000), policy=policy)
    ledger.ask(event(mscc(None, requested=events(1))))
    debit, notice = ledger.events
    assert notice.notice is not None and notice.notice.kind == NoticeKind.LOW_BALANCE
    assert (notice.sequence, notice.movements) == (debit.sequence + 1, ())
