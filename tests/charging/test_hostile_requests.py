"""What a careless or hostile gateway sends must not move money that it should not: found by attacking the system."""

import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from ocs import limits
from ocs.balance import keys
from ocs.balance.model import LifecycleState
from ocs.charging.tariffs import Tariffs
from ocs.messages import Outcome, RequestedAction, ServiceUnit
from ocs.rating import Catalogue
from ocs.units import Money
from tests.charging.test_engine import BERT, Lab
from tests.support.catalogue import lab_catalogue
from tests.support.ledger import Ledger, money, texts
from tests.support.requests import ANNA, copy_of, event, events, initial, mscc, octets, termination, update

EUR = 1_000_000


@pytest.mark.parametrize("seen_before", [ANNA, BERT])
async def test_identities_of_two_accounts_are_paid_by_the_first_in_the_message_on_every_worker(
    seen_before: str,
):
    lab = Lab()
    first, second = lab.worker(), lab.worker()
    first.ask(event(mscc(None, requested=events(1)), identities=(seen_before,), session_id="before"))
    both = event(mscc(None, requested=events(1)), identities=(BERT, ANNA), session_id="both")
    assert first.ask(both) == second.ask(copy_of(both))
    assert {e.account_id for e in lab.events() if e.session_id == "both"} == {"b"}
    assert sum(e.session_id == "both" for e in lab.events()) == 1


async def test_grant_of_a_catalogue_published_by_another_node_is_charged_under_it():
    lab = Lab()
    newer = Catalogue.from_bytes(lab_catalogue().to_bytes().replace(b"test", b"next"))
    ahead, behind = lab.worker(), lab.worker()
    ahead.engine.tariffs = Tariffs(newer, (lab_catalogue(),))
    lab.store.hints[keys.catalogue_key(newer.version)] = newer.to_bytes()
    ahead.ask(initial(mscc(1)))
    behind.ask(termination(1, mscc(1, used=octets(100))))
    (debit,) = [e for e in lab.events() if e.session_id]
    assert debit.catalogue_version == newer.version != lab_catalogue().version
    assert lab.reserved() == 0


def test_report_beyond_any_balance_is_refused_alone():
    ledger = Ledger(money(5 * EUR))
    ledger.ask(initial(mscc(None, requested=events(1)), service=event().service))
    answer = ledger.ask(update(1, mscc(None, used=events(2**50)))).answer
    assert answer.services[0].outcome == Outcome.RATING_FAILED
    assert ledger.account.buckets[0].value == 5 * EUR
    assert not ledger.held()


@pytest.mark.parametrize("amount", [2**46, 2**50])
def test_refund_beyond_any_balance_is_refused(amount: int):
    ledger = Ledger(money(EUR))
    decision = ledger.ask(event(mscc(None, requested=events(amount)), action=RequestedAction.REFUND_ACCOUNT))
    assert decision.answer.outcome == Outcome.END_USER_SERVICE_DENIED
    assert decision.account.buckets[0].value == EUR < limits.BALANCE_MICRO_MAX


def test_refund_of_more_messages_than_anyone_can_send_is_refused():
    ledger = Ledger(money(EUR), texts(1))
    decision = ledger.ask(event(mscc(None, requested=events(2**51)), action=RequestedAction.REFUND_ACCOUNT))
    assert decision.answer.outcome == Outcome.END_USER_SERVICE_DENIED


def test_money_used_in_another_currency_is_not_taken_for_ours():
    ledger = Ledger(money(5 * EUR))
    ledger.ask(initial(mscc(1, requested=ServiceUnit(money=Money(EUR, "EUR")))))
    answer = ledger.ask(update(1, mscc(1, used=ServiceUnit(money=Money(100 * EUR, "JPY"))))).answer
    assert answer.services[0].outcome == Outcome.RATING_FAILED
    assert ledger.account.buckets[0].value == 5 * EUR


def test_zero_money_before_octets_does_not_make_the_octets_free():
    ledger = Ledger(money(5 * EUR))
    ledger.ask(initial(mscc(2)))
    used = (ServiceUnit(money=Money(0, "EUR")), octets(100))
    ledger.ask(update(1, mscc(1, used=used)))
    assert ledger.account.buckets[0].value < 5 * EUR


def test_late_copies_from_an_earlier_life_of_a_session_id_are_debited_once():
    ledger = Ledger(money(5 * EUR))
    life = [initial(mscc(1)), update(1, mscc(1, used=octets(50))), termination(2, mscc(1, used=octets(70)))]
    life = [replace(request, end_to_end_id=10 + n) for n, request in enumerate(life)]
    for request in life:
        ledger.ask(request)
    ledger.ask(replace(initial(mscc(1, requested=octets(500))), end_to_end_id=20))
    balance = ledger.account.buckets[0].value
    for request in life:
        assert ledger.ask(copy_of(request)).is_repeat
    assert ledger.account.buckets[0].value == balance


