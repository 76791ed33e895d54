"""What must be looked at outside of sessions, and when: a line per account, subscriber, transfer, voucher and payment.

The lines of a partition stand in one sorted set and change in the commit of what they are about, so none is ever
missing; one that is early costs a look.
"""

from enum import StrEnum
from typing import Final

import msgspec

from ocs.balance.lifecycle import DAY_MS, LifecycleRules, due_ms
from ocs.balance.model import Account, LifecycleState, Subscriber
from ocs.units import Money

# An expired bucket that a session still holds a part of is looked at again after this time.
_LOOK_AGAIN_MS: Final = 3_600_000
# What somebody is carrying out is his for so long; then the sweep completes it.
UNDER_WAY_MS: Final = 30_000


class AgendaKind(StrEnum):
    """What a line is about."""

    ACCOUNT = "a"
    SUBSCRIBER = "u"
    TRANSFER = "t"
    VOUCHER = "v"
    PAYMENT = "p"


class AgendaLine(msgspec.Struct, frozen=True):
    """A line, read: ``names`` are account id, subscriber id, reference or serial number as the kind has them.

    Of a payment they end in its amount, in micro-units, and its currency.
    """

    kind: AgendaKind
    names: tuple[str, ...]


def account_member(account_id: str) -> str:
    """The line of an account's dates and expiring buckets."""
    return f"{AgendaKind.ACCOUNT}\n{account_id}"


def subscriber_member(account_id: str, subscriber_id: str) -> str:
    """The line of a subscriber's subscriptions."""
    return f"{AgendaKind.SUBSCRIBER}\n{account_id}\n{subscriber_id}"


def transfer_member(account_id: str, reference: str) -> str:
    """The line of a transfer that has left its account and not yet arrived."""
    return f"{AgendaKind.TRANSFER}\n{account_id}\n{reference}"


def voucher_member(serial: str) -> str:
    """The line of a voucher that is claimed and not yet credited."""
    return f"{AgendaKind.VOUCHER}\n{serial}"


def payment_member(account_id: str, reference: str, amount: Money) -> str:
    """The line of a payment that was taken and is not yet on its account."""
    return f"{AgendaKind.PAYMENT}\n{account_id}\n{reference}\n{amount.micro}\n{amount.currency}"


def parse_line(member: str) -> AgendaLine:
    """Read a line.

    Raises:
        ValueError: it is of a kind that this release does not know.
    """
    kind, *names = member.split("\n")
    return AgendaLine(AgendaKind(kind), tuple(names))


def account_due_ms(account: Account, rules: LifecycleRules, now_ms: int) -> int | None:
    """When an account must be looked at, None for never; charging may have moved its dates on meanwhile, never back.

    Args:
        now_ms: from here a created account may begin its life at any moment.
    """
    due = [due_ms(account, rules)]
    if account.state is LifecycleState.CREATED and rules.active_days:
        due.append(now_ms + rules.active_days * DAY_MS)
    due += [
        bucket.valid_until_ms if bucket.valid_until_ms > now_ms else now_ms + _LOOK_AGAIN_MS
        for bucket in account.buckets
        if bucket.valid_until_ms
    ]
    return min([moment for moment in due if moment], default=None)


def subscriber_due_ms(subscriber: Subscriber) -> int | None:
    """When one of a subscriber's subscriptions renews or ends, None for never."""
    moments = [
        moment
        for each in subscriber.subscriptions
        for moment in (each.renews_ms and max(each.renews_ms, each.retry_ms), each.until_ms)
        if moment
    ]
    return min(moments, default=None)
