"""Compiles the prices of an offer: every text read, every reference followed, no two that compete."""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from ocs.messages import Service
from ocs.rating.errors import ExpectationError
from ocs.rating.offers import Price
from ocs.rating.periods import Period
from ocs.rating.quantities import UNIT_TYPES, parse_amount, parse_quantity, parse_rounding
from ocs.rating.quotas import QuotaRules, compile_final_unit
from ocs.rating.rate import AfterCap, Cap, CounterRule, Tier
from ocs.rating.references import References
from ocs.rating.schema import CapTable, OfferTable, PriceTable, TierTable
from ocs.units import UnitType

_COUNTED: Final = {"seconds": "s", "events": "event"}


class PriceCompiler:
    """Compiles prices, with what they refer to at hand."""

    def __init__(self, references: References, quotas: QuotaRules, periods: dict[str, Period]) -> None:
        self._references = references
        self._quotas = quotas
        self._periods = periods

    def prices(self, table: OfferTable) -> tuple[Price, ...]:
        """Compile an offer's prices, the most specific first, and see that no two of them compete."""
        compiled: list[Price] = []
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
                    "service_identifiers, zones, periods or another condition",
                )
        # sorted() keeps the written order among equals.
        return tuple(sorted(compiled, key=lambda price: price.conditions.specificity, reverse=True))

    def _price(self, offer: OfferTable, table: PriceTable) -> Price:
        unit_type = UNIT_TYPES[table.unit]
        first_units, step_units = parse_rounding("rounding", table.rounding, unit_type)
        price_micro = parse_amount("amount", table.amount)
        price_units = parse_quantity("per", table.per, unit_type)
        connection_fee_micro = parse_amount("connection_fee", table.connection_fee)
        _check_combination(table, costs=bool(price_micro or connection_fee_micro))
        if table.quota:
            quota = self._quotas.named(table.quota, unit_type)
        else:
            quota = None
            self._quotas.require_standard(unit_type)
        counters = self._counters(table, unit_type)
        # Before the description, which puts into words what these have checked.
        tiers = _tiers(table, Tier(0, price_micro, price_units), unit_type)
        caps = tuple(_caps(table, counters, price_units, unit_type))
        final_unit = table.final_unit if table.final_unit is not None else offer.final_unit
        try:
            final_unit_indication = compile_final_unit(final_unit)
        except ExpectationError as error:
            raise error.within("final_unit") from None
        currency = self._references.currency_of(
            table.currency, usual=self._references.currency_of(offer.currency)
        )
        return Price(
            offer_id=offer.id,
            price_id=table.id,
            service=Service(table.service),
            unit_type=unit_type,
            conditions=self._references.conditions(table),
            price_micro=price_micro,
            price_units=price_units,
            first_units=first_units,
            step_units=step_units,
            connection_fee_micro=connection_fee_micro,
            allowance_only=table.allowance_only,
            credit_control=table.credit_control,
            quota=quota,
            final_unit=final_unit_indication,
            tax_class=table.tax_class or self._references.tax_class,
            description=(self._describe(offer, table, currency), *self._describe_counts(table, currency)),
            currency=currency,
            counters=counters,
            tiers=tiers,
            caps=caps,
            is_per_recipient=table.per_recipient,
            payers=None if table.allowances is None else frozenset(table.allowances),
            is_discountable=table.discounts,
            grace_micro=parse_amount("zero_balance_grace", offer.zero_balance_grace),
        )

    def _counters(self, table: PriceTable, unit_type: UnitType) -> tuple[CounterRule, ...]:
        """Every counter that the price moves, the one for tiers first."""
        if bool(table.tiers) != bool(table.counter):
            raise ExpectationError("counter", "expected a counter where there are tiers, and only there")
        named = [("counter", table.counter)] if table.counter else []
        named += [("caps", cap.counter) for cap in table.caps]
        named += [("counters", counter_id) for counter_id in table.counters]
        rules: dict[str, CounterRule] = {}
        for key, counter_id in named:
            rule = self._references.counter(key, counter_id)
            if rule.unit_type != unit_type and (key == "counter" or rule.unit_type != UnitType.MONEY):
                raise ExpectationError(key, f"expected a counter of {table.unit}, {counter_id} is another's")
            rules[counter_id] = rule
        return tuple(rules.values())

    def _describe(self, offer: OfferTable, table: PriceTable, currency: str) -> str:
        """The sentence of the price trace that holds for every use of a price."""
        cost = f"{table.amount} {currency} per {_per(table.per, table.unit)}"
        if table.allowance_only:
            cost = "from allowances only"
        elif not parse_amount("amount", table.amount):
            cost = "free"
        parts = [f"{offer.name or offer.id}, {table.name or table.id}: {cost}", f"rounded {table.rounding}"]
        if parse_amount("connection_fee", table.connection_fee):
            parts.append(f"connection fee {table.connection_fee} {currency}")
        return ", ".join(parts + self._references.in_words(table))

    def _describe_counts(self, table: PriceTable, currency: str) -> Iterator[str]:
        """A sentence for each tier and each cap."""
        for tier in table.tiers:
            counter = self._references.counter(table.counter, table.counter)
            words = f"above {_limit(tier.above, table.unit)} of {self._count(counter)}: "
            if tier.denied:
                yield words + "denied"
                continue
            per = _per(table.per if tier.per is None else tier.per, table.unit)
            free = not parse_amount("amount", tier.amount)
            yield words + ("free" if free else f"{tier.amount} {currency} per {per}")
        for cap in table.caps:
            counter = self._references.counter(cap.counter, cap.counter)
            is_money = counter.unit_type == UnitType.MONEY
            limit = f"{cap.limit} {currency}" if is_money else _limit(cap.limit, table.unit)
            after = {"free": "free", "deny": "denied"}.get(cap.then)
            if after is None:
                per = _per(table.per if cap.per is None else cap.per, table.unit)
                after = f"{cap.amount} {currency} per {per}"
            yield f"beyond {limit} of {self._count(counter)}: {after}"

    def _count(self, counter: CounterRule) -> str:
        period = "billing period" if counter.period == "billing" else counter.period.value
        return f"{self._references.counter_name(counter.counter_id)} in a {period}"

    def _compete(self, one: Price, other: Price) -> bool:
        """Whether two prices of one specificity and currency could apply to one and the same use."""
        mine, theirs = one.conditions, other.conditions
        return (
            one.service == other.service
            and one.currency == other.currency
            and mine.specificity == theirs.specificity
            and mine.can_meet(theirs)
            and (
                not mine.periods
                or any(
                    self._periods[earlier].overlaps(self._periods[later])
                    for earlier in mine.periods
                    for later in theirs.periods
                )
            )
        )


