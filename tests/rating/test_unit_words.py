"""Octets, seconds, events and shares in words."""

from fractions import Fraction

import pytest

from ocs.rating.unit_words import decimal_in_words, exact_in_words, percent_in_words, units_in_words
from ocs.units import UnitType

OCTETS, TIME, EVENTS = UnitType.TOTAL_OCTETS, UnitType.TIME, UnitType.SERVICE_SPECIFIC_UNITS


@pytest.mark.parametrize(
    ("units", "unit_type", "like", "words"),
    [
        (0, OCTETS, 0, "0 B"),
        (999, OCTETS, 0, "999 B"),
        (20 * 10**9, OCTETS, 0, "20 GB"),
        (19_949_000_000, OCTETS, 0, "19.9 GB"),
        (10 * 2**20, OCTETS, 0, "10 MiB"),
        (1_258_291, OCTETS, 2**20, "1.2 MiB"),
        (1_258_291, OCTETS, 10**9, "1.3 MB"),
        (2**20, OCTETS, 2**20, "1 MiB"),
        (2**30, OCTETS, 1, "1 GiB"),
        (512, UnitType.INPUT_OCTETS, 0, "512 B received"),
        (512, UnitType.OUTPUT_OCTETS, 0, "512 B sent"),
        (0, TIME, 0, "0 s"),
        (60, TIME, 0, "1 min"),
        (61, TIME, 0, "61 s"),
        (330, TIME, 0, "5 min 30 s"),
        (18_000, TIME, 0, "300 min"),
        (-90, TIME, 0, "-90 s"),
        (1, EVENTS, 0, "1 message"),
        (300, EVENTS, 0, "300 messages"),
    ],
)
def test_units_are_told_as_a_price_list_would(units: int, unit_type: UnitType, like: int, words: str) -> None:
    assert units_in_words(units, unit_type, like=like) == words


@pytest.mark.parametrize(
    ("units", "unit_type", "words"),
    [
        (1_258_291, OCTETS, "1258291 octets (1.2 MiB)"),
        (10_240, OCTETS, "10 KiB"),
        (330, TIME, "330 s"),
        (1, EVENTS, "1 message"),
    ],
)
def test_figures_of_a_calculation_lose_nothing(units: int, unit_type: UnitType, words: str) -> None:
    assert exact_in_words(units, unit_type, like=2**20) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [("19/100", "19 %"), ("1/8", "12.5 %"), ("1", "100 %"), ("77/1000", "7.7 %"), ("0", "0 %")],
)
def test_share_is_told_in_percent_without_needless_zeros(share: str, words: str) -> None:
    assert percent_in_words(Fraction(share)) == words


def test_rate_is_told_with_the_decimals_it_has() -> None:
    assert [decimal_in_words(Fraction(text)) for text in ("1.0853", "10", "0.95")] == ["1.0853", "10", "0.95"]
