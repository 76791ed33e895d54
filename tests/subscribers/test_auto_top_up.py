"""An order to top up is paid and credited once, however often its event is read."""

import msgspec

from ocs.balance.client import BalanceClient
from ocs.balance.model import AutoTopUp, LifecycleState
from ocs.balance.notices import NoticeRules
from ocs.events import ChargeEvent
from ocs.subscribers.administration import Administration
from ocs.subscribers.auto_top_up import AutoTopUps
from ocs.subscribers.operations import AccountRules, NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.subscribers.books import balance


class Till:
    """Takes payments once per reference, or refuses them."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.taken: dict[str, tuple[str, Money, str]] = {}
        self._is_open = is_open

    def pay(self, account_id: str, amount: Money, *, method: str, reference: str) -> bool:
        if self._is_open:
            self.taken[reference] = account_id, amount, method
        return self._is_open


def low_account(service: SubscriberService, client: BalanceClient) -> list[ChargeEvent]:
    """An account whose money has fallen below its holder's threshold, and its events."""
    service.office.rules = AccountRules(notices=NoticeRules(low_balance_micro=1))
    service.open_account(NewAccount("a", "a", (), ("basic",), Money(6_000_000, "EUR")))
    order = AutoTopUp(5_000_000, 20_000_000, "card-1")
    Administration(service.office).set_auto_top_up("a", order, reference="o")
    service.adjust("a", Money(-2_000_000, "EUR"), reason="use", reference="u")
    return list(client.events("a"))


def test_order_is_paid_and_credited_once(service: SubscriberService, client: BalanceClient):
    events = low_account(service, client)
    till = Till()
    desk = AutoTopUps(service, till)
    receipts = [desk.handle(event) for event in (*events, *events)]
    assert [receipt.repeated for receipt in receipts if receipt] == [False, True]
    assert list(till.taken.values()) == [("a", Money(20_000_000, "EUR"), "card-1")]
    assert balance(client, "a") == 24_000_000


def test_refused_payment_credits_nothing(service: SubscriberService, client: BalanceClient):
    events = low_account(service, client)
    desk = AutoTopUps(service, Till(is_open=False))
    assert [desk.handle(event) for event in events] == [None] * len(events)
    assert balance(client, "a") == 4_000_000


def test_paid_money_that_the_account_refuses_is_parked_there(
    service: SubscriberService, client: BalanceClient
):
    events = low_account(service, client)
    Administration(service.office).set_account_state("a", LifecycleState.CLOSED, reference="c")
    receipt = AutoTopUps(service, Till()).handle(events[-1])
    assert receipt is not None and receipt.parked == "account a is closed"
    assert balance(client, "a") == 24_000_000


def test_reference_is_short_however_long_the_event_s_id_is(service: SubscriberService, client: BalanceClient):
    event = low_account(service, client)[-1]
    till = Till()
    AutoTopUps(service, till).handle(msgspec.structs.replace(event, event_id="x" * 600))
    assert all(len(reference) <= 64 for reference in till.taken)