def _check_combination(table: PriceTable, *, costs: bool) -> None:
    counts = bool(table.counter or table.caps or table.counters)
    if table.allowance_only and (costs or counts):
        raise ExpectationError(
            "allowance_only", "expected neither amount nor connection_fee nor counters beside it"
        )
    if not table.credit_control and (costs or counts or table.allowance_only):
        raise ExpectationError("credit_control", "expected false only where nothing is charged or counted")


def _tiers(table: PriceTable, first: Tier, unit_type: UnitType) -> tuple[Tier, ...]:
    """The tiers from 0 on; none where one price holds for all."""
    if not table.tiers:
        return ()
    tiers = [first]
    for number, written in enumerate(table.tiers):
        try:
            tier = _tier(written, tiers[-1], first.price_units, unit_type)
        except ExpectationError as error:
            raise error.within(f"tiers[{number}]") from None
        tiers.append(tier)
    return tuple(tiers)


def _tier(table: TierTable, before: Tier, usual_units: int, unit_type: UnitType) -> Tier:
    above = parse_quantity("above", table.above, unit_type)
    if above <= before.from_units:
        raise ExpectationError("above", "expected more than the tier before it has")
    if table.denied:
        if table.amount:
            raise ExpectationError("amount", "expected none where use is denied")
        # Use beyond it that is reported all the same costs what it did before.
        return Tier(above, before.price_micro, before.price_units, is_denied=True)
    units = usual_units if table.per is None else parse_quantity("per", table.per, unit_type)
    return Tier(above, parse_amount("amount", table.amount), units)


def _caps(
    table: PriceTable, counters: tuple[CounterRule, ...], usual_units: int, unit_type: UnitType
) -> Iterator[Cap]:
    ids = [rule.counter_id for rule in counters]
    for number, written in enumerate(table.caps):
        try:
            index = ids.index(written.counter)
            yield _cap(written, index, counters[index].unit_type, usual_units, unit_type)
        except ExpectationError as error:
            raise error.within(f"caps[{number}]") from None


def _cap(table: CapTable, index: int, counted: UnitType, usual_units: int, unit_type: UnitType) -> Cap:
    if counted == UnitType.MONEY:
        limit = parse_amount("limit", str(table.limit))
    else:
        limit = parse_quantity("limit", table.limit, unit_type)
    if not limit:
        raise ExpectationError("limit", "expected more than nothing: a price that begins there is the price")
    after = AfterCap(table.then)
    if after is not AfterCap.PRICE:
        if table.amount:
            raise ExpectationError("amount", "expected only with then = 'price'")
        return Cap(index, limit, after)
    units = usual_units if table.per is None else parse_quantity("per", table.per, unit_type)
    return Cap(index, limit, after, parse_amount("amount", table.amount), units)


def _per(written: int | str, unit: str) -> str:
    return written if isinstance(written, str) else f"{written} {_COUNTED.get(unit, 'octets')}"


def _limit(written: int | str, unit: str) -> str:
    return written if isinstance(written, str) else f"{written} {unit}"
