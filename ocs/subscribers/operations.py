"""What can be done to accounts from outside a session: open one, add a subscriber to it, top it up. Pure."""

import re

import msgspec

from ocs import limits
from ocs.balance.entries import record_movement
from ocs.balance.model import Account, Bucket, Hold, LifecycleState, Subscriber
from ocs.balance.purse import Purse, money_balance
from ocs.events import ChargeEvent, EventKind
from ocs.rating import Catalogue
from ocs.units import CurrencyMismatchError, Money, UnitType, format_micro

MAIN_BUCKET = "main"
_DAY_MS = 86_400_000
# What needs no care in a key, an event's id, a URL or a shell.
_ID = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_REFERENCE_CHARACTERS_MAX = 128
_BALANCE_MAX = format_micro(limits.BALANCE_MICRO_MAX)


class OperationError(ValueError):
    """The operation cannot be done as asked; the text tells the operator why."""


class NewAccount(msgspec.Struct, frozen=True):
    """An account to be opened with one subscriber.

    Attributes:
        identities: each ``"kind:value"``, as in :class:`ocs.messages.ChargingRequest`.
        opening: money it starts with.
        credit_limit_micro: how far money may go below zero (postpaid).
    """

    account_id: str
    subscriber_id: str
    identities: tuple[str, ...]
    offers: tuple[str, ...]
    opening: Money
    credit_limit_micro: int = 0


class NewSubscriber(msgspec.Struct, frozen=True):
    """A subscriber to be added to an account that there is: a family's or a company's next SIM.

    Attributes:
        identities: each ``"kind:value"``, as in :class:`ocs.messages.ChargingRequest`.
    """

    account_id: str
    subscriber_id: str
    identities: tuple[str, ...]
    offers: tuple[str, ...]


class Opened(msgspec.Struct, frozen=True):
    """An account with a new subscriber, and the events of what came in with both."""

    account: Account
    subscriber: Subscriber
    events: tuple[ChargeEvent, ...]


def open_account(new: NewAccount, catalogue: Catalogue, now_ms: int) -> Opened:
    """Open an account with its opening money and the allowances of its offers.

    Raises:
        OperationError: a malformed id, an unknown offer, a malformed identity, a negative or foreign opening balance.
    """
    _check(new, catalogue)
    account = Account(
        new.account_id, new.opening.currency, LifecycleState.ACTIVE, 0, (), (), new.credit_limit_micro
    )
    purse = Purse(account, now_ms)
    buckets = [
        Bucket(MAIN_BUCKET, UnitType.MONEY, new.opening.micro, priority=1000),
        *_allowances(new.offers, catalogue, now_ms),
    ]
    movements = tuple([purse.add_bucket(bucket) for bucket in buckets])
    event = record_movement(
        purse,
        EventKind.OPENING,
        movements,
        event_id=f"opening:{new.account_id}",
        time_zone=catalogue.time_zone,
        subscriber_id=new.subscriber_id,
    )
    subscriber = Subscriber(
        new.subscriber_id, new.account_id, LifecycleState.ACTIVE, new.identities, new.offers
    )
    return Opened(purse.account(), subscriber, (event,))


def add_subscriber(account: Account, new: NewSubscriber, catalogue: Catalogue, now_ms: int) -> Opened:
    """Add a subscriber, with the allowances of its offers, to an account whose money it shares.

    Raises:
        OperationError: a malformed id or identity, an unknown offer, too many buckets, or the account is closed.
    """
    _check_subscriber(new, catalogue)
    if account.state == LifecycleState.CLOSED:
        raise OperationError(f"account {account.account_id} is closed")
    purse = Purse(account, now_ms)
    allowances = _allowances(new.offers, catalogue, now_ms, f"{new.subscriber_id}.")
    if len(account.buckets) + len(allowances) > limits.BUCKETS_PER_ACCOUNT_MAX:
        raise OperationError(
            f"account {account.account_id} would have more than {limits.BUCKETS_PER_ACCOUNT_MAX} buckets:"
            " give its subscribers offers without allowances of their own"
        )
    events: tuple[ChargeEvent, ...] = ()
    if allowances:
        event = record_movement(
            purse,
            EventKind.OPENING,
            tuple([purse.add_bucket(bucket) for bucket in allowances]),
            event_id=f"opening:{new.account_id}:{new.subscriber_id}",
            time_zone=catalogue.time_zone,
            subscriber_id=new.subscriber_id,
        )
        events = (event,)
    subscriber = Subscriber(
        new.subscriber_id, new.account_id, LifecycleState.ACTIVE, new.identities, new.offers
    )
    return Opened(purse.account(), subscriber, events)


