"""Amounts as TMF654 writes them (``{"amount": 2.5, "units": "GB"}``) to our integers and back. Pure.

What is shown is in the smallest whole unit: octets, seconds, messages; money in its currency. What is read may be in
any multiple that comes out whole.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from ocs.api.tmf.resources import Attributes, Quantity
from ocs.units import CURRENCY_NUMERIC, AmountError, UnitType, format_micro, parse_micro


class UsageType(StrEnum):
    """What a bucket counts, in TMF654's words."""

    MONETARY = "monetary"
    VOICE = "voice"
    DATA = "data"
    SMS = "sms"
    OTHER = "other"


_USAGE_TYPES: Final = {
    UnitType.MONEY: UsageType.MONETARY,
    UnitType.TIME: UsageType.VOICE,
    UnitType.TOTAL_OCTETS: UsageType.DATA,
    UnitType.INPUT_OCTETS: UsageType.DATA,
    UnitType.OUTPUT_OCTETS: UsageType.DATA,
    UnitType.SERVICE_SPECIFIC_UNITS: UsageType.SMS,
}
_SMALLEST: Final = {UsageType.VOICE: "s", UsageType.DATA: "B", UsageType.SMS: "messages"}
_MULTIPLES: Final = {
    UsageType.VOICE: {"s": 1, "sec": 1, "seconds": 1, "min": 60, "minutes": 60, "h": 3600, "hours": 3600},
    UsageType.DATA: {
        "b": 1, "octets": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
        "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
    },
    UsageType.SMS: {"": 1, "messages": 1, "sms": 1, "mms": 1, "units": 1, "events": 1},
}  # fmt: skip
_UNITS_MAX: Final = 2**62


class QuantityError(ValueError):
    """A quantity is none that can be used; ``str()`` says what is expected."""


class Units(msgspec.Struct, frozen=True):
    """An amount in our integers: micro-units of ``currency`` for money, else octets, seconds or messages."""

    usage_type: UsageType
    value: int
    currency: str = ""


def usage_type_of(unit_type: UnitType) -> UsageType:
    """TMF654's word for what a bucket counts."""
    return _USAGE_TYPES[unit_type]


def quantity(value: int, unit_type: UnitType, currency: str) -> Attributes:
    """An amount of ours as a ``Quantity``: micro-units for money, else units."""
    if unit_type is UnitType.MONEY:
        return {"amount": Decimal(format_micro(value)), "units": currency}
    return {"amount": value, "units": _SMALLEST[usage_type_of(unit_type)]}


def read_quantity(given: Quantity, usage_type: UsageType) -> Units:
    """Read an amount.

    Raises:
        QuantityError: another unit than the usage type's, or no whole number of micro-units, octets, seconds, messages.
    """
    if not given.amount.is_finite() or abs(given.amount) > _UNITS_MAX or given.amount.adjusted() < -30:
        raise QuantityError("amount: a decimal number is expected")
    if usage_type is UsageType.MONETARY:
        if given.units not in CURRENCY_NUMERIC:
            raise QuantityError(f"amount: a currency of ISO 4217 is expected in units, not {given.units!r}")
        try:
            return Units(usage_type, parse_micro(f"{given.amount:f}"), given.units)
        except AmountError as error:
            raise QuantityError(f"amount: {error}") from None
    multiples = _MULTIPLES.get(usage_type)
    if multiples is None:
        raise QuantityError("usageType: monetary, data, voice or sms is expected")
    multiple = multiples.get(given.units.lower())
    if multiple is None:
        raise QuantityError(
            f"amount: units of {usage_type} are {', '.join(name for name in multiples if name)}"
        )
    value = given.amount * multiple
    if value != int(value):
        raise QuantityError(f"amount: a whole number of {_SMALLEST[usage_type]} is expected")
    return Units(usage_type, int(value))
