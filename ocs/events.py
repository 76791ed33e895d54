"""The charge event stream's schema: what charging tells the business side, once, in the same commit.

An event is self-contained. Its id comes from the request (or the operation's reference), never from the
stream, so that the reader can tell a copy from a new event after any failure.
"""

from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from ocs.messages import UsageContext
from ocs.units import UnitType

SCHEMA_VERSION: Final = 1
# The consumer group in which the business side reads each partition's stream: what it acknowledged may be trimmed.
BILLING_GROUP: Final = "billing"
# The group whose place in each stream says how far HTTP's listeners have been told; it exists while there are any.
LISTENERS_GROUP: Final = "listeners"


class EventKind(IntEnum):
    """Why a balance moved, or what there is to tell of it."""

    DEBIT = 1
    REFUND = 2
    TOP_UP = 3
    ADJUSTMENT = 4
    EXPIRY = 5
    OPENING = 6  # the account was created with this balance
    NOTICE = 7  # nothing moved; `notice` says what was crossed or changed
    TRANSFER = 8  # to or from another account, which `reason` names
    FEE = 9  # a set-up, recurring or one-off charge of an offer
    ALLOWANCE = 10  # an offer's allowances were granted or rolled over
    RESERVATION = 11  # money was set aside by hand, or given back


class NoticeKind(StrEnum):
    """What a notice is about."""

    BUNDLE = "bundle"  # a part of an allowance is used; subject is the bucket, threshold the percentage
    LOW_BALANCE = "low_balance"  # money fell below the operator's threshold (micro-units)
    CREDIT_LIMIT = "credit_limit"  # so many percent of what may be owed are owed
    SPENDING_LIMIT = "spending_limit"  # bill shock: percentage of a member's limit; subject is the counter
    AUTO_TOP_UP = "auto_top_up"  # the holder's order is due; value is what shall be paid (micro-units)
    ACCOUNT_STATE = "account_state"  # subject is the new state
    SUBSCRIBER_STATE = "subscriber_state"
    TERMS = "terms"  # subject says what was changed of an account or subscriber beside money and state
    SUBSCRIPTION = "subscription"  # subject is the offer, with what happened to it


class Notice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a notice tells; nothing moved.

    Attributes:
        subject: bucket, counter, state or offer. threshold: what was crossed. value: where it stands now.
    """

    kind: NoticeKind
    subject: str = ""
    threshold: int = 0
    value: int = 0


class BucketMovement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one bucket lost (negative) or gained, and what it holds afterwards, in its own unit."""

    bucket_id: str
    unit_type: UnitType
    amount: int
    balance_after: int


class PricePart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Units of one use that had one price, where tiers and caps give it several.

    Attributes:
        amount_micro: what they cost; less than their price where a cap was reached among them.
        counter_id: whose count gave them another price than the usual one; empty when it was the usual one.
        above: the count from which it does, in the counter's units or micro-units.
        is_capped: it was a cap, not a tier.
    """

    units: int
    price_micro: int
    price_units: int
    amount_micro: int
    counter_id: str = ""
    above: int = 0
    is_capped: bool = False


class CounterMovement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A counter before and after a use; of MONEY in micro-units, else in units."""

    counter_id: str
    before: int
    after: int
    unit_type: UnitType


class PriceTrace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a price came about, as figures; :func:`ocs.rating.explain` says it in sentences.

    Attributes:
        counted_before: units of this session already reported at this rate; ``counted_after`` with this report.
        billed_before: the same after rounding to billing blocks, ``billed_after`` with this report.
        allowance_units: billed units that allowances paid.
        money_units_before: billed units of the session that money had paid, ``money_units_after`` with this one.
        price_micro: price of ``price_units`` units; a part of a micro-unit is rounded up over the whole session.
        first_units: first billing block; ``step_units``: every later one.
        connection_fee_micro: charged with this report; 0 when it was not due.
        parts: the money units by price, where the rate has counters; ``counters`` are these before and after.
    """

    counted_before: int
    counted_after: int
    billed_before: int
    billed_after: int
    allowance_units: int
    money_units_before: int
    money_units_after: int
    price_micro: int
    price_units: int
    first_units: int
    step_units: int
    connection_fee_micro: int
    parts: tuple[PricePart, ...] = ()
    counters: tuple[CounterMovement, ...] = ()


class ChargeEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One movement of an account's balance, complete in itself.

    Attributes:
        event_id: unique for ever: ``session-id;request-number;ordinal`` or ``kind:reference``.
        sequence: the account's own counter; consecutive, so that a gap is seen.
        units: what the network reported, in ``unit_type``; ``billed_units`` after rounding.
        amount_micro: money moved; negative is a charge.
        balance_after_micro: all money of the account, reserved or not.
        tariff_path: catalogue version, offer and price that led to the amount.
        trace: the figures of the price; None when nothing was priced (a top-up, an expiry).
        notice: what there is to tell when nothing moved. reason: an adjustment's code, a transfer's other account.
        context: the circumstances that the price came from, such as the called number; None where none are known.
    """

    schema_version: int
    event_id: str
    kind: EventKind
    account_id: str
    sequence: int
    subscriber_id: str
    session_id: str
    request_number: int
    service: str
    rating_group: int | None
    service_identifiers: tuple[int, ...]
    unit_type: UnitType
    units: int
    billed_units: int
    amount_micro: int
    currency: str
    tax_class: str
    movements: tuple[BucketMovement, ...]
    balance_after_micro: int
    catalogue_version: str
    tariff_path: str
    trace: PriceTrace | None
    event_time_ms: int
    time_zone: str
    notice: Notice | None = None
    reason: str = ""
    context: UsageContext | None = None


encode_event: Final = msgspec.msgpack.Encoder().encode
decode_event: Final = msgspec.msgpack.Decoder(ChargeEvent).decode
