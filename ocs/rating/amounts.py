"""What discounts, tax and exchange do to amounts: fractions, never a rounded price per unit."""

from fractions import Fraction

import msgspec

from ocs.rating.rate import AfterCap, Cap, Tier
from ocs.units import divide_down, divide_up

PARTS: int = 1_000_000


class Tax(msgspec.Struct, frozen=True):
    """The tax of a tax class.

    Attributes:
        parts_per_million: tax rate; 190000 is 19 percent.
        is_included: amounts of the catalogue hold it; else it is added.
    """

    tax_class: str
    name: str
    parts_per_million: int
    is_included: bool

    @property
    def factor(self) -> Fraction:
        """By what the catalogue's amounts are multiplied to be what is charged."""
        return Fraction(1) if self.is_included else 1 + Fraction(self.parts_per_million, PARTS)


def tax_within(amount_micro: int, parts_per_million: int) -> int:
    """The tax in an amount that holds it, in micro-units, rounded half up by size.

    The net amount is the rest, so that both always add up to the amount.
    """
    size = abs(amount_micro)
    whole = PARTS + parts_per_million
    tax = (2 * size * parts_per_million + whole) // (2 * whole)
    return tax if amount_micro >= 0 else -tax


def scaled_price(price_micro: int, price_units: int, factor: Fraction) -> tuple[int, int]:
    """A price per units multiplied exactly: where a micro-unit does not divide, it is told per more units."""
    scaled = price_micro * factor
    return scaled.numerator, price_units * scaled.denominator


def scaled_up(amount_micro: int, factor: Fraction) -> int:
    """An amount multiplied and rounded up to a whole micro-unit: fees and charges."""
    return divide_up(amount_micro * factor.numerator, factor.denominator)


def scaled_down(amount_micro: int, factor: Fraction) -> int:
    """An amount multiplied and rounded down: limits."""
    return divide_down(amount_micro * factor.numerator, factor.denominator)


def scaled_tier(tier: Tier, factor: Fraction) -> Tier:
    """A tier whose price is multiplied."""
    price_micro, price_units = scaled_price(tier.price_micro, tier.price_units, factor)
    return msgspec.structs.replace(tier, price_micro=price_micro, price_units=price_units)


def scaled_cap(cap: Cap, factor: Fraction) -> Cap:
    """A cap whose price is multiplied; its limit is what the customer pays and stays."""
    if cap.after is not AfterCap.PRICE:
        return cap
    price_micro, price_units = scaled_price(cap.price_micro, cap.price_units, factor)
    return msgspec.structs.replace(cap, price_micro=price_micro, price_units=price_units)
