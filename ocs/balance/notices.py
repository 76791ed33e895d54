"""What there is to tell when money or an allowance has moved: parts of bundles, low balance, limits. Pure.

A notice is told once, when a movement takes a value over its threshold; a movement that passes several of one subject
tells the highest. It is a charge event that moves nothing, in the same commit as what caused it.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from ocs.balance.entries import record_movement
from ocs.balance.model import Counter, Subscriber
from ocs.balance.purse import Purse
from ocs.events import ChargeEvent, EventKind, Notice, NoticeKind
from ocs.settings import AccountsSettings
from ocs.units import parse_micro


class NoticeRules(msgspec.Struct, frozen=True):
    """When holders are told (``[accounts]`` of the settings).

    Attributes:
        bundle_percents: parts of an allowance that are used, ascending.
        limit_percents: parts of a credit limit or of a member's limit, ascending.
        low_balance_micro: money below which an account without credit is low, in its own currency; 0 tells nothing.
    """

    bundle_percents: tuple[int, ...] = (50, 80, 100)
    limit_percents: tuple[int, ...] = (80, 100)
    low_balance_micro: int = 0


NO_NOTICES: Final = NoticeRules((), ())


def notice_rules(settings: AccountsSettings) -> NoticeRules:
    """The rules that the operator has set.

    Raises:
        AmountError: ``low_balance`` is not an amount.
    """
    return NoticeRules(
        settings.bundle_notice_percents, settings.limit_notice_percents, parse_micro(settings.low_balance)
    )


def crossed(purse: Purse, rules: NoticeRules) -> list[Notice]:
    """What the purse's moves so far have crossed."""
    notices: list[Notice] = []
    before, after = purse.money_before, purse.money_balance
    if after < before:
        limit, order = purse.credit_limit_micro, purse.auto_top_up
        if limit:
            percent = _passed(rules.limit_percents, max(0, -before), max(0, -after), limit)
            if percent:
                notices.append(Notice(NoticeKind.CREDIT_LIMIT, "", percent, after))
        elif after < rules.low_balance_micro <= before:
            notices.append(Notice(NoticeKind.LOW_BALANCE, "", rules.low_balance_micro, after))
        if order is not None and after < order.below_micro <= before:
            notices.append(
                Notice(NoticeKind.AUTO_TOP_UP, order.method, order.below_micro, order.amount_micro)
            )
    if purse.has_allowances:
        for bucket, value in purse.drawn_allowances():
            percent = _passed(
                rules.bundle_percents, bucket.initial - bucket.value, bucket.initial - value, bucket.initial
            )
            if percent:
                notices.append(Notice(NoticeKind.BUNDLE, bucket.bucket_id, percent, value))
    return notices


def limits_crossed(before: Subscriber | None, after: Subscriber | None, rules: NoticeRules) -> list[Notice]:
    """What a subscriber's counters have crossed of its limits (bill shock)."""
    if after is None or after is before or not after.limits:
        return []
    notices: list[Notice] = []
    for limit in after.limits:
        now = _counter(after, limit.counter_id)
        if now is None:
            continue
        was = None if before is None else _counter(before, limit.counter_id)
        earlier = was.value if was is not None and was.period_start_ms == now.period_start_ms else 0
        percent = _passed(rules.limit_percents, earlier, now.value, limit.amount)
        if percent:
            notices.append(Notice(NoticeKind.SPENDING_LIMIT, limit.counter_id, percent, now.value))
    return notices


def record_notices(
    purse: Purse,
    notices: list[Notice],
    *,
    event_id: str,
    subscriber_id: str = "",
    time_zone: str = "UTC",
) -> Iterator[ChargeEvent]:
    """Make the events of notices, each with a number of the account's sequence.

    Args:
        purse: after the moves.
        event_id: of what caused them; each event's own is made from it.
    """
    for notice in notices:
        yield record_movement(
            purse,
            EventKind.NOTICE,
            (),
            event_id=f"{event_id};{notice.kind}:{notice.subject}",
            subscriber_id=subscriber_id,
            time_zone=time_zone,
            notice=notice,
        )


def _passed(percents: tuple[int, ...], before: int, after: int, whole: int) -> int:
    """The highest percentage of ``whole`` that a growing value has reached, 0 when none."""
    if after <= before or whole <= 0:
        return 0
    return max((percent for percent in percents if before * 100 < percent * whole <= after * 100), default=0)


def _counter(subscriber: Subscriber, counter_id: str) -> Counter | None:
    return next((each for each in subscriber.counters if each.counter_id == counter_id), None)
