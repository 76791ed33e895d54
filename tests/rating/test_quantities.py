from fractions import Fraction

import pytest

from ocs.rating.errors import ExpectationError
from ocs.rating.quantities import (
    UNIT_TYPES,
    dimension,
    parse_amount,
    parse_exchange_rate,
    parse_percent,
    parse_quantity,
    parse_rounding,
)
from ocs.units import UnitType

OCTETS, SECONDS, EVENTS = UnitType.TOTAL_OCTETS, UnitType.TIME, UnitType.SERVICE_SPECIFIC_UNITS


@pytest.mark.parametrize(
    ("written", "unit_type", "units"),
    [
        (1, OCTETS, 1),
        ("1", OCTETS, 1),
        ("512 B", OCTETS, 512),
        ("1 kB", OCTETS, 1_000),
        ("1 MB", OCTETS, 1_000_000),
        ("1.5 GB", OCTETS, 1_500_000_000),
        ("1KiB", OCTETS, 1_024),
        ("10 MiB", UnitType.INPUT_OCTETS, 10_485_760),
        ("1 GiB", UnitType.OUTPUT_OCTETS, 2**30),
        ("2 TiB", OCTETS, 2**41),
        ("60 s", SECONDS, 60),
        ("2 min", SECONDS, 120),
        ("1.5 h", SECONDS, 5_400),
        ("1 d", SECONDS, 86_400),
        ("3", EVENTS, 3),
    ],
)
def test_quantities_are_read_exactly(written: int | str, unit_type: UnitType, units: int) -> None:
    assert parse_quantity("per", written, unit_type) == units


@pytest.mark.parametrize(
    ("written", "unit_type"),
    [
        ("", OCTETS),
        ("MiB", OCTETS),
        ("-1", OCTETS),
        (-1, OCTETS),
        (0, OCTETS),
        ("1 KB", OCTETS),
        ("1 mb", OCTETS),
        ("60 s", OCTETS),
        ("1 MiB", SECONDS),
        ("1 s", EVENTS),
        ("0.5", EVENTS),
        ("0.0001 kB", OCTETS),
        ("1e6", OCTETS),
        ("1,5 GB", OCTETS),
        ("٣", OCTETS),
        ("99999999 TiB", OCTETS),
        ("4294967296", SECONDS),
    ],
)
def test_what_is_no_quantity_is_refused_with_what_would_be_one(
    written: int | str, unit_type: UnitType
) -> None:
    with pytest.raises(ExpectationError) as caught:
        parse_quantity("per", written, unit_type)
    assert caught.value.key == "per"
    assert f"expected a whole number of {dimension(unit_type)}" in caught.value.expectation


@pytest.mark.parametrize(
    ("written", "unit_type", "rounding"),
    [
        ("60/60", SECONDS, (60, 60)),
        ("60/1", SECONDS, (60, 1)),
        ("1/1", EVENTS, (1, 1)),
        ("1 min/1 s", SECONDS, (60, 1)),
        ("10 KiB/10 KiB", OCTETS, (10_240, 10_240)),
    ],
)
def test_rounding_is_a_first_and_a_later_block(
    written: str, unit_type: UnitType, rounding: tuple[int, int]
) -> None:
    assert parse_rounding("rounding", written, unit_type) == rounding


@pytest.mark.parametrize("written", ["60", "60/0", "60/", "/1", "60/1/1", "0/1"])
def test_rounding_needs_two_blocks(written: str) -> None:
    with pytest.raises(ExpectationError):
        parse_rounding("rounding", written, SECONDS)


@pytest.mark.parametrize(
    ("written", "micro"), [("0", 0), ("0.09", 90_000), ("1.99", 1_990_000), ("0.000001", 1)]
)
def test_amounts_are_micro_units(written: str, micro: int) -> None:
    assert parse_amount("amount", written) == micro


@pytest.mark.parametrize(
    "written", ["", "9 ct", "0,09", "-0.01", "0.0000001", "NaN", "Infinity", "1e1", "1_0", "٣", "1000000001"]
)
def test_what_is_no_price_is_refused(written: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        parse_amount("amount", written)
    assert caught.value.expectation.startswith("expected an amount")


@pytest.mark.parametrize(("written", "share"), [("0", 0), ("19", "19/100"), ("12.5", "1/8"), ("100", 1)])
def test_percent_is_an_exact_fraction(written: str, share: str) -> None:
    assert parse_percent("percent", written, most=100) == Fraction(share)


@pytest.mark.parametrize("written", ["", "-1", "100.0001", "1.23456", "5 %", "٣", "1e1"])
def test_what_is_no_percentage_is_refused(written: str) -> None:
    with pytest.raises(ExpectationError, match="100 at most, got"):
        parse_percent("percent", written, most=100)


def test_exchange_rate_is_exact_and_above_zero() -> None:
    assert parse_exchange_rate("rate", "1.085312345") == Fraction("1.085312345")
    for written in ("0", "0.000", "-1", "1,1", "", "1.0123456789"):
        with pytest.raises(ExpectationError, match="expected a rate such as"):
            parse_exchange_rate("rate", written)


def test_every_unit_has_a_dimension() -> None:
    assert {name: dimension(unit_type) for name, unit_type in UNIT_TYPES.items()} == {
        "octets": "octets",
        "input_octets": "octets",
        "output_octets": "octets",
        "seconds": "seconds",
        "events": "events",
    }
