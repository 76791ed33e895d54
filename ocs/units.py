"""Money and service units: integers that know what they count.

Money is a whole number of micro-units (10^-6 of the currency's main unit) with an ISO 4217 currency. No float
ever holds money; a division says which way it rounds.
"""

import re
from enum import IntEnum
from typing import Final

import msgspec

MICRO: Final = 1_000_000

# ISO 4217 numeric codes of the currencies that an operator can use (Currency-Code AVP, RFC 8506 section 8.11).
CURRENCY_NUMERIC: Final[dict[str, int]] = {
    "AED": 784, "ARS": 32, "AUD": 36, "BDT": 50, "BGN": 975, "BRL": 986, "CAD": 124, "CHF": 756,
    "CLP": 152, "CNY": 156, "COP": 170, "CZK": 203, "DKK": 208, "EGP": 818, "EUR": 978, "GBP": 826,
    "GHS": 936, "HKD": 344, "HUF": 348, "IDR": 360, "ILS": 376, "INR": 356, "JPY": 392, "KES": 404,
    "KRW": 410, "MAD": 504, "MXN": 484, "MYR": 458, "NGN": 566, "NOK": 578, "NZD": 554, "PEN": 604,
    "PHP": 608, "PKR": 586, "PLN": 985, "QAR": 634, "RON": 946, "SAR": 682, "SEK": 752, "SGD": 702,
    "THB": 764, "TRY": 949, "TWD": 901, "TZS": 834, "UAH": 980, "UGX": 800, "USD": 840, "VND": 704,
    "XAF": 950, "XOF": 952, "ZAR": 710,
}  # fmt: skip
CURRENCY_ALPHA: Final[dict[int, str]] = {number: code for code, number in CURRENCY_NUMERIC.items()}

# ASCII alone: int() would also read digits of every other script.
_AMOUNT: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


class CurrencyMismatchError(ValueError):
    """Two amounts in different currencies met in one operation."""


class AmountError(ValueError):
    """A text is not an amount of money that micro-units can hold exactly."""


class UnitType(IntEnum):
    """What a quota or a bucket counts: CC-Unit-Type (RFC 8506 section 8.32)."""

    TIME = 0
    MONEY = 1
    TOTAL_OCTETS = 2
    INPUT_OCTETS = 3
    OUTPUT_OCTETS = 4
    SERVICE_SPECIFIC_UNITS = 5


class Money(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An amount in one currency.

    Attributes:
        micro: micro-units (10^-6 of the main unit); negative is owed.
        currency: ISO 4217 alphabetic code.
    """

    micro: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{self.currency} + {other.currency}")
        return Money(self.micro + other.micro, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyMismatchError(f"{self.currency} - {other.currency}")
        return Money(self.micro - other.micro, self.currency)

    def __str__(self) -> str:
        return f"{format_micro(self.micro)} {self.currency}"


def divide_up(dividend: int, divisor: int) -> int:
    """Divide and round towards plus infinity: a started block is a whole block."""
    return -(-dividend // divisor)


def divide_down(dividend: int, divisor: int) -> int:
    """Divide and round towards minus infinity: only whole blocks can be paid."""
    return dividend // divisor


def parse_micro(text: str) -> int:
    """Read a decimal amount such as ``"0.09"`` or ``"-10"`` as micro-units.

    Raises:
        AmountError: not a plain decimal number (no exponent, no separators), or finer than a micro-unit.
    """
    if _AMOUNT.fullmatch(text) is None:
        raise AmountError(f"{text!r} is not a decimal amount such as '0.09'")
    whole, _, fraction = text.partition(".")
    if fraction.rstrip("0")[6:]:
        raise AmountError(f"{text!r} is not a whole number of micro-units (six decimals at most)")
    return int(whole + fraction[:6].ljust(6, "0"))


def format_micro(micro: int) -> str:
    """Write micro-units as a decimal with two to six decimals: ``90000`` is ``"0.09"``."""
    sign = "-" if micro < 0 else ""
    whole, fraction = divmod(abs(micro), MICRO)
    decimals = f"{fraction:06d}"
    return f"{sign}{whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"
