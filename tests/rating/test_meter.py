import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.rating import (
    UNLIMITED_UNITS,
    QuotaRule,
    Rate,
    affordable_units,
    billable_units,
    grantable_units,
    price_micro,
    wanted_units,
)
from ocs.units import UnitType

QUOTA = QuotaRule(default_units=60, minimum_units=10, maximum_units=3_600, validity_time_s=600)


def make_rate(
    *,
    price: int = 90_000,
    per: int = 60,
    first: int = 1,
    step: int = 1,
    fee: int = 0,
    allowance_only: bool = False,
) -> Rate:
    return Rate(
        path="offer/price",
        catalogue_version="2026-11-01.00000000",
        unit_type=UnitType.TIME,
        price_micro=price,
        price_units=per,
        first_units=first,
        step_units=step,
        connection_fee_micro=fee,
        currency="EUR",
        allowances=frozenset(),
        quota=QUOTA,
        final_unit=None,
        tax_class="standard",
        time_zone="Europe/Berlin",
        allowance_only=allowance_only,
    )


prices = st.integers(min_value=1, max_value=10**9)
pers = st.sampled_from([1, 7, 60, 1_000, 10_240, 2**20, 10**9])
blocks = st.sampled_from([1, 6, 30, 60, 1_024, 10_240])
counts = st.integers(min_value=0, max_value=10**9)
rates = st.builds(
    make_rate,
    price=prices,
    per=pers,
    first=blocks,
    step=blocks,
    fee=st.integers(min_value=0, max_value=10**6),
)


@pytest.mark.parametrize(
    ("first", "step", "counted", "billed"),
    [
        (60, 60, 0, 0),
        (60, 60, 1, 60),
        (60, 60, 60, 60),
        (60, 60, 61, 120),
        (60, 60, 121, 180),
        (60, 1, 0, 0),
        (60, 1, 1, 60),
        (60, 1, 60, 60),
        (60, 1, 61, 61),
        (60, 1, 121, 121),
        (1, 1, 0, 0),
        (1, 1, 1, 1),
        (1, 1, 61, 61),
        (30, 6, 31, 36),
        (30, 6, 37, 42),
        (10_240, 10_240, 10_241, 20_480),
    ],
)
def test_units_are_billed_in_a_first_and_later_blocks(
    first: int, step: int, counted: int, billed: int
) -> None:
    assert billable_units(make_rate(first=first, step=step), counted) == billed


@given(rates, counts)
def test_billed_units_are_the_least_whole_blocks_that_hold_what_was_counted(rate: Rate, counted: int) -> None:
    billed = billable_units(rate, counted)
    assert billed >= counted
    if billed:
        assert (billed - rate.first_units) % rate.step_units == 0
        smaller = billed - rate.step_units if billed > rate.first_units else 0
        assert smaller < counted


@given(rates, st.lists(st.integers(min_value=0, max_value=10**6), max_size=20))
def test_price_of_a_use_is_the_same_however_it_is_cut_into_reports(rate: Rate, reports: list[int]) -> None:
    total, charged = 0, 0
    for report in reports:
        before, total = total, total + report
        charged += price_micro(rate, billable_units(rate, before), billable_units(rate, total))
    assert charged == price_micro(rate, 0, billable_units(rate, total))


@given(rates, counts, counts, counts)
def test_price_never_falls_with_more_use(rate: Rate, before: int, less: int, more: int) -> None:
    less, more = sorted((less, more))
    assert 0 <= price_micro(rate, before, before + less) <= price_micro(rate, before, before + more)


def test_part_of_a_micro_unit_is_rounded_up_once_over_the_whole_use() -> None:
    rate = make_rate(price=10_000, per=2**20)
    assert price_micro(rate, 0, 1) == 1
    assert price_micro(rate, 1, 2) == 0
    assert price_micro(rate, 0, 2**20) == 10_000
    assert sum(price_micro(rate, n, n + 1) for n in range(1_000)) == price_micro(rate, 0, 1_000) == 10


