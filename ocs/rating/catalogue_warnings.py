"""What is odd about a catalogue that can be used: prices that no use ever gets, entries that nothing refers to.

Whether a price can apply is found by trying: the use that asks for nothing beyond the price's own conditions is the
most likely to get it, at every time at which its periods could make a difference.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, product
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import msgspec

from ocs.messages import Profile, RoleOfNode, Service, UsageContext
from ocs.rating.catalogue import Catalogue
from ocs.rating.places import Finding, Places
from ocs.rating.schema import CatalogueSource, PriceTable
from ocs.units import format_micro, parse_micro

# Keys that refer to entries, and the tables that these are in.
_REFERENCES: Final = {
    "allowance": "allowances",
    "calling_zones": "zones",
    "counter": "counters",
    "counters": "counters",
    "discounts": "discounts",
    "groups": "groups",
    "networks": "networks",
    "periods": "periods",
    "quota": "quotas",
    "tax_class": "taxes",
    "zones": "zones",
}
_ANYBODY: Final = "99999999"  # a number in no zone, or in whichever it happens to be
_TRIES_MAX: Final = 256  # combinations of one price's conditions
_DAYS: Final = 8  # a week, and the night into it
# Networks that are hardly anybody's home; several, so that one of them is not.
_FOREIGN: Final = ("99999", "00199", "90199", "20201")


def warnings_of(catalogue: Catalogue, source: CatalogueSource, places: Places) -> tuple[Finding, ...]:
    """Tell what is odd, in the order of files and lines.

    Args:
        catalogue: compiled from ``source``.
        places: finds the lines of keys.
    """
    told = [*_unreachable(catalogue, source), *_unused(source), *_unpriced(source), *_unpaid(source)]
    return tuple(sorted(places.finding(key, text, is_warning=True) for key, text in told))


def foreign_network(source: CatalogueSource) -> str:
    """MCC and MNC of some network that is not ours; empty where the catalogue does not say what is."""
    homes = tuple(prefix for network in source.networks if network.home for prefix in network.prefixes)
    return next((network for network in _FOREIGN if homes and not network.startswith(homes)), "")


# --- Prices that no use gets ------------------------------------------------------------------------------


def _unreachable(catalogue: Catalogue, source: CatalogueSource) -> Iterator[tuple[str, str]]:
    witnesses = _Witnesses(catalogue, source)
    for offer in source.offers:
        for price in offer.prices:
            if not any(
                _is_of(rate.path, offer.id, price.id)
                for rate in witnesses.rates(offer.id, offer.currency, price)
            ):
                yield (
                    f"offers[{offer.id}].prices[{price.id}]",
                    "no use gets this price: others come before it, or its conditions never hold together",
                )
    for zone in source.zones:
        if witnesses.number_in(zone.id) is None:
            yield f"zones[{zone.id}]", "no number lies in it: longer prefixes of other zones cover all of it"


def _is_of(path: str, offer_id: str, price_id: str) -> bool:
    """Whether a tariff path is that of a price: after its id come conditions only."""
    start = f"{offer_id}/{price_id}"
    return path.startswith(start) and path[len(start) : len(start) + 1] in {
        "",
        "@",
        ">",
        "#",
        "~",
        "%",
        "$",
        "!",
    }


class _Witnesses:
    """Makes uses that fit a price's conditions and nothing more."""

    def __init__(self, catalogue: Catalogue, source: CatalogueSource) -> None:
        self._catalogue = catalogue
        self._source = source
        self._zone = ZoneInfo(source.catalogue.time_zone)
        self._numbers = {
            zone.id: self._find_number(zone.numbers, zone.prefixes, zone.id) for zone in source.zones
        }
        self._networks = {network.id: network.prefixes[0] for network in source.networks if network.prefixes}
        self._abroad = foreign_network(source)
        self._home = next((n.prefixes[0] for n in source.networks if n.home and n.prefixes), "")
        self._groups = {
            group.id: next(iter((*group.numbers, *(f"{prefix}0000" for prefix in group.prefixes))), "")
            for group in source.groups
        }
        self._moments = tuple(self._times())

    def number_in(self, zone: str) -> str | None:
        """A number that lies in a zone, None when none does."""
        return self._numbers[zone]

    def _find_number(self, numbers: tuple[str, ...], prefixes: tuple[str, ...], zone: str) -> str | None:
        tries = (*numbers, *(f"{prefix}{digit}000000" for prefix in prefixes for digit in range(10)))
        return next((number for number in tries if self._catalogue.zone(number) == zone), None)

    def _times(self) -> Iterator[int]:
        """Epoch seconds at which some period begins or ends, on each kind of day and in each season of a period."""
        header = self._source.catalogue
        days = {header.effective + timedelta(days=day) for day in range(_DAYS)} | set(header.holidays)
        for period in self._source.periods:
            days |= {day for day in (period.first_date, period.last_date) if day is not None}
        clocks = {"00:00", "12:00"}
        clocks |= {clock for period in self._source.periods for clock in (period.start, period.end)} - {
            "24:00"
        }
        for day in sorted(days):
            for clock in sorted(clocks):
                hour, _, minute = clock.partition(":")
                local = datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=self._zone)
                yield int(local.timestamp())

    def rates(self, offer_id: str, offer_currency: str, price: PriceTable) -> Iterator[Any]:
        """The rates of uses that fit a price."""
        profile_currency = price.currency or offer_currency
        moments = self._moments if self._source.periods else self._moments[:1]
        for context, profile, rating_group, identifiers in islice(self._uses(price), _TRIES_MAX):
            named = msgspec.structs.replace(profile, currency=profile_currency)
            for moment in moments:
                rate = self._catalogue.rate(
                    (offer_id,), Service(price.service), rating_group, identifiers, context, moment, named
                )
                if rate is not None:
                    yield rate

    def _uses(self, price: PriceTable) -> Iterator[tuple[UsageContext, Profile, int | None, tuple[int, ...]]]:
        conditions = (
            price.zones, price.calling_zones, price.networks, price.access_points, price.rat_types, price.roles,
            price.media, price.message_types, price.applications, price.groups, price.rating_groups,
            price.service_identifiers,
        )  # fmt: skip
        for values in product(*(choices or (None,) for choices in conditions)):
            (
                zone,
                calling,
                network,
                apn,
                rat,
                role,
                medium,
                kind,
                application,
                group,
                rating_group,
                identifier,
            ) = cast("tuple[Any, ...]", values)
            called = self._numbers.get(zone) or ""
            # At the other end is whoever the price asks for; of a called subscriber that is who calls.
            other = self._groups[group] if group else called or _ANYBODY
            caller = self._numbers.get(calling) or ""
            if price.favourites or group:
                if role == "terminating":
                    caller = caller or other
                else:
                    called = other
            yield (
                UsageContext(
                    called_party=called,
                    calling_party=caller,
                    access_point_name=apn or "",
                    serving_network=self._network(network, is_abroad=bool(price.roaming)),
                    rat_type=rat or "",
                    role_of_node=RoleOfNode[role.upper()] if role else None,
                    media=(medium,) if medium else (),
                    message_type=kind or "",
                    application=application or "",
                ),
                Profile(favourites=(other,) if price.favourites else (), groups=(group,) if group else ()),
                rating_group,
                (identifier,) if identifier is not None else (),
            )

    def _network(self, network: str | None, *, is_abroad: bool) -> str:
        if network is not None:
            return self._networks[network]
        return self._abroad if is_abroad else self._home


