"""The catalogue: asked what a use costs, it answers with a rate.

A query is settled in three steps: the called number's zone; the first price that applies, over the subscriber's
offers (by the offers' priority, then as listed on the subscriber) and within an offer from the most to the least
specific; and the moment, which picks among prices for different times. All but the last depend on the kind of the
request only, so they are remembered, together with the time during which the answer stays the same.
"""

import hashlib
import re
from datetime import date
from typing import Final

import msgspec

from ocs.limits import RATES_REMEMBERED, TARIFF_CHANGE_HORIZON_DAYS
from ocs.messages import NO_PROFILE, Profile, Service, UsageContext
from ocs.rating.compiler import compile_tariff
from ocs.rating.errors import CatalogueError, ExpectationError
from ocs.rating.offers import Allowance, Offer, Price
from ocs.rating.rate import Rate
from ocs.rating.schema import CatalogueSource

_ALWAYS: Final = 2**62
_DAY_S: Final = 86_400
_PATH: Final = re.compile(r"([^/]+)/([^@>#~]+)(?:@[^>#~]+)?(?:>([^#~]+))?(?:#([0-9]{1,10}))?(?:~(.+))?")
_decode_source: Final = msgspec.json.Decoder(CatalogueSource).decode

_Key = tuple[tuple[str, ...], Service, int | None, tuple[int, ...], str | None]
# (epoch second from which, until which, the answer)
_Remembered = tuple[int, int, Rate | None]


