import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.events import PricePart
from ocs.rating import (
    UNLIMITED_UNITS,
    AfterCap,
    Cap,
    CounterRule,
    CountingPeriod,
    Meter,
    QuotaRule,
    Rate,
    Tier,
    affordable,
    affordable_units,
    dearest_price_of,
    moved,
    price_in_parts,
    price_micro,
    price_of,
)
from ocs.units import UnitType

SECONDS = CounterRule("seconds", UnitType.TIME, CountingPeriod.MONTH)
OTHER_SECONDS = CounterRule("other", UnitType.TIME, CountingPeriod.DAY)
SPENT = CounterRule("spent", UnitType.MONEY, CountingPeriod.DAY)
FLAT = Rate(
    path="o/p",
    catalogue_version="v",
    unit_type=UnitType.TIME,
    price_micro=10,
    price_units=1,
    first_units=1,
    step_units=1,
    connection_fee_micro=0,
    currency="EUR",
    allowances=frozenset(),
    quota=QuotaRule(default_units=1, minimum_units=1, maximum_units=1, validity_time_s=1),
    final_unit=None,
    tax_class="",
    time_zone="UTC",
)
TIERED = msgspec.structs.replace(
    FLAT, counters=(SECONDS,), tiers=(Tier(0, 10, 1), Tier(100, 5, 1), Tier(200, 0, 1))
)
CAPPED = msgspec.structs.replace(FLAT, counters=(SPENT,), caps=(Cap(0, 1_000, AfterCap.FREE),))


def at(*counters: int, money_units: int = 0, fee_paid: bool = True) -> Meter:
    return Meter(money_units, money_units, fee_paid, counters)


def moved_on(meter: Meter, units: int, counters: tuple[int, ...]) -> Meter:
    return Meter(meter.counted_units + units, meter.money_units + units, fee_paid=True, counters=counters)


# --- tiers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "units", "expected"),
    [
        (0, 100, 1_000),
        (0, 101, 1_005),
        (50, 100, 500 + 250),
        (100, 100, 500),
        (150, 100, 250),
        (50, 1_000, 500 + 500),
        (200, 7, 0),
    ],
)
def test_each_unit_costs_what_its_tier_does(value: int, units: int, expected: int) -> None:
    assert price_of(TIERED, at(value), units) == expected


def test_price_is_told_in_parts() -> None:
    use = price_in_parts(TIERED, at(90), 120)
    assert use.parts == (
        PricePart(10, 10, 1, 100),
        PricePart(100, 5, 1, 500, "seconds", 100),
        PricePart(10, 0, 1, 0, "seconds", 200),
    )
    assert (use.amount_micro, use.fee_micro, use.counters) == (600, 0, (210,))
    (movement,) = moved(TIERED, (90,), use.counters)
    assert (movement.counter_id, movement.before, movement.after) == ("seconds", 90, 210)


def test_part_of_a_micro_unit_is_rounded_up_once_a_tier() -> None:
    rate = msgspec.structs.replace(FLAT, counters=(SECONDS,), tiers=(Tier(0, 1, 3), Tier(4, 1, 7)))
    # ceil(4 / 3) in the first tier, ceil(8 / 7) in the second.
    assert price_of(rate, at(0), 12) == 2 + 2
    assert sum(price_of(rate, at(value), 1) for value in range(12)) == 2 + 2


def test_denied_tier_grants_nothing_and_still_has_a_price() -> None:
    rate = msgspec.structs.replace(
        FLAT, counters=(SECONDS,), tiers=(Tier(0, 10, 1), Tier(100, 10, 1, is_denied=True))
    )
    assert affordable(rate, at(40), 10**9) == 60
    assert affordable(rate, at(100), 10**9) == 0
    assert price_of(rate, at(40), 70) == 700


# --- caps ------------------------------------------------------------------------------------------------


def test_nothing_costs_anything_once_a_free_cap_is_reached() -> None:
    assert price_of(CAPPED, at(0), 99) == 990
    assert price_of(CAPPED, at(995), 1) == 5
    assert price_of(CAPPED, at(995), 1_000) == 5
    assert price_of(CAPPED, at(1_000), 1_000) == 0
    assert affordable(CAPPED, at(1_000), 0) == UNLIMITED_UNITS
    assert affordable(CAPPED, at(995), 4) == 0
    assert affordable(CAPPED, at(995), 5) == UNLIMITED_UNITS


