"""When counters start anew and charges are due: local days, weeks and months on the operator's clock.

A period begins at local midnight, whatever the clock does that day. Months are counted from the day on which something
began: what began on the 31st is due on the last day of a shorter month, and on the 31st again after it.
"""

from calendar import monthrange
from datetime import date, datetime, time, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo

from ocs.rating.offers import ChargeKind, OfferCharge
from ocs.rating.rate import CountingPeriod
from ocs.units import divide_up

_MONTHS: int = 12


def period_start_ms(period: CountingPeriod, at_ms: int, zone: ZoneInfo, *, billing_day: int = 1) -> int:
    """Find when the period that a moment lies in began, in epoch milliseconds.

    Args:
        period: weeks begin on Monday, months on the 1st.
        at_ms: the moment.
        zone: the operator's.
        billing_day: on which BILLING periods begin, 1 to 28.
    """
    return _midnight_ms(_first_day(period, _local_date(at_ms, zone), billing_day), zone)


def period_end_ms(period: CountingPeriod, at_ms: int, zone: ZoneInfo, *, billing_day: int = 1) -> int:
    """Find when the next period begins; the arguments are those of :func:`period_start_ms`."""
    first = _first_day(period, _local_date(at_ms, zone), billing_day)
    return _midnight_ms(_next_day(period, first, first.day), zone)


def next_due_ms(
    charge: OfferCharge, subscribed_ms: int, after_ms: int, zone: ZoneInfo, *, billing_day: int = 1
) -> int | None:
    """Find when a charge is due next, in epoch milliseconds.

    Args:
        charge: of an offer that the subscriber has.
        subscribed_ms: when the offer was activated: what is not due on the operator's days is due by its own.
        after_ms: the last time that it was charged; a moment before ``subscribed_ms`` when it never was.
        zone: the operator's.
        billing_day: of BILLING periods.

    Returns:
        The first due moment after ``after_ms``: the activation itself, then local midnights; None when nothing is due
        any more (a set-up charge that was charged, a one-off charge).
    """
    if charge.kind is ChargeKind.ONE_OFF:
        return None
    if after_ms < subscribed_ms:
        return subscribed_ms
    if charge.kind is ChargeKind.SETUP or charge.period is None:
        return None
    subscribed = _local_date(subscribed_ms, zone)
    day = _local_date(after_ms, zone)
    if charge.period is CountingPeriod.MONTH:
        due = _months_after(subscribed, _months_between(subscribed, day))
        while _midnight_ms(due, zone) <= after_ms:
            due = _months_after(subscribed, _months_between(subscribed, due) + 1)
    else:
        due = _next_day(charge.period, _first_day(charge.period, day, billing_day), billing_day)
    return _midnight_ms(due, zone)


def prorated_micro(
    charge: OfferCharge,
    from_ms: int,
    until_ms: int,
    zone: ZoneInfo,
    *,
    billing_day: int = 1,
) -> int:
    """What a charge costs for a part of one of its periods, in micro-units.

    Where the charge is prorated, each started local day costs its share of the period's days, and the sum is rounded
    up to a micro-unit; else the whole amount is due. MONTH counts from ``from_ms``'s own day.
    """
    if not charge.is_prorated or charge.period is None:
        return charge.amount_micro
    first, last = _local_date(from_ms, zone), _local_date(max(from_ms, until_ms - 1), zone)
    if charge.period is CountingPeriod.MONTH:
        start, end = first, _months_after(first, 1)
    else:
        start = _first_day(charge.period, first, billing_day)
        end = _next_day(charge.period, start, start.day)
    days = min((last - first).days + 1, (end - start).days)
    return divide_up(charge.amount_micro * days, (end - start).days)


def _local_date(at_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_ms // 1000, zone).date()


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


def _first_day(period: CountingPeriod, day: date, billing_day: int) -> date:
    match period:
        case CountingPeriod.DAY:
            return day
        case CountingPeriod.WEEK:
            return day - timedelta(days=day.weekday())
        case CountingPeriod.MONTH:
            return day.replace(day=1)
        case CountingPeriod.BILLING:
            if day.day >= billing_day:
                return day.replace(day=billing_day)
            return (day.replace(day=1) - timedelta(days=1)).replace(day=billing_day)
        case _:
            assert_never(period)


def _next_day(period: CountingPeriod, first: date, day_of_month: int) -> date:
    match period:
        case CountingPeriod.DAY:
            return first + timedelta(days=1)
        case CountingPeriod.WEEK:
            return first + timedelta(days=7)
        case CountingPeriod.MONTH | CountingPeriod.BILLING:
            return _months_after(first.replace(day=day_of_month), 1)
        case _:
            assert_never(period)


def _months_between(begin: date, day: date) -> int:
    return (day.year - begin.year) * _MONTHS + day.month - begin.month


def _months_after(begin: date, months: int) -> date:
    """The same day of a later month, or its last day where it has none such."""
    year, month = divmod(begin.year * _MONTHS + begin.month - 1 + months, _MONTHS)
    return date(year, month + 1, min(begin.day, monthrange(year, month + 1)[1]))
