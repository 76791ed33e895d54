"""Offers over months: set the date, move it on, list the exact events."""

import msgspec
import pytest

from ocs import limits
from ocs.balance.model import Account, Bucket, Hold, LifecycleState, Subscriber, SubscriptionState
from ocs.balance.purse import Purse, check_invariants, money_balance
from ocs.events import ChargeEvent, EventKind
from ocs.subscribers.agenda import subscriber_due_ms
from ocs.subscribers.openings import add_subscriber, open_account
from ocs.subscribers.operations import NO_RULES, NewAccount, NewSubscriber, OperationError, top_up
from ocs.subscribers.subscriptions import RETRY_MS, Plan
from ocs.units import Money, UnitType
from tests.subscribers.prices import CHARGED, at, charged_catalogue
from tests.support.catalogue import HEADER, OFFERS, catalogue_from


class Story:
    """One subscriber's account as the months go by."""

    def __init__(self, opening: str, micro: int, *offers: str) -> None:
        new = NewAccount("a", "a", (), offers or ("basic",), Money(micro, "EUR"))
        opened = open_account(new, charged_catalogue(), at(opening))
        self.account: Account = opened.account
        self.subscriber: Subscriber = opened.subscriber
        self.opening: tuple[ChargeEvent, ...] = opened.events
        self.now_ms = at(opening)

    def plan(self, now: str) -> Plan:
        self.now_ms = at(now)
        return Plan(self.account, self.subscriber, charged_catalogue(), self.now_ms, NO_RULES)

    def take(self, plan: Plan) -> list[str]:
        """Carry a plan out, and say what happened."""
        done = plan.done()
        check_invariants(done.account)
        assert [e.sequence for e in done.events] == list(
            range(self.account.sequence + 1, done.account.sequence + 1)
        )
        self.account = done.account
        if done.subscriber is not None:
            self.subscriber = done.subscriber
        return [said(event) for event in done.events]

    def buy(self, now: str, offer: str) -> list[str]:
        plan = self.plan(now)
        plan.buy(offer)
        return self.take(plan)

    def renew(self, now: str, *, has_money: bool = False) -> list[str]:
        plan = self.plan(now)
        plan.renew(has_money=has_money)
        return self.take(plan)

    def pay_in(self, micro: int) -> None:
        self.account = top_up(
            self.account, Money(micro, "EUR"), reference=str(self.now_ms), now_ms=self.now_ms
        ).account

    def due(self) -> int | None:
        return subscriber_due_ms(self.subscriber)

    def buckets(self) -> dict[str, int]:
        return {b.bucket_id: b.value for b in self.account.buckets if b.bucket_id != "main"}


def said(event: ChargeEvent) -> str:
    """An event in a few words."""
    if event.notice is not None:
        return event.notice.subject
    moved = " ".join(f"{m.bucket_id}{m.amount:+}" for m in event.movements)
    return f"{event.kind.name.lower()} {event.reason} {moved}".replace("  ", " ")


def test_offer_bought_charges_and_grants_at_once():
    story = Story("2027-01-31 12:00", 20_000_000)
    assert story.buy("2027-01-31 12:00", "monthly") == [
        "fee setup main-5000000",
        "fee month main-10000000",
        "allowance monthly.pack+1000 monthly.texts+5",
        "monthly bought",
    ]
    assert story.subscriber.offers == ("basic", "monthly")
    assert story.due() == at("2027-02-28 00:00")
    texts = next(b for b in story.account.buckets if b.bucket_id == "monthly.texts")
    assert (texts.initial, texts.valid_until_ms) == (5, at("2027-02-03 12:00"))


def test_month_is_charged_at_month_ends_each_once():
    story = Story("2027-01-31 12:00", 100_000_000)
    story.buy("2027-01-31 12:00", "monthly")
    assert story.renew("2027-02-27 23:59") == []
    assert story.renew("2027-02-28 00:00") == [
        "fee month main-10000000",
        "allowance monthly.pack#2+1000",
    ]
    assert story.renew("2027-02-28 00:01") == []
    assert story.due() == at("2027-03-31 00:00")
    story.renew("2027-03-31 00:00")
    assert story.due() == at("2027-04-30 00:00")
    assert money_balance(story.account) == 100_000_000 - 5_000_000 - 3 * 10_000_000


