"""Offers bought and renewed in a real store, with their grants: each reference and each period once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocs.balance.client import BalanceClient
from ocs.balance.model import LifecycleState
from ocs.clock import ManualClock
from ocs.events import EventKind
from ocs.subscribers.administration import Administration
from ocs.subscribers.agenda import account_member, subscriber_member
from ocs.subscribers.office import AccountChange
from ocs.subscribers.operations import NewAccount, NewSubscriber, OperationError
from ocs.subscribers.plans import Plans
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.units import Money
from tests.subscribers.books import agenda, audited, balance
from tests.subscribers.prices import at, charged_catalogue


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(at("2027-01-10 12:00"))


@pytest.fixture
def service(client: BalanceClient, clock: ManualClock) -> SubscriberService:
    return SubscriberService(client, charged_catalogue(), clock)


def open_account(service: SubscriberService, micro: int, *offers: str) -> None:
    service.open_account(NewAccount("a", "a", (), offers or ("basic",), Money(micro, "EUR")))


def fees(client: BalanceClient) -> list[int]:
    return [event.amount_micro for event in client.events("a") if event.kind == EventKind.FEE]


def test_offer_is_bought_once_per_reference(service: SubscriberService, client: BalanceClient):
    open_account(service, 50_000_000)
    told: list[AccountChange] = []
    service.office.on_change = lambda _, change: told.append(change)
    plans = Plans(service.office)
    first = plans.buy("a", "a", "monthly", reference="r")
    assert plans.buy("a", "a", "monthly", reference="r").repeated
    assert (first.balance_micro, balance(client, "a")) == (35_000_000, 35_000_000)
    assert told == [AccountChange.OFFERS]
    with pytest.raises(OperationError, match="used for something else"):
        plans.buy("a", "a", "booster", reference="r")
    with pytest.raises(OperationError, match="no subscriber"):
        plans.buy("a", "b", "booster", reference="r2")


def test_purchases_within_one_millisecond_have_events_of_their_own(
    service: SubscriberService, client: BalanceClient
):
    open_account(service, 50_000_000)
    plans = Plans(service.office)
    for reference in ("r1", "r2"):
        plans.buy("a", "a", "booster", reference=reference)
        plans.buy("a", "a", "billed", reference=f"{reference}.billed")
        plans.cancel("a", "a", "billed", reference=f"{reference}.billed")
    events = [event.event_id for event in client.events("a")]
    assert len(set(events)) == len(events)
    audited(client, "a")


def test_offers_are_changed_ordered_and_cancelled_in_the_store(
    service: SubscriberService, client: BalanceClient
):
    open_account(service, 60_000_000)
    plans = Plans(service.office)
    plans.buy("a", "a", "billed", reference="r1")
    plans.change("a", "a", "billed", "monthly", reference="r2")
    plans.order("a", "a", "monthly", "paper", reference="r3")
    plans.cancel("a", "a", "monthly", reference="r4", at_period_end=True)
    subscriber = client.subscriber("a", "a")
    assert subscriber is not None and subscriber.offers == ("basic", "monthly")
    assert agenda(client)[subscriber_member("a", "a")] == at("2027-02-10 00:00")
    plans.cancel("a", "a", "monthly", reference="r5")
    assert subscriber_member("a", "a") not in agenda(client)
    assert fees(client) == [-22_000_000, 21_000_000, -5_000_000, -10_000_000, -1_500_000]
    audited(client, "a")


def test_sweep_renews_each_period_once(service: SubscriberService, client: BalanceClient, clock: ManualClock):
    open_account(service, 60_000_000, "monthly")
    for months in range(1, 4):
        clock.leap_ms(at(f"2027-{1 + months:02d}-10 00:00") - clock.now_ms())
        for _ in range(2):
            Sweeper(service.office).sweep()
        assert len(fees(client)) == 2 + months
    assert balance(client, "a") == 60_000_000 - 5_000_000 - 4 * 10_000_000


def test_sweepers_at_once_renew_once(service: SubscriberService, client: BalanceClient, clock: ManualClock):
    open_account(service, 60_000_000, "monthly")
    clock.leap_ms(at("2027-02-10 00:00") - clock.now_ms())
    together = threading.Barrier(4)

    def sweep(_: int) -> None:
        together.wait(30)
        Sweeper(service.office).sweep()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sweep, range(4)))
    assert len(fees(client)) == 3
    audited(client, "a")


@pytest.mark.parametrize("how", ["top-up", "adjustment", "transfer"])
def test_offer_that_rests_comes_back_as_soon_as_money_comes(
    service: SubscriberService, client: BalanceClient, clock: ManualClock, how: str
):
    open_account(service, 15_000_000, "monthly")
    clock.leap_ms(at("2027-02-10 00:00") - clock.now_ms())
    Sweeper(service.office).sweep()
    resting = client.subscriber("a", "a")
    assert resting is not None and resting.offers == ()
    ten = Money(10_000_000, "EUR")
    match how:
        case "top-up":
            service.top_up("a", ten, reference="t")
        case "adjustment":
            service.adjust("a", ten, reason="goodwill", reference="t")
        case _:
            service.open_account(NewAccount("b", "b", (), ("basic",), ten))
            service.transfer("b", "a", ten, reference="t")
    back = client.subscriber("a", "a")
    assert back is not None and back.offers == ("monthly",)
    assert balance(client, "a") == 0


def test_top_up_does_not_pay_for_the_offer_of_a_barred_member(
    service: SubscriberService, client: BalanceClient, clock: ManualClock
):
    open_account(service, 30_000_000)
    service.add_subscriber(NewSubscriber("a", "child", (), ("monthly",)))
    administration = Administration(service.office)
    administration.set_subscriber_state("a", "child", LifecycleState.SUSPENDED, reference="bar")
    clock.leap_ms(at("2027-02-10 00:00") - clock.now_ms())
    Sweeper(service.office).sweep()
    service.top_up("a", Money(10_000_000, "EUR"), reference="t")
    child = client.subscriber("a", "child")
    assert child is not None and child.offers == ()
    assert balance(client, "a") == 25_000_000
    administration.set_subscriber_state("a", "child", LifecycleState.ACTIVE, reference="unbar")
    child = client.subscriber("a", "child")
    assert child is not None and child.offers == ("monthly",)
    assert balance(client, "a") == 15_000_000
    audited(client, "a")


def test_allowance_for_all_goes_with_the_last_member_that_has_the_offer(
    service: SubscriberService, client: BalanceClient
):
    open_account(service, 30_000_000, "shared")
    for name in ("a-1", "a-2"):
        service.add_subscriber(NewSubscriber("a", name, (), ("shared",)))
    plans = Plans(service.office)
    for name in ("a", "a-2", "a-1"):
        account = client.account("a")
        assert account is not None
        assert "shared.pack" in {bucket.bucket_id for bucket in account.buckets}
        if name == "a-2":
            plans.change("a", name, "shared", "booster", reference=name)
        else:
            plans.cancel("a", name, "shared", reference=name)
    account = audited(client, "a")
    assert "shared.pack" not in {bucket.bucket_id for bucket in account.buckets}


def test_two_who_cancel_at_once_do_not_both_leave_the_allowance_to_the_other(
    service: SubscriberService, client: BalanceClient, monkeypatch: pytest.MonkeyPatch
):
    open_account(service, 30_000_000, "shared")
    service.add_subscriber(NewSubscriber("a", "child", (), ("shared",)))
    plans = Plans(service.office)
    others_have = Plans._others_have
    overtaking: list[str] = ["child"]

    def overtaken(self: Plans, *names: str) -> bool:
        answer = others_have(self, *names)
        if overtaking:
            plans.cancel("a", overtaking.pop(), "shared", reference="child")
        return answer

    monkeypatch.setattr(Plans, "_others_have", overtaken)
    plans.cancel("a", "a", "shared", reference="a")
    account = audited(client, "a")
    assert "shared.pack" not in {bucket.bucket_id for bucket in account.buckets}


def test_unpaid_offer_is_tried_again_by_the_hour_and_not_at_every_look(
    service: SubscriberService, client: BalanceClient, clock: ManualClock
):
    open_account(service, 15_000_000, "monthly")
    clock.leap_ms(at("2027-02-10 00:00") - clock.now_ms())
    sweeper = Sweeper(service.office)
    assert [sweeper.sweep() for _ in range(3)] == [2, 0, 0]  # the allowances of three days expired too
    clock.leap_ms(3_600_000)
    assert [sweeper.sweep() for _ in range(2)] == [1, 0]


def test_top_up_brings_its_bonus(service: SubscriberService, client: BalanceClient):
    open_account(service, 0)
    service.top_up("a", Money(60_000_000, "EUR"), reference="t1")
    service.top_up("a", Money(60_000_000, "EUR"), reference="t2")
    service.top_up("a", Money(60_000_000, "EUR"), reference="t2")
    account = audited(client, "a")
    assert {bucket.bucket_id: bucket.value for bucket in account.buckets} == {
        "main": 120_000_000,
        "bonus.ten-percent": 6_000_000,
        "bonus.ten-percent#2": 6_000_000,
        "bonus.texts": 40,  # for ever, so it goes to what is there
    }
    assert agenda(client) == {account_member("a"): at("2027-02-09 12:00")}  # when the first one expires


def test_top_up_taken_back_takes_its_own_bonus_with_it(service: SubscriberService, client: BalanceClient):
    open_account(service, 0)
    sixty = Money(60_000_000, "EUR")
    for reference in ("t1", "t2"):
        service.top_up("a", sixty, reference=reference)
    service.take_back("a", sixty, top_up="t2", reference="c2")
    assert service.take_back("a", sixty, top_up="t2", reference="c2").repeated
    assert {bucket.bucket_id: bucket.value for bucket in audited(client, "a").buckets} == {
        "main": 60_000_000,
        "bonus.ten-percent": 6_000_000,
        "bonus.ten-percent#2": 0,
        "bonus.texts": 20,
    }


def test_top_up_whose_bonus_is_used_is_not_taken_back(service: SubscriberService, client: BalanceClient):
    open_account(service, 0)
    sixty = Money(60_000_000, "EUR")
    service.top_up("a", sixty, reference="t")
    service.adjust("a", Money(-1, "EUR"), reason="used", reference="u")  # of the bonus, which is drawn first
    service.adjust("a", Money(1, "EUR"), reason="goodwill", reference="g")
    with pytest.raises(OperationError, match="bonus"):
        service.take_back("a", sixty, top_up="t", reference="c")
    assert balance(client, "a") == 66_000_000
