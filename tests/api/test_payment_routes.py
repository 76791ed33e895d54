"""Payments that orders to top up ask for: asked once, confirmed once, credited once."""

import pytest
import structlog

from ocs.api.payments import PaymentBody, Payments, PaymentState
from ocs.api.tokens import make_token
from ocs.balance.keys import account_key
from ocs.balance.model import AutoTopUp, LifecycleState
from ocs.balance.notices import NoticeRules
from ocs.balance.purse import Purse, money_balance
from ocs.clock import ManualClock
from ocs.events import ChargeEvent
from ocs.subscribers.adjustments import amount_set_aside
from ocs.subscribers.administration import Administration
from ocs.subscribers.agenda import UNDER_WAY_MS
from ocs.subscribers.auto_top_up import payment_reference
from ocs.subscribers.operations import AccountRules, NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.units import Money
from tests.subscribers.books import audited
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


async def test_payment_to_an_account_that_was_closed_meanwhile_is_parked_there_and_told_once(
    api, payments, order, service, balance
):
    payments.carry_out(order)
    Administration(service.office).set_account_state("A1", LifecycleState.CLOSED, reference="c")
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            response = await api.post("/api/v1/payments", json=body(order, "paid"))
            assert (response.status_code, response.json()["state"]) == (200, "paid")
            assert response.json()["parked"] == "account A1 is closed"
        payments.carry_out(order)
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["payment_parked"]
    reservation = f"payment:{payment_reference(order)}"
    query = {"account_id": "A1", "reference": payment_reference(order)}
    assert (await api.get("/api/v1/payments", params=query)).json()["parked"] == "account A1 is closed"
    account = audited(balance, "A1")
    assert amount_set_aside(account, reservation) == 20_000_000
    assert Purse(account, NOW_MS).available_money() == 4_000_000
    service.take_set_aside("A1", Money(20_000_000, "EUR"), reservation=reservation, reference="paid-back")
    assert money_balance(audited(balance, "A1")) == 4_000_000


async def test_payment_that_a_crash_kept_from_its_account_is_credited_by_the_sweep(
    api, payments, order, service, balance, monkeypatch
):
    payments.carry_out(order)
    with monkeypatch.context() as patched:
        patched.setattr(SubscriberService, "take_payment", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            payments.settle(PaymentBody(**body(order, "paid")))
    service.office.clock.advance_ms(UNDER_WAY_MS)
    Sweeper(service.office).sweep()
    assert await balance_of(api) == "24.00"
    response = await api.post("/api/v1/payments", json=body(order, "paid"))
    assert (response.status_code, await balance_of(api)) == (200, "24.00")


async def test_order_of_an_account_that_is_no_more_is_told_of(payments, order, balance):
    payments.pay("A1", Money(20_000_000, "EUR"), method="card-1", reference=payment_reference(order))
    payments._changed("A1", payment_reference(order), None, PaymentState.PAID)
    balance.connection.delete(account_key(balance.partition_of("A1"), "A1"))
    with structlog.testing.capture_logs() as lines:
        payments.carry_out(order)
    assert [line["event"] for line in lines] == ["auto_top_up_refused"]


async def test_payment_is_settled_by_who_may_top_up(api, tokens):
    made, text = make_token("shop", ("balance:read", "balance:adjust", "account:write"), now_ms=0)
    tokens.add(made)
    response = await api.post("/api/v1/payments", json={}, headers={"Authorization": f"Bearer {text}"})
    assert response.status_code == 403