def test_every_charge_of_a_year_has_an_id_of_its_own():
    story = Story("2027-01-31 12:00", 200_000_000)
    story.buy("2027-01-31 12:00", "monthly")
    plan = story.plan("2028-01-31 12:00")  # nobody looked for a year
    plan.renew()
    events = plan.done().events
    fees = [event for event in events if event.kind == EventKind.FEE]
    assert len(fees) == 12
    assert len({event.event_id for event in events}) == len(events)


def test_renewal_repeated_has_the_same_event_ids():
    story = Story("2027-01-31 12:00", 100_000_000)
    story.buy("2027-01-31 12:00", "monthly")
    ids: list[list[str]] = []
    for _ in range(2):
        plan = story.plan("2027-02-28 00:00")
        plan.renew()
        ids.append([event.event_id for event in plan.done().events])
    assert ids[0] == ids[1] and ids[0]


def test_allowance_left_over_is_rolled_over_for_one_period():
    story = Story("2027-01-10 12:00", 100_000_000)
    story.buy("2027-01-10 12:00", "monthly")
    first = next(b for b in story.account.buckets if b.bucket_id == "monthly.pack")
    assert first.valid_until_ms == at("2027-03-10 00:00")
    story.renew("2027-02-10 00:00")
    packs = [b for b in story.account.buckets if b.allowance == "pack"]
    assert [b.bucket_id for b in packs] == ["monthly.pack", "monthly.pack#2"]  # the older is drawn first
    assert packs[1].valid_until_ms == at("2027-04-10 00:00")


def test_offer_that_cannot_be_paid_is_not_bought():
    story = Story("2027-01-31 12:00", 14_999_999)
    with pytest.raises(OperationError, match=r"monthly costs 15\.00, and 14\.999999 is available"):
        story.buy("2027-01-31 12:00", "monthly")
    with pytest.raises(OperationError, match="not in catalogue"):
        story.buy("2027-01-31 12:00", "nothing")


def test_offer_is_held_once_and_a_booster_as_often_as_it_is_paid():
    story = Story("2027-01-31 12:00", 50_000_000)
    story.buy("2027-01-31 12:00", "monthly")
    with pytest.raises(OperationError, match="has monthly already"):
        story.buy("2027-01-31 13:00", "monthly")
    for hour in (14, 15):
        story.buy(f"2027-01-31 {hour}:00", "booster")
    assert story.buckets()["booster.pack"] == story.buckets()["booster.pack#2"] == 500
    assert story.subscriber.offers.count("booster") == 1
    assert story.renew("2027-02-01 00:00") == []


def test_unpaid_offer_rests_and_comes_back_with_the_money():
    story = Story("2027-01-10 12:00", 15_000_000)
    story.buy("2027-01-10 12:00", "monthly")
    assert story.renew("2027-02-10 00:00") == ["monthly rests: it could not be paid"]
    assert story.subscriber.offers == ("basic",)
    assert story.due() == at("2027-02-10 00:00") + RETRY_MS
    assert story.renew("2027-02-10 01:00") == []  # told once
    story.now_ms = at("2027-02-20 09:00")
    story.pay_in(10_000_000)
    assert story.renew("2027-02-20 09:00", has_money=True) == [
        "fee month main-10000000",
        "allowance monthly.pack#2+1000",
        "monthly resumed",
    ]
    assert story.subscriber.offers == ("basic", "monthly")
    assert story.due() == at("2027-03-20 00:00")  # what it rested is not charged; its month begins today


def test_grace_lets_an_unpaid_offer_go_on_and_charges_its_own_day():
    story = Story("2027-01-10 12:00", 1_000_000)
    story.buy("2027-01-10 12:00", "graceful")
    assert story.renew("2027-01-11 00:00") == []
    assert "graceful" in story.subscriber.offers
    assert story.due() == at("2027-01-11 01:00")  # tried again by the hour
    story.pay_in(1_000_000)
    assert story.renew("2027-01-11 05:00", has_money=True) == ["fee day main-1000000"]
    assert story.due() == at("2027-01-12 00:00")
    assert story.renew("2027-01-12 00:00") == []
    assert story.renew("2027-01-14 00:00") == ["graceful rests: it could not be paid"]


