"""What the tables of a catalogue refer to by id, and the words for it."""

from collections.abc import Iterable
from typing import Final

from ocs.messages import RoleOfNode
from ocs.rating.amounts import PARTS, Tax
from ocs.rating.conditions import Conditions
from ocs.rating.errors import ExpectationError
from ocs.rating.quantities import UNIT_TYPES, parse_percent
from ocs.rating.quotas import expected_one_of
from ocs.rating.rate import CounterRule, CountingPeriod
from ocs.rating.schema import CatalogueSource, ConditionsTable, TaxTable
from ocs.units import CURRENCY_NUMERIC, UnitType

_TAX_PERCENT_MAX: Final = 100


class References:
    """Follows references, and says which one leads nowhere."""

    def __init__(self, source: CatalogueSource) -> None:
        """Index what can be referred to.

        Raises:
            ExpectationError: a tax rate is no percentage.
        """
        self._zones = {table.id: table.name or table.id for table in source.zones}
        self.emergency_zones: Final = frozenset(table.id for table in source.zones if table.emergency)
        self._networks = {table.id: table.name or table.id for table in source.networks}
        self._groups = {table.id: table.name or table.id for table in source.groups}
        self._periods = {table.id: table.name or table.id for table in source.periods}
        self._has_home = any(table.home for table in source.networks)
        self._counters = {
            table.id: CounterRule(
                table.id,
                UnitType.MONEY if table.unit == "money" else UNIT_TYPES[table.unit],
                CountingPeriod(table.period),
            )
            for table in source.counters
        }
        self._counter_names = {table.id: table.name or table.id for table in source.counters}
        self._taxes = {table.id: _compile_tax(table) for table in source.taxes}
        self.currency: Final = source.catalogue.currency
        self.tax_class: Final = source.catalogue.tax_class

    def conditions(self, table: ConditionsTable) -> Conditions:
        """Resolve what a table asks of a use."""
        if table.roaming is not None and not self._has_home:
            raise ExpectationError("roaming", "expected an entry of networks with home = true")
        for key, written in (
            ("access_points", table.access_points),
            ("rat_types", table.rat_types),
            ("media", table.media),
            ("message_types", table.message_types),
        ):
            for word in written:
                if not word or word != word.lower():
                    raise ExpectationError(key, f"expected lower-case words, got {word!r}")
        zones = _known("zones", "zone", table.zones, self._zones)
        return Conditions(
            rating_groups=frozenset(table.rating_groups),
            service_identifiers=frozenset(table.service_identifiers),
            zones=zones,
            calling_zones=_known("calling_zones", "zone", table.calling_zones, self._zones),
            networks=_known("networks", "group of networks", table.networks, self._networks),
            roaming=table.roaming,
            access_points=frozenset(table.access_points),
            rat_types=frozenset(table.rat_types),
            roles=frozenset(RoleOfNode[name.upper()] for name in table.roles),
            media=frozenset(table.media),
            message_types=frozenset(table.message_types),
            applications=frozenset(table.applications),
            favourites=table.favourites,
            groups=_known("groups", "closed user group", table.groups, self._groups),
            periods=_known("periods", "period", table.periods, self._periods),
            is_emergency=bool(zones) and zones <= self.emergency_zones,
        )

    def in_words(self, table: ConditionsTable) -> list[str]:
        """Say what a table asks of a use, a phrase each; rating groups and identifiers mean nothing to people."""
        phrases: list[str] = []

        def add(before: str, names: Iterable[str]) -> None:
            said = " or ".join(names)
            if said:
                phrases.append(f"{before} {said}")

        add("to", [self._zones[zone] for zone in table.zones])
        add("from", [self._zones[zone] for zone in table.calling_zones])
        add("in", [self._networks[network] for network in table.networks])
        if table.roaming is not None:
            phrases.append("abroad" if table.roaming else "in the home network")
        add("over access point", table.access_points)
        add("by", table.rat_types)
        if table.roles:
            phrases.append(" or ".join(table.roles))
        add("with", table.media)
        add("of type", table.message_types)
        add("for", table.applications)
        if table.favourites:
            phrases.append("with friends & family")
        add("within", [self._groups[group] for group in table.groups])
        add("in", [self._periods[period] for period in table.periods])
        return phrases

    def periods(self, written: tuple[str, ...]) -> frozenset[str]:
        """Resolve ids of periods."""
        return _known("periods", "period", written, self._periods)

    def counter(self, key: str, counter_id: str) -> CounterRule:
        """Resolve the id of a counter."""
        rule = self._counters.get(counter_id)
        if rule is None:
            raise ExpectationError(key, expected_one_of("counter", self._counters, counter_id))
        return rule

    def counter_name(self, counter_id: str) -> str:
        """The operator's name for a counter."""
        return self._counter_names[counter_id]

    def tax(self, tax_class: str) -> Tax | None:
        """The tax of a class, None where the catalogue has no rate for it."""
        return self._taxes.get(tax_class)

    def currency_of(self, written: str, *, usual: str = "") -> str:
        """Check the currency of an entry; empty is the usual one, by default the catalogue's."""
        if written and written not in CURRENCY_NUMERIC:
            raise ExpectationError("currency", f"expected an ISO 4217 code such as EUR, got {written!r}")
        return written or usual or self.currency


def _known(key: str, kind: str, written: tuple[str, ...], known: dict[str, str]) -> frozenset[str]:
    for name in written:
        if name not in known:
            raise ExpectationError(key, expected_one_of(kind, known, name))
    return frozenset(written)


def _compile_tax(table: TaxTable) -> Tax:
    rate = parse_percent(f"taxes[{table.id}].rate", table.rate, most=_TAX_PERCENT_MAX)
    return Tax(table.id, table.name or table.id, int(rate * PARTS), table.included)
