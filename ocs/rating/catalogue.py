"""The catalogue: asked what a use costs, it answers with a rate.

A query is settled in three steps: the class of the use, which is what of its context the catalogue can tell apart; the
first price that applies, over the subscriber's offers (by the offers' priority, then as listed on the subscriber) and
within an offer from the most to the least specific; and the moment, which picks among prices, allowances and discounts
for different times. All but the last depend on the kind of the request only, so they are remembered, together with the
time during which the answer stays the same.
"""

import hashlib
from datetime import date
from typing import Final

import msgspec

from ocs.limits import RATES_REMEMBERED, TARIFF_CHANGE_HORIZON_DAYS
from ocs.messages import NO_PROFILE, Profile, Service, UsageContext
from ocs.rating.bonuses import bonuses_for
from ocs.rating.compiler import compile_tariff
from ocs.rating.conditions import Circumstances
from ocs.rating.errors import CatalogueError, ExpectationError
from ocs.rating.offers import Allowance, Bonus, Discount, Offer, OfferCharge, Price
from ocs.rating.rate import CountingPeriod, Rate
from ocs.rating.resolver import Resolver
from ocs.rating.schedule import next_due_ms, period_end_ms, period_start_ms, prorated_micro
from ocs.rating.schema import CatalogueSource
from ocs.units import Money

_ALWAYS: Final = 2**62
_DAY_S: Final = 86_400
_decode_source: Final = msgspec.json.Decoder(CatalogueSource).decode

_Key = tuple[tuple[str, ...], Service, int | None, tuple[int, ...], Circumstances, str]
# (epoch second from which, until which, the answer)
_Remembered = tuple[int, int, Rate | None]


