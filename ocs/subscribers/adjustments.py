"""Money moved by hand: adjusted for a reason, set aside, sent to another account. Pure."""

import re
from typing import Final

from ocs import limits
from ocs.balance.entries import record_movement
from ocs.balance.model import Account, Bucket, Hold, LifecycleState
from ocs.balance.notices import crossed, record_notices
from ocs.balance.purse import Purse
from ocs.events import EventKind
from ocs.subscribers.grants import MAIN_BUCKET, free_id
from ocs.subscribers.operations import (
    NO_RULES,
    AccountRules,
    Done,
    OperationError,
    check_currency,
    check_room,
)
from ocs.subscribers.origins import expired_again, origins_of, put_back
from ocs.units import Money, UnitType, format_micro

_REASON: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
# Money that is set aside pays for nothing until it is taken or given back.
_NEVER_MS: Final = 1 << 62
SET_ASIDE: Final = "set-aside."


def adjust(
    account: Account,
    amount: Money,
    *,
    reason: str,
    reference: str,
    now_ms: int,
    rules: AccountRules = NO_RULES,
) -> Done:
    """Correct a balance upwards or downwards; what it takes is no more than what no session holds.

    Args:
        reason: the operator's code for why, such as ``goodwill`` or ``billing-error``.

    Raises:
        OperationError: nothing to move, no reason, more than is available, or more money for a closed account.
        CurrencyMismatchError: another currency than the account's.
    """
    if not amount.micro:
        raise OperationError("an adjustment of nothing changes nothing")
    if _REASON.fullmatch(reason) is None:
        raise OperationError(f"{reason!r} is no reason code: small letters, digits and . _ -")
    if amount.micro < 0:
        check_currency(account, amount)  # what is left on a closed account is paid out so
    else:
        check_room(account, amount)
    purse = Purse(account, now_ms)
    if amount.micro > 0:
        movements = purse.credit((Hold(MAIN_BUCKET, amount.micro),))
    else:
        movements = purse.debit(_drawn(purse, -amount.micro))
    event_id = f"adjustment:{account.account_id}:{reference}"
    event = record_movement(purse, EventKind.ADJUSTMENT, movements, event_id=event_id, reason=reason)
    notices = tuple(record_notices(purse, crossed(purse, rules.notices), event_id=event_id))
    return Done(purse.account(), (event, *notices))


def take_back(
    account: Account,
    amount: Money,
    bonus: tuple[Hold, ...],
    *,
    reference: str,
    now_ms: int,
    rules: AccountRules = NO_RULES,
) -> Done:
    """Undo a top-up: its money goes, and with it all of its bonus, which is not had for nothing.

    Raises:
        OperationError: more than is available, a part of the bonus is used or held by a session, or the account is
            closed.
        CurrencyMismatchError: another currency than the account's.
    """
    check_room(account, Money(-amount.micro, amount.currency))
    purse = Purse(account, now_ms)
    free = {bucket.bucket_id: bucket.value - bucket.reserved for bucket in purse.buckets}
    parts = tuple(hold for hold in bonus if hold.bucket_id != MAIN_BUCKET)
    if any(free.get(hold.bucket_id, 0) < hold.amount for hold in parts):
        raise OperationError("the bonus that came with it is used: what is left is taken by adjustments")
    total = amount.micro + sum(hold.amount for hold in bonus if hold.bucket_id == MAIN_BUCKET)
    # Where it was put, so that the bonus of another top-up stays; the rest wherever there is money.
    in_main = min(max(0, free.get(MAIN_BUCKET, 0)), total)
    movements = purse.debit((*parts, Hold(MAIN_BUCKET, in_main)) if in_main else parts)
    if total > in_main:
        movements += purse.debit(_drawn(purse, total - in_main))
    event_id = f"adjustment:{account.account_id}:{reference}"
    event = record_movement(purse, EventKind.ADJUSTMENT, movements, event_id=event_id, reason="cancelled")
    notices = tuple(record_notices(purse, crossed(purse, rules.notices), event_id=event_id))
    return Done(purse.account(), (event, *notices))


