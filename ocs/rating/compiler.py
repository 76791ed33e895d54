"""From tables as written to a tariff that can be asked: every text read, every reference followed, once."""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ocs.messages import Service
from ocs.rating.errors import ExpectationError
from ocs.rating.offers import Allowance, AllowanceGrant, Offer, Price
from ocs.rating.periods import Calendar, Period, compile_period
from ocs.rating.quantities import UNIT_TYPES, parse_amount, parse_quantity, parse_rounding
from ocs.rating.quotas import QuotaRules, compile_final_unit, expected_one_of
from ocs.rating.schema import AllowanceTable, CatalogueSource, CatalogueTable, OfferTable, PriceTable
from ocs.rating.zones import Destinations
from ocs.units import CURRENCY_NUMERIC

# Ids are parts of tariff paths, which use the other characters.
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_COUNTED: Final = {"seconds": "s", "events": "event"}


class Tariff(msgspec.Struct, frozen=True):
    """A compiled catalogue.

    Attributes:
        prices: of each offer, the most specific first, then as written.
        allowances: in the order in which they are drawn: priority, then id.
    """

    destinations: Destinations
    calendar: Calendar
    quotas: QuotaRules
    allowances: tuple[Allowance, ...]
    offers: dict[str, Offer]
    prices: dict[str, tuple[Price, ...]]


class _Entry(Protocol):
    @property
    def id(self) -> str: ...


def compile_tariff(source: CatalogueSource) -> Tariff:
    """Check a whole catalogue and bring it into the form that answers queries.

    Raises:
        ExpectationError: the first thing that is wrong; its key is the path from the top of the catalogue.
    """
    for table, entries in (
        ("zones", source.zones),
        ("periods", source.periods),
        ("quotas", source.quotas),
        ("allowances", source.allowances),
        ("offers", source.offers),
    ):
        _check_ids(table, entries)
    if not source.offers:
        raise ExpectationError("offers", "expected at least one offer")
    time_zone = _check_header(source.catalogue)
    compiler = _Compiler(source)
    return Tariff(
        destinations=Destinations(source.zones, source.catalogue),
        calendar=Calendar(compiler.periods.values(), time_zone, source.catalogue.holidays),
        quotas=compiler.quotas,
        allowances=tuple(sorted(compiler.allowances.values(), key=lambda a: (a.priority, a.allowance_id))),
        offers={table.id: compiler.offer(table) for table in source.offers},
        prices={table.id: compiler.prices(table) for table in source.offers},
    )