class _Candidate(msgspec.Struct, frozen=True):
    """A price that may apply, with what can go with it at some time."""

    price: Price
    allowances: tuple[Allowance, ...]
    discounts: tuple[Discount, ...]

    @property
    def depends_on_time(self) -> bool:
        entries = (self.price, *self.allowances, *self.discounts)
        return any(entry.conditions.periods for entry in entries)


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
        self._resolver = Resolver(self._tariff, self._version, source.catalogue.time_zone)
        # Asked for with every request: found without a detour.
        self._classify = {
            service: classifier.classify for service, classifier in self._tariff.classifiers.items()
        }
        self._currency = source.catalogue.currency
        self._remembered: dict[_Key, _Remembered] = {}
        self._periods: dict[CountingPeriod, tuple[int, int]] = {}

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
        """ISO 4217 code of all amounts that name no other."""
        return self._currency

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
        profile: Profile = NO_PROFILE,
    ) -> Rate | None:
        """Find the price of a use.

        Args:
            offers: the subscriber's offers; ids unknown to this version are passed over.
            service: what is used.
            rating_group: of the Multiple-Services-Credit-Control, None when it has none.
            service_identifiers: of the same; a price for any one of them applies.
            context: the circumstances of the use.
            at_s: the moment, in epoch seconds.
            profile: of the subscriber; its currency decides which prices apply.

        Returns:
            The rate with ``changes_at_s``, or None when no price applies (DIAMETER_RATING_FAILED, RFC 8506
            section 9.2).
        """
        key = (
            offers,
            service,
            rating_group,
            service_identifiers,
            self._classify[service](context, profile),
            profile.currency or self._currency,
        )
        try:
            since_s, until_s, rate = self._remembered[key]
        except KeyError:
            pass
        else:
            if since_s <= at_s < until_s:
                return rate
        if len(self._remembered) >= RATES_REMEMBERED:
            self._remembered.clear()
        remembered = self._remembered[key] = self._find(key, at_s)
        return remembered[2]

    def rate_at_path(self, path: str) -> Rate | None:
        """The rate that a hold was made under, None when this version has no such path.

        Its ``changes_at_s`` is 0: how long it applies depends on the moment, which a path does not have.
        """
        return self._resolver.rate_at_path(path)

    def bonus_for(self, top_up: Money, at_s: int, offers: tuple[str, ...] = ()) -> tuple[Bonus, ...]:
        """Everything that a top-up brings besides itself.

        Args:
            top_up: the amount paid.
            at_s: when, in epoch seconds.
            offers: of the subscriber.
        """
        return bonuses_for(self._tariff.bonuses, self._tariff.calendar, top_up, at_s, offers)

    def period_start_ms(self, period: CountingPeriod, at_ms: int) -> int:
        """When the counting period that a moment lies in began on the operator's clock, in epoch milliseconds."""
        return self._period(period, at_ms)[0]

    def period_end_ms(self, period: CountingPeriod, at_ms: int) -> int:
        """When the counting period that a moment lies in ends, in epoch milliseconds."""
        return self._period(period, at_ms)[1]

    def next_due_ms(self, charge: OfferCharge, subscribed_ms: int, after_ms: int) -> int | None:
        """When a charge is due next, see :func:`ocs.rating.schedule.next_due_ms`."""
        zone = self._tariff.time_zone
        return next_due_ms(charge, subscribed_ms, after_ms, zone, billing_day=self._header.billing_day)

    def prorated_micro(self, charge: OfferCharge, from_ms: int, until_ms: int) -> int:
        """What a charge costs for a part of a period, see :func:`ocs.rating.schedule.prorated_micro`."""
        zone = self._tariff.time_zone
        return prorated_micro(charge, from_ms, until_ms, zone, billing_day=self._header.billing_day)

    def _period(self, period: CountingPeriod, at_ms: int) -> tuple[int, int]:
        """The first millisecond of a counting period, and the first after it; the last one asked is remembered."""
        known = self._periods.get(period)
        if known is not None and known[0] <= at_ms < known[1]:
            return known
        zone, billing_day = self._tariff.time_zone, self._header.billing_day
        known = self._periods[period] = (
            period_start_ms(period, at_ms, zone, billing_day=billing_day),
            period_end_ms(period, at_ms, zone, billing_day=billing_day),
        )
        return known

    def _find(self, key: _Key, at_s: int) -> _Remembered:
        """Settle a query, and tell from when until when the answer holds."""
        candidates = self._candidates(key)
        if not any(candidate.depends_on_time for candidate in candidates):
            return self._within_counting_periods(0, _ALWAYS, self._pick(candidates, key, frozenset()), at_s)
        since_s, active = self._tariff.calendar.segment(at_s)
        rate = self._pick(candidates, key, active)
        for change_s, later in self._tariff.calendar.changes_after(at_s, days=TARIFF_CHANGE_HORIZON_DAYS):
            # Rates of one path are one object, so this compares terms.
            if self._pick(candidates, key, later) is not rate:
                changed = None if rate is None else msgspec.structs.replace(rate, changes_at_s=change_s)
                return self._within_counting_periods(since_s, change_s, changed, at_s)
        # Nothing in sight: look again tomorrow.
        return self._within_counting_periods(since_s, at_s + _DAY_S, rate, at_s)

    def _within_counting_periods(
        self, since_s: int, until_s: int, rate: Rate | None, at_s: int
    ) -> _Remembered:
        """End the answer where one of the rate's counters starts from nothing: from then on units cost otherwise."""
        if rate is None or not rate.counters:
            return since_s, until_s, rate
        periods = [self._period(rule.period, at_s * 1000) for rule in rate.counters]
        since_s = max(since_s, *(start_ms // 1000 for start_ms, _ in periods))
        end_s = min(end_ms // 1000 for _, end_ms in periods)
        if rate.changes_at_s == 0 or end_s < rate.changes_at_s:
            rate = msgspec.structs.replace(rate, changes_at_s=end_s)
        return since_s, min(until_s, end_s), rate

    def _candidates(self, key: _Key) -> tuple[_Candidate, ...]:
        """The prices that may apply, in order, up to and with the first that applies at any time."""
        offers, service, rating_group, service_identifiers, circumstances, currency = key
        held = [self._tariff.offers[offer_id] for offer_id in offers if offer_id in self._tariff.offers]
        # sorted() keeps the subscriber's order among equals.
        held.sort(key=lambda offer: offer.priority)
        candidates: list[_Candidate] = []
        for offer in held:
            for price in self._prices_in(offer, currency):
                if not price.matches(service, rating_group, service_identifiers, circumstances):
                    continue
                allowances = self._resolver.possible_allowances(
                    price, rating_group, service_identifiers, circumstances
                )
                candidates.append(_Candidate(price, allowances, self._discounts(price, held, key)))
                if not price.conditions.periods:
                    return tuple(candidates)
        return tuple(candidates)

    def _prices_in(self, offer: Offer, currency: str) -> list[Price]:
        """An offer's prices for accounts of a currency: of two equally specific ones its own before a converted."""
        prices = [
            price
            for price in self._tariff.prices[offer.offer_id]
            if self._resolver.factor(price, currency) is not None
        ]
        # Stable: the written order stays among equals. True is greater than False.
        return sorted(
            prices,
            key=lambda price: (*price.conditions.specificity, price.currency == currency),
            reverse=True,
        )

    def _discounts(self, price: Price, held: list[Offer], key: _Key) -> tuple[Discount, ...]:
        """The discounts that can be given on a price at some time, in the order of their priority."""
        _, service, rating_group, service_identifiers, circumstances, _ = key
        if not price.is_discountable or price.is_free or price.allowance_only:
            return ()
        brought = {discount_id for offer in held for discount_id in offer.discounts}
        return tuple(
            discount
            for discount_id, discount in self._tariff.discounts.items()
            if discount_id in brought
            and (not discount.services or service in discount.services)
            and discount.conditions.hold(rating_group, service_identifiers, circumstances)
        )

    def _pick(self, candidates: tuple[_Candidate, ...], key: _Key, active: frozenset[str]) -> Rate | None:
        """The rate of the first candidate whose time it is."""
        for candidate in candidates:
            periods = candidate.price.conditions.periods
            if periods and periods.isdisjoint(active):
                continue
            return self._resolver.rate(
                candidate.price,
                key[2],
                key[4].zone,
                [a for a in candidate.allowances if _is_time(a, active)],
                _given([d for d in candidate.discounts if _is_time(d, active)]),
                key[5],
            )
        return None


def _is_time(entry: Allowance | Discount, active: frozenset[str]) -> bool:
    periods = entry.conditions.periods
    return not periods or not periods.isdisjoint(active)


def _given(discounts: list[Discount]) -> tuple[Discount, ...]:
    """Of those that hold, the first that stands for itself, and all that combine."""
    alone = next((discount for discount in discounts if not discount.combines), None)
    return tuple(discount for discount in discounts if discount.combines or discount is alone)


def _version(effective: date, content: bytes) -> str:
    return f"{effective.isoformat()}.{hashlib.blake2b(content, digest_size=4).hexdigest()}"