def test_new_subscriber_without_money_has_the_offer_when_it_is_paid():
    story = Story("2027-01-10 12:00", 0, "basic", "monthly")
    assert [said(event) for event in story.opening] == [
        "opening main+0",
        "monthly rests: it could not be paid",
    ]
    assert story.subscriber.offers == ("basic",)
    story.pay_in(15_000_000)
    assert story.renew("2027-01-10 12:00", has_money=True) == [
        "fee setup main-5000000",
        "fee month main-10000000",
        "allowance monthly.pack+1000 monthly.texts+5",
        "monthly resumed",
    ]
    assert story.subscriber.subscriptions[0].state is SubscriptionState.ACTIVE


def test_new_subscriber_with_money_pays_at_the_opening():
    story = Story("2027-01-10 12:00", 15_000_000, "monthly")
    assert [e.kind for e in story.opening] == [
        EventKind.OPENING,
        EventKind.FEE,
        EventKind.FEE,
        EventKind.ALLOWANCE,
    ]
    assert money_balance(story.account) == 0


def test_prorated_charge_costs_its_days_and_comes_back_for_those_that_are_left():
    story = Story("2027-01-22 12:00", 100_000_000)
    assert story.buy("2027-01-22 12:00", "billed")[0] == "fee month main-10000000"  # 10 of 31 days
    assert story.due() == at("2027-02-01 00:00")
    plan = story.plan("2027-01-25 09:00")
    plan.cancel("billed")
    assert story.take(plan) == [
        "fee month main+6000000",  # 26 to 31 January; the 25th is used
        "allowance billed.pack-3100",
        "billed cancelled",
    ]
    assert (story.subscriber.offers, story.due()) == (("basic",), None)


def test_what_is_used_of_an_allowance_does_not_come_back_as_money():
    story = Story("2027-01-22 12:00", 100_000_000)
    story.buy("2027-01-22 12:00", "billed")
    purse = Purse(story.account, story.now_ms)
    purse.debit((Hold("billed.pack", 2325),))
    purse.reserve((Hold("billed.pack", 465),))
    story.account = purse.account()
    plan = story.plan("2027-01-25 09:00")
    plan.cancel("billed")
    assert story.take(plan)[:2] == [
        "fee month main+600000",  # a tenth of what the days left cost: neither used nor held by a session
        "allowance billed.pack-310",
    ]


def test_offer_bought_again_comes_back_like_the_first_time():
    story = Story("2027-01-22 12:00", 100_000_000)
    for _ in range(2):
        story.buy("2027-01-22 12:00", "billed")
        plan = story.plan("2027-01-25 09:00")
        plan.cancel("billed")
        assert story.take(plan)[0] == "fee month main+6000000"
        assert story.buckets() == {}


def test_nothing_comes_back_of_an_offer_whose_allowance_is_used_up():
    story = Story("2027-01-22 12:00", 100_000_000)
    story.buy("2027-01-22 12:00", "billed")
    purse = Purse(story.account, story.now_ms)
    purse.debit((Hold("billed.pack", 3100),))
    story.account = purse.account()
    plan = story.plan("2027-01-22 13:00")
    plan.cancel("billed")
    assert story.take(plan) == ["billed cancelled"]


def test_offer_cancelled_at_the_period_s_end_is_not_charged_again():
    story = Story("2027-01-10 12:00", 100_000_000)
    story.buy("2027-01-10 12:00", "monthly")
    plan = story.plan("2027-01-20 12:00")
    plan.cancel("monthly", at_period_end=True)
    assert story.take(plan) == ["monthly ends with its period"]
    assert "monthly" in story.subscriber.offers
    assert story.renew("2027-02-10 00:00") == ["monthly ended"]
    assert story.subscriber.offers == ("basic",)
    with pytest.raises(OperationError, match="has no offer"):
        story.plan("2027-02-10 00:00").cancel("monthly")


def test_offer_with_an_end_renews_until_then():
    story = Story("2027-01-10 12:00", 100_000_000)
    plan = story.plan("2027-01-10 12:00")
    plan.buy("graceful", until_ms=at("2027-01-12 12:00"))
    story.take(plan)
    assert story.renew("2027-01-20 00:00") == [
        "fee day main-1000000",
        "fee day main-1000000",
        "graceful ended",
    ]


@pytest.mark.parametrize("until_ms", [-1, at("2027-01-10 12:00")])
def test_offer_whose_end_is_past_is_neither_bought_nor_charged(until_ms: int):
    story = Story("2027-01-10 12:00", 100_000_000)
    plan = story.plan("2027-01-10 12:00")
    with pytest.raises(OperationError, match="before it begins"):
        plan.buy("graceful", until_ms=until_ms)
    assert story.take(plan) == []