def _drawn(purse: Purse, amount_micro: int) -> tuple[Hold, ...]:
    available = purse.available_money()
    if amount_micro > available:
        has, asked = format_micro(max(0, available)), format_micro(amount_micro)
        raise OperationError(f"account {purse.account_id} has {has} available, not {asked}")
    return purse.plan_money(amount_micro)


def send(
    account: Account, amount: Money, *, to: str, reference: str, now_ms: int, rules: AccountRules = NO_RULES
) -> Done:
    """Take what is sent to another account: the sender's own money, not his credit, nor what expires.

    A bonus that could be sent would be money without an end where it arrives.

    Raises:
        OperationError: nothing to send, more than the account can send, or it is not active.
        CurrencyMismatchError: another currency than the account's.
    """
    if amount.micro <= 0:
        raise OperationError("a transfer is more than nothing")
    if to == account.account_id:
        raise OperationError("a transfer goes to another account")
    check_currency(account, amount)
    if account.state is not LifecycleState.ACTIVE:
        raise OperationError(f"account {account.account_id} is {account.state.name.lower()}: it cannot send")
    purse = Purse(account, now_ms)
    lasting = _lasting_money(purse)
    own = min(sum(lasting.values()), purse.available_money() - account.credit_limit_micro)
    if amount.micro > own:
        raise OperationError(
            f"account {account.account_id} can send {format_micro(max(0, own))}, not {format_micro(amount.micro)}"
        )
    parts: list[Hold] = []
    missing = amount.micro
    for bucket_id, free in lasting.items():
        if part := min(free, missing):
            parts.append(Hold(bucket_id, part))
            missing -= part
    origins = origins_of(purse, tuple(parts))
    movements = purse.debit(tuple(parts))
    event_id = f"transfer:{account.account_id}:{reference}"
    event = record_movement(purse, EventKind.TRANSFER, movements, event_id=event_id, reason=to)
    notices = tuple(record_notices(purse, crossed(purse, rules.notices), event_id=event_id))
    return Done(purse.account(), (event, *notices), origins=origins)


def _lasting_money(purse: Purse) -> dict[str, int]:
    """What each bucket of money without an end has beyond what sessions hold, in drawing order."""
    return {
        bucket.bucket_id: bucket.value - bucket.reserved
        for bucket in purse.buckets
        if bucket.unit_type is UnitType.MONEY
        and not bucket.valid_until_ms
        and bucket.valid_from_ms <= purse.now_ms
        and bucket.value > bucket.reserved
    }


def receive(
    account: Account,
    amount: Money,
    *,
    sender: str,
    event_id: str,
    now_ms: int,
    origins: tuple[Bucket, ...] = (),
) -> Done:
    """Put what was sent on an account; also back on its sender's, which takes it in any state.

    Args:
        origins: where it was drawn from, when it comes back.

    Raises:
        OperationError: it cannot be taken: too much, or the account is closed.
        CurrencyMismatchError: another currency than the account's.
    """
    if sender != account.account_id:
        check_room(account, amount)
    purse = Purse(account, now_ms)
    movements = put_back(purse, origins, amount.micro)
    event = record_movement(purse, EventKind.TRANSFER, movements, event_id=event_id, reason=sender)
    expired = expired_again(purse, after=event_id) if origins else ()
    return Done(purse.account(), (event, *expired))


