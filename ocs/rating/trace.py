"""The price trace in words: how an amount of money came about, for the subscriber who asks why."""

from typing import Final

from ocs.events import ChargeEvent, EventKind, PriceTrace
from ocs.rating.rate import Rate
from ocs.units import UnitType, divide_up, format_micro

_UNIT_NAMES: Final = {
    UnitType.TIME: "seconds",
    UnitType.MONEY: "micro-units",
    UnitType.TOTAL_OCTETS: "octets",
    UnitType.INPUT_OCTETS: "octets received",
    UnitType.OUTPUT_OCTETS: "octets sent",
    UnitType.SERVICE_SPECIFIC_UNITS: "events",
}


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
    return (*tariff, *_steps(event, event.trace, _UNIT_NAMES[event.unit_type]))


def _steps(event: ChargeEvent, trace: PriceTrace, unit: str) -> list[str]:
    """The figures from what was counted to what was charged."""
    billed = trace.billed_after - trace.billed_before
    steps = [
        f"{trace.counted_after - trace.counted_before} {unit} reported, {trace.counted_after} in this session"
    ]
    rounding = f"{trace.first_units}/{trace.step_units}"
    steps.append(
        f"{billed} {unit} billed: rounded {rounding} over the session, {trace.billed_before} billed before"
    )
    if trace.allowance_units:
        steps.append(f"{trace.allowance_units} {unit} from allowances")
    money_units = trace.money_units_after - trace.money_units_before
    if money_units:
        # As in meter.price_micro: the part of a micro-unit is rounded up once over the whole session.
        after_micro = divide_up(trace.money_units_after * trace.price_micro, trace.price_units)
        before_micro = divide_up(trace.money_units_before * trace.price_micro, trace.price_units)
        per = f"{_money(trace.price_micro, event.currency)} per {trace.price_units}"
        steps.append(
            f"{money_units} {unit} from money at {per}: {_money(after_micro - before_micro, event.currency)}"
        )
    if trace.connection_fee_micro:
        steps.append(f"connection fee: {_money(trace.connection_fee_micro, event.currency)}")
    if event.kind == EventKind.REFUND:
        steps.append(f"given back: {_money(event.amount_micro, event.currency)}")
    else:
        steps.append(f"charged: {_money(-event.amount_micro, event.currency)}")
    return steps


def _money(micro: int, currency: str) -> str:
    return f"{format_micro(micro)} {currency}"