def test_unit_that_reaches_a_cap_costs_what_was_left_below_it() -> None:
    free = PricePart(9, 0, 1, 0, "spent", 1_000, is_capped=True)
    assert price_in_parts(CAPPED, at(995), 10).parts == (PricePart(1, 10, 1, 5), free)
    assert price_in_parts(CAPPED, at(990), 10).parts == (PricePart(1, 10, 1, 10), free)
    rate = msgspec.structs.replace(CAPPED, caps=(Cap(0, 1_000, AfterCap.PRICE, 2, 1),))
    assert price_of(rate, at(995), 10) == 5 + 9 * 2
    assert affordable(rate, at(995), 9) == 3


def test_cap_in_money_takes_connection_fees_in() -> None:
    rate = msgspec.structs.replace(CAPPED, connection_fee_micro=300)
    assert price_of(rate, at(0, fee_paid=False), 10) == 400
    assert price_of(rate, at(900, fee_paid=False), 10) == 100
    use = price_in_parts(rate, at(500, fee_paid=False), 30)
    assert (use.amount_micro, use.fee_micro, use.counters) == (500, 300, (1_000,))
    assert price_of(rate, at(0, fee_paid=False), 0) == 0


def test_denying_cap_stops_grants_and_charges_what_was_used_beyond_it() -> None:
    rate = msgspec.structs.replace(CAPPED, caps=(Cap(0, 1_000, AfterCap.DENY),))
    assert affordable(rate, at(0), 10**9) == 100
    assert affordable(rate, at(995), 10**9) == 0
    assert affordable(rate, at(1_000), 10**9) == 0
    assert price_of(rate, at(0), 101) == 1_010


def test_beyond_a_cap_units_have_the_caps_price() -> None:
    rate = msgspec.structs.replace(
        FLAT, counters=(SECONDS, SPENT), caps=(Cap(0, 60, AfterCap.PRICE, 1, 3), Cap(1, 700, AfterCap.FREE))
    )
    use = price_in_parts(rate, at(50, 0), 60)
    assert use.parts == (PricePart(10, 10, 1, 100), PricePart(50, 1, 3, 17, "seconds", 60, is_capped=True))
    # The free cap decides before the one with a price.
    assert price_of(rate, at(70, 700), 100) == 0


def test_fair_use_counter_beside_the_tiers_is_watched_too() -> None:
    rate = msgspec.structs.replace(
        TIERED, counters=(SECONDS, OTHER_SECONDS), caps=(Cap(1, 30, AfterCap.DENY),)
    )
    assert affordable(rate, at(0, 10), 10**9) == 20
    assert price_of(rate, at(95, 10), 10) == 50 + 25


def test_rate_that_only_counts_costs_what_the_flat_price_does() -> None:
    rate = msgspec.structs.replace(FLAT, price_micro=7, price_units=3, counters=(SECONDS, SPENT))
    for money_units in range(5):
        assert price_of(rate, at(9, 9, money_units=money_units), 4) == price_micro(
            rate, money_units, money_units + 4
        )
        assert affordable(rate, at(9, 9, money_units=money_units), 20) == affordable_units(
            rate, money_units_before=money_units, fee_due=False, available_micro=20
        )


def test_what_costs_nothing_more_is_open_to_an_account_in_debt() -> None:
    assert affordable(TIERED, at(200), -5) == UNLIMITED_UNITS
    assert affordable(TIERED, at(199), -5) == 0
    assert affordable(msgspec.structs.replace(TIERED, allowance_only=True), at(200), 5) == 0


# --- properties -------------------------------------------------------------------------------------------

prices = st.tuples(st.integers(0, 30), st.integers(1, 7))


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    """Rates with a ladder of tiers, or none, and up to two caps on any of three counters."""
    bounds = sorted(draw(st.sets(st.integers(1, 60), max_size=3)))
    tiers = tuple(Tier(start, *draw(prices)) for start in [0, *bounds]) if bounds else ()
    caps = tuple(
        Cap(
            draw(st.integers(0, 2)), draw(st.integers(1, 200)), draw(st.sampled_from(AfterCap)), *draw(prices)
        )
        for _ in range(draw(st.integers(0, 2)))
    )
    return msgspec.structs.replace(
        FLAT,
        price_micro=draw(st.integers(0, 30)),
        price_units=draw(st.integers(1, 7)),
        connection_fee_micro=draw(st.sampled_from([0, 0, 40])),
        counters=(SECONDS, OTHER_SECONDS, SPENT),
        tiers=tiers,
        caps=caps,
    )


