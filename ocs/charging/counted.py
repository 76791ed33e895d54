"""Rates with counters, met with the counters of one subscriber: what its units cost and what other grants may change.

The arithmetic is :mod:`ocs.rating.tiers`'; flat rates never come here. Counters count in the period of the decision, or
in that of the grant whose units were used: then ``held`` is what the grant had set aside.
"""

from typing import TYPE_CHECKING

import msgspec

from ocs.balance.model import CounterHold
from ocs.events import CounterMovement
from ocs.rating import Rate
from ocs.rating.tiers import Meter, PricedUse, affordable, dearest_price_of, price_in_parts
from ocs.units import UnitType

if TYPE_CHECKING:
    from ocs.charging.draft import Draft


def meter_of(
    draft: "Draft",
    rate: Rate,
    money_units: int,
    *,
    fee_paid: bool,
    is_reserved_used: bool = False,
    held: tuple[CounterHold, ...] = (),
) -> Meter:
    """Where a service stands, the counters with it.

    Args:
        is_reserved_used: as if everything that open grants may add had been used.
    """
    counters = [draft.counter(rule.counter_id, rule.period, held) for rule in rate.counters]
    values = tuple([c.value + c.reserved if is_reserved_used else c.value for c in counters])
    return Meter(0, money_units, fee_paid, values)


def payable_by_money(
    draft: "Draft", rate: Rate, need: int, money_units: int, *, fee_paid: bool, available_micro: int
) -> int:
    """Count the billed units that money can pay however the subscriber's other sessions use their grants.

    Args:
        need: more than these are of no interest.
    """
    now = meter_of(draft, rate, money_units, fee_paid=fee_paid)
    later = meter_of(draft, rate, money_units, fee_paid=fee_paid, is_reserved_used=True)
    units = min(affordable(rate, now, available_micro), need)
    if later.counters == now.counters:
        return units
    units = min(affordable(rate, later, available_micro), units)
    reserved = _reserved(draft, rate)
    if dearest_price_of(rate, now, reserved, units) <= max(available_micro, 0):
        return units
    low, high = 0, units  # the bound grows with the units
    while high - low > 1:
        middle = (low + high) // 2
        if dearest_price_of(rate, now, reserved, middle) <= available_micro:
            low = middle
        else:
            high = middle
    return low


def can_pay_after(
    draft: "Draft", rate: Rate, block: int, money_units: int, *, fee_paid: bool, available_micro: int
) -> bool:
    """Whether money could pay one more block once everything granted is used."""
    meter = meter_of(draft, rate, money_units, fee_paid=fee_paid, is_reserved_used=True)
    return affordable(rate, meter, available_micro) >= block


def price_to_hold(draft: "Draft", rate: Rate, money_units: int, by_money: int, *, fee_paid: bool) -> int:
    """What to set aside for the next units, in micro-units, the connection fee with them."""
    meter = meter_of(draft, rate, money_units, fee_paid=fee_paid)
    return dearest_price_of(rate, meter, _reserved(draft, rate), by_money)


def hold_counters(draft: "Draft", rate: Rate, by_money: int, amount_micro: int) -> tuple[CounterHold, ...]:
    """Set aside in the counters what a grant may add to them."""
    return tuple(
        [
            draft.hold_counter(
                rule.counter_id, rule.period, amount_micro if rule.unit_type is UnitType.MONEY else by_money
            )
            for rule in rate.counters
        ]
    )


def priced(
    draft: "Draft",
    rate: Rate,
    money_units: int,
    by_money: int,
    *,
    fee_paid: bool,
    held: tuple[CounterHold, ...] = (),
) -> tuple[Meter, PricedUse]:
    """Price units that were used; say where the counters stood."""
    meter = meter_of(draft, rate, money_units, fee_paid=fee_paid, held=held)
    return meter, price_in_parts(rate, meter, by_money)


def priced_back(draft: "Draft", rate: Rate, by_money: int) -> tuple[Meter, PricedUse]:
    """Price units that come back at what the last ones cost; the meter returned is where the counters go back to.

    What was spent is not known by event, so a counter of money keeps its place for the price and goes back by it.
    """
    now = meter_of(draft, rate, 0, fee_paid=False)
    back = tuple(
        [
            value if rule.unit_type is UnitType.MONEY else max(0, value - by_money)
            for rule, value in zip(rate.counters, now.counters, strict=True)
        ]
    )
    use = price_in_parts(rate, Meter(0, 0, False, back), by_money)
    after = tuple(
        [
            max(0, value - use.amount_micro) if rule.unit_type is UnitType.MONEY else value
            for rule, value in zip(rate.counters, back, strict=True)
        ]
    )
    return Meter(0, 0, False, after), msgspec.structs.replace(use, counters=now.counters)


def count(
    draft: "Draft",
    rate: Rate,
    movements: tuple[CounterMovement, ...],
    held: tuple[CounterHold, ...] = (),
) -> None:
    """Count what was used, as its price trace tells it."""
    for rule, movement in zip(rate.counters, movements, strict=True):
        draft.count(rule.counter_id, rule.period, movement.after - movement.before, held)


def _reserved(draft: "Draft", rate: Rate) -> tuple[int, ...]:
    return tuple([draft.counter(rule.counter_id, rule.period).reserved for rule in rate.counters])
