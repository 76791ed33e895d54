"""Debit what was used: price it at the rate of its grant, draw allowances first, then money."""

from typing import Final

from ocs import limits
from ocs.balance.model import Hold, Session, SessionService
from ocs.charging import counted as counted_rates
from ocs.charging import member_limits
from ocs.charging.draft import Draft
from ocs.events import CounterMovement, EventKind, PricePart, PriceTrace
from ocs.messages import ChargingRequest, ServiceUnit
from ocs.rating import Rate, billable_units, price_micro
from ocs.rating.tiers import moved
from ocs.units import UnitType

_NOTHING: Final[tuple[Hold, ...]] = ()
_NO_PARTS: Final[tuple[PricePart, ...]] = ()
_NO_COUNTERS: Final[tuple[CounterMovement, ...]] = ()
_MONEY: Final = UnitType.MONEY
_DEBIT: Final = EventKind.DEBIT
_REPORTED_UNITS_MAX: Final = limits.REPORTED_UNITS_MAX
_DEBT_MICRO_MAX: Final = limits.BALANCE_MICRO_MAX


def measured(rate: Rate, units: tuple[ServiceUnit, ...]) -> int | None:
    """Sum several Used- or one Requested-Service-Unit in what the rate counts.

    Returns:
        Units of ``rate.unit_type``; None when something was reported, but nothing that the rate can price, money of
        another currency, or more than anyone can have used.
    """
    total = 0
    is_priced = False
    is_empty = True
    unit_type = rate.unit_type
    for unit in units:
        amount = amount_of(unit_type, unit)
        if amount is None:
            is_empty = is_empty and is_zero(unit)
            continue
        if unit_type is _MONEY and unit.money is not None and unit.money.currency != rate.currency:
            return None
        total += amount
        is_priced = True
    if not (is_priced or is_empty) or total > _REPORTED_UNITS_MAX:
        return None
    return total


def amount_of(unit_type: UnitType, unit: ServiceUnit) -> int | None:
    """The field of a service unit that a rate counts; input and output octets make the total where it is absent."""
    match unit_type:
        case UnitType.TOTAL_OCTETS:
            if unit.total_octets is not None:
                return unit.total_octets
            if unit.input_octets is None and unit.output_octets is None:
                return None
            return (unit.input_octets or 0) + (unit.output_octets or 0)
        case UnitType.TIME:
            return unit.time_s
        case UnitType.SERVICE_SPECIFIC_UNITS:
            return unit.service_specific_units
        case UnitType.INPUT_OCTETS:
            return unit.input_octets
        case UnitType.OUTPUT_OCTETS:
            return unit.output_octets
        case UnitType.MONEY:
            return None if unit.money is None else unit.money.micro


def is_zero(unit: ServiceUnit) -> bool:
    """Whether the unit reports or asks for nothing at all."""
    return counts_nothing(unit) and not (unit.money is not None and unit.money.micro)


def counts_nothing(unit: ServiceUnit) -> bool:
    """Whether the unit names no octets, time or service-specific units; it may name money."""
    return not (
        unit.total_octets
        or unit.input_octets
        or unit.output_octets
        or unit.time_s
        or unit.service_specific_units
    )


def debit_use(
    draft: Draft,
    request: ChargingRequest,
    session: Session,
    service: SessionService,
    rate: Rate,
    units: int,
    granted: SessionService | None = None,
    used_s: int | None = None,
) -> tuple[SessionService, int] | None:
    """Close a service's grant and charge what was used of it, also beyond what was granted.

    Args:
        granted: the service with its grant, where that has been released already.
        used_s: when buffered units were used, if they say so themselves.

    Source: RFC 8506 section 8.19: the value used may exceed the value granted; it is debited all the same.

    Returns:
        The service without a grant, its meter moved on, and what money paid, in micro-units; None when the price is
        beyond what any account can owe: the grant is released, and nothing is charged.
    """
    holds, held = (granted or service).holds, (granted or service).counter_holds
    draft.release_grant(service)
    counted, money_before, fee_paid = service.counted_units, service.money_units, service.fee_paid
    if units <= 0:
        return _without_grant(service, counted, money_before, fee_paid), 0
    counted_after = counted + units
    billed_before = billable_units(rate, counted)
    billed_after = billable_units(rate, counted_after)
    by_money = billed_after - billed_before
    parts, covered = _NOTHING, 0
    if rate.allowances and draft.has_allowances:
        parts, covered = draft.plan_units(rate.unit_type, rate.allowances, by_money, holds)
        by_money -= covered
    money_after = money_before + by_money
    price_parts, counters = _NO_PARTS, _NO_COUNTERS
    if rate.counters:
        meter, use = counted_rates.priced(draft, rate, money_before, by_money, fee_paid=fee_paid, held=held)
        amount, fee, price_parts = use.amount_micro, use.fee_micro, use.parts
        counters = moved(rate, meter.counters, use.counters)
    else:
        fee = rate.connection_fee_micro if by_money and not fee_paid else 0
        amount = price_micro(rate, money_before, money_after) + fee
    if amount - draft.money_balance > _DEBT_MICRO_MAX:
        return None
    draft.record_charge(
        _DEBIT, request, session, rate, service.rating_group, service.service_identifiers, units, -amount,
        draft.debit(parts + draft.plan_money(amount, holds)),
        PriceTrace(
            counted, counted_after, billed_before, billed_after, covered, money_before, money_after,
            rate.price_micro, rate.price_units, rate.first_units, rate.step_units, fee, price_parts, counters,
        ),
        used_s,
    )  # fmt: skip
    if counters:
        counted_rates.count(draft, rate, counters, held)
    if draft.limits:
        member_limits.count_use(draft, rate.unit_type, billed_after - billed_before, amount, held)
    return _without_grant(service, counted_after, money_after, fee_paid or by_money > 0), amount


def _without_grant(service: SessionService, counted: int, money: int, fee_paid: bool) -> SessionService:  # noqa: FBT001
    return SessionService(
        service.rating_group,
        service.service_identifiers,
        service.catalogue_version,
        service.tariff_path,
        counted,
        money,
        fee_paid,
        is_redirected=service.is_redirected,
    )
