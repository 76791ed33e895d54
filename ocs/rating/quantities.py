"""Amounts, sizes and block roundings as an operator writes them, read exactly."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ocs.rating.errors import ExpectationError
from ocs.units import UnitType, parse_micro

UNIT_TYPES: Final = {
    "octets": UnitType.TOTAL_OCTETS,
    "input_octets": UnitType.INPUT_OCTETS,
    "output_octets": UnitType.OUTPUT_OCTETS,
    "seconds": UnitType.TIME,
    "events": UnitType.SERVICE_SPECIFIC_UNITS,
}
OCTET_UNITS: Final = (UnitType.TOTAL_OCTETS, UnitType.INPUT_OCTETS, UnitType.OUTPUT_OCTETS)

# fmt: off
_SUFFIXES: Final = {
    "octets": {
        "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
        "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
    },
    "seconds": {"s": 1, "min": 60, "h": 3_600, "d": 86_400},
    "events": {},
}
# fmt: on
# CC-Time is Unsigned32 and the octet AVPs are Unsigned64 (RFC 8506 sections 8.21 to 8.26); half of the latter
# leaves room for a session's sum.
_UNITS_MAX: Final = {"octets": 2**62, "seconds": 2**32 - 1, "events": 2**62}
_QUANTITY: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
# As parse_micro, less its exponents, signs and other alphabets' digits: a price list has none.
_AMOUNT: Final = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,6})?")
# A thousand million of the main unit: far above any price, and far below what 64-bit sums of prices can hold.
_AMOUNT_MICRO_MAX: Final = 10**15
_PERCENT: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})?")
_EXCHANGE_RATE: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def dimension(unit_type: UnitType) -> str:
    """Name what a unit type counts: ``octets`` whatever their direction, ``seconds`` or ``events``."""
    if unit_type in OCTET_UNITS:
        return "octets"
    return next(name for name, value in UNIT_TYPES.items() if value == unit_type)


def parse_quantity(key: str, written: int | str, unit_type: UnitType, *, least: int = 1) -> int:
    """Read ``1048576``, ``"1 MiB"``, ``"1.5 GB"`` or ``"2 min"`` as a whole number of octets, seconds or events.

    Raises:
        ExpectationError: at ``key``: not such a quantity, not whole, below ``least`` or too large.
    """
    counted = dimension(unit_type)
    suffixes = _SUFFIXES[counted]
    match = _QUANTITY.fullmatch(str(written).strip())
    allowed = f" or a number with {', '.join(suffixes)}" if suffixes else ""
    wish = f"expected a whole number of {counted}{allowed}, at least {least}, got {written!r}"
    if match is None or (match[2] and match[2] not in suffixes):
        raise ExpectationError(key, wish)
    units = Decimal(match[1]) * suffixes.get(match[2], 1)
    if units != units.to_integral_value() or not least <= units <= _UNITS_MAX[counted]:
        raise ExpectationError(key, wish)
    return int(units)


def parse_rounding(key: str, written: str, unit_type: UnitType) -> tuple[int, int]:
    """Read ``"60/1"`` or ``"10 KiB/10 KiB"`` as the first and every later billing block."""
    first, slash, step = written.partition("/")
    if not slash:
        raise ExpectationError(key, f"expected two blocks such as '60/1' or '10 KiB/10 KiB', got {written!r}")
    return parse_quantity(key, first, unit_type), parse_quantity(key, step, unit_type)


def parse_amount(key: str, written: str) -> int:
    """Read a decimal amount of money that is not negative, as micro-units."""
    if _AMOUNT.fullmatch(written) is None or parse_micro(written) > _AMOUNT_MICRO_MAX:
        raise ExpectationError(
            key, f"expected an amount of money such as '0.09' with six decimals at most, got {written!r}"
        )
    return parse_micro(written)


def parse_percent(key: str, written: str, *, most: int) -> Fraction:
    """Read ``"19"`` or ``"12.5"`` percent, four decimals at most, as an exact fraction of one."""
    if _PERCENT.fullmatch(written) is None or Fraction(written) > most:
        raise ExpectationError(
            key, f"expected percent such as '19' or '12.5', {most} at most, got {written!r}"
        )
    return Fraction(written) / 100


def parse_exchange_rate(key: str, written: str) -> Fraction:
    """Read ``"1.0853"``, nine decimals at most, as an exact factor above zero."""
    if _EXCHANGE_RATE.fullmatch(written) is None or not Fraction(written):
        raise ExpectationError(key, f"expected a rate such as '1.0853' above zero, got {written!r}")
    return Fraction(written)
