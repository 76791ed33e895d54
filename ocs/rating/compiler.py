"""From tables as written to a tariff that can be asked: every text read, every reference followed, once."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ocs.messages import Service
from ocs.rating.amounts import Tax, scaled_up
from ocs.rating.bonuses import BonusRule, compile_bonus
from ocs.rating.classifier import Classifier, Networks
from ocs.rating.conditions import Conditions
from ocs.rating.errors import ExpectationError
from ocs.rating.exchange import ExchangeRates
from ocs.rating.offers import Allowance, AllowanceGrant, ChargeKind, Discount, Offer, OfferCharge, Price
from ocs.rating.periods import Calendar, Period, compile_period
from ocs.rating.prices import PriceCompiler
from ocs.rating.quantities import UNIT_TYPES, parse_amount, parse_percent, parse_quantity
from ocs.rating.quotas import QuotaRules, expected_one_of
from ocs.rating.rate import CountingPeriod
from ocs.rating.references import References
from ocs.rating.schema import (
    AllowanceTable,
    CatalogueSource,
    CatalogueTable,
    ChargeTable,
    DiscountTable,
    GroupTable,
    OfferTable,
)
from ocs.rating.zones import Destinations
from ocs.units import CURRENCY_NUMERIC

# Ids are parts of tariff paths, which use the other characters.
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SERVICES: Final = "data, voice, sms and mms"


class Tariff(msgspec.Struct, frozen=True):
    """A compiled catalogue.

    Attributes:
        prices: of each offer, the most specific first, then as written.
        allowances: in the order in which they are drawn: priority, then id.
        discounts: by id, in the order of priority, then id.
    """

    destinations: Destinations
    classifiers: dict[Service, Classifier]
    calendar: Calendar
    time_zone: ZoneInfo
    quotas: QuotaRules
    allowances: tuple[Allowance, ...]
    discounts: dict[str, Discount]
    bonuses: tuple[BonusRule, ...]
    offers: dict[str, Offer]
    prices: dict[str, tuple[Price, ...]]
    exchange: ExchangeRates
    references: References


class _Entry(Protocol):
    @property
    def id(self) -> str: ...


def compile_tariff(source: CatalogueSource) -> Tariff:
    """Check a whole catalogue and bring it into the form that answers queries.

    Raises:
        ExpectationError: the first thing that is wrong; its key is the path from the top of the catalogue.
    """
    for field in msgspec.structs.fields(CatalogueSource):
        entries = getattr(source, field.name)
        if field.name != "catalogue":
            _check_ids(field.name, entries)
    if not source.offers:
        raise ExpectationError("offers", "expected at least one offer")
    time_zone = _check_header(source.catalogue)
    _check_groups(source.groups)
    destinations, networks = Destinations(source.zones, source.catalogue), Networks(source.networks)
    compiler = _Compiler(source)
    prices = {table.id: compiler.prices(table) for table in source.offers}
    allowances = sorted(compiler.allowances.values(), key=lambda a: (a.priority, a.allowance_id))
    return Tariff(
        destinations=destinations,
        classifiers={
            service: Classifier(
                compiler.conditions_for(service, prices),
                destinations,
                networks,
                source.groups,
                has_emergency_calls=service is not Service.DATA and any(z.emergency for z in source.zones),
            )
            for service in Service
        },
        calendar=Calendar(compiler.periods.values(), time_zone, source.catalogue.holidays),
        time_zone=time_zone,
        quotas=compiler.quotas,
        allowances=tuple(allowances),
        discounts=compiler.discounts,
        bonuses=tuple(compiler.bonuses()),
        offers={table.id: compiler.offer(table) for table in source.offers},
        prices=prices,
        exchange=ExchangeRates(source.exchange_rates),
        references=compiler.references,
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
        self._source = source
        self.references: Final = References(source)
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
        self.discounts: Final[dict[str, Discount]] = {}
        for discount in sorted(source.discounts, key=lambda table: (table.priority, table.id)):
            try:
                self.discounts[discount.id] = self._discount(discount)
            except ExpectationError as error:
                raise error.within(f"discounts[{discount.id}]") from None
        self._prices: Final = PriceCompiler(self.references, self.quotas, self.periods)

    def _allowance(self, table: AllowanceTable) -> Allowance:
        if not table.services:
            raise ExpectationError("services", f"expected at least one of {_SERVICES}")
        return Allowance(
            allowance_id=table.id,
            name=table.name or table.id,
            unit_type=UNIT_TYPES[table.unit],
            services=frozenset(Service(name) for name in table.services),
            conditions=self.references.conditions(table),
            priority=table.priority,
        )

    def _discount(self, table: DiscountTable) -> Discount:
        return Discount(
            discount_id=table.id,
            name=table.name or table.id,
            kept=1 - parse_percent("percent", table.percent, most=100),
            services=frozenset(Service(name) for name in table.services),
            conditions=self.references.conditions(table),
            priority=table.priority,
            combines=table.combines,
        )

    def conditions_for(
        self, service: Service, prices: Mapping[str, tuple[Price, ...]]
    ) -> Iterator[Conditions]:
        """Everything that the price of a service may depend on."""
        for offer_prices in prices.values():
            yield from (price.conditions for price in offer_prices if price.service is service)
        yield from (a.conditions for a in self.allowances.values() if service in a.services)
        for discount in self.discounts.values():
            if not discount.services or service in discount.services:
                yield discount.conditions

    def bonuses(self) -> Iterator[BonusRule]:
        """Compile what top-ups bring."""
        offers = [table.id for table in self._source.offers]
        for table in self._source.bonuses:
            try:
                yield compile_bonus(table, self.references, self.allowances, offers)
            except ExpectationError as error:
                raise error.within(f"bonuses[{table.id}]") from None

    def offer(self, table: OfferTable) -> Offer:
        """Compile what comes with an offer."""
        try:
            if not (table.prices or table.allowances or table.discounts):
                raise ExpectationError("", "expected at least one price, allowance or discount")
            for discount_id in table.discounts:
                if discount_id not in self.discounts:
                    raise ExpectationError(
                        "discounts", expected_one_of("discount", self.discounts, discount_id)
                    )
            _check_ids("charges", table.charges)
            for price in table.prices:
                for name in price.allowances or ():
                    if name not in self.allowances:
                        raise ExpectationError(
                            f"prices[{price.id}].allowances",
                            expected_one_of("allowance", self.allowances, name),
                        )
            return Offer(
                offer_id=table.id,
                name=table.name or table.id,
                priority=table.priority,
                allowances=tuple(self._grants(table)),
                opening_micro=parse_amount("opening_balance", table.opening_balance),
                credit_limit_micro=parse_amount("credit_limit", table.credit_limit),
                currency=self.references.currency_of(table.currency),
                charges=tuple(self._charges(table)),
                discounts=table.discounts,
                grace_micro=parse_amount("zero_balance_grace", table.zero_balance_grace),
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
            key = f"allowances[{grant.allowance}]"
            if grant.rollover_periods and not grant.renewed:
                raise ExpectationError(f"{key}.rollover_periods", "expected only where renewed = true")
            yield AllowanceGrant(
                allowance=grant.allowance,
                name=allowance.name,
                unit_type=allowance.unit_type,
                units=parse_quantity(f"{key}.amount", grant.amount, allowance.unit_type),
                validity_days=grant.valid_days,
                priority=allowance.priority if grant.priority is None else grant.priority,
                is_renewed=grant.renewed,
                rollover_periods=grant.rollover_periods,
                is_once=grant.sharing == "once",
            )

    def _charges(self, table: OfferTable) -> Iterator[OfferCharge]:
        for charge in table.charges:
            try:
                yield self._charge(charge)
            except ExpectationError as error:
                raise error.within(f"charges[{charge.id}]") from None

    def _charge(self, table: ChargeTable) -> OfferCharge:
        kind = ChargeKind(table.kind)
        if (kind is ChargeKind.RECURRING) != (table.period is not None):
            raise ExpectationError("period", "expected where kind = 'recurring', and only there")
        if table.proration and kind is not ChargeKind.RECURRING:
            raise ExpectationError("proration", "expected only where kind = 'recurring'")
        tax_class = table.tax_class or self.references.tax_class
        return OfferCharge(
            charge_id=table.id,
            name=table.name or table.id,
            kind=kind,
            amount_micro=_with_tax(parse_amount("amount", table.amount), self.references.tax(tax_class)),
            period=None if table.period is None else CountingPeriod(table.period),
            is_prorated=table.proration,
            grace_days=table.grace_days,
            tax_class=tax_class,
        )

    def prices(self, table: OfferTable) -> tuple[Price, ...]:
        """Compile an offer's prices, the most specific first."""
        try:
            _check_ids("prices", table.prices)
            return self._prices.prices(table)
        except ExpectationError as error:
            raise error.within(f"offers[{table.id}]") from None


def _with_tax(amount_micro: int, tax: Tax | None) -> int:
    return amount_micro if tax is None else scaled_up(amount_micro, tax.factor)


def _check_groups(tables: Iterable[GroupTable]) -> None:
    for table in tables:
        for key, written in (("numbers", table.numbers), ("prefixes", table.prefixes)):
            for digits in written:
                if not (digits.isascii() and digits.isdigit()):
                    raise ExpectationError(
                        f"groups[{table.id}].{key}",
                        f"expected digits with country code, without '+', got {digits!r}",
                    )