meters = st.builds(
    lambda values, money_units, fee_paid: Meter(money_units, money_units, fee_paid, values),
    st.tuples(st.integers(0, 70), st.integers(0, 150), st.integers(0, 220)),
    st.integers(0, 40),
    st.booleans(),
)


@given(rates(), meters, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_use_costs_the_same_however_it_is_cut(rate: Rate, meter: Meter, cuts: list[int]) -> None:
    whole = price_in_parts(rate, meter, sum(cuts))
    at_cut, amount = meter, 0
    for units in cuts:
        part = price_in_parts(rate, at_cut, units)
        at_cut, amount = moved_on(at_cut, units, part.counters), amount + part.amount_micro
    assert amount == whole.amount_micro
    assert at_cut.counters == whole.counters


@given(rates(), meters, st.integers(1, 150))
def test_parts_and_fee_make_the_price_and_move_the_counters(rate: Rate, meter: Meter, units: int) -> None:
    use = price_in_parts(rate, meter, units)
    assert sum(part.units for part in use.parts) == units
    assert use.fee_micro + sum(part.amount_micro for part in use.parts) == use.amount_micro
    assert use.amount_micro >= 0
    grown = [after - before for before, after in zip(meter.counters, use.counters, strict=True)]
    assert grown == [units, units, use.amount_micro]


@given(rates(), meters, st.integers(0, 400))
def test_affordable_is_the_most_that_is_paid_for_and_not_denied(
    rate: Rate, meter: Meter, available: int
) -> None:
    units = affordable(rate, meter, available)
    budget = available
    for cap in rate.caps:
        if cap.after is AfterCap.DENY and rate.counters[cap.counter] is SPENT:
            budget = min(budget, max(0, cap.limit - meter.counters[cap.counter]))
    if units < UNLIMITED_UNITS:
        next_unit = price_in_parts(rate, meter, units).counters
        fee = 0 if meter.fee_paid else rate.connection_fee_micro
        counters = (*next_unit[:2], next_unit[2] if units else meter.counters[2] + fee)
        is_denied = any(
            cap.after is AfterCap.DENY and counters[cap.counter] >= cap.limit for cap in rate.caps
        )
        assert is_denied or price_of(rate, meter, units + 1) > budget
    if 0 < units < UNLIMITED_UNITS:
        assert price_of(rate, meter, units) <= budget
        before = price_in_parts(rate, meter, units - 1).counters
        # A cap on money is the budget: units that share a micro-unit which is paid already cost nothing more.
        assert not any(
            cap.after is AfterCap.DENY and before[cap.counter] >= cap.limit and cap.counter < 2
            for cap in rate.caps
        )


growths = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 120))


@given(rates(), meters, growths, st.tuples(*[st.integers(0, 10)] * 3), st.integers(1, 80), st.integers(1, 80))
def test_hold_covers_a_report_whatever_other_sessions_did_before_it(
    rate: Rate,
    meter: Meter,
    reserved: tuple[int, int, int],
    tenths: tuple[int, int, int],
    granted: int,
    used: int,
) -> None:
    bound = dearest_price_of(rate, meter, reserved, granted)
    grown = tuple(
        value + most * share // 10
        for value, most, share in zip(meter.counters, reserved, tenths, strict=True)
    )
    assert price_of(rate, msgspec.structs.replace(meter, counters=grown), min(used, granted)) <= bound


@given(rates(), meters, st.integers(0, 80))
def test_hold_is_exact_where_nobody_else_moves_the_counters(rate: Rate, meter: Meter, units: int) -> None:
    assert dearest_price_of(rate, meter, (0, 0, 0), units) == price_of(rate, meter, units)


def test_hold_covers_the_rounding_of_every_tier_that_the_use_may_touch() -> None:
    rate = msgspec.structs.replace(FLAT, counters=(SECONDS,), tiers=(Tier(0, 1, 3), Tier(4, 1, 2)))
    # The fourth unit completes a micro-unit of the first tier, the fifth begins one of the second.
    assert price_of(rate, at(3), 2) == 2
    assert dearest_price_of(rate, at(3), (1,), 2) >= 2


def test_hold_of_a_capped_use_never_exceeds_what_is_left_below_the_cap() -> None:
    assert dearest_price_of(CAPPED, at(400), (300,), 1_000) == 600