def test_offer_changed_is_cancelled_and_bought_in_one_step():
    story = Story("2027-01-22 12:00", 20_000_000)
    story.buy("2027-01-22 12:00", "billed")
    plan = story.plan("2027-01-25 12:00")
    plan.cancel("billed")
    plan.buy("monthly")
    told = story.take(plan)
    assert told[0] == "fee month main+6000000" and told[-1] == "monthly bought"
    assert story.subscriber.offers == ("basic", "monthly")


def test_one_off_charge_is_taken_when_it_is_ordered():
    story = Story("2027-01-10 12:00", 16_500_000)
    story.buy("2027-01-10 12:00", "monthly")
    plan = story.plan("2027-01-11 12:00")
    plan.order("monthly", "paper", "r1")
    assert story.take(plan) == ["fee paper main-1500000"]
    with pytest.raises(OperationError, match="more than is available"):
        story.plan("2027-01-11 12:00").order("monthly", "paper", "r2")
    with pytest.raises(OperationError, match="cannot order 'month'"):
        story.plan("2027-01-11 12:00").order("monthly", "month", "r2")


def test_allowance_for_all_is_granted_once_for_several_subscribers():
    story = Story("2027-01-10 12:00", 10_000_000, "family")
    new = NewSubscriber("a", "a-2", (), ("family", "booster"))
    opened = add_subscriber(story.account, new, charged_catalogue(), story.now_ms)
    assert {b.bucket_id: b.value for b in opened.account.buckets if b.bucket_id != "main"} == {
        "family.pack": 700,
        "a-2.booster.pack": 500,
    }
    assert opened.subscriber.offers == ("family", "booster")


def test_allowance_for_all_stays_when_one_of_several_cancels():
    story = Story("2027-01-15 12:00", 50_000_000, "shared")
    child = add_subscriber(
        story.account,
        NewSubscriber("a", "child", (), ("shared",)),
        charged_catalogue(),
        at("2027-01-15 12:00"),
    )
    story.account = child.account
    plan = Plan(story.account, child.subscriber, charged_catalogue(), at("2027-01-20 12:00"), NO_RULES)
    plan.cancel("shared", others_have_it=True)
    events = story.take(plan)
    assert story.buckets() == {"shared.pack": 310}
    assert [event.split()[0] for event in events] == ["fee", "shared"]
    story.subscriber = msgspec.structs.replace(child.subscriber, subscriber_id="a")
    plan = story.plan("2027-01-20 12:00")
    plan.cancel("shared")
    story.take(plan)
    assert story.buckets() == {}


def test_member_that_cancels_leaves_the_holder_his_own_allowance():
    story = Story("2027-01-15 12:00", 100_000_000, "billed")
    child = add_subscriber(
        story.account,
        NewSubscriber("a", "child", (), ("billed",)),
        charged_catalogue(),
        at("2027-01-15 12:00"),
    )
    story.account = child.account
    plan = Plan(story.account, child.subscriber, charged_catalogue(), at("2027-01-15 12:00"), NO_RULES)
    plan.cancel("billed")
    story.take(plan)
    assert story.buckets() == {"billed.pack": 3100}


def test_part_of_a_charge_that_a_bonus_paid_comes_back_as_that_bonus():
    story = Story("2027-01-01 12:00", 100_000_000)
    purse = Purse(story.account, story.now_ms)
    until_ms = at("2027-01-20 00:00")
    purse.add_bucket(Bucket("gift", UnitType.MONEY, 30_000_000, priority=500, valid_until_ms=until_ms))
    story.account = purse.account()
    story.buy("2027-01-01 12:00", "billed")
    assert story.buckets()["gift"] == 0
    plan = story.plan("2027-01-10 12:00")
    plan.cancel("billed")
    back = next(event for event in plan.done().events if event.event_id.startswith("refund:"))
    assert [(m.bucket_id, m.amount) for m in back.movements] == [("gift", 20_000_000), ("main", 1_000_000)]
    late = story.plan("2027-01-25 12:00")
    late.cancel("billed")
    assert story.take(late)[:2] == [
        "fee month gift+5000000 main+1000000", "expiry gift-5000000",
    ]  # fmt: skip


