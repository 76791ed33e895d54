"""Accounts opened, and subscribers added to them, with the offers that they begin with. Pure."""

import re
from typing import Final

import msgspec

from ocs import limits
from ocs.balance.entries import record_movement
from ocs.balance.lifecycle import first_used
from ocs.balance.model import Account, Bucket, LifecycleState, Subscriber
from ocs.balance.purse import Purse
from ocs.events import ChargeEvent, EventKind
from ocs.messages import Profile
from ocs.rating import Catalogue
from ocs.subscribers.grants import MAIN_BUCKET, granted
from ocs.subscribers.operations import (
    BALANCE_MAX,
    NO_RULES,
    AccountRules,
    NewAccount,
    NewSubscriber,
    Opened,
    OperationError,
    check_identities,
)
from ocs.subscribers.subscriptions import Plan, is_charged
from ocs.units import UnitType

# What needs no care in a key, an event's id, a URL or a shell.
# A path with nothing but dots in a segment leads elsewhere (RFC 3986 section 5.2.4).
_ID: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._@+-]{1,64}")


def open_account(
    new: NewAccount, catalogue: Catalogue, now_ms: int, rules: AccountRules = NO_RULES
) -> Opened:
    """Open an account with its opening money and the allowances of its offers.

    Raises:
        OperationError: a malformed id, an unknown offer, a malformed identity, a negative or foreign opening balance.
    """
    _check(new, catalogue)
    account = Account(
        new.account_id,
        new.opening.currency,
        LifecycleState.CREATED,
        0,
        (),
        (),
        new.credit_limit_micro,
        since_ms=now_ms,
    )
    if not rules.lifecycle.starts_created:
        account = first_used(account, now_ms, rules.lifecycle)
    purse = Purse(account, now_ms)
    free, charged = _by_charges(new.offers, catalogue)
    buckets = [
        Bucket(MAIN_BUCKET, UnitType.MONEY, new.opening.micro, priority=1000),
        *granted(free, catalogue, now_ms),
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
    subscriber = _subscriber(new, free)
    if account.currency != catalogue.currency:
        subscriber = msgspec.structs.replace(subscriber, profile=Profile(currency=account.currency))
    opened = Opened(purse.account(), subscriber, (event,))
    return _with_charged(opened, charged, catalogue, now_ms, rules)


def add_subscriber(
    account: Account,
    new: NewSubscriber,
    catalogue: Catalogue,
    now_ms: int,
    rules: AccountRules = NO_RULES,
) -> Opened:
    """Add a subscriber, with the allowances of its offers, to an account whose money it shares.

    Raises:
        OperationError: a malformed id or identity, an unknown offer, too many buckets, or the account is closed.
    """
    _check_subscriber(new, catalogue)
    if account.state in {LifecycleState.CLOSED, LifecycleState.RECYCLED}:
        raise OperationError(f"account {account.account_id} is {account.state.name.lower()}")
    purse = Purse(account, now_ms)
    free, charged = _by_charges(new.offers, catalogue)
    allowances = granted(free, catalogue, now_ms, f"{new.subscriber_id}.", account.buckets)
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
    opened = Opened(purse.account(), _subscriber(new, free), events)
    return _with_charged(opened, charged, catalogue, now_ms, rules)


def _subscriber(new: NewAccount | NewSubscriber, offers: tuple[str, ...]) -> Subscriber:
    return Subscriber(new.subscriber_id, new.account_id, LifecycleState.ACTIVE, new.identities, offers)


def _by_charges(offers: tuple[str, ...], catalogue: Catalogue) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Offers that come with the opening, and those that have a charge of their own first."""
    charged = tuple(offer_id for offer_id in offers if is_charged(catalogue.offer(offer_id)))
    return tuple(offer_id for offer_id in offers if offer_id not in charged), charged


def _with_charged(
    opened: Opened, charged: tuple[str, ...], catalogue: Catalogue, now_ms: int, rules: AccountRules
) -> Opened:
    """Put offers with charges in effect; those that cannot be paid rest until they can."""
    if not charged:
        return opened
    plan = Plan(opened.account, opened.subscriber, catalogue, now_ms, rules)
    plan.open(charged)
    done = plan.done()
    return Opened(done.account, done.subscriber or opened.subscriber, opened.events + done.events)


def _check_subscriber(new: NewAccount | NewSubscriber, catalogue: Catalogue) -> None:
    for name in (new.account_id, new.subscriber_id):
        if _ID.fullmatch(name) is None:
            raise OperationError(f"{name!r} is not an id: 1 to 64 letters, digits and . _ @ + -")
    for offer in new.offers:
        if catalogue.offer(offer) is None:
            raise OperationError(f"offer {offer!r} is not in catalogue {catalogue.version}")
    check_identities(new.identities)


def _check(new: NewAccount, catalogue: Catalogue) -> None:
    _check_subscriber(new, catalogue)
    offered = {offer.currency for name in new.offers if (offer := catalogue.offer(name)) is not None}
    if new.opening.currency not in offered | {catalogue.currency}:
        raise OperationError(
            f"{new.opening.currency} is neither the catalogue's currency, {catalogue.currency}, nor one of these offers"
        )
    if new.opening.micro < 0 or new.credit_limit_micro < 0:
        raise OperationError("an opening balance and a credit limit are not negative")
    if max(new.opening.micro, new.credit_limit_micro) > limits.BALANCE_MICRO_MAX:
        raise OperationError(f"an opening balance and a credit limit are {BALANCE_MAX} at most")
