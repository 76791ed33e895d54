"""Octets, seconds, events and shares as people read them, in the multiples that a catalogue is written in."""

from fractions import Fraction
from typing import Final

from ocs.units import UnitType

# The largest first. A price list writes volume as MiB or as GB, and what is shown beside it should be the same.
_BINARY: Final = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("B", 1))
_DECIMAL: Final = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3), ("B", 1))
_DIRECTIONS: Final = {UnitType.INPUT_OCTETS: " received", UnitType.OUTPUT_OCTETS: " sent"}
_MINUTES_FROM_S: Final = 120
_PRICED_BY_MULTIPLE_FROM: Final = 1_000  # octets; a price by the octet says nothing of multiples


def units_in_words(units: int, unit_type: UnitType, *, like: int = 0) -> str:
    """Say a number of units in few letters: ``"1.2 MiB"``, ``"61 s"``, ``"5 min 30 s"``, ``"1 message"``.

    Args:
        units: octets, seconds or events; octets are rounded to a tenth of the multiple they are told in.
        unit_type: what is counted; money is not.
        like: units of the price beside which it stands; one of whole KiB makes octets KiB, MiB and so on. Fewer than
            1000 leave it to ``units`` itself: what is a whole number of MiB is told so, all else in MB and GB.
    """
    sign, size = ("-" if units < 0 else ""), abs(units)
    if unit_type is UnitType.TIME:
        return sign + _time(size)
    if unit_type is UnitType.SERVICE_SPECIFIC_UNITS:
        return f"{units} message" if size == 1 else f"{units} messages"
    return sign + _octets(size, _multiples(size, like)) + _DIRECTIONS.get(unit_type, "")


def exact_in_words(units: int, unit_type: UnitType, *, like: int = 0) -> str:
    """The same without loss, for a calculation to be followed: ``"1258291 octets (1.2 MiB)"``, ``"330 s"``."""
    if unit_type is UnitType.TIME:
        return f"{units} s"
    words = units_in_words(units, unit_type, like=like)
    if unit_type is UnitType.SERVICE_SPECIFIC_UNITS:
        return words
    divisor = next(size for _, size in _multiples(units, like) if size <= max(abs(units), 1))
    return words if units % divisor == 0 else f"{units} octets ({words})"


def percent_in_words(share: Fraction) -> str:
    """Say a share of one: ``"19 %"``, ``"12.5 %"``."""
    return f"{decimal_in_words(share * 100)} %"


def decimal_in_words(value: Fraction) -> str:
    """Say a number of at most nine decimals that is not negative, without needless zeros: ``"1.0853"``."""
    whole, rest = divmod(value.numerator * 10**9 // value.denominator, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def _multiples(units: int, like: int) -> tuple[tuple[str, int], ...]:
    if like >= _PRICED_BY_MULTIPLE_FROM:
        return _BINARY if like % 2**10 == 0 and like % 10**6 else _DECIMAL
    return _BINARY if units % 2**20 == 0 and units % 10**6 else _DECIMAL


def _octets(octets: int, multiples: tuple[tuple[str, int], ...]) -> str:
    name, divisor = next(entry for entry in multiples if entry[1] <= max(octets, 1))
    if octets % divisor == 0:
        return f"{octets // divisor} {name}"
    whole, tenth = divmod((octets * 10 + divisor // 2) // divisor, 10)
    return f"{whole}.{tenth} {name}"


def _time(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    if seconds < _MINUTES_FROM_S and (rest or not minutes):
        return f"{seconds} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