def _check_ids(table: str, entries: Iterable[_Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if _ID.fullmatch(entry.id) is None:
            raise ExpectationError(
                f"{table}[{entry.id}].id",
                "expected lower-case letters, digits, dots, hyphens and underscores",
            )
        if entry.id in seen:
            raise ExpectationError(f"{table}[{entry.id}].id", "expected an id that no other entry has")
        seen.add(entry.id)


def _check_header(table: CatalogueTable) -> ZoneInfo:
    if table.currency not in CURRENCY_NUMERIC:
        raise ExpectationError(
            "catalogue.currency", f"expected an ISO 4217 code such as EUR, got {table.currency!r}"
        )
    for key, digits in (
        ("country_code", table.country_code),
        ("international_prefix", table.international_prefix),
        ("national_prefix", table.national_prefix),
    ):
        if digits and not (digits.isascii() and digits.isdigit()):
            raise ExpectationError(f"catalogue.{key}", f"expected digits, got {digits!r}")
    if table.national_prefix and not table.country_code:
        raise ExpectationError("catalogue.country_code", "expected digits where national_prefix is given")
    try:
        return ZoneInfo(table.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ExpectationError(
            "catalogue.time_zone",
            f"expected an IANA time zone such as Europe/Berlin, got {table.time_zone!r}",
        ) from None


class _Compiler:
    """Compiles the tables of one catalogue, with what they refer to at hand."""

    def __init__(self, source: CatalogueSource) -> None:
        self._header = source.catalogue
        self._zone_names = {zone.id: zone.name or zone.id for zone in source.zones}
        self._period_names = {period.id: period.name or period.id for period in source.periods}
        self.quotas: Final = QuotaRules(source.quotas)
        self.periods: Final[dict[str, Period]] = {}
        for period in source.periods:
            try:
                self.periods[period.id] = compile_period(period)
            except ExpectationError as error:
                raise error.within(f"periods[{period.id}]") from None
        self.allowances: Final[dict[str, Allowance]] = {}
        for allowance in source.allowances:
            try:
                self.allowances[allowance.id] = self._allowance(allowance)
            except ExpectationError as error:
                raise error.within(f"allowances[{allowance.id}]") from None

    def _allowance(self, table: AllowanceTable) -> Allowance:
        if not table.services:
            raise ExpectationError("services", "expected at least one of data, voice and sms")
        return Allowance(
            allowance_id=table.id,
            name=table.name or table.id,
            unit_type=UNIT_TYPES[table.unit],
            services=frozenset(Service(name) for name in table.services),
            rating_groups=frozenset(table.rating_groups),
            zones=_references("zones", "zone", table.zones, self._zone_names),
            periods=_references("periods", "period", table.periods, self._period_names),
            priority=table.priority,
        )

    def offer(self, table: OfferTable) -> Offer:
        """Compile what comes with an offer."""
        try:
            if not table.prices and not table.allowances:
                raise ExpectationError("", "expected at least one price or allowance")
            return Offer(
                offer_id=table.id,
                name=table.name or table.id,
                priority=table.priority,
                allowances=tuple(self._grants(table)),
                opening_micro=parse_amount("opening_balance", table.opening_balance),
                credit_limit_micro=parse_amount("credit_limit", table.credit_limit),
            )
        except ExpectationError as error:
            raise error.within(f"offers[{table.id}]") from None

    def _grants(self, table: OfferTable) -> Iterator[AllowanceGrant]:
        for grant in table.allowances:
            allowance = self.allowances.get(grant.allowance)
            if allowance is None:
                raise ExpectationError(
                    "allowances", expected_one_of("allowance", self.allowances, grant.allowance)
                )
            yield AllowanceGrant(
                allowance=grant.allowance,
                name=allowance.name,
                unit_type=allowance.unit_type,
                units=parse_quantity(
                    f"allowances[{grant.allowance}].amount", grant.amount, allowance.unit_type
                ),
                validity_days=grant.valid_days,
                priority=allowance.priority,
            )

    def prices(self, table: OfferTable) -> tuple[Price, ...]:
        """Compile an offer's prices, the most specific first, and see that no two of them compete."""
        compiled: list[Price] = []
        try:
            _check_ids("prices", table.prices)
            for price in table.prices:
                try:
                    compiled.append(self._price(table, price))
                except ExpectationError as error:
                    raise error.within(f"prices[{price.id}]") from None
            for one, other in combinations(compiled, 2):
                if self._compete(one, other):
                    raise ExpectationError(
                        f"prices[{other.price_id}]",
                        f"expected no use to which {one.price_id} applies too: tell them apart by rating_groups, "
                        "service_identifiers, zones or periods",
                    )
        except ExpectationError as error:
            raise error.within(f"offers[{table.id}]") from None
        # sorted() keeps the written order among equals.
        return tuple(sorted(compiled, key=lambda price: price.specificity, reverse=True))

    def _price(self, offer: OfferTable, table: PriceTable) -> Price:
        unit_type = UNIT_TYPES[table.unit]
        first_units, step_units = parse_rounding("rounding", table.rounding, unit_type)
        price_micro = parse_amount("amount", table.amount)
        connection_fee_micro = parse_amount("connection_fee", table.connection_fee)
        if table.allowance_only and (price_micro or connection_fee_micro):
            raise ExpectationError("allowance_only", "expected neither amount nor connection_fee beside it")
        if not table.credit_control and (price_micro or connection_fee_micro or table.allowance_only):
            raise ExpectationError("credit_control", "expected false only where nothing is charged")
        if table.quota:
            quota = self.quotas.named(table.quota, unit_type)
        else:
            quota = None
            self.quotas.require_standard(unit_type)
        final_unit = table.final_unit if table.final_unit is not None else offer.final_unit
        try:
            final_unit_indication = compile_final_unit(final_unit)
        except ExpectationError as error:
            raise error.within("final_unit") from None
        return Price(
            offer_id=offer.id,
            price_id=table.id,
            service=Service(table.service),
            unit_type=unit_type,
            rating_groups=frozenset(table.rating_groups),
            service_identifiers=frozenset(table.service_identifiers),
            zones=_references("zones", "zone", table.zones, self._zone_names),
            periods=_references("periods", "period", table.periods, self._period_names),
            price_micro=price_micro,
            price_units=parse_quantity("per", table.per, unit_type),
            first_units=first_units,
            step_units=step_units,
            connection_fee_micro=connection_fee_micro,
            allowance_only=table.allowance_only,
            credit_control=table.credit_control,
            quota=quota,
            final_unit=final_unit_indication,
            tax_class=table.tax_class or self._header.tax_class,
            description=(self._describe(offer, table),),
        )

    def _describe(self, offer: OfferTable, table: PriceTable) -> str:
        """The sentence of the price trace that holds for every use of a price."""
        per = table.per if isinstance(table.per, str) else f"{table.per} {_COUNTED.get(table.unit, 'octets')}"
        cost = f"{table.amount} {self._header.currency} per {per}"
        if table.allowance_only:
            cost = "from allowances only"
        elif not parse_amount("amount", table.amount):
            cost = "free"
        parts = [f"{offer.name or offer.id}, {table.name or table.id}: {cost}", f"rounded {table.rounding}"]
        if parse_amount("connection_fee", table.connection_fee):
            parts.append(f"connection fee {table.connection_fee} {self._header.currency}")
        if table.zones:
            parts.append("to " + " or ".join(self._zone_names[zone] for zone in table.zones))
        if table.periods:
            parts.append("in " + " or ".join(self._period_names[period] for period in table.periods))
        return ", ".join(parts)

    def _compete(self, one: Price, other: Price) -> bool:
        """Whether two prices of one specificity could apply to one and the same use.

        A request with several service
        identifiers may meet two prices for different ones; the one written first is taken then.
        """
        return (
            one.service == other.service
            and one.specificity == other.specificity
            and _meet(one.zones, other.zones)
            and _meet(one.service_identifiers, other.service_identifiers)
            and _meet(one.rating_groups, other.rating_groups)
            and (
                not one.periods
                or any(
                    self.periods[mine].overlaps(self.periods[theirs])
                    for mine in one.periods
                    for theirs in other.periods
                )
            )
        )


def _meet(one: frozenset[str] | frozenset[int], other: frozenset[str] | frozenset[int]) -> bool:
    return not one or not one.isdisjoint(other)


def _references(key: str, kind: str, written: tuple[str, ...], known: dict[str, str]) -> frozenset[str]:
    for name in written:
        if name not in known:
            raise ExpectationError(key, expected_one_of(kind, known, name))
    return frozenset(written)
