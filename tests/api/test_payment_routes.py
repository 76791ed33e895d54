"""Payments that orders to top up ask for: asked once, confirmed once, credited once."""

import pytest
import structlog

from ocs.api.payments import Payments
from ocs.api.tokens import make_token
from ocs.balance.model import AutoTopUp, LifecycleState
from ocs.balance.notices import NoticeRules
from ocs.clock import ManualClock
from ocs.events import ChargeEvent
from ocs.subscribers.administration import Administration
from ocs.subscribers.auto_top_up import payment_reference
from ocs.subscribers.operations import AccountRules, NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.charged_store import NOW_MS

pytestmark = pytest.mark.bounded(30)


class Backstage:
    """Gives services, as the process does."""

    def __init__(self, balance) -> None:
        rules = AccountRules(notices=NoticeRules(low_balance_micro=1))
        self._service = SubscriberService(balance, lab_catalogue(), ManualClock(NOW_MS), rules=rules)

    def service(self) -> SubscriberService:
        return self._service


@pytest.fixture
def service(balance) -> SubscriberService:
    return Backstage(balance).service()


@pytest.fixture
def payments(balance) -> Payments:
    return Payments(balance, ManualClock(NOW_MS), Backstage(balance))  # type: ignore[arg-type]


@pytest.fixture
def order(service: SubscriberService, balance) -> ChargeEvent:
    """The notice of an account whose money fell below its holder's threshold."""
    service.open_account(NewAccount("A1", "A1", (), ("basic",), Money(6_000_000, "EUR")))
    wanted = AutoTopUp(5_000_000, 20_000_000, "card-1")
    Administration(service.office).set_auto_top_up("A1", wanted, reference="o")
    service.adjust("A1", Money(-2_000_000, "EUR"), reason="use", reference="u")
    return list(balance.events("A1"))[-1]


def body(order: ChargeEvent, state: str) -> dict:
    return {"account_id": "A1", "reference": payment_reference(order), "state": state}


async def balance_of(api) -> str:
    return (await api.get("/api/v1/accounts/A1")).json()["balance"]["amount"]


async def test_order_asks_for_a_payment_and_credits_nothing_yet(api, payments, order):
    for _ in range(2):
        payments.carry_out(order)
    query = {"account_id": "A1", "reference": payment_reference(order)}
    shown = (await api.get("/api/v1/payments", params=query)).json()
    assert (shown["amount"]["amount"], shown["method"], shown["state"], shown["settled"]) == (
        "20.00", "card-1", "asked", None,
    )  # fmt: skip
    assert await balance_of(api) == "4.00"


async def test_payment_is_credited_once_however_often_it_is_confirmed(api, payments, order):
    payments.carry_out(order)
    for _ in range(3):
        response = await api.post("/api/v1/payments", json=body(order, "paid"))
        assert (response.status_code, response.json()["state"]) == (200, "paid")
        payments.carry_out(order)  # the notice is read again
        assert await balance_of(api) == "24.00"
    assert (await api.post("/api/v1/payments", json=body(order, "refused"))).status_code == 409


async def test_refused_payment_credits_nothing_and_stays_refused(api, payments, order):
    payments.carry_out(order)
    for _ in range(2):
        response = await api.post("/api/v1/payments", json=body(order, "refused"))
        assert (response.status_code, response.json()["state"]) == (200, "refused")
    assert (await api.post("/api/v1/payments", json=body(order, "paid"))).status_code == 409
    payments.carry_out(order)
    assert await balance_of(api) == "4.00"


async def test_payment_that_nobody_asked_for_is_refused(api, order):
    assert (await api.post("/api/v1/payments", json=body(order, "paid"))).status_code == 409
    assert (await api.get("/api/v1/payments?account_id=A1&reference=x")).status_code == 409
    assert await balance_of(api) == "4.00"


def test_other_events_ask_for_no_payment(payments, balance, order):
    before = balance.connection.dbsize()
    for event in list(balance.events("A1"))[:-1]:
        payments.carry_out(event)
    assert balance.connection.dbsize() == before
    payments.carry_out(order)
    assert balance.connection.dbsize() == before + 1


async def test_money_of_an_account_that_was_closed_meanwhile_is_told_of(api, payments, order, service):
    payments.carry_out(order)
    Administration(service.office).set_account_state("A1", LifecycleState.CLOSED, reference="c")
    response = await api.post("/api/v1/payments", json=body(order, "paid"))
    assert (response.status_code, "closed" in response.json()["detail"]) == (409, True)
    with structlog.testing.capture_logs() as lines:
        payments.carry_out(order)
    assert [line["event"] for line in lines] == ["auto_top_up_refused"]


async def test_payment_is_settled_by_who_may_top_up(api, tokens):
    made, text = make_token("shop", ("balance:read", "balance:adjust", "account:write"), now_ms=0)
    tokens.add(made)
    response = await api.post("/api/v1/payments", json={}, headers={"Authorization": f"Bearer {text}"})
    assert response.status_code == 403