def test_gateway_that_restarts_with_the_same_initial_pays_for_its_new_session():
    ledger = Ledger(money(5 * EUR))
    first = replace(initial(mscc(1)), end_to_end_id=1)
    ledger.ask(first)
    ledger.ask(replace(termination(1, mscc(1, used=octets(10))), end_to_end_id=2))
    again = ledger.ask(replace(first, end_to_end_id=3))
    assert not again.is_repeat
    assert ledger.held()
    balance = ledger.account.buckets[0].value
    ledger.ask(replace(termination(1, mscc(1, used=octets(999))), end_to_end_id=4))
    assert ledger.account.buckets[0].value < balance
    assert not ledger.held()


def test_termination_numbered_below_what_is_forgotten_is_debited_and_ends_the_session():
    ledger = Ledger(money(5 * EUR))
    ledger.ask(initial(mscc(1), number=2**32 - 1))
    for number in range(1, limits.ANSWERS_REMEMBERED + 3):
        assert (
            ledger.ask(update(number, mscc(1, requested=octets(10), used=octets(1)))).answer.outcome
            == Outcome.SUCCESS
        )
    balance = ledger.account.buckets[0].value
    assert ledger.ask(termination(0, mscc(1, used=octets(100)))).answer.outcome == Outcome.SUCCESS
    assert ledger.account.buckets[0].value < balance
    assert not ledger.held()


def test_session_keeps_no_more_services_than_the_limit():
    ledger = Ledger(money(10**9 * EUR))
    ledger.ask(initial(mscc(1)))
    groups = iter(range(1000, 9000))
    for number in range(1, 8):
        many = [mscc(next(groups), requested=octets(10)) for _ in range(31)]
        ledger.ask(update(number, mscc(1, requested=octets(10)), *many))
        (session,) = ledger.sessions.values()
        assert len(session.services) <= limits.SERVICES_PER_SESSION_MAX


def test_reports_of_one_service_sent_apart_share_one_grant():
    ledger = Ledger(money(5 * EUR))
    ledger.ask(initial(mscc(1)))
    twice = (mscc(1, requested=octets(500), used=octets(10)), mscc(1, requested=octets(500), used=octets(20)))
    answer = ledger.ask(update(1, *twice)).answer
    assert len(answer.services) == 1
    assert sum(e.units for e in ledger.events if e.trace is not None) == 30
    assert msgspec.to_builtins(answer.services[0].granted) is not None


def test_reports_alone_do_not_make_a_session_grow_beyond_the_limit():
    ledger = Ledger(money(10**9 * EUR))
    ledger.ask(initial(mscc(1)))
    groups = iter(range(1000, 9000))
    for number in range(1, 8):
        ledger.ask(update(number, *[mscc(next(groups), used=octets(1)) for _ in range(31)]))
        (session,) = ledger.sessions.values()
        assert len(session.services) <= limits.SERVICES_PER_SESSION_MAX


def test_grant_of_a_session_closed_before_its_first_report_is_charged_at_the_rate_of_the_grant():
    ledger = Ledger(money(5 * EUR))
    ledger.ask(initial(mscc(1)))
    (granted,) = ledger.sessions.values()
    assert ledger.subscriber is not None
    active = ledger.subscriber
    ledger.subscriber = replace(active, state=LifecycleState.SUSPENDED)
    assert ledger.ask(update(1, mscc(2))).answer.outcome == Outcome.END_USER_SERVICE_DENIED
    (closed,) = ledger.sessions.values()
    assert closed.services[0].tariff_path == granted.services[0].tariff_path


async def test_grant_of_a_catalogue_that_this_release_cannot_read_harms_nobody():
    lab = Lab()
    newer = Catalogue.from_bytes(lab_catalogue().to_bytes().replace(b"test", b"next"))
    ahead, behind = lab.worker(), lab.worker()
    ahead.engine.tariffs = Tariffs(newer, (lab_catalogue(),))
    lab.store.hints[keys.catalogue_key(newer.version)] = b"of a release to come"
    ahead.ask(initial(mscc(1)))
    with capture_logs() as lines:
        behind.ask(termination(1, mscc(1, used=octets(100))))
    assert "catalogue_unreadable" in {line["event"] for line in lines}
    assert behind.ask(event(mscc(None, requested=events(1)))).outcome == Outcome.SUCCESS