def _check_subscriber(new: NewAccount | NewSubscriber, catalogue: Catalogue) -> None:
    for name in (new.account_id, new.subscriber_id):
        if _ID.fullmatch(name) is None:
            raise OperationError(f"{name!r} is not an id: 1 to 64 letters, digits and . _ @ + -")
    for offer in new.offers:
        if catalogue.offer(offer) is None:
            raise OperationError(f"offer {offer!r} is not in catalogue {catalogue.version}")
    for identity in new.identities:
        kind, _, value = identity.partition(":")
        if kind not in {"e164", "imsi", "sip", "nai", "private"} or not value:
            raise OperationError(
                f"{identity!r} is not an identity such as 'e164:491710000001' or 'imsi:262011234567890'"
            )
        if kind in {"e164", "imsi"} and not (value.isascii() and value.isdigit()):
            raise OperationError(f"{identity!r}: {kind} is digits alone")
        # E.164 section 6.1: an international number begins with its country code, and none begins with 0.
        if kind == "e164" and value.startswith("0"):
            raise OperationError(
                f"{value!r} is not an international number: write it with the country code, as 49171..."
            )


def _check(new: NewAccount, catalogue: Catalogue) -> None:
    _check_subscriber(new, catalogue)
    if new.opening.currency != catalogue.currency:
        raise OperationError(f"{new.opening.currency} is not the catalogue's currency, {catalogue.currency}")
    if new.opening.micro < 0 or new.credit_limit_micro < 0:
        raise OperationError("an opening balance and a credit limit are not negative")
    if max(new.opening.micro, new.credit_limit_micro) > limits.BALANCE_MICRO_MAX:
        raise OperationError(f"an opening balance and a credit limit are {_BALANCE_MAX} at most")


def _allowances(offers: tuple[str, ...], catalogue: Catalogue, now_ms: int, prefix: str = "") -> list[Bucket]:
    """What offers bring in beside money; ``prefix`` keeps several subscribers' allowances apart."""
    buckets: list[Bucket] = []
    for offer_id in offers:
        offer = catalogue.offer(offer_id)
        for grant in offer.allowances if offer is not None else ():
            until_ms = now_ms + grant.validity_days * _DAY_MS if grant.validity_days else 0
            bucket_id = f"{prefix}{offer_id}.{grant.allowance}"
            buckets.append(
                Bucket(
                    bucket_id, grant.unit_type, grant.units, 0, grant.allowance, grant.priority, 0, until_ms
                )
            )
    return buckets


def top_up(account: Account, amount: Money, *, reference: str, now_ms: int) -> tuple[Account, ChargeEvent]:
    """Put money on an account.

    Raises:
        OperationError: nothing to put, no reference, too much money, or the account is closed.
        CurrencyMismatchError: another currency than the account's.
    """
    if amount.micro <= 0:
        raise OperationError("a top-up is more than nothing")
    if not reference or len(reference) > _REFERENCE_CHARACTERS_MAX or not reference.isprintable():
        raise OperationError(f"{reference!r} is not a reference: 1 to 128 printable characters")
    if money_balance(account) + amount.micro > limits.BALANCE_MICRO_MAX:
        raise OperationError(f"a balance is {_BALANCE_MAX} at most")
    if amount.currency != account.currency:
        raise CurrencyMismatchError(
            f"account {account.account_id} is in {account.currency}, not {amount.currency}"
        )
    if account.state == LifecycleState.CLOSED:
        raise OperationError(f"account {account.account_id} is closed")
    purse = Purse(account, now_ms)
    movements = purse.credit((Hold(MAIN_BUCKET, amount.micro),))
    event = record_movement(
        purse, EventKind.TOP_UP, movements, event_id=f"topup:{account.account_id}:{reference}"
    )
    return purse.account(), event
