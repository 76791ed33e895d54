"""Amounts in TMF654's units: whole, exact, in the standard's words."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.api.prepay_balance.quantities import (
    QuantityError,
    Units,
    UsageType,
    quantity,
    read_quantity,
    usage_type_of,
)
from ocs.api.tmf.resources import Quantity, encode_body
from ocs.units import UnitType
from tests.support.swagger import Definitions

TMF654 = Definitions("TMF654-PrepayBalance-v4.0.0.swagger.json")


@pytest.mark.parametrize(
    ("amount", "units", "usage_type", "value"),
    [
        ("2.5", "EUR", UsageType.MONETARY, 2_500_000), ("-0.000001", "EUR", UsageType.MONETARY, -1),
        ("1E+2", "EUR", UsageType.MONETARY, 100_000_000), ("1.5", "GB", UsageType.DATA, 1_500_000_000),
        ("2", "MiB", UsageType.DATA, 2_097_152), ("1.5", "min", UsageType.VOICE, 90), ("3", "", UsageType.SMS, 3),
    ],
)  # fmt: skip
def test_amount_is_read_in_its_units(amount: str, units: str, usage_type: UsageType, value: int):
    currency = units if usage_type is UsageType.MONETARY else ""
    assert read_quantity(Quantity(Decimal(amount), units), usage_type) == Units(usage_type, value, currency)


@pytest.mark.parametrize(
    ("amount", "units", "usage_type"),
    [
        ("0.0000001", "EUR", UsageType.MONETARY), ("1", "ABC", UsageType.MONETARY), ("1", "", UsageType.MONETARY),
        ("NaN", "EUR", UsageType.MONETARY), ("Infinity", "EUR", UsageType.MONETARY), ("1E+99", "EUR", UsageType.MONETARY),
        ("1E-99", "EUR", UsageType.MONETARY), ("0.1", "B", UsageType.DATA), ("1", "EUR", UsageType.DATA),
        ("1", "GB", UsageType.VOICE), ("1", "", UsageType.OTHER), ("0.5", "sms", UsageType.SMS),
        ("1E+999999", "GB", UsageType.DATA),
    ],
)  # fmt: skip
def test_amount_that_is_not_whole_or_in_other_units_is_refused(
    amount: str, units: str, usage_type: UsageType
):
    with pytest.raises(QuantityError):
        read_quantity(Quantity(Decimal(amount), units), usage_type)


@given(st.sampled_from(list(UnitType)), st.integers(-(10**15), 10**15))
def test_what_is_shown_is_read_as_it_was(unit_type: UnitType, value: int):
    shown = quantity(value, unit_type, "EUR")
    TMF654.check(shown | {"amount": float(shown["amount"])}, "Quantity")
    given_back = Quantity(Decimal(str(shown["amount"])), shown["units"])
    assert read_quantity(given_back, usage_type_of(unit_type)).value == value


def test_money_is_written_with_its_digits():
    assert encode_body(quantity(100_001, UnitType.MONEY, "EUR")) == b'{"amount":0.100001,"units":"EUR"}'