def test_nothing_comes_back_of_a_period_that_is_not_paid_yet():
    story = Story("2027-01-01 12:00", 40_000_000)
    story.buy("2027-01-01 12:00", "graced")
    story.renew("2027-02-01 00:00")
    assert story.subscriber.offers == ("basic", "graced")  # it has its grace
    paid = money_balance(story.account)
    plan = story.plan("2027-02-05 12:00")
    plan.cancel("graced")
    assert story.take(plan) == ["graced cancelled"]
    assert money_balance(story.account) == paid


@pytest.mark.parametrize("price", ["31", "62", "15.50"])
def test_what_comes_back_is_a_part_of_what_was_paid_whatever_the_price_is_by_now(price: str):
    story = Story("2027-01-01 12:00", 100_000_000)
    story.buy("2027-01-01 12:00", "billed")
    changed = catalogue_from(HEADER + OFFERS + CHARGED.replace('amount = "31"', f'amount = "{price}"'))
    plan = Plan(story.account, story.subscriber, changed, at("2027-01-10 12:00"), NO_RULES)
    plan.cancel("billed")
    refund = next(event for event in plan.done().events if event.event_id.startswith("refund:"))
    assert refund.amount_micro == 21_000_000


@pytest.mark.parametrize("state", [LifecycleState.SUSPENDED, LifecycleState.EXPIRED])
@pytest.mark.parametrize("who", ["account", "subscriber"])
def test_offer_of_who_is_barred_rests_and_is_not_charged_though_there_is_money(
    who: str, state: LifecycleState
):
    story = Story("2027-01-31 12:00", 100_000_000)
    story.buy("2027-01-31 12:00", "monthly")
    let_in = getattr(story, who)
    setattr(story, who, msgspec.structs.replace(let_in, state=state))
    paid = money_balance(story.account)
    assert story.renew("2027-02-28 00:00") == ["monthly rests: its subscriber is barred"]
    assert story.due() == at("2027-03-01 00:00")
    story.pay_in(5_000_000)
    setattr(
        story, who, msgspec.structs.replace(getattr(story, who), state=state)
    )  # a top-up revives the expired
    assert story.renew("2027-03-10 00:00", has_money=True) == []
    assert money_balance(story.account) == paid + 5_000_000
    setattr(story, who, msgspec.structs.replace(getattr(story, who), state=LifecycleState.ACTIVE))
    assert story.renew("2027-03-11 00:00", has_money=True) == [
        "fee month main-10000000",
        "allowance monthly.pack#2+1000",
        "monthly resumed",
    ]


def test_who_is_barred_one_way_pays_on():
    story = Story("2027-01-31 12:00", 100_000_000)
    story.buy("2027-01-31 12:00", "monthly")
    story.subscriber = msgspec.structs.replace(story.subscriber, state=LifecycleState.ONE_WAY_BARRED)
    assert story.renew("2027-02-28 00:00")[0] == "fee month main-10000000"


def test_offer_gone_from_the_catalogue_ends_with_its_period():
    story = Story("2027-01-10 12:00", 100_000_000)
    story.buy("2027-01-10 12:00", "monthly")
    gone = msgspec.structs.replace(story.subscriber.subscriptions[0], offer_id="withdrawn")
    story.subscriber = msgspec.structs.replace(
        story.subscriber, offers=("basic", "withdrawn"), subscriptions=(gone,)
    )
    assert story.renew("2027-02-10 00:00") == ["withdrawn ended"]


def test_nothing_due_changes_nothing():
    story = Story("2027-01-10 12:00", 100_000_000, "monthly")
    plan = story.plan("2027-01-11 12:00")
    plan.renew()
    done = plan.done()
    assert done.account is story.account and done.subscriber is story.subscriber and not done.events


def test_offer_without_room_for_its_allowances_is_neither_bought_nor_charged(monkeypatch: pytest.MonkeyPatch):
    story = Story("2027-01-10 12:00", 100_000_000)
    story.buy("2027-01-10 12:00", "monthly")
    monkeypatch.setattr(limits, "BUCKETS_PER_ACCOUNT_MAX", len(story.account.buckets))
    with pytest.raises(OperationError, match="more than 3 buckets"):
        story.buy("2027-01-11 12:00", "booster")
    assert story.renew("2027-02-10 00:00") == ["monthly rests: it could not be paid"]
    assert money_balance(story.account) == 85_000_000
