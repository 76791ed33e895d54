"""The price trace in words: how an amount of money came about, for the subscriber who asks why."""

from ocs.events import ChargeEvent, EventKind, PriceTrace
from ocs.rating.quantities import OCTET_UNITS
from ocs.rating.rate import Rate
from ocs.rating.unit_words import exact_in_words, units_in_words
from ocs.units import UnitType, divide_up, format_micro


def explain(event: ChargeEvent, rate: Rate | None = None) -> tuple[str, ...]:
    """Tell how the amount of a charge event came about, one readable sentence for each step.

    Args:
        event: with the figures of its price; one that priced nothing (a top-up) has a single sentence.
        rate: of the event's tariff path in the event's catalogue version, for the names of offer and price; without
            it the path stands in their place.
    """
    if event.trace is None:
        return (f"{event.kind.name.lower().replace('_', ' ')}: {_money(event.amount_micro, event.currency)}",)
    tariff = (f"tariff {event.tariff_path} of catalogue {event.catalogue_version}",)
    if rate is not None and rate.description:
        tariff = rate.description
    return (*tariff, *_steps(event, event.trace))


def _steps(event: ChargeEvent, trace: PriceTrace) -> list[str]:
    """The figures from what was counted to what was charged."""

    def said(units: int) -> str:
        return exact_in_words(units, event.unit_type, like=trace.price_units)

    billed = trace.billed_after - trace.billed_before
    steps = [
        f"{said(trace.counted_after - trace.counted_before)} reported, {said(trace.counted_after)} in this session"
    ]
    rounding = f"rounded {_rounding(event.unit_type, trace)} over the session"
    steps.append(f"{said(billed)} billed: {rounding}, {said(trace.billed_before)} billed before")
    if trace.allowance_units:
        buckets = _paying_allowances(event)
        named = f" ({', '.join(buckets)})" if buckets else ""
        steps.append(f"{said(trace.allowance_units)} from allowances{named}")
    money_units = trace.money_units_after - trace.money_units_before
    if money_units and not trace.price_micro:
        steps.append(f"{said(money_units)} free")
    elif money_units:
        # As in meter.price_micro: the part of a micro-unit is rounded up once over the whole session.
        after_micro = divide_up(trace.money_units_after * trace.price_micro, trace.price_units)
        before_micro = divide_up(trace.money_units_before * trace.price_micro, trace.price_units)
        per = units_in_words(trace.price_units, event.unit_type, like=trace.price_units)
        price = f"{_money(trace.price_micro, event.currency)} per {per}"
        steps.append(
            f"{said(money_units)} from money at {price}: {_money(after_micro - before_micro, event.currency)}"
        )
    if trace.connection_fee_micro:
        steps.append(f"connection fee: {_money(trace.connection_fee_micro, event.currency)}")
    if event.kind == EventKind.REFUND:
        steps.append(f"given back: {_money(event.amount_micro, event.currency)}")
    else:
        steps.append(f"charged: {_money(-event.amount_micro, event.currency)}")
    return steps


def _paying_allowances(event: ChargeEvent) -> tuple[str, ...]:
    """Ids of the buckets other than money that a charge event moved."""
    return tuple(
        movement.bucket_id for movement in event.movements if movement.unit_type is not UnitType.MONEY
    )


def _rounding(unit_type: UnitType, trace: PriceTrace) -> str:
    """First and later blocks as a price list has them: ``60/1``, ``10 KiB/10 KiB``."""
    blocks = (trace.first_units, trace.step_units)
    if unit_type in OCTET_UNITS:
        return "/".join(exact_in_words(block, unit_type, like=block) for block in blocks)
    return "/".join(map(str, blocks))


def _money(micro: int, currency: str) -> str:
    return f"{format_micro(micro)} {currency}"
