from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.rating import AfterCap, Cap, Tier, tax_within
from ocs.rating.amounts import Tax, scaled_cap, scaled_down, scaled_price, scaled_tier, scaled_up


@pytest.mark.parametrize(
    ("price", "units", "factor", "expected"),
    [
        (90_000, 60, Fraction(119, 100), (107_100, 60)),
        (90_000, 60, Fraction(1), (90_000, 60)),
        (1, 1, Fraction(119, 100), (119, 100)),
        (10_000, 2**20, Fraction(7, 8), (8_750, 2**20)),
        (5, 60, Fraction(1077, 1000), (1_077, 60 * 200)),
        (90_000, 60, Fraction(0), (0, 60)),
    ],
)
def test_price_is_multiplied_without_rounding(
    price: int, units: int, factor: Fraction, expected: tuple[int, int]
) -> None:
    assert scaled_price(price, units, factor) == expected


@given(st.integers(0, 10**12), st.integers(1, 2**30), st.fractions(0, 5, max_denominator=10**6))
def test_multiplied_price_is_exact(price: int, units: int, factor: Fraction) -> None:
    scaled, per = scaled_price(price, units, factor)
    assert Fraction(scaled, per) == Fraction(price, units) * factor


def test_fees_are_rounded_up_and_limits_down() -> None:
    assert scaled_up(1, Fraction(119, 100)) == 2
    assert scaled_up(100, Fraction(119, 100)) == 119
    assert scaled_down(1, Fraction(199, 100)) == 1


def test_tiers_and_caps_take_the_factor_in_their_prices_and_keep_their_limits() -> None:
    assert scaled_tier(Tier(5, 10, 1, is_denied=True), Fraction(1, 2)) == Tier(5, 5, 1, is_denied=True)
    assert scaled_cap(Cap(0, 7, AfterCap.PRICE, 10, 1), Fraction(1, 4)) == Cap(0, 7, AfterCap.PRICE, 5, 2)
    assert scaled_cap(Cap(0, 7, AfterCap.FREE), Fraction(1, 4)) == Cap(0, 7, AfterCap.FREE)


@pytest.mark.parametrize(
    ("amount", "tax"),
    [(119, 19), (1_190_000, 190_000), (100, 16), (0, 0), (3, 0), (4, 1), (-119, -19)],
)
def test_tax_in_an_amount_is_rounded_half_up(amount: int, tax: int) -> None:
    assert tax_within(amount, 190_000) == tax


def test_half_a_micro_unit_of_tax_is_a_whole_one() -> None:
    assert tax_within(3, 200_000) == 1  # 0.5 exactly


@given(st.integers(0, 10**15), st.integers(0, 1_000_000))
def test_tax_is_within_half_a_micro_unit(amount: int, parts: int) -> None:
    exact = Fraction(amount * parts, 1_000_000 + parts)
    assert abs(tax_within(amount, parts) - exact) <= Fraction(1, 2)
    assert tax_within(amount, 0) == 0


def test_only_tax_that_is_added_changes_amounts() -> None:
    assert Tax("standard", "VAT", 190_000, is_included=True).factor == 1
    assert Tax("standard", "VAT", 190_000, is_included=False).factor == Fraction(119, 100)
