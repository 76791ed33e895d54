"""Members of one account who buy, change and cancel at any time: nobody comes out with more than he put in."""

from collections import defaultdict

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ocs.balance.lifecycle import DAY_MS
from ocs.balance.model import Account, Bucket, LifecycleState, Subscriber
from ocs.balance.purse import Purse, check_invariants
from ocs.events import ChargeEvent, EventKind
from ocs.subscribers.openings import add_subscriber, open_account
from ocs.subscribers.operations import NO_RULES, Done, NewAccount, NewSubscriber, OperationError
from ocs.subscribers.subscriptions import Plan
from ocs.units import Money, UnitType
from tests.subscribers.prices import at, charged_catalogue

BEGIN_MS = at("2027-01-10 12:00")
OFFERS = ("monthly", "billed", "graced", "family", "shared", "booster")
MEMBERS = ("a", "child")
PAID_IN = 120_000_000
GIFT = 40_000_000

steps = st.lists(
    st.tuples(
        st.sampled_from(("buy", "buy", "cancel", "cancel", "end", "change", "renew", "bar", "let in", "use")),
        st.sampled_from(MEMBERS),
        st.sampled_from(OFFERS),
        st.sampled_from(OFFERS),
        st.sampled_from((0, 1, 3_600_000, DAY_MS, 9 * DAY_MS, 31 * DAY_MS)),
    ),
    min_size=3,
    max_size=15,
)


class Household:
    """An account with money that lasts and a gift that does not, and two members."""

    def __init__(self) -> None:
        new = NewAccount("a", "a", (), (), Money(PAID_IN, "EUR"))
        opened = open_account(new, charged_catalogue(), BEGIN_MS)
        child = add_subscriber(
            opened.account, NewSubscriber("a", "child", (), ()), charged_catalogue(), BEGIN_MS
        )
        purse = Purse(child.account, BEGIN_MS)
        until_ms = BEGIN_MS + 40 * DAY_MS
        purse.add_bucket(Bucket("gift", UnitType.MONEY, GIFT, priority=500, valid_until_ms=until_ms))
        self.account: Account = purse.account()
        self.members: dict[str, Subscriber] = {"a": opened.subscriber, "child": child.subscriber}
        self.now_ms = BEGIN_MS
        self.events: list[ChargeEvent] = []
        self.number = 0

    def take(self, step: str, name: str, offer_id: str, other_id: str) -> None:
        self.number += 1
        if step in {"bar", "let in"}:
            state = LifecycleState.SUSPENDED if step == "bar" else LifecycleState.ACTIVE
            self.members[name] = msgspec.structs.replace(self.members[name], state=state)
            return
        if step == "use":
            self.use()
            return
        if step in {"cancel", "end", "change"} and (held := self.members[name].offers):
            offer_id = held[OFFERS.index(offer_id) % len(held)]
        order = "" if step == "renew" else f"o{self.number}"
        plan = Plan(self.account, self.members[name], charged_catalogue(), self.now_ms, NO_RULES, order)
        others_have_it = any(
            offer_id in each.offers for each in self.members.values() if each is not self.members[name]
        )
        try:
            match step:
                case "buy":
                    plan.buy(offer_id)
                case "cancel":
                    plan.cancel(offer_id, others_have_it=others_have_it)
                case "end":
                    plan.cancel(offer_id, at_period_end=True, others_have_it=others_have_it)
                case "change":
                    plan.cancel(offer_id, others_have_it=others_have_it)
                    plan.buy(other_id)
                case _:
                    plan.renew(has_money=True)
        except OperationError:
            return
        self.keep(name, plan.done())

    def use(self) -> None:
        """Somebody uses half of each allowance."""
        purse = Purse(self.account, self.now_ms)
        for bucket in purse.buckets:
            if bucket.unit_type is not UnitType.MONEY and bucket.value > 1:
                purse.debit(purse.plan_units(bucket.unit_type, (bucket.allowance,), bucket.value // 2)[0])
        self.account = purse.account()

    def keep(self, name: str, done: Done) -> None:
        check_invariants(done.account)
        self.account = done.account
        self.members[name] = done.subscriber or self.members[name]
        self.events += done.events


@given(steps)
def test_no_more_comes_back_than_was_paid_and_no_gift_becomes_lasting_money(
    story: list[tuple[str, str, str, str, int]],
):
    household = Household()
    for step, name, offer_id, other_id, later_ms in story:
        household.now_ms += later_ms
        household.take(step, name, offer_id, other_id)
        paid: dict[tuple[str, str], int] = defaultdict(int)
        for event in household.events:
            if event.kind is EventKind.FEE:
                paid[event.subscriber_id, event.event_id.split(":")[1]] -= event.amount_micro
        assert all(micro >= 0 for micro in paid.values()), paid
        lasting = [
            b for b in household.account.buckets if b.unit_type is UnitType.MONEY and not b.valid_until_ms
        ]
        spent = -sum(m.amount for e in household.events for m in e.movements if m.bucket_id == "main")
        assert sum(bucket.value for bucket in lasting) == PAID_IN - spent <= PAID_IN
    assert len({event.event_id for event in household.events}) == len(household.events)
