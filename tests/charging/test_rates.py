"""Which rate a service gets: of the subscriber's offers, in the account's currency, or of the grant it holds."""

from ocs.balance.model import SessionService
from ocs.charging.decision import State
from ocs.charging.rates import RateFinder
from ocs.charging.tariffs import Tariffs
from ocs.charging.usage import counts_nothing
from ocs.messages import NO_CONTEXT, Service, ServiceUnit
from ocs.units import Money
from tests.support.catalogue import dearer_catalogue, lab_catalogue
from tests.support.ledger import MORNING_S, Ledger, money
from tests.support.requests import mscc, octets

EUROS = ServiceUnit(money=Money(5, "EUR"))


def finder(*, currency: str = "EUR", without_subscriber: bool = False) -> RateFinder:
    ledger = Ledger(money(0))
    ledger.change_account(currency=currency)
    subscriber = None if without_subscriber else ledger.subscriber
    tariffs = Tariffs(dearer_catalogue(), (lab_catalogue(),))
    state = State(ledger.account, subscriber, None)
    return RateFinder(state, tariffs, Service.DATA, NO_CONTEXT, MORNING_S)


def test_new_rate_is_of_the_catalogue_in_force_and_a_held_one_of_its_own():
    rates = finder()
    rate = rates.at(mscc(1), octets(1), MORNING_S)
    assert rate is not None and rate.price_micro == 3000
    held = rates.held(SessionService(1, (), lab_catalogue().version, rate.path))
    assert held is not None and held.price_micro == 2000


def test_service_without_a_grant_holds_no_rate_and_crosses_no_switch():
    service = SessionService(1, (), "", "")
    assert finder().held(service) is None and finder().after_switch(service) is None


def test_rate_after_a_switch_is_of_the_same_catalogue_as_the_grant():
    after = finder().after_switch(
        SessionService(70, (), lab_catalogue().version, "basic/by-day", after_path="basic/by-night@night")
    )
    assert after is not None and after.catalogue_version == lab_catalogue().version


def test_money_is_its_own_rate_in_the_accounts_currency_only():
    rate = finder().at(mscc(1), EUROS, MORNING_S)
    assert rate is not None and (rate.price_micro, rate.currency) == (1, "EUR")
    assert finder(currency="USD").at(mscc(1), EUROS, MORNING_S) is None
    dollars = finder(currency="USD").at(mscc(1), ServiceUnit(money=Money(5, "USD")), MORNING_S)
    assert dollars is not None and dollars.currency == "USD"


def test_price_in_another_currency_than_the_accounts_is_none():
    assert finder(currency="USD").at(mscc(1), octets(1), MORNING_S) is None


def test_whoever_has_no_offer_has_no_rate():
    assert finder(without_subscriber=True).at(mscc(1), octets(1), MORNING_S) is None


def test_unit_that_counts_something_names_not_only_money():
    assert counts_nothing(EUROS)
    assert not counts_nothing(ServiceUnit(time_s=1, money=Money(5, "EUR")))
