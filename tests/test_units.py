"""Money and service units: exact, in one currency, rounded only by name."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.units import (
    CURRENCY_ALPHA,
    CURRENCY_NUMERIC,
    AmountError,
    CurrencyMismatchError,
    Money,
    divide_down,
    divide_up,
    format_micro,
    parse_micro,
)

integers = st.integers(-(10**18), 10**18)


@given(integers, integers)
def test_money_of_one_currency_adds_and_subtracts_exactly(first: int, second: int) -> None:
    total = Money(first, "EUR") + Money(second, "EUR")
    assert total == Money(first + second, "EUR")
    assert total - Money(second, "EUR") == Money(first, "EUR")


def test_money_of_two_currencies_never_meets() -> None:
    with pytest.raises(CurrencyMismatchError, match=r"EUR \+ USD"):
        _ = Money(1, "EUR") + Money(1, "USD")
    with pytest.raises(CurrencyMismatchError, match="EUR - USD"):
        _ = Money(1, "EUR") - Money(1, "USD")


@given(integers, st.integers(1, 10**12))
def test_division_rounds_as_its_name_says(dividend: int, divisor: int) -> None:
    up, down = divide_up(dividend, divisor), divide_down(dividend, divisor)
    assert down * divisor <= dividend <= up * divisor
    assert up - down == (1 if dividend % divisor else 0)


@given(integers)
def test_an_amount_reads_back_as_it_was_written(micro: int) -> None:
    assert parse_micro(format_micro(micro)) == micro


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("0.09", 90_000),
        ("10", 10_000_000),
        ("-0.000001", -1),
        ("10.00", 10_000_000),
        ("-1.5", -1_500_000),
        ("007", 7_000_000),
        ("0.10000000", 100_000),
        ("0.10", 100_000),
        ("0", 0),
    ],
)
def test_a_decimal_amount_is_read_as_micro_units(text: str, micro: int) -> None:
    assert parse_micro(text) == micro


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "0.0000001",
        "NaN",
        "Infinity",
        "-inf",
        "1,5",
        "0x10",
        "1e2",
        "1E+2",
        "1_000",
        "+1",
        "--1",
        " 1",
        "1\n",
        ".5",
        "5.",
        "1.2.3",
        "\u0661\u0662",
        "\uff11",
        "1" * 31,
    ],
)
def test_what_micro_units_cannot_hold_exactly_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        parse_micro(text)


@pytest.mark.parametrize(
    ("micro", "text"),
    [
        (90_000, "0.09"),
        (10_000_000, "10.00"),
        (-1, "-0.000001"),
        (1_234_500, "1.2345"),
        (-2_500_000, "-2.50"),
    ],
)
def test_an_amount_is_written_with_two_to_six_decimals(micro: int, text: str) -> None:
    assert format_micro(micro) == text
    assert Decimal(text) * 1_000_000 == micro


def test_an_amount_names_its_currency() -> None:
    assert str(Money(-90_000, "EUR")) == "-0.09 EUR"


def test_each_currency_code_has_one_number() -> None:
    assert len(CURRENCY_ALPHA) == len(CURRENCY_NUMERIC)
    assert CURRENCY_NUMERIC["EUR"] == 978
    assert CURRENCY_ALPHA[840] == "USD"
