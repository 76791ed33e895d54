"""From a price and the class of a use to a rate, and from a rate's path back to it."""

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from ocs.rating.amounts import PARTS, Tax, scaled_cap, scaled_down, scaled_price, scaled_tier, scaled_up
from ocs.rating.compiler import Tariff
from ocs.rating.conditions import Circumstances
from ocs.rating.offers import Allowance, Discount, Price
from ocs.rating.rate import Cap, Rate
from ocs.rating.unit_words import decimal_in_words, percent_in_words
from ocs.units import UnitType

_PATH: Final = re.compile(
    r"([^/]+)/([^@>#~%$]+)(?:@[^>#~%$]+)?(?:>([^#~%$]+))?(?:#([0-9]{1,10}))?(?:~([^%$]+))?(?:%([^$]+))?"
    r"(?:\$([A-Z]{3}))?"
)


class Resolver:
    """Makes the rates of one catalogue version; rates of one path are one object."""

    def __init__(self, tariff: Tariff, version: str, time_zone: str) -> None:
        self._tariff = tariff
        self._version = version
        self._time_zone = time_zone
        self._prices = {
            (price.offer_id, price.price_id): price for prices in tariff.prices.values() for price in prices
        }
        self._allowances = {allowance.allowance_id: allowance for allowance in tariff.allowances}
        self._rating_groups = tariff.quotas.rating_groups.union(
            *(allowance.conditions.rating_groups for allowance in tariff.allowances)
        )
        # At most prices x zones x rating groups named in the catalogue x what else paths say: finite by itself.
        self.rates: Final[dict[str, Rate]] = {}

    def factor(self, price: Price, currency: str) -> Fraction | None:
        """By what a price is converted into the account's currency, None when it does not apply to it."""
        if price.is_free:
            return Fraction(1)
        return self._tariff.exchange.factor(price.currency, currency)

    def possible_allowances(
        self,
        price: Price,
        rating_group: int | None,
        service_identifiers: tuple[int, ...],
        circumstances: Circumstances,
    ) -> tuple[Allowance, ...]:
        """The allowances that can pay in place of a price at some time; what is free takes from none."""
        if price.is_free:
            return ()
        return tuple(
            allowance
            for allowance in self._tariff.allowances
            if price.takes(allowance)
            and allowance.conditions.hold(rating_group, service_identifiers, circumstances)
        )

    def rate(
        self,
        price: Price,
        rating_group: int | None,
        zone: str | None,
        allowances: Iterable[Allowance],
        discounts: tuple[Discount, ...],
        currency: str,
    ) -> Rate:
        """Resolve a price.

        Args:
            price: that applies.
            rating_group: of the use. zone: of its destination.
            allowances: those that may pay now.
            discounts: those that are given, in order.
            currency: of the account; a rate for it is declared where it is not the price's.
        """
        usable = tuple(allowances)
        path = self._path(price, rating_group, zone, usable, discounts, currency)
        known = self.rates.get(path)
        if known is None:
            known = self.rates[path] = self._make(
                path, price, rating_group, zone, usable, discounts, currency
            )
        return known

    def rate_at_path(self, path: str) -> Rate | None:
        """The rate with a path, None when this version has none such."""
        known = self.rates.get(path)
        if known is not None:
            return known
        match = _PATH.fullmatch(path)
        price = self._prices.get((match[1], match[2])) if match else None
        if match is None or price is None:
            return None
        zone, rating_group = match[3], int(match[4]) if match[4] else None
        discounts = [self._tariff.discounts.get(name) for name in match[6].split("+")] if match[6] else []
        currency = match[7] or price.currency
        if None in discounts or self.factor(price, currency) is None:
            return None
        rate = self._make(
            path,
            price,
            rating_group,
            zone,
            self._allowances_at_path(price, rating_group, zone, match[5]),
            tuple(discount for discount in discounts if discount is not None),
            currency,
        )
        # A path that is not written as this version writes it is another version's.
        written = self._path(
            price,
            rating_group,
            zone,
            self._allowances_at_path(price, rating_group, zone, match[5]),
            tuple(discount for discount in discounts if discount is not None),
            currency,
        )
        return self.rates.setdefault(path, rate) if written == path else None

    def _allowances_at_path(
        self, price: Price, rating_group: int | None, zone: str | None, named: str | None
    ) -> tuple[Allowance, ...]:
        names = frozenset(named.split("+")) if named else frozenset[str]()
        if price.is_free:
            return ()
        here = Circumstances(zone=zone)
        return tuple(
            allowance
            for allowance in self._tariff.allowances
            if price.takes(allowance)
            and (
                allowance.allowance_id in names
                if allowance.is_named_in_path
                else allowance.conditions.hold(rating_group, (), here)
            )
        )

    def _path(
        self,
        price: Price,
        rating_group: int | None,
        zone: str | None,
        allowances: tuple[Allowance, ...],
        discounts: tuple[Discount, ...],
        currency: str,
    ) -> str:
        path = f"{price.offer_id}/{price.price_id}"
        if price.conditions.periods:
            path += "@" + "+".join(sorted(price.conditions.periods))
        # Everything else stands in the path only where terms depend on it.
        if zone is not None and (
            zone in price.conditions.zones
            or zone in self._tariff.references.emergency_zones
            or any(a.conditions.zones for a in allowances if not a.is_named_in_path)
        ):
            path += f">{zone}"
        if rating_group in self._rating_groups:
            path += f"#{rating_group}"
        names = sorted(a.allowance_id for a in allowances if a.is_named_in_path)
        if names:
            path += "~" + "+".join(names)
        if discounts:
            path += "%" + "+".join(discount.discount_id for discount in discounts)
        return path if currency == price.currency else f"{path}${currency}"

    def _make(
        self,
        path: str,
        price: Price,
        rating_group: int | None,
        zone: str | None,
        allowances: tuple[Allowance, ...],
        discounts: tuple[Discount, ...],
        currency: str,
    ) -> Rate:
        exchange = self.factor(price, currency) or Fraction(1)
        tax = self._tariff.references.tax(price.tax_class)
        factor = exchange * (tax.factor if tax else 1)
        for discount in discounts:
            factor *= discount.kept
        price_micro, price_units = scaled_price(price.price_micro, price.price_units, factor)
        return Rate(
            path=path,
            catalogue_version=self._version,
            unit_type=price.unit_type,
            price_micro=price_micro,
            price_units=price_units,
            first_units=price.first_units,
            step_units=price.step_units,
            connection_fee_micro=scaled_up(price.connection_fee_micro, factor),
            currency=currency,
            allowances=frozenset(allowance.allowance_id for allowance in allowances),
            quota=price.quota or self._tariff.quotas.rule(price.unit_type, rating_group),
            final_unit=price.final_unit,
            tax_class=price.tax_class,
            time_zone=self._time_zone,
            credit_control_applicable=price.credit_control,
            allowance_only=price.allowance_only,
            description=price.description + tuple(_sentences(price, discounts, tax, currency, exchange)),
            counters=price.counters,
            tiers=tuple(scaled_tier(tier, factor) for tier in price.tiers),
            caps=tuple(_converted(scaled_cap(cap, factor), price, exchange) for cap in price.caps),
            is_emergency=zone in self._tariff.references.emergency_zones,
            is_per_recipient=price.is_per_recipient,
            grace_micro=scaled_down(price.grace_micro, exchange),
            tax_parts_per_million=tax.parts_per_million if tax else 0,
        )


def _converted(cap: Cap, price: Price, exchange: Fraction) -> Cap:
    """A cap on money in the account's currency, rounded down."""
    if price.counters[cap.counter].unit_type != UnitType.MONEY or exchange == 1:
        return cap
    return Cap(cap.counter, scaled_down(cap.limit, exchange), cap.after, cap.price_micro, cap.price_units)


def _sentences(
    price: Price, discounts: tuple[Discount, ...], tax: Tax | None, currency: str, exchange: Fraction
) -> Iterable[str]:
    """What was done to the catalogue's amounts, one sentence each."""
    for discount in discounts:
        yield f"discount {discount.name}: {percent_in_words(1 - discount.kept)} off"
    if exchange != 1:
        yield f"converted from {price.currency} to {currency} at {decimal_in_words(exchange)}"
    if tax is not None and not price.is_free:
        how = "included" if tax.is_included else "added"
        yield f"tax {tax.name}: {percent_in_words(Fraction(tax.parts_per_million, PARTS))} {how}"
