"""The arithmetic of one rate: what is billed, what it costs, how much can be granted.

All of it is on whole numbers, and every rounding is stated. A session's use arrives cut into reports, so every
function works on cumulative counts: the parts of a use always add up to the price of the whole.

Three counts must be told apart: *counted* units are what the network reported; *billable* units are counted units
rounded up to the rate's blocks; *money* units are the billable units that no allowance paid.
"""

from typing import Final

from ocs.rating.rate import Rate

# What "as much as you like" is in numbers: far above any use, and inside Unsigned64 (RFC 6733 section 4.2) even
# after a session's earlier use is added.
UNLIMITED_UNITS: Final = 2**62


def billable_units(rate: Rate, counted_units: int) -> int:
    """Round all units counted so far up to whole blocks.

    With 60/1 the first started block is 60 units and every later one is 1; nothing used is nothing billed.

    Args:
        rate: says the size of the first and of every later block.
        counted_units: everything reported under this rate in this session, not one report.
    """
    first = rate.first_units
    if counted_units <= first:
        return first if counted_units > 0 else 0
    # divide_up and divide_down are written out in this file: they run a dozen times for every request.
    step = rate.step_units
    return first - (first - counted_units) // step * step


def price_micro(rate: Rate, money_units_before: int, money_units_after: int) -> int:
    """Price the units between two cumulative counts, in micro-units of the rate's currency.

    The cumulative price is rounded up to a whole micro-unit, and this is the difference of two such prices: never
    negative, and equal in sum however the use is cut into reports. The connection fee is not in it.
    """
    price, units = rate.price_micro, rate.price_units
    return -(-money_units_after * price // units) + (-money_units_before * price // units)


def affordable_units(rate: Rate, *, money_units_before: int, fee_due: bool, available_micro: int) -> int:
    """Count the billable units that money can still pay, rounded down.

    The result is the largest n (at most ``UNLIMITED_UNITS``) for which the price of n more units, with the connection
    fee where it is due and n is not 0, is not above ``available_micro``.

    Args:
        rate: the price.
        money_units_before: billable units that money has paid in this session.
        fee_due: the connection fee has not been charged yet.
        available_micro: money that nothing holds, in micro-units; may be negative.
    """
    if rate.allowance_only:
        return 0
    fee_micro = rate.connection_fee_micro if fee_due else 0
    budget_micro = available_micro - fee_micro
    price, price_units = rate.price_micro, rate.price_units
    if not price:
        # What costs nothing more is open to an account in debt too.
        return UNLIMITED_UNITS if fee_micro == 0 or budget_micro >= 0 else 0
    # ceil((before + n) * price / units) <= limit holds exactly when (before + n) * price <= limit * units.
    limit_micro = budget_micro - (-money_units_before * price // price_units)
    units = limit_micro * price_units // price - money_units_before
    return min(units, UNLIMITED_UNITS) if units > 0 else 0


def grantable_units(rate: Rate, *, counted_units: int, wanted_units: int, payable_units: int) -> int:
    """Size a grant so that what it will be billed as, block rounding included, can be paid.

    A block that was already started is paid in full, so its rest can be granted when nothing else can.

    Args:
        rate: says the blocks.
        counted_units: everything reported under this rate in this session.
        wanted_units: the most to grant.
        payable_units: billable units that allowances and money can pay together.
    """
    billable_max = billable_units(rate, counted_units) + payable_units
    if billable_max < rate.first_units:
        return 0
    later_blocks = (billable_max - rate.first_units) // rate.step_units
    counted_max = rate.first_units + later_blocks * rate.step_units
    return max(0, min(wanted_units, counted_max - counted_units))


def wanted_units(rate: Rate, requested: int | None) -> int:
    """Choose the size of a grant before asking who pays: what was requested, within the operator's bounds.

    Args:
        rate: its quota rule gives the default, the minimum and the maximum.
        requested: units of the Requested-Service-Unit; None or 0 leaves the size to us (RFC 8506 section 8.18).

    Returns:
        At least the rule's minimum, so that a gateway asking for crumbs does not ask a thousand times; a smaller
        grant comes out of :func:`grantable_units` alone, when nothing more can be paid.
    """
    quota = rate.quota
    wanted = requested or quota.default_units
    return max(1, min(max(wanted, quota.minimum_units), quota.maximum_units))
