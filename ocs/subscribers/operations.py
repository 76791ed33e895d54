"""What operations on accounts from outside a session share; and the commonest of them, the top-up. Pure."""

from typing import Final

import msgspec

from ocs import limits
from ocs.balance.entries import record_movement
from ocs.balance.lifecycle import FOR_EVER, LifecycleRules, lifecycle_rules, topped_up
from ocs.balance.model import Account, Bucket, Hold, LifecycleState, Subscriber
from ocs.balance.notices import NO_NOTICES, NoticeRules, notice_rules, record_notices
from ocs.balance.purse import Purse, money_balance
from ocs.events import ChargeEvent, EventKind, Notice, NoticeKind
from ocs.settings import AccountsSettings
from ocs.subscribers.grants import MAIN_BUCKET, free_id
from ocs.units import CurrencyMismatchError, Money, format_micro

_REFERENCE_CHARACTERS_MAX: Final = 128
BALANCE_MAX: Final = format_micro(limits.BALANCE_MICRO_MAX)


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


class AccountRules(msgspec.Struct, frozen=True):
    """The operator's rules for accounts: how long they live, when their holders are told."""

    lifecycle: LifecycleRules = FOR_EVER
    notices: NoticeRules = NO_NOTICES


NO_RULES: Final = AccountRules()


def account_rules(settings: AccountsSettings) -> AccountRules:
    """The rules that the operator has set.

    Raises:
        AmountError: ``low_balance`` is not an amount.
    """
    return AccountRules(lifecycle_rules(settings), notice_rules(settings))


class Done(msgspec.Struct, frozen=True):
    """What an operation leads to: what is the very same as before is not written.

    Attributes:
        subscriber: as it is afterwards; None when the operation did not touch one.
        agenda: lines of the agenda that it sets (epoch milliseconds) or removes (None), beside the account's own.
        bonus: what came with a top-up.
        origins: where money that leaves the account was drawn from (:mod:`ocs.subscribers.origins`).
        parked: why the account refused money that had been paid and now lies set aside; empty when it did not.
    """

    account: Account
    events: tuple[ChargeEvent, ...]
    subscriber: Subscriber | None = None
    agenda: dict[str, int | None] = {}
    bonus: tuple[Hold, ...] = ()
    origins: tuple[Bucket, ...] = ()
    parked: str = ""


def check_identities(identities: tuple[str, ...]) -> None:
    """Refuse what is no identity.

    Raises:
        OperationError: an unknown kind, or a number that is none.
    """
    for identity in identities:
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


def top_up(
    account: Account,
    amount: Money,
    *,
    reference: str,
    now_ms: int,
    rules: AccountRules = NO_RULES,
    bonus: tuple[Bucket, ...] = (),
    reason: str = "",
    event: str = "topup",
) -> Done:
    """Put money on an account, and with it what the operator adds; its dates move as the rules say.

    Args:
        bonus: buckets that come with it. reason: where the money comes from, such as ``voucher``.
        event: what its event's id begins with: references of different origins may be the same.

    Raises:
        OperationError: nothing to put, no reference, too much money, or the account is closed.
        CurrencyMismatchError: another currency than the account's.
    """
    if amount.micro <= 0:
        raise OperationError("a top-up is more than nothing")
    check_reference(reference)
    check_room(account, amount)
    before = account.state
    account = topped_up(account, now_ms, rules.lifecycle)
    purse = Purse(account, now_ms)
    event_id = f"{event}:{account.account_id}:{reference}"
    movements = purse.credit((Hold(MAIN_BUCKET, amount.micro),))
    brought: list[Hold] = []
    for bucket in bonus:
        kept = next((b for b in purse.buckets if b.bucket_id == bucket.bucket_id), None)
        if kept is not None and not bucket.valid_until_ms:
            brought.append(Hold(bucket.bucket_id, bucket.value))
            movements += purse.credit((brought[-1],))
        elif len(purse.buckets) < limits.BUCKETS_PER_ACCOUNT_MAX:
            name = free_id(bucket.bucket_id, purse.buckets)
            brought.append(Hold(name, bucket.value))
            movements += (purse.add_bucket(msgspec.structs.replace(bucket, bucket_id=name)),)
        else:
            reason = f"{reason} no room for the bonus".lstrip()  # what was paid is credited all the same
    events = [record_movement(purse, EventKind.TOP_UP, movements, event_id=event_id, reason=reason)]
    if account.state != before:
        events.extend(record_notices(purse, [state_notice(account)], event_id=event_id))
    return Done(purse.account(), tuple(events), bonus=tuple(brought))


def state_notice(account: Account) -> Notice:
    """Tells the state that an account has come to."""
    return Notice(NoticeKind.ACCOUNT_STATE, account.state.name.lower())


def check_reference(reference: str) -> None:
    """Refuse what is no reference.

    Raises:
        OperationError: it is empty, too long, or not printable.
    """
    if not reference or len(reference) > _REFERENCE_CHARACTERS_MAX or not reference.isprintable():
        raise OperationError(f"{reference!r} is not a reference: 1 to 128 printable characters")


def check_room(account: Account, amount: Money) -> None:
    """Refuse money that an account cannot take.

    Raises:
        OperationError: it would have too much, or is closed.
        CurrencyMismatchError: another currency than the account's.
    """
    if money_balance(account) + amount.micro > limits.BALANCE_MICRO_MAX:
        raise OperationError(f"a balance is {BALANCE_MAX} at most")
    check_currency(account, amount)
    if account.state in {LifecycleState.CLOSED, LifecycleState.RECYCLED}:
        raise OperationError(f"account {account.account_id} is {account.state.name.lower()}")


def check_currency(account: Account, amount: Money) -> None:
    """Refuse money in another currency than the account's.

    Raises:
        CurrencyMismatchError: with both.
    """
    if amount.currency != account.currency:
        raise CurrencyMismatchError(
            f"account {account.account_id} is in {account.currency}, not {amount.currency}"
        )
