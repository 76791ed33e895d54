"""The end of the credit: the last grant, redirection until a top-up, and grace."""

import pytest

from ocs.balance.model import SessionState
from ocs.messages import FinalUnitAction, Outcome, ServiceAnswer
from tests.support.ledger import Ledger, money, only
from tests.support.requests import initial, mscc, octets, update
from tests.support.rich_catalogue import rich_catalogue

# Rating group 8: 100 an octet, then redirected; 1: 100 an octet, then the service ends.
EUR = 1_000_000


def rich(micro: int, offers: tuple[str, ...] = ("rich",), **more) -> Ledger:
    return Ledger(money(micro), catalogue=rich_catalogue(), offers=offers, **more)


def assert_redirected(answer: ServiceAnswer) -> None:
    assert answer.outcome == Outcome.SUCCESS and answer.granted is None
    assert answer.final_unit is not None and answer.final_unit.action == FinalUnitAction.REDIRECT
    assert answer.validity_time_s == 600


def test_first_interrogation_without_money_opens_a_redirected_session():
    # RFC 8506 section 5.6.2: Final-Unit-Indication and Validity-Time without Granted-Service-Unit.
    ledger = rich(0)
    assert_redirected(only(ledger.ask(initial(mscc(8)))))
    assert ledger.session().state == SessionState.OPEN and ledger.reserved == 0
    assert ledger.session().deadline_ms == (ledger.now_s + 600 + 3600) * 1000


def test_after_the_last_grant_the_gateway_reports_and_is_told_when_to_ask_again():
    ledger = rich(50_000)
    last = only(ledger.ask(initial(mscc(8, requested=octets(1000)))))
    assert last.granted == octets(500) and last.final_unit is not None
    # The units are used, redirection has begun: nothing is asked for, nothing may be reserved.
    answer = only(ledger.ask(update(1, mscc(8, used=octets(500)))))
    assert answer.granted is None and answer.final_unit is None and answer.validity_time_s == 600
    assert ledger.balance == 0 and ledger.session().state == SessionState.OPEN


def test_session_out_of_credit_stays_and_a_top_up_resumes_it():
    ledger = rich(50_000)
    ledger.ask(initial(mscc(8, requested=octets(1000))))
    ledger.ask(update(1, mscc(8, used=octets(500))))
    assert_redirected(only(ledger.ask(update(2, mscc(8, requested=octets(1000))))))
    account = rich(EUR).account
    ledger.change_account(buckets=account.buckets, totals=account.totals)
    answer = only(ledger.ask(update(3, mscc(8, requested=octets(1000)))))
    assert answer.granted == octets(1000) and answer.final_unit is None
    assert not ledger.session().services[0].is_redirected


def test_where_the_service_ends_a_session_out_of_credit_closes():
    ledger = rich(50_000)
    ledger.ask(initial(mscc(1, requested=octets(1000))))
    answer = ledger.ask(update(1, mscc(1, requested=octets(1000), used=octets(500)))).answer
    assert answer.outcome == Outcome.CREDIT_LIMIT_REACHED
    assert ledger.session().state == SessionState.CLOSED


def test_one_redirected_service_keeps_the_session_of_one_that_ended():
    ledger = rich(0)
    answer = ledger.ask(initial(mscc(8), mscc(1))).answer
    assert answer.outcome == Outcome.SUCCESS
    assert_redirected(answer.services[0])
    assert answer.services[1].outcome == Outcome.CREDIT_LIMIT_REACHED
    assert [service.rating_group for service in ledger.session().services] == [8]


def test_supervision_closes_a_redirected_session_that_is_not_heard_of_any_more():
    ledger = rich(0)
    ledger.ask(initial(mscc(8)))
    ledger.expire()
    assert ledger.session().state == SessionState.CLOSED


@pytest.mark.parametrize(("balance", "granted"), [(0, 500), (-20_000, 300), (-49_900, 1)])
def test_grace_gives_a_last_grant_below_zero(balance: int, granted: int):
    ledger = rich(balance, ("graceful",))
    answer = only(ledger.ask(initial(mscc(1, requested=octets(1000)))))
    assert answer.granted == octets(granted) and answer.final_unit is not None


def test_grace_is_not_touched_while_there_is_money():
    ledger = rich(30_000, ("graceful",))
    answer = only(ledger.ask(initial(mscc(1, requested=octets(1000)))))
    assert answer.granted == octets(300)
    again = only(ledger.ask(update(1, mscc(1, requested=octets(1000), used=octets(300)))))
    assert again.granted == octets(500)
    end = ledger.ask(update(2, mscc(1, requested=octets(1000), used=octets(500)))).answer
    assert end.outcome == Outcome.CREDIT_LIMIT_REACHED and ledger.balance == -50_000


def test_grace_is_for_accounts_without_a_credit_limit():
    ledger = rich(-10_000, ("graceful",), credit_limit_micro=10_000)
    assert ledger.ask(initial(mscc(1))).answer.outcome == Outcome.CREDIT_LIMIT_REACHED