def set_aside(account: Account, amount: Money, *, reference: str, now_ms: int) -> Done:
    """Set money aside, so that neither sessions nor operations take it, until it is taken or given back.

    Raises:
        OperationError: nothing to set aside, more than is available, too many buckets, or the account is closed.
        CurrencyMismatchError: another currency than the account's.
    """
    if amount.micro <= 0:
        raise OperationError("a reservation is more than nothing")
    check_room(account, amount)
    bucket_id = SET_ASIDE + reference
    if len(account.buckets) >= limits.BUCKETS_PER_ACCOUNT_MAX:
        raise OperationError(
            f"account {account.account_id} has {limits.BUCKETS_PER_ACCOUNT_MAX} buckets already"
        )
    if any(bucket.bucket_id == bucket_id for bucket in account.buckets):
        raise OperationError(f"reference {reference!r} names a reservation that there is")
    purse = Purse(account, now_ms)
    parts = _drawn(purse, amount.micro)
    origins = origins_of(purse, parts)
    movements = purse.debit(parts)
    aside = Bucket(
        bucket_id, UnitType.MONEY, amount.micro, valid_from_ms=_NEVER_MS, priority=9999, origins=origins
    )
    movements += (purse.add_bucket(aside),)
    event_id = f"reservation:{account.account_id}:{reference}"
    event = record_movement(purse, EventKind.RESERVATION, movements, event_id=event_id)
    return Done(purse.account(), (event,))


def park(account: Account, amount: Money, *, reference: str, now_ms: int, why: str) -> Done:
    """Keep money that has been paid and that the account refuses: it pays for nothing, and lies there to be decided on.

    It is a reservation named ``payment:REFERENCE``: taken when the money has been paid back, given back to have the
    account use it after all.

    Raises:
        CurrencyMismatchError: another currency than the account's.
    """
    check_currency(account, amount)
    purse = Purse(account, now_ms)
    bucket_id = free_id(f"{SET_ASIDE}payment:{reference}", account.buckets)
    movement = purse.add_bucket(
        Bucket(bucket_id, UnitType.MONEY, amount.micro, valid_from_ms=_NEVER_MS, priority=9999)
    )
    event_id = f"topup:{account.account_id}:{reference}"
    event = record_movement(purse, EventKind.TOP_UP, (movement,), event_id=event_id, reason=f"parked: {why}")
    return Done(purse.account(), (event,), parked=why)


def amount_set_aside(account: Account, reference: str) -> int:
    """What is left of a reservation, in micro-units; 0 when there is none."""
    return sum(bucket.value for bucket in account.buckets if bucket.bucket_id == SET_ASIDE + reference)


def take_set_aside(account: Account, amount: Money, *, reservation: str, reference: str, now_ms: int) -> Done:
    """Charge a part or all of what was set aside; the rest stays so.

    Raises:
        OperationError: nothing to take, or less is set aside.
        CurrencyMismatchError: another currency than the account's.
    """
    check_currency(account, amount)
    left = amount_set_aside(account, reservation)
    if not 0 < amount.micro <= left:
        raise OperationError(
            f"reservation {reservation!r} holds {format_micro(left)}, not {format_micro(amount.micro)}"
        )
    purse = Purse(account, now_ms)
    movements = purse.debit((Hold(SET_ASIDE + reservation, amount.micro),))
    if amount.micro == left:
        purse.remove_bucket(SET_ASIDE + reservation)
    event_id = f"deduction:{account.account_id}:{reference}"
    event = record_movement(purse, EventKind.ADJUSTMENT, movements, event_id=event_id, reason="reservation")
    return Done(purse.account(), (event,))


def give_back(account: Account, *, reservation: str, reference: str, now_ms: int) -> Done:
    """Put what is left of a reservation back where it was drawn from; what has expired there meanwhile is gone.

    Raises:
        OperationError: there is no such reservation.
    """
    bucket_id = SET_ASIDE + reservation
    aside = next((bucket for bucket in account.buckets if bucket.bucket_id == bucket_id), None)
    if aside is None:
        raise OperationError(f"account {account.account_id} has no reservation {reservation!r}")
    purse = Purse(account, now_ms)
    movements = purse.debit((Hold(bucket_id, aside.value),))
    movements += put_back(purse, aside.origins, aside.value)
    purse.remove_bucket(bucket_id)
    event_id = f"release:{account.account_id}:{reference}"
    event = record_movement(purse, EventKind.RESERVATION, movements, event_id=event_id)
    expired = expired_again(purse, after=event_id) if aside.origins else ()
    return Done(purse.account(), (event, *expired))
