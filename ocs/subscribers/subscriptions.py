"""Offers in effect: bought, paid period by period, resting while unpaid, ended. Pure.

An offer's charges are due at its activation and then period by period (:mod:`ocs.rating.schedule`); all that is due at
one moment is paid together or not at all. What cannot be paid within its grace makes the offer rest: it brings no price
and no new allowance until a later look finds the money, and what it rested is not charged. It rests, too, when a period
would begin while account or subscriber are barred: who may not use it does not pay for it.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from ocs import limits
from ocs.balance.entries import record_movement
from ocs.balance.lifecycle import DAY_MS
from ocs.balance.model import (
    Account,
    Bucket,
    Hold,
    LifecycleState,
    PaidCharge,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from ocs.balance.notices import crossed, record_notices
from ocs.balance.purse import Purse
from ocs.events import BucketMovement, ChargeEvent, EventKind, Notice, NoticeKind
from ocs.rating import AllowanceGrant, Catalogue, ChargeKind, Offer, OfferCharge
from ocs.subscribers.grants import bucket_of, free_id, until_of
from ocs.subscribers.operations import AccountRules, Done, OperationError
from ocs.subscribers.origins import expired_again, origins_of, put_back
from ocs.units import UnitType, divide_down, format_micro

# What could not be paid is tried again so often, besides at every top-up.
RETRY_MS: Final = 3_600_000
# Who is let in again is looked at then; this is for what a crash cut off, and there may be many who stay barred.
_BARRED_RETRY_MS: Final = DAY_MS
_DEAD: Final = (LifecycleState.CLOSED, LifecycleState.RECYCLED)
# Who is one-way barred is still reached, and pays on.
_BARRED: Final = (LifecycleState.SUSPENDED, LifecycleState.EXPIRED)
_replace = msgspec.structs.replace


def is_charged(offer: Offer | None) -> bool:
    """Whether an offer costs something besides use, without being ordered."""
    return offer is not None and any(charge.kind is not ChargeKind.ONE_OFF for charge in offer.charges)


def _newer(bucket: Bucket) -> tuple[int, int]:
    """Orders an allowance's buckets; of one period the fuller: the other is of a purchase that was taken back."""
    return bucket.valid_until_ms, bucket.value - bucket.reserved


def _recurs(offer: Offer) -> bool:
    return any(charge.kind is ChargeKind.RECURRING for charge in offer.charges)


