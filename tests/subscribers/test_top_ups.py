"""Money paid in: credited once, parked where the account refuses it, and never lost on the way."""

import pytest

from ocs.balance import keys
from ocs.balance.client import BalanceClient, Change
from ocs.balance.model import LifecycleState
from ocs.balance.purse import Purse
from ocs.clock import ManualClock
from ocs.events import EventKind
from ocs.subscribers.adjustments import amount_set_aside
from ocs.subscribers.administration import Administration
from ocs.subscribers.agenda import UNDER_WAY_MS, payment_member
from ocs.subscribers.operations import NewAccount, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.subscribers.top_ups import TopUps
from ocs.units import Money
from tests.subscribers.books import agenda, audited, balance
from tests.subscribers.conftest import NOW_MS

TEN = Money(10_000_000, "EUR")


@pytest.fixture
def top_ups(service: SubscriberService) -> TopUps:
    service.open_account(NewAccount("a", "a", (), ("basic",), Money(1_000_000, "EUR")))
    return TopUps(service.office)


def note_payment(client: BalanceClient, reference: str) -> None:
    """What whoever takes payments commits when it is paid."""
    key = keys.payment_key(client.partition_of("a"), "a", reference)
    line: dict[str, int | None] = {payment_member("a", reference, TEN): NOW_MS + UNDER_WAY_MS}
    client.change("a", (key,), lambda _: Change({}, agenda=line))


def test_payment_is_credited_once_and_its_line_goes_in_the_same_commit(
    top_ups: TopUps, client: BalanceClient
):
    note_payment(client, "p")
    assert [top_ups.take_payment("a", TEN, reference="p").repeated for _ in range(2)] == [False, True]
    assert balance(client, "a") == 11_000_000
    assert agenda(client) == {}


@pytest.mark.parametrize("was_credited", [False, True])
def test_payment_that_a_crash_cut_off_is_credited_once_by_the_sweep(
    top_ups: TopUps, client: BalanceClient, clock: ManualClock, was_credited: bool
):
    if was_credited:
        top_ups.take_payment("a", TEN, reference="p")
    note_payment(client, "p")
    Sweeper(top_ups._office).sweep()  # it may still be under way
    assert balance(client, "a") == (11_000_000 if was_credited else 1_000_000)
    clock.advance_ms(UNDER_WAY_MS)
    for _ in range(2):
        Sweeper(top_ups._office).sweep()
    assert balance(client, "a") == 11_000_000
    assert agenda(client) == {}


def test_payment_to_a_closed_account_is_parked_by_the_sweep_too(
    top_ups: TopUps, client: BalanceClient, clock: ManualClock
):
    Administration(top_ups._office).set_account_state("a", LifecycleState.CLOSED, reference="c")
    note_payment(client, "p")
    clock.advance_ms(UNDER_WAY_MS)
    Sweeper(top_ups._office).sweep()
    account = audited(client, "a")
    assert amount_set_aside(account, "payment:p") == TEN.micro
    assert Purse(account, NOW_MS).available_money() == 1_000_000
    event = list(client.events("a"))[-1]
    assert (event.kind, event.reason) == (EventKind.TOP_UP, "parked: account a is closed")
    assert agenda(client) == {}


def test_payment_of_nobody_stays_on_the_agenda_and_holds_up_no_other(
    top_ups: TopUps, client: BalanceClient, clock: ManualClock
):
    note_payment(client, "p")
    client.connection.delete(keys.account_key(client.partition_of("a"), "a"))
    clock.advance_ms(UNDER_WAY_MS)
    Sweeper(top_ups._office).sweep()
    assert payment_member("a", "p", TEN) in agenda(client)


def test_parked_money_can_be_used_after_all(
    top_ups: TopUps, client: BalanceClient, service: SubscriberService
):
    Administration(top_ups._office).set_account_state("a", LifecycleState.CLOSED, reference="c")
    parked, again = (top_ups.take_payment("a", TEN, reference="p") for _ in range(2))
    assert (parked.parked, parked.repeated) == ("account a is closed", False)
    assert (again.parked, again.repeated) == ("account a is closed", True)
    service.give_back("a", reservation="payment:p", reference="r")
    assert Purse(audited(client, "a"), NOW_MS).available_money() == 11_000_000


def test_top_up_that_nobody_has_paid_yet_is_refused_where_the_account_takes_none(
    top_ups: TopUps, client: BalanceClient
):
    Administration(top_ups._office).set_account_state("a", LifecycleState.CLOSED, reference="c")
    with pytest.raises(OperationError, match="is closed"):
        top_ups.top_up("a", TEN, reference="t")
    assert balance(client, "a") == 1_000_000


def test_payment_of_nothing_or_without_a_reference_is_refused(top_ups: TopUps):
    for amount, reference in ((Money(0, "EUR"), "p"), (TEN, "")):
        with pytest.raises(OperationError):
            top_ups.take_payment("a", amount, reference=reference)