class Catalogue:
    """One version of all offers and prices.

    Invariant: it never changes. Equal queries get equal rates; what it remembers is only to be fast.
    """

    def __init__(self, source: CatalogueSource, content: bytes | None = None) -> None:
        """Compile a catalogue.

        Args:
            source: its tables.
            content: the published form that ``source`` was read from. A later schema may write the same tables
                differently; what is published keeps its version.

        Raises:
            ExpectationError: the first thing that is wrong with it.
        """
        self._tariff = compile_tariff(source)
        self._header = source.catalogue
        self._content = msgspec.json.encode(source) if content is None else content
        self._version = _version(source.catalogue.effective, self._content)
        self._prices = {
            (price.offer_id, price.price_id): price
            for prices in self._tariff.prices.values()
            for price in prices
        }
        self._rating_groups = self._tariff.quotas.rating_groups.union(
            *(allowance.rating_groups for allowance in self._tariff.allowances)
        )
        # At most prices x zones x rating groups named in the catalogue x its timed allowances: finite by itself.
        self._rates: dict[str, Rate] = {}
        self._remembered: dict[_Key, _Remembered] = {}

    @property
    def version(self) -> str:
        """Effective date and a digest of the content: ``2026-11-01.3fa94c1e``."""
        return self._version

    @property
    def effective(self) -> date:
        """The date, in the operator's zone, from which it is meant to be used."""
        return self._header.effective

    @property
    def name(self) -> str:
        """The operator's name for it."""
        return self._header.name

    @property
    def currency(self) -> str:
        """ISO 4217 code of all amounts."""
        return self._header.currency

    @property
    def time_zone(self) -> str:
        """IANA name of the operator's zone."""
        return self._header.time_zone

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All offers, in the order of their ids."""
        return tuple(self._tariff.offers.values())

    def to_bytes(self) -> bytes:
        """Serialise it, so that it can be published and rebuilt under the same version."""
        return self._content

    @classmethod
    def from_bytes(cls, content: bytes) -> "Catalogue":
        """Rebuild a published catalogue.

        Raises:
            CatalogueError: the content is not what :meth:`to_bytes` wrote, or not a catalogue that can be used.
        """
        try:
            return cls(_decode_source(content), content)
        except msgspec.MsgspecError as error:
            raise CatalogueError(
                "published catalogue", "", f"expected a serialised catalogue: {error}"
            ) from None
        except ExpectationError as error:
            raise CatalogueError("published catalogue", error.key, error.expectation) from None

    def offer(self, offer_id: str) -> Offer | None:
        """An offer by its id, None when this version has no such offer."""
        return self._tariff.offers.get(offer_id)

    def zone(self, called_party: str) -> str | None:
        """The zone of a called number, None when it lies in none."""
        return self._tariff.destinations.zone_of(called_party)

    def rate(
        self,
        offers: tuple[str, ...],
        service: Service,
        rating_group: int | None,
        service_identifiers: tuple[int, ...],
        context: UsageContext,
        at_s: int,
        profile: Profile = NO_PROFILE,  # noqa: ARG002 - part 3 prices by it
    ) -> Rate | None:
        """Find the price of a use.

        Args:
            offers: the subscriber's offers; ids unknown to this version are passed over.
            service: what is used.
            rating_group: of the Multiple-Services-Credit-Control, None when it has none.
            service_identifiers: of the same; a price for any one of them applies.
            context: the circumstances of the use.
            at_s: the moment, in epoch seconds.
            profile: of the subscriber.

        Returns:
            The rate with ``changes_at_s``, or None when no price applies (DIAMETER_RATING_FAILED, RFC 8506
            section 9.2).
        """
        called_party = context.called_party
        zone = self._tariff.destinations.zone_of(called_party) if called_party else None
        key = (offers, service, rating_group, service_identifiers, zone)
        remembered = self._remembered.get(key)
        if remembered is not None and remembered[0] <= at_s < remembered[1]:
            return remembered[2]
        if len(self._remembered) >= RATES_REMEMBERED:
            self._remembered.clear()
        remembered = self._remembered[key] = self._find(key, at_s)
        return remembered[2]

    def rate_at_path(self, path: str) -> Rate | None:
        """The rate that a hold was made under, None when this version has no such path.

        Its ``changes_at_s`` is 0: how long it applies depends on the moment, which a path does not have.
        """
        known = self._rates.get(path)
        if known is not None:
            return known
        match = _PATH.fullmatch(path)
        price = self._prices.get((match[1], match[2])) if match else None
        if match is None or price is None:
            return None
        rating_group = int(match[4]) if match[4] else None
        timed = frozenset(match[5].split("+")) if match[5] else frozenset[str]()
        rate = self._make_rate(
            price, self._allowances(price, rating_group, match[3]), rating_group, match[3], timed
        )
        # A path that is not written as this version writes it is another version's.
        return self._rates.setdefault(path, rate) if rate.path == path else None

    def _find(self, key: _Key, at_s: int) -> _Remembered:
        """Settle a query, and tell from when until when the answer holds."""
        offers, service, rating_group, service_identifiers, zone = key
        candidates = self._candidates(offers, service, rating_group, service_identifiers, zone)
        if not self._depends_on_time(candidates, rating_group, zone):
            return 0, _ALWAYS, self._pick(candidates, rating_group, zone, frozenset())
        since_s, active = self._tariff.calendar.segment(at_s)
        rate = self._pick(candidates, rating_group, zone, active)
        for change_s, later in self._tariff.calendar.changes_after(at_s, days=TARIFF_CHANGE_HORIZON_DAYS):
            # Rates of one path are one object, so this compares terms.
            if self._pick(candidates, rating_group, zone, later) is not rate:
                changed = None if rate is None else msgspec.structs.replace(rate, changes_at_s=change_s)
                return since_s, change_s, changed
        # Nothing in sight: look again tomorrow.
        return since_s, at_s + _DAY_S, rate

    def _candidates(
        self,
        offers: tuple[str, ...],
        service: Service,
        rating_group: int | None,
        service_identifiers: tuple[int, ...],
        zone: str | None,
    ) -> tuple[Price, ...]:
        """The prices that may apply, in order, up to and with the first that applies at any time."""
        held = [self._tariff.offers[offer_id] for offer_id in offers if offer_id in self._tariff.offers]
        # sorted() keeps the subscriber's order among equals.
        candidates: list[Price] = []
        for offer in sorted(held, key=lambda offer: offer.priority):
            for price in self._tariff.prices[offer.offer_id]:
                if price.matches(service, rating_group, service_identifiers, zone):
                    candidates.append(price)
                    if not price.periods:
                        return tuple(candidates)
        return tuple(candidates)

    def _depends_on_time(
        self, candidates: tuple[Price, ...], rating_group: int | None, zone: str | None
    ) -> bool:
        return any(
            price.periods
            or any(allowance.periods for allowance in self._allowances(price, rating_group, zone))
            for price in candidates
        )

    def _pick(
        self,
        candidates: tuple[Price, ...],
        rating_group: int | None,
        zone: str | None,
        active: frozenset[str],
    ) -> Rate | None:
        """The rate of the first candidate whose time it is."""
        for price in candidates:
            if price.periods and price.periods.isdisjoint(active):
                continue
            allowances = self._allowances(price, rating_group, zone)
            timed = frozenset(
                allowance.allowance_id for allowance in allowances if not allowance.periods.isdisjoint(active)
            )
            rate = self._make_rate(price, allowances, rating_group, zone, timed)
            return self._rates.setdefault(rate.path, rate)
        return None

    def _allowances(self, price: Price, rating_group: int | None, zone: str | None) -> tuple[Allowance, ...]:
        """The allowances that can pay in place of a price at some time; what is free takes from none."""
        if price.is_free:
            return ()
        return tuple(
            allowance
            for allowance in self._tariff.allowances
            if allowance.may_pay(price.service, price.unit_type, rating_group, zone)
        )

    def _make_rate(
        self,
        price: Price,
        allowances: tuple[Allowance, ...],
        rating_group: int | None,
        zone: str | None,
        timed: frozenset[str],
    ) -> Rate:
        """Resolve a price; ``timed`` are those of the allowances with periods whose time it is."""
        path = f"{price.offer_id}/{price.price_id}"
        if price.periods:
            path += "@" + "+".join(sorted(price.periods))
        # Zone, rating group and timed allowances stand in the path only where terms depend on them.
        if zone is not None and (zone in price.zones or any(allowance.zones for allowance in allowances)):
            path += f">{zone}"
        if rating_group in self._rating_groups:
            path += f"#{rating_group}"
        usable = [a for a in allowances if not a.periods or a.allowance_id in timed]
        names = [allowance.allowance_id for allowance in usable if allowance.periods]
        if names:
            path += "~" + "+".join(sorted(names))
        return Rate(
            path=path,
            catalogue_version=self._version,
            unit_type=price.unit_type,
            price_micro=price.price_micro,
            price_units=price.price_units,
            first_units=price.first_units,
            step_units=price.step_units,
            connection_fee_micro=price.connection_fee_micro,
            currency=self._header.currency,
            allowances=frozenset(allowance.allowance_id for allowance in usable),
            quota=price.quota or self._tariff.quotas.rule(price.unit_type, rating_group),
            final_unit=price.final_unit,
            tax_class=price.tax_class,
            time_zone=self._header.time_zone,
            credit_control_applicable=price.credit_control,
            allowance_only=price.allowance_only,
            description=price.description,
        )


def _version(effective: date, content: bytes) -> str:
    return f"{effective.isoformat()}.{hashlib.blake2b(content, digest_size=4).hexdigest()}"
