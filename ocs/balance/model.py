"""Accounts, buckets, subscribers and sessions: the values that the store keeps, each under a token.

All are immutable; moving money makes a new account (:mod:`ocs.balance.moves`). An account's values share one
partition of the store, so that they commit together or not at all.
"""

from enum import IntEnum
from typing import Final

import msgspec

from ocs.messages import NO_PROFILE, Profile, Service, ServiceUnit, UsageContext
from ocs.units import UnitType


class LifecycleState(IntEnum):
    """Whether an account or a subscriber may use services.

    A created one becomes active with its first use or top-up; a one-way barred one may be reached and may top up, but
    not originate; an expired one can still be topped up; a recycled one has given its numbers back.
    """

    ACTIVE = 1
    SUSPENDED = 2
    CLOSED = 3
    CREATED = 4
    ONE_WAY_BARRED = 5
    EXPIRED = 6
    RECYCLED = 7


class Bucket(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that can pay: money, or an allowance of octets, seconds or events.

    Invariant: ``reserved`` is the sum of all open sessions' holds on this bucket.

    Attributes:
        bucket_id: unique in its account.
        allowance: id of the catalogue's allowance that says what it may pay for; empty for money.
        value: micro-units for money, else units; money may be negative after an overrun.
        priority: lower is drawn first; among equals the one that expires first.
        valid_until_ms: epoch milliseconds from which it can no longer pay; 0 is for ever.
        initial: what an allowance was granted with, for notices at parts of it; 0 where nobody asks.
        origins: of money that was set aside, what it was drawn from, in that order: each bucket that gave some, with
            what it gave. Empty where the main bucket gave all of it.
    """

    bucket_id: str
    unit_type: UnitType
    value: int
    reserved: int = 0
    allowance: str = ""
    priority: int = 100
    valid_from_ms: int = 0
    valid_until_ms: int = 0
    initial: int = 0
    origins: "tuple[Bucket, ...]" = ()


class Total(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Running totals of one unit type: what an audit needs beside the events not yet trimmed.

    Invariant: credited - debited - expired equals the sum of the buckets' values of that type.
    """

    unit_type: UnitType
    credited: int = 0
    debited: int = 0
    expired: int = 0


class AutoTopUp(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A holder's order: when money falls below ``below_micro``, have ``amount_micro`` paid and topped up.

    Attributes:
        method: how it is paid, in the words of the payment side; never card data.
    """

    below_micro: int
    amount_micro: int
    method: str = ""


class Account(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What holds balance. It stays small however many subscribers share it.

    Attributes:
        sequence: number of the last charge event.
        buckets: in drawing order.
        credit_limit_micro: how far money may go below zero by reservation (postpaid, hybrid).
        since_ms: epoch milliseconds since which it is in its state; 0 where no rule asks.
        active_until_ms: until when it stays active unless topped up; 0 is for ever (:mod:`ocs.balance.lifecycle`).
    """

    account_id: str
    currency: str
    state: LifecycleState
    sequence: int
    buckets: tuple[Bucket, ...]
    totals: tuple[Total, ...]
    credit_limit_micro: int = 0
    since_ms: int = 0
    active_until_ms: int = 0
    auto_top_up: AutoTopUp | None = None


class Counter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How much a subscriber has used or spent of something in a period: what tiers, caps and limits look at.

    Attributes:
        counter_id: as the catalogue (or a member's limit) names it.
        period_start_ms: epoch milliseconds at which the counted period began; a later period starts from nothing, and
            stands before those that are kept because open grants hold something in them.
        value: units, or micro-units where money is counted. reserved: what open grants may add to it.
    """

    counter_id: str
    period_start_ms: int
    value: int = 0
    reserved: int = 0


class MemberLimit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How much one subscriber may take from the account that it shares, in a period.

    Attributes:
        counter_id: of the subscriber's counter that counts it; begins with ``limit.``, which no catalogue's does.
        unit_type: MONEY counts micro-units that its use cost, whatever the service; else billed units of that type,
            whoever paid for them; all kinds of octets count as TOTAL_OCTETS.
        period: ``day``, ``week``, ``month`` or ``billing``, on the operator's clock.
    """

    counter_id: str
    unit_type: UnitType
    period: str
    amount: int


class SubscriptionState(IntEnum):
    """Whether an offer that a subscriber bought is in effect."""

    ACTIVE = 1
    SUSPENDED = 2  # its charge could not be paid; it comes back with the next one that can


class PaidCharge(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The latest payment of a charge that may come back in part.

    Attributes:
        due_ms: when it was due, epoch milliseconds: where what it pays for begins.
        origins: what it was drawn from, as those of a :class:`Bucket`.
    """

    charge_id: str
    due_ms: int
    amount_micro: int
    origins: tuple[Bucket, ...] = ()


class Subscription(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One offer that a subscriber bought, and how far it is paid. Times are epoch milliseconds.

    Attributes:
        until_ms: when it ends by itself; 0 is open-ended.
        renews_ms: when its recurring charge is due next; 0 when it has none.
        renewals: how many periods have begun, the first included: part of its events' ids.
        retry_ms: when a charge that could not be paid is tried again; 0 when nothing is owed.
        paid: of charges that come back in part for days that are left.
    """

    offer_id: str
    from_ms: int
    state: SubscriptionState = SubscriptionState.ACTIVE
    until_ms: int = 0
    renews_ms: int = 0
    renewals: int = 0
    retry_ms: int = 0
    paid: tuple[PaidCharge, ...] = ()


class Subscriber(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who uses services and which account pays; it stands in the account's partition.

    The directory from identity to account lies elsewhere and is a hint: ``identities`` here is the truth.

    Attributes:
        offers: those in effect, which prices are asked of; ``subscriptions`` says how they were bought.
    """

    subscriber_id: str
    account_id: str
    state: LifecycleState
    identities: tuple[str, ...]
    offers: tuple[str, ...]
    profile: Profile = NO_PROFILE
    counters: tuple[Counter, ...] = ()
    limits: tuple[MemberLimit, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()


class Hold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part of a bucket that an open session has reserved, in the bucket's unit."""

    bucket_id: str
    amount: int


class CounterHold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an open grant may add to a counter of its subscriber, in the period in which it was granted."""

    counter_id: str
    period_start_ms: int
    amount: int


class SessionService(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One rating group (or service) of a session: its meter and what is reserved for it.

    Attributes:
        tariff_path: the rate under which the open grant was made, so that its use is charged at that rate.
        counted_units: all units reported under that rate in this session.
        money_units: how many billed units of them money paid.
        fee_paid: the connection fee was charged.
        granted_units: size of the open grant; 0 when none is open.
        after_path: the rate of what is used of the open grant after its Tariff-Time-Change.
        counter_holds: what the open grant may add to the subscriber's counters.
        is_redirected: nothing more could be granted, and the gateway was told to redirect or restrict.
        pool_id: the credit pool that the open grant belongs to, None for none.
        pool_carried_micro: money in ``holds`` beyond the open grant's own price, that the pool still has of others.
    """

    rating_group: int | None
    service_identifiers: tuple[int, ...]
    catalogue_version: str
    tariff_path: str
    counted_units: int = 0
    money_units: int = 0
    fee_paid: bool = False
    granted_units: int = 0
    holds: tuple[Hold, ...] = ()
    after_path: str = ""
    counter_holds: tuple[CounterHold, ...] = ()
    is_redirected: bool = False
    pool_id: int | None = None
    pool_carried_micro: int = 0


class RememberedAnswer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was answered to one request of a session, for its repeats."""

    request_type: int
    request_number: int
    fingerprint: bytes
    answer: msgspec.Raw
    end_to_end_id: int = 0


class SessionState(IntEnum):
    """RFC 8506 section 7, Table 6. CLOSED is Idle with a memory for late repeats and reports."""

    OPEN = 1
    CLOSED = 2


class Session(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One credit-control session, or the memory of one event.

    Attributes:
        deadline_ms: supervision time (epoch milliseconds less our own outages) at which Tcc ends.
        charged_micro: money charged so far.
        forgotten_number: highest request number whose answer is no longer remembered, -1 for none.
        located_until_ms: until when the locator Session-Id -> account is known to stand.
        scheduled_ms: when supervision next looks at the session: never after ``deadline_ms``, and left alone while
            the deadline moves on, so that an ordinary update does not write to the deadlines.
        opening_fingerprint: of the request that opened it, with its End-to-End-Id; with the Session-Id it makes
            event ids unique even where a gateway uses a Session-Id again (RFC 6733 section 8.8 forbids it, real
            ones do it).
        earlier_answers: of the lives that this Session-Id had before, for late copies.
        reported: what a gateway that counts from the session's beginning has reported so far; None of all others.
        pools_ended: reports with which a credit pool had no service left: the next pool has an identifier of its own.
    """

    session_id: str
    account_id: str
    subscriber_id: str
    state: SessionState
    service: Service
    context: UsageContext
    origin_host: str
    origin_realm: str
    opened_ms: int
    deadline_ms: int
    services: tuple[SessionService, ...] = ()
    charged_micro: int = 0
    answers: tuple[RememberedAnswer, ...] = ()
    forgotten_number: int = -1
    located_until_ms: int = 0
    scheduled_ms: int = 0
    opening_fingerprint: bytes = b""
    earlier_answers: tuple[RememberedAnswer, ...] = ()
    reported: ServiceUnit | None = None
    pools_ended: int = 0


class LedgerInvariantError(AssertionError):
    """A rule about money that must hold for ever does not: our fault, and nothing is written."""


_encoder: Final = msgspec.msgpack.Encoder()
encode_value: Final = _encoder.encode
decode_account: Final = msgspec.msgpack.Decoder(Account).decode
decode_subscriber: Final = msgspec.msgpack.Decoder(Subscriber).decode
decode_session: Final = msgspec.msgpack.Decoder(Session).decode