class Plan:
    """One subscriber's offers while they are changed; use once.

    Args:
        now_ms: epoch milliseconds.
        order: whose order is carried out, unlike any other of the account: two within one millisecond have events of
            their own. Empty for what dates bring, of which each period has one.
    """

    def __init__(
        self,
        account: Account,
        subscriber: Subscriber,
        catalogue: Catalogue,
        now_ms: int,
        rules: AccountRules,
        order: str = "",
    ) -> None:
        self._account = account
        self._subscriber = subscriber
        self._catalogue = catalogue
        self._now_ms = now_ms
        self._rules = rules
        self._order = order
        self._purse = Purse(account, now_ms)
        self._subscriptions = {each.offer_id: each for each in subscriber.subscriptions}
        self._offers = list(subscriber.offers)
        self._events: list[ChargeEvent] = []

    def done(self) -> Done:
        """What it led to; the very same account and subscriber where nothing changed."""
        subscriptions = tuple(self._subscriptions.values())
        before = self._subscriber
        subscriber = before
        if subscriptions != before.subscriptions or tuple(self._offers) != before.offers:
            subscriber = _replace(before, offers=tuple(self._offers), subscriptions=subscriptions)
        notices = crossed(self._purse, self._rules.notices)
        if notices and self._events:
            self._events += record_notices(
                self._purse, notices, event_id=self._events[0].event_id, time_zone=self._catalogue.time_zone
            )
        return Done(self._purse.account(), tuple(self._events), subscriber)

    # --- By hand ----------------------------------------------------------------------------------------

    def buy(self, offer_id: str, *, until_ms: int = 0) -> None:
        """Put an offer in effect and charge what is due; one that is paid once can be bought again and again.

        Raises:
            OperationError: unknown, held already, unaffordable, its end is past, or account or subscriber are closed.
        """
        offer = self._offer(offer_id)
        if until_ms and until_ms <= self._now_ms:
            raise OperationError(f"{offer_id} would have ended before it begins")
        if self._account.state in _DEAD or self._subscriber.state in _DEAD:
            raise OperationError(f"subscriber {self._subscriber.subscriber_id} is closed")
        is_held = offer_id in self._offers or offer_id in self._subscriptions
        if is_held and (_recurs(offer) or not is_charged(offer)):
            raise OperationError(f"subscriber {self._subscriber.subscriber_id} has {offer_id} already")
        subscription = Subscription(offer_id, self._now_ms, until_ms=until_ms)
        total = sum(amount for _, amount in self._due_charges(subscription, offer, self._now_ms))
        if not self._has_room(offer.allowances):
            most = limits.BUCKETS_PER_ACCOUNT_MAX
            raise OperationError(f"account {self._account.account_id} would have more than {most} buckets")
        if not self._pay_and_grant(subscription, offer, self._now_ms):
            available = format_micro(max(0, self._purse.available_money()))
            raise OperationError(f"{offer_id} costs {format_micro(total)}, and {available} is available")
        if offer_id not in self._offers:
            self._offers.append(offer_id)
        self._tell(offer_id, "bought", self._now_ms)

    def open(self, offer_ids: Iterable[str]) -> None:
        """Put a new subscriber's offers that have charges in effect; those that cannot be paid rest until they can."""
        for offer_id in offer_ids:
            offer = self._offer(offer_id)
            subscription = Subscription(offer_id, self._now_ms)
            if self._pay_and_grant(subscription, offer, self._now_ms):
                self._offers.append(offer_id)
            else:
                self._rest(subscription, self._now_ms)

    def cancel(self, offer_id: str, *, at_period_end: bool = False, others_have_it: bool = False) -> None:
        """End an offer, now or when the period that is paid ends.

        Now, what was paid in a charge that is prorated comes back for the days that are left, as far as the renewed
        allowances are unused, and with it go these; else they stay until they expire.

        Args:
            others_have_it: so do other subscribers of the account, to whom the allowances stay that it grants once for
                all.

        Raises:
            OperationError: the subscriber has no such offer.
        """
        subscription = self._subscriptions.get(offer_id)
        if subscription is None and offer_id not in self._offers:
            raise OperationError(f"subscriber {self._subscriber.subscriber_id} has no offer {offer_id!r}")
        if subscription is not None and at_period_end and subscription.renews_ms > self._now_ms:
            self._subscriptions[offer_id] = _replace(subscription, until_ms=subscription.renews_ms)
            self._tell(offer_id, "ends with its period", self._now_ms)
            return
        if subscription is not None and subscription.state is SubscriptionState.ACTIVE:
            self._refund(subscription, others_have_it=others_have_it)
        self._end(offer_id, "cancelled", self._now_ms)

    def order(self, offer_id: str, charge_id: str, reference: str) -> None:
        """Charge what an offer costs when it is ordered.

        Raises:
            OperationError: no such charge, or it is unaffordable.
        """
        offer = self._offer(offer_id)
        found = [c for c in offer.charges if c.charge_id == charge_id and c.kind is ChargeKind.ONE_OFF]
        if not found or offer_id not in self._offers:
            raise OperationError(f"subscriber {self._subscriber.subscriber_id} cannot order {charge_id!r}")
        (charge,) = found
        if charge.amount_micro > self._purse.available_money():
            raise OperationError(
                f"{charge_id} costs {format_micro(charge.amount_micro)}: more than is available"
            )
        self._charge(offer_id, charge, charge.amount_micro, f"order:{reference}")

    # --- By dates ---------------------------------------------------------------------------------------

    def renew(self, *, has_money: bool = False) -> None:
        """Charge what has come due, and end what has come to its end; in the order of the dates.

        Args:
            has_money: money came in: what could not be paid is tried before its next time.
        """
        if has_money:
            for offer_id, each in self._subscriptions.items():
                self._subscriptions[offer_id] = _replace(each, retry_ms=0)
        for offer_id in tuple(self._subscriptions):
            # One step a period: an outage of weeks is caught up with, and no longer.
            for _ in range(limits.RENEWALS_PER_LOOK_MAX):
                if not self._take_step(self._subscriptions.get(offer_id)):
                    break

    def _take_step(self, subscription: Subscription | None) -> bool:
        """Work off the earliest thing due of a subscription; say whether there may be more."""
        if subscription is None:
            return False
        offer_id = subscription.offer_id
        until_ms, due_ms = subscription.until_ms, subscription.renews_ms
        if until_ms and until_ms <= self._now_ms and not 0 < due_ms < until_ms:
            self._end(offer_id, "ended", until_ms)
            return False
        if not due_ms or max(due_ms, subscription.retry_ms) > self._now_ms:
            return False
        offer = self._catalogue.offer(offer_id)
        if offer is None or self._account.state in _DEAD or self._subscriber.state in _DEAD:
            self._end(offer_id, "ended", self._now_ms)
            return False
        is_resting = subscription.state is SubscriptionState.SUSPENDED
        if self._account.state in _BARRED or self._subscriber.state in _BARRED:
            self._rest(subscription, due_ms, "its subscriber is barred", again_ms=_BARRED_RETRY_MS)
            return False
        # What it rested is not charged: it begins again today.
        begins_ms = self._now_ms if is_resting else due_ms
        if is_resting:
            subscription = _replace(subscription, from_ms=self._now_ms)
        if self._pay_and_grant(subscription, offer, begins_ms):
            if is_resting:
                self._offers.append(offer_id)
                self._tell(offer_id, "resumed", self._now_ms)
            return True
        recurring = [charge for charge in offer.charges if charge.kind is ChargeKind.RECURRING]
        grace_ms = min([charge.grace_days for charge in recurring], default=0) * DAY_MS
        if is_resting or due_ms + grace_ms <= self._now_ms:
            self._rest(subscription, due_ms)
        else:
            self._subscriptions[offer_id] = _replace(subscription, retry_ms=self._now_ms + RETRY_MS)
        return False

    def _rest(
        self,
        subscription: Subscription,
        due_ms: int,
        why: str = "it could not be paid",
        *,
        again_ms: int = RETRY_MS,
    ) -> None:
        offer_id = subscription.offer_id
        self._subscriptions[offer_id] = _replace(
            subscription,
            state=SubscriptionState.SUSPENDED,
            renews_ms=due_ms,
            retry_ms=self._now_ms + again_ms,
        )
        if subscription.state is SubscriptionState.ACTIVE:
            if offer_id in self._offers:
                self._offers.remove(offer_id)
            self._tell(offer_id, f"rests: {why}", due_ms)

    def _end(self, offer_id: str, how: str, at_ms: int) -> None:
        self._subscriptions.pop(offer_id, None)
        if offer_id in self._offers:
            self._offers.remove(offer_id)
        self._tell(offer_id, how, at_ms)

    # --- Money and allowances ---------------------------------------------------------------------------

    def _due_charges(
        self, subscription: Subscription, offer: Offer, due_ms: int
    ) -> list[tuple[OfferCharge, int]]:
        """What is due at a moment, each with its amount: a part of a period costs its share where so declared."""
        due: list[tuple[OfferCharge, int]] = []
        for charge in offer.charges:
            if charge.kind is ChargeKind.SETUP and not subscription.renewals:
                due.append((charge, charge.amount_micro))
            elif charge.kind is ChargeKind.RECURRING and self._is_due(charge, subscription, due_ms):
                until_ms = self._catalogue.next_due_ms(charge, subscription.from_ms, due_ms) or due_ms
                due.append((charge, self._catalogue.prorated_micro(charge, due_ms, until_ms)))
        return due

    def _is_due(self, charge: OfferCharge, subscription: Subscription, due_ms: int) -> bool:
        """Of several recurring charges each has its own dates."""
        return self._catalogue.next_due_ms(charge, subscription.from_ms, due_ms - 1) == due_ms

    def _pay_and_grant(self, subscription: Subscription, offer: Offer, due_ms: int) -> bool:
        """Begin a period if what is due can be paid and what it brings has room; say whether it could."""
        due = self._due_charges(subscription, offer, due_ms)
        total = sum(amount for _, amount in due)
        grants = [grant for grant in offer.allowances if not subscription.renewals or grant.is_renewed]
        if (total and total > self._purse.available_money()) or not self._has_room(grants):
            return False
        period = f"{subscription.from_ms}.{subscription.renewals}"
        paid = {each.charge_id: each for each in subscription.paid}
        for charge, amount in due:
            origins = self._charge(offer.offer_id, charge, amount, period)
            if charge.is_prorated:
                paid[charge.charge_id] = PaidCharge(charge.charge_id, due_ms, amount, origins)
        next_ms = self._next_due_ms(subscription, offer, due_ms)
        self._grant(offer, grants, due_ms, subscription.renewals, subscription)
        self._subscriptions[offer.offer_id] = _replace(
            subscription,
            state=SubscriptionState.ACTIVE,
            renews_ms=next_ms,
            renewals=subscription.renewals + 1,
            retry_ms=0,
            paid=tuple(paid.values()),
        )
        return True

    def _has_room(self, grants: Collection[AllowanceGrant]) -> bool:
        return len(self._purse.buckets) + len(grants) <= limits.BUCKETS_PER_ACCOUNT_MAX

    def _next_due_ms(self, subscription: Subscription, offer: Offer, after_ms: int) -> int:
        moments = [
            self._catalogue.next_due_ms(charge, subscription.from_ms, after_ms)
            for charge in offer.charges
            if charge.kind is ChargeKind.RECURRING
        ]
        return min([moment for moment in moments if moment is not None], default=0)

    def _charge(
        self, offer_id: str, charge: OfferCharge, amount_micro: int, period: str
    ) -> tuple[Bucket, ...]:
        """Take what a charge costs; say where it was drawn from (:func:`~ocs.subscribers.origins.origins_of`)."""
        if not amount_micro:
            return ()
        parts = self._purse.plan_money(amount_micro)
        origins = origins_of(self._purse, parts)
        movements = self._purse.debit(parts)
        self._record(EventKind.FEE, movements, f"fee:{offer_id}:{period}:{charge.charge_id}", charge)
        return origins

    def _grant(
        self,
        offer: Offer,
        grants: Iterable[AllowanceGrant],
        due_ms: int,
        renewals: int,
        subscription: Subscription | None = None,
    ) -> None:
        """Give allowances, all in one event; those that expired make room first."""
        movements: list[BucketMovement] = []
        for grant in grants:
            until_ms = self._grant_ends_ms(grant, offer, due_ms, subscription)
            bucket_id = self._bucket_id(offer, grant, until_ms)
            if bucket_id is None:
                continue
            bucket = bucket_of(grant, bucket_id, until_ms)
            movements.append(self._purse.add_bucket(bucket))
        if movements:
            from_ms = due_ms if subscription is None else subscription.from_ms
            self._record(
                EventKind.ALLOWANCE, tuple(movements), f"allowance:{offer.offer_id}:{from_ms}.{renewals}"
            )

    def _grant_ends_ms(
        self, grant: AllowanceGrant, offer: Offer, due_ms: int, subscription: Subscription | None
    ) -> int:
        """Until when it pays: its days; where it is renewed, its period and those it may be rolled over into."""
        until_ms = until_of(grant.validity_days, due_ms)
        if grant.is_renewed and subscription is not None:
            end_ms = due_ms
            for _ in range(1 + grant.rollover_periods):
                end_ms = self._next_due_ms(subscription, offer, end_ms) or end_ms
            if end_ms > due_ms:
                until_ms = min(until_ms, end_ms) if until_ms else end_ms
        return until_ms

    def _bucket_id(self, offer: Offer, grant: AllowanceGrant, until_ms: int) -> str | None:
        """A free id for a new bucket; None when another subscriber of the account has brought it for all."""
        base = self._base_of(offer, grant)
        buckets = self._purse.buckets
        # Another subscriber's period may begin on another day: what he brought for today is enough.
        if grant.is_once and any(
            b.bucket_id.partition("#")[0] == base and b.valid_until_ms >= until_ms for b in buckets
        ):
            return None
        return free_id(base, buckets)

    def _refund(self, subscription: Subscription, *, others_have_it: bool) -> None:
        """Give back what was paid for days that will not come, where charges are prorated, as far as it is unused."""
        offer = self._catalogue.offer(subscription.offer_id)
        if offer is None or not subscription.renews_ms:
            return
        bases = self._renewed_bases(offer, others_have_it=others_have_it)
        paid = {each.charge_id: each for each in subscription.paid}
        refunded = False
        for charge in offer.charges:
            if charge.kind is not ChargeKind.RECURRING or not charge.is_prorated:
                continue
            payment = paid.get(charge.charge_id)
            left = self._unused(bases, self._left_of(charge, subscription, payment))
            if left <= 0:
                continue
            origins = () if payment is None else payment.origins
            movements = put_back(self._purse, origins, left)
            period = f"{subscription.from_ms}.{subscription.renewals}"
            name = f"refund:{subscription.offer_id}:{period}:{charge.charge_id}"
            self._record(EventKind.FEE, movements, name, charge)
            if origins:
                event_id, zone = self._events[-1].event_id, self._catalogue.time_zone
                self._events += expired_again(self._purse, after=event_id, time_zone=zone)
            refunded = True
        if refunded:
            self._take_back(bases, subscription)

    def _left_of(self, charge: OfferCharge, subscription: Subscription, payment: PaidCharge | None) -> int:
        """The part of what was paid that is for days that have not begun: today is used.

        Args:
            payment: None of what an earlier release took: then it is the price of today that comes back.
        """
        next_due_ms = self._catalogue.next_due_ms
        end_ms = next_due_ms(charge, subscription.from_ms, self._now_ms)
        unpaid_ms = next_due_ms(charge, subscription.from_ms, subscription.renews_ms - 1)
        is_owed = unpaid_ms is not None and unpaid_ms <= self._now_ms
        if end_ms is None or is_owed or end_ms - self._now_ms <= DAY_MS:
            return 0
        left = self._catalogue.prorated_micro(charge, self._now_ms + DAY_MS, end_ms)
        if payment is None:
            return left
        whole = self._catalogue.prorated_micro(charge, payment.due_ms, end_ms)
        return min(payment.amount_micro, divide_down(payment.amount_micro * left, whole)) if whole else 0

    def _unused(self, bases: set[str], amount_micro: int) -> int:
        """The part of a price that can come back: as much as is left of the period's allowance that was used most.

        What a session holds may be used yet. Else a month's allowance would be had for the price of a day.
        """
        newest: dict[str, Bucket] = {}
        for bucket in self._buckets_named(bases):
            base = bucket.bucket_id.partition("#")[0]
            newest[base] = max(newest.get(base, bucket), bucket, key=_newer)
        return min(
            [
                divide_down(amount_micro * max(0, bucket.value - bucket.reserved), bucket.initial)
                for bucket in newest.values()
                if bucket.initial
            ],
            default=amount_micro,
        )

    def _renewed_bases(self, offer: Offer, *, others_have_it: bool) -> set[str]:
        """What the ids of the allowances begin with that the subscriber's own periods bring."""
        return {
            self._base_of(offer, grant)
            for grant in offer.allowances
            if grant.is_renewed and not (grant.is_once and others_have_it)
        }

    def _base_of(self, offer: Offer, grant: AllowanceGrant) -> str:
        base = f"{offer.offer_id}.{grant.allowance}"
        if grant.is_once or self._subscriber.subscriber_id == self._account.account_id:
            return base
        return f"{self._subscriber.subscriber_id}.{base}"

    def _buckets_named(self, bases: set[str]) -> list[Bucket]:
        return [
            bucket
            for bucket in self._purse.buckets
            if bucket.unit_type != UnitType.MONEY and bucket.bucket_id.partition("#")[0] in bases
        ]

    def _take_back(self, bases: set[str], subscription: Subscription) -> None:
        parts = [
            Hold(bucket.bucket_id, bucket.value - bucket.reserved)
            for bucket in self._buckets_named(bases)
            if bucket.value > bucket.reserved
        ]
        if parts:
            period = f"{subscription.from_ms}.{subscription.renewals}"
            name = f"allowance-back:{subscription.offer_id}:{period}"
            self._record(EventKind.ALLOWANCE, self._purse.debit(tuple(parts)), name)
        for bucket in self._buckets_named(bases):
            if not bucket.value and not bucket.reserved:
                self._purse.remove_bucket(bucket.bucket_id)

    # --- Telling ----------------------------------------------------------------------------------------

    def _offer(self, offer_id: str) -> Offer:
        offer = self._catalogue.offer(offer_id)
        if offer is None:
            raise OperationError(f"offer {offer_id!r} is not in catalogue {self._catalogue.version}")
        if is_charged(offer) and offer.currency not in {"", self._account.currency}:
            raise OperationError(
                f"offer {offer_id} is in {offer.currency}, account in {self._account.currency}"
            )
        return offer

    def _event_id(self, name: str) -> str:
        event_id = f"{name}:{self._account.account_id}:{self._subscriber.subscriber_id}"
        return f"{event_id}:{self._order}" if self._order else event_id

    def _record(
        self,
        kind: EventKind,
        movements: tuple[BucketMovement, ...],
        name: str,
        charge: OfferCharge | None = None,
    ) -> None:
        event = record_movement(
            self._purse,
            kind,
            movements,
            event_id=self._event_id(name),
            time_zone=self._catalogue.time_zone,
            subscriber_id=self._subscriber.subscriber_id,
            reason="" if charge is None else charge.charge_id,
        )
        tax_class = "" if charge is None else charge.tax_class
        self._events.append(_replace(event, tax_class=tax_class, catalogue_version=self._catalogue.version))

    def _tell(self, offer_id: str, what: str, at_ms: int) -> None:
        self._events += record_notices(
            self._purse,
            [Notice(NoticeKind.SUBSCRIPTION, f"{offer_id} {what}")],
            event_id=self._event_id(f"subscription:{offer_id}:{at_ms}"),
            subscriber_id=self._subscriber.subscriber_id,
            time_zone=self._catalogue.time_zone,
        )
