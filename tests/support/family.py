"""An offer whose allowance a family has once, and which is paid by the week: audited by days and by who has it."""

from collections import Counter

from ocs.balance.model import Bucket, Subscriber, Subscription, SubscriptionState
from ocs.events import ChargeEvent, EventKind
from tests.support.books import check
from tests.support.expiring import Drawn, Expiring

# What tests/simulation/story_catalogue.py says: the week costs so much a day, and brings so much to all.
FAMILY, WEEK, WEEK_DAYS, DAY_MICRO, PACK = "family", "week", 7, 10_000, 700
_BASE = "family.together"
_DAY_MS = 86_400_000
_SLACK_MS = 15_000
_SubscriberChanges = list[tuple[Subscriber | None, Subscriber]]


class Family:
    """Who has the family's offer, in one line of commits."""

    def __init__(self, expiring: Expiring, tally: Counter[str]) -> None:
        self._expiring = expiring
        self._tally = tally
        self._holders: dict[tuple[str, str], Subscriber] = {}
        self._paid: dict[tuple[str, str], Drawn] = {}

    def committed(
        self,
        after: dict[str, dict[str, Bucket]],
        subscribers: _SubscriberChanges,
        events: list[ChargeEvent],
        at_ms: int,
    ) -> None:
        """A commit was carried out.

        Args:
            after: buckets of the accounts that were written.
        """
        for event in events:
            if event.kind is EventKind.ALLOWANCE:
                self._check_brought(event, after[event.account_id])
        for before, subscriber in subscribers:
            self._check_paid(before, subscriber, after.get(subscriber.account_id, {}), events, at_ms)
        for _, subscriber in subscribers:
            self._holders[subscriber.account_id, subscriber.subscriber_id] = subscriber

    def _check_brought(self, event: ChargeEvent, after: dict[str, Bucket]) -> None:
        """Nobody brings what another has brought for as long."""
        for movement in event.movements:
            if not _is_shared(movement.bucket_id) or movement.amount <= 0:
                continue
            check(movement.amount == PACK, "not what the family gets:", event)
            end_ms = after[movement.bucket_id].valid_until_ms
            known = [b for b in self._shared(event.account_id) if b.valid_until_ms >= end_ms]
            check(not known, "the family has it already:", event, known)
            self._tally["brought to a family"] += 1

    def _shared(self, account_id: str) -> list[Bucket]:
        return [each for each in self._expiring.before(account_id).values() if _is_shared(each.bucket_id)]

    def _check_paid(
        self,
        before: Subscriber | None,
        after: Subscriber,
        buckets: dict[str, Bucket],
        events: list[ChargeEvent],
        at_ms: int,
    ) -> None:
        """A week costs its days, and its allowance is there; who ends it gets the days back that are left."""
        name = after.account_id, after.subscriber_id
        was, now = _subscription(before), _subscription(after)
        fees = [e for e in events if e.reason == WEEK and e.subscriber_id == after.subscriber_id]
        for fee in fees:
            if fee.amount_micro < 0:
                assert now is not None, fee
                days = {_days(now.renews_ms - at_ms + slack) for slack in (-_SLACK_MS, _SLACK_MS)}
                check(
                    -fee.amount_micro in {each * DAY_MICRO for each in days | {WEEK_DAYS}}, "week", fee, days
                )
                lasting = [
                    b
                    for b in buckets.values()
                    if _is_shared(b.bucket_id) and b.valid_until_ms >= now.renews_ms
                ]
                check(bool(lasting), "paid, and not brought:", fee, buckets)
                self._paid[name] = self._expiring.drawn(fee)
                self._tally["weeks of a family"] += 1
        refunds = [fee for fee in fees if fee.amount_micro > 0]
        if was is None or now is not None or was.state is not SubscriptionState.ACTIVE:
            check(not refunds, "given back to who has it:", refunds)
            return
        self._check_refund(name, was, refunds, buckets, events, at_ms)

    def _check_refund(
        self,
        name: tuple[str, str],
        ended: Subscription,
        refunds: list[ChargeEvent],
        after: dict[str, Bucket],
        events: list[ChargeEvent],
        at_ms: int,
    ) -> None:
        account_id, subscriber_id = name
        shared = self._shared(account_id)
        others = any(
            FAMILY in each.offers and each.account_id == account_id and each.subscriber_id != subscriber_id
            for each in self._holders.values()
        )
        came = sum(refund.amount_micro for refund in refunds)
        due: set[int] = set()
        for slack in (-_SLACK_MS, _SLACK_MS):
            left = max(0, _days(ended.renews_ms - at_ms + slack) - 1) * DAY_MICRO
            if shared and not others:
                newest = max(shared, key=lambda b: (b.valid_until_ms, b.value - b.reserved))
                left = left * max(0, newest.value - newest.reserved) // PACK
            due.add(left)
        check(came in due, "given back", came, "of", ended, "due", due, "others have it:", others, shared)
        self._tally["weeks given back"] += bool(came)
        for refund in refunds:
            self._expiring.check_back(refund, self._paid.get(name, []), refund.amount_micro, events, at_ms)
        left_units = {b.bucket_id: b.value - b.reserved for b in after.values() if _is_shared(b.bucket_id)}
        if others:
            check(
                left_units == {b.bucket_id: b.value - b.reserved for b in shared},
                "taken from a family:",
                left_units,
            )
            self._tally["left to a family"] += bool(came)
        elif came:
            check(not any(left_units.values()), "given back, and kept:", left_units)


def _is_shared(bucket_id: str) -> bool:
    return bucket_id.partition("#")[0] == _BASE


def _subscription(subscriber: Subscriber | None) -> Subscription | None:
    known = () if subscriber is None else subscriber.subscriptions
    return next((each for each in known if each.offer_id == FAMILY), None)


def _days(span_ms: int) -> int:
    """Days that have begun, or are to come, until a midnight."""
    return -(-span_ms // _DAY_MS)
