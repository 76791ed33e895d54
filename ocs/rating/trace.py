"""The price trace in words: how an amount of money came about, for the subscriber who asks why."""

from collections.abc import Iterator
from fractions import Fraction

from ocs.events import ChargeEvent, CounterMovement, EventKind, PricePart, PriceTrace
from ocs.rating.amounts import PARTS, tax_within
from ocs.rating.quantities import OCTET_UNITS
from ocs.rating.rate import Rate
from ocs.rating.unit_words import exact_in_words, percent_in_words, units_in_words
from ocs.units import UnitType, divide_down, divide_up, format_micro


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
    return (*tariff, *_steps(event, event.trace), *_tax(event, rate))


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
    steps += _from_money(event, trace)
    if trace.connection_fee_micro:
        steps.append(f"connection fee: {_money(trace.connection_fee_micro, event.currency)}")
    if event.kind == EventKind.REFUND:
        steps.append(f"given back: {_money(event.amount_micro, event.currency)}")
    else:
        steps.append(f"charged: {_money(-event.amount_micro, event.currency)}")
    return steps


def _from_money(event: ChargeEvent, trace: PriceTrace) -> Iterator[str]:
    """What the units cost that no allowance paid: at one price, or part by part with the counters that decided."""
    if trace.parts:
        for part in trace.parts:
            yield _part(event, trace, part)
    else:
        units = trace.money_units_after - trace.money_units_before
        if units:
            # As in meter.price_micro: the part of a micro-unit is rounded up once over the whole session.
            after_micro = divide_up(trace.money_units_after * trace.price_micro, trace.price_units)
            before_micro = divide_up(trace.money_units_before * trace.price_micro, trace.price_units)
            amount = after_micro - before_micro
            yield _part(event, trace, PricePart(units, trace.price_micro, trace.price_units, amount))
    for counter in trace.counters:
        yield _counted(event, trace, counter)


def _part(event: ChargeEvent, trace: PriceTrace, part: PricePart) -> str:
    units = exact_in_words(part.units, event.unit_type, like=trace.price_units)
    why = _reason(event, trace, part)
    if not part.price_micro:
        return f"{units} free{why}"
    per = units_in_words(part.price_units, event.unit_type, like=part.price_units)
    price = f"{_money(part.price_micro, event.currency)} per {per}"
    amount = _money(part.amount_micro, event.currency)
    if part.amount_micro < divide_down(part.units * part.price_micro, part.price_units):
        amount += ", all that was left below the cap"
    elif part.units * part.price_micro % part.price_units:
        amount += " (the cumulative price is rounded up to a micro-unit)"
    return f"{units} from money at {price}{why}: {amount}"


def _reason(event: ChargeEvent, trace: PriceTrace, part: PricePart) -> str:
    """Which count gave the units this price."""
    if not part.counter_id:
        return ""
    counted = next((c.unit_type for c in trace.counters if c.counter_id == part.counter_id), event.unit_type)
    above = _count(event, trace, part.above, counted)
    return (
        f" (beyond the cap of {above} on {part.counter_id})"
        if part.is_capped
        else (f" (above {above} of {part.counter_id})")
    )


def _counted(event: ChargeEvent, trace: PriceTrace, counter: CounterMovement) -> str:
    before, after = (
        _count(event, trace, value, counter.unit_type) for value in (counter.before, counter.after)
    )
    return f"counter {counter.counter_id}: {before} before, {after} after"


def _count(event: ChargeEvent, trace: PriceTrace, value: int, unit_type: UnitType) -> str:
    if unit_type is UnitType.MONEY:
        return _money(value, event.currency)
    return exact_in_words(value, unit_type, like=trace.price_units)


def _tax(event: ChargeEvent, rate: Rate | None) -> Iterator[str]:
    """The tax in what was charged, rounded half up to a micro-unit."""
    if rate is None or not rate.tax_parts_per_million or not event.amount_micro:
        return
    tax = tax_within(abs(event.amount_micro), rate.tax_parts_per_million)
    percent = percent_in_words(Fraction(rate.tax_parts_per_million, PARTS))
    yield f"tax in it: {_money(tax, event.currency)} at {percent}, rounded half up"


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
