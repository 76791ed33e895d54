"""What an account holds now, and what moved it, newest first."""

import re
from typing import Any, Final

import msgspec

from ocs import limits
from ocs.balance import keys
from ocs.balance.client import BalanceClient
from ocs.balance.model import Account
from ocs.balance.purse import is_valid, money_balance
from ocs.events import ChargeEvent, decode_event
from ocs.subscribers.operations import OperationError
from ocs.units import UnitType

_READ_AT_ONCE: Final = 1_000
# An entry of a stream: milliseconds and a number. Redis refuses those of more than 64 bits, and nothing is before 0-0.
_CURSOR: Final = re.compile(r"[1-9][0-9]{0,18}-[0-9]{1,19}")


class BucketBalance(msgspec.Struct, frozen=True):
    """One bucket: micro-units for money, else units.

    Attributes:
        reserved: held by open sessions. available: what can be had now; 0 when it is not valid.
        initial: what an allowance began with, 0 where unknown.
        valid_until_ms: epoch milliseconds; 0 is for ever.
    """

    bucket_id: str
    unit_type: UnitType
    allowance: str
    value: int
    reserved: int
    available: int
    initial: int
    valid_until_ms: int


class Balances(msgspec.Struct, frozen=True):
    """What an account holds; money in micro-units.

    Attributes:
        available_micro: what sessions and operations may still take, the credit limit included.
    """

    account_id: str
    currency: str
    state: str
    money_micro: int
    reserved_micro: int
    available_micro: int
    credit_limit_micro: int
    buckets: tuple[BucketBalance, ...]


class HistoryPage(msgspec.Struct, frozen=True):
    """Charge events, newest first.

    Attributes:
        cursor: for the next page; empty at the end. A page may have fewer events than were asked for, even none.
    """

    events: tuple[ChargeEvent, ...]
    cursor: str


def balances_of(account: Account, now_ms: int) -> Balances:
    """What an account holds at a moment."""
    buckets = tuple(
        BucketBalance(
            bucket.bucket_id,
            bucket.unit_type,
            bucket.allowance,
            bucket.value,
            bucket.reserved,
            bucket.value - bucket.reserved if is_valid(bucket, now_ms) else 0,
            bucket.initial,
            bucket.valid_until_ms,
        )
        for bucket in account.buckets
    )
    money = [bucket for bucket in buckets if bucket.unit_type == UnitType.MONEY]
    return Balances(
        account.account_id,
        account.currency,
        account.state.name.lower(),
        money_balance(account),
        sum(bucket.reserved for bucket in money),
        sum(bucket.available for bucket in money) + account.credit_limit_micro,
        account.credit_limit_micro,
        buckets,
    )


def read_history(client: BalanceClient, account_id: str, *, limit: int, cursor: str) -> HistoryPage:
    """Read a page of an account's events from its partition's stream.

    The stream is the whole partition's: one page looks at a bounded part of it.

    Raises:
        OperationError: a cursor that no page gave.
    """
    if cursor and _CURSOR.fullmatch(cursor) is None:
        raise OperationError(f"{cursor!r} is not a cursor of this list")
    connection: Any = client.connection
    stream = keys.events_key(client.partition_of(account_id))
    found: list[ChargeEvent] = []
    for _ in range(limits.HISTORY_READS_PER_PAGE_MAX):
        entries = connection.xrevrange(stream, max=f"({cursor}" if cursor else "+", count=_READ_AT_ONCE)
        for entry_id, fields in entries:
            cursor = entry_id.decode()
            event = decode_event(fields[b"e"])
            if event.account_id != account_id:
                continue
            found.append(event)
            if event.sequence == 1:
                return HistoryPage(tuple(found), "")
            if len(found) >= limit:
                return HistoryPage(tuple(found), cursor)
        if len(entries) < _READ_AT_ONCE:
            return HistoryPage(tuple(found), "")
    return HistoryPage(tuple(found), cursor)