@given(rates, counts, st.booleans(), st.integers(min_value=-(10**6), max_value=10**12))
def test_affordable_units_can_be_paid_and_one_more_cannot(
    rate: Rate, before: int, fee_due: bool, available: int
) -> None:
    units = affordable_units(rate, money_units_before=before, fee_due=fee_due, available_micro=available)

    def cost(n: int) -> int:
        return price_micro(rate, before, before + n) + (rate.connection_fee_micro if fee_due and n else 0)

    assert units == 0 or cost(units) <= available
    assert cost(units + 1) > available


def test_connection_fee_alone_buys_nothing() -> None:
    rate = make_rate(price=60_000, fee=500_000)
    assert affordable_units(rate, money_units_before=0, fee_due=True, available_micro=499_999) == 0
    assert affordable_units(rate, money_units_before=0, fee_due=True, available_micro=500_000) == 0
    assert affordable_units(rate, money_units_before=0, fee_due=True, available_micro=501_000) == 1
    assert affordable_units(rate, money_units_before=0, fee_due=False, available_micro=501_000) == 501


@pytest.mark.parametrize("available", [-1_000_000, 0, 1])
def test_free_use_is_open_to_an_account_in_debt(available: int) -> None:
    rate = make_rate(price=0)
    assert rate.is_free
    units = affordable_units(rate, money_units_before=5, fee_due=True, available_micro=available)
    assert units == UNLIMITED_UNITS


def test_use_that_costs_only_a_connection_fee_is_unlimited_once_it_can_be_paid() -> None:
    rate = make_rate(price=0, fee=100)
    assert not rate.is_free
    assert affordable_units(rate, money_units_before=0, fee_due=True, available_micro=99) == 0
    assert affordable_units(rate, money_units_before=0, fee_due=True, available_micro=100) == UNLIMITED_UNITS
    assert affordable_units(rate, money_units_before=9, fee_due=False, available_micro=-5) == UNLIMITED_UNITS


def test_more_than_any_use_is_called_unlimited() -> None:
    rate = make_rate(price=1, per=2**62)
    assert (
        affordable_units(rate, money_units_before=0, fee_due=False, available_micro=10**15) == UNLIMITED_UNITS
    )


def test_money_pays_nothing_where_only_allowances_may() -> None:
    rate = make_rate(price=0, allowance_only=True)
    assert not rate.is_free
    assert affordable_units(rate, money_units_before=0, fee_due=False, available_micro=10**12) == 0
    assert price_micro(rate, 0, 1_000) == 0


@given(rates, counts, st.integers(min_value=1, max_value=10**9), st.integers(min_value=0, max_value=10**9))
def test_grant_never_exceeds_what_can_be_paid_after_rounding_and_one_more_would(
    rate: Rate, counted: int, wanted: int, payable: int
) -> None:
    granted = grantable_units(rate, counted_units=counted, wanted_units=wanted, payable_units=payable)
    assert 0 <= granted <= wanted

    def billed(n: int) -> int:
        return billable_units(rate, counted + n) - billable_units(rate, counted)

    assert billed(granted) <= payable
    assert granted == wanted or billed(granted + 1) > payable


def test_rest_of_a_started_block_can_be_granted_when_nothing_is_left() -> None:
    rate = make_rate(first=60, step=60)
    assert grantable_units(rate, counted_units=13, wanted_units=120, payable_units=0) == 47
    assert grantable_units(rate, counted_units=13, wanted_units=120, payable_units=59) == 47
    assert grantable_units(rate, counted_units=13, wanted_units=120, payable_units=60) == 107
    assert grantable_units(rate, counted_units=0, wanted_units=120, payable_units=59) == 0


@pytest.mark.parametrize(
    ("requested", "wanted"),
    [(None, 60), (0, 60), (1, 10), (10, 10), (11, 11), (3_600, 3_600), (3_601, 3_600), (10**12, 3_600)],
)
def test_wanted_units_follow_the_request_within_the_operator_s_bounds(
    requested: int | None, wanted: int
) -> None:
    assert wanted_units(make_rate(), requested) == wanted


def test_grant_below_the_minimum_is_given_when_nothing_more_can_be_paid() -> None:
    rate = msgspec.structs.replace(make_rate(price=1_000, per=1))
    wanted = wanted_units(rate, 100)
    payable = affordable_units(rate, money_units_before=0, fee_due=False, available_micro=7_500)
    assert grantable_units(rate, counted_units=0, wanted_units=wanted, payable_units=payable) == 7
    assert QUOTA.minimum_units > 7