# --- Entries that nothing refers to -----------------------------------------------------------------------


def _unused(source: CatalogueSource) -> Iterator[tuple[str, str]]:
    used: dict[str, set[str]] = {table: set() for table in _REFERENCES.values()}
    plain: Any = msgspec.json.decode(msgspec.json.encode(source))
    _collect(plain, used)
    for quota in source.quotas:
        if quota.standard or quota.rating_groups:
            used["quotas"].add(quota.id)
    # What is home says what is abroad, whether or not somebody asks for it by name.
    used["networks"].update(network.id for network in source.networks if network.home)
    for table, names in sorted(used.items()):
        for entry in getattr(source, table):
            if entry.id not in names:
                yield f"{table}[{entry.id}]", "nothing refers to it"


def _collect(value: Any, used: dict[str, set[str]]) -> None:
    """Gather every reference, by the table that it leads to."""
    if isinstance(value, list):
        for inner in cast("list[Any]", value):
            _collect(inner, used)
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            if key in _REFERENCES:
                names = cast("list[Any]", inner) if isinstance(inner, list) else [inner]
                used[_REFERENCES[key]].update(name for name in names if isinstance(name, str))
            _collect(inner, used)


# --- Services without a price -----------------------------------------------------------------------------


def _unpriced(source: CatalogueSource) -> Iterator[tuple[str, str]]:
    """Offers that price some services and not others which the catalogue knows."""
    known = sorted({price.service for offer in source.offers for price in offer.prices})
    for offer in source.offers:
        priced = {price.service for price in offer.prices}
        missing = [service for service in known if service not in priced and service not in offer.without]
        if priced and missing:
            text = (
                f"no price for {', '.join(missing)}: refused unless another of the subscriber's offers has one; where"
                f" that is meant, write without = {json.dumps(missing)}"
            )
            yield f"offers[{offer.id}]", text
        for service in priced.intersection(offer.without):
            yield f"offers[{offer.id}].without", f"it has a price for {service} all the same"


# --- Charges that a new account cannot pay ----------------------------------------------------------------


def _unpaid(source: CatalogueSource) -> Iterator[tuple[str, str]]:
    """Offers that put money on a new account, and not enough for what they charge on the first day."""
    for offer in source.offers:
        opening = parse_micro(offer.opening_balance)
        due = sum(parse_micro(charge.amount) for charge in offer.charges if charge.kind != "one_off")
        if opening and opening + parse_micro(offer.credit_limit) < due:
            yield (
                f"offers[{offer.id}].opening_balance",
                f"{format_micro(opening)} does not pay for the first day, {format_micro(due)}: it rests until a top-up",
            )
