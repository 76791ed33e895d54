"""Offers, prices, allowances and discounts as the tariff uses them: checked, in integers, references resolved."""

from enum import StrEnum
from fractions import Fraction

import msgspec

from ocs.messages import FinalUnitIndication, Service
from ocs.rating.conditions import Circumstances, Conditions
from ocs.rating.rate import Cap, CounterRule, CountingPeriod, QuotaRule, Tier
from ocs.units import UnitType


class AllowanceGrant(msgspec.Struct, frozen=True):
    """A bucket that comes with an offer when it is activated, or with a bonus.

    Attributes:
        allowance: id of the catalogue's allowance, which says what the bucket may pay for.
        units: octets, seconds or events in it.
        validity_days: how long it can pay; 0 is for ever.
        priority: lower is drawn first.
        is_renewed: it is granted again with each recurring charge.
        rollover_periods: for so many further periods what is left can still pay.
        is_once: several subscribers of one account get it once; else each brings its own into the pool.
    """

    allowance: str
    name: str
    unit_type: UnitType
    units: int
    validity_days: int
    priority: int
    is_renewed: bool = False
    rollover_periods: int = 0
    is_once: bool = False


class ChargeKind(StrEnum):
    """When an offer's charge is due."""

    SETUP = "setup"  # at activation
    RECURRING = "recurring"  # at activation and at the start of every further period
    ONE_OFF = "one_off"  # when it is ordered


class OfferCharge(msgspec.Struct, frozen=True):
    """What an offer costs besides use; :mod:`ocs.rating.schedule` says when.

    Attributes:
        amount_micro: in the offer's currency, tax included.
        period: of a recurring one.
        is_prorated: a part of a period costs its share by days.
        grace_days: for how long it may stay unpaid before the offer rests.
    """

    charge_id: str
    name: str
    kind: ChargeKind
    amount_micro: int
    period: CountingPeriod | None
    is_prorated: bool
    grace_days: int
    tax_class: str


class Offer(msgspec.Struct, frozen=True):
    """What a subscriber buys.

    Attributes:
        priority: of two offers of one subscriber the lower is asked for a price first.
        allowances: buckets granted at activation.
        opening_micro: money on a new account of this offer.
        credit_limit_micro: how far money may go below zero by reservation.
        currency: ISO 4217 code of its amounts.
        charges: in the order written.
        discounts: ids of those that it brings for all of the subscriber's offers.
        grace_micro: how far money may go below zero for a last grant.
    """

    offer_id: str
    name: str
    priority: int
    allowances: tuple[AllowanceGrant, ...]
    opening_micro: int
    credit_limit_micro: int
    currency: str = ""
    charges: tuple[OfferCharge, ...] = ()
    discounts: tuple[str, ...] = ()
    grace_micro: int = 0


class Bonus(msgspec.Struct, frozen=True):
    """What a top-up brings besides itself.

    Attributes:
        money_micro: in the top-up's currency; 0 for none.
        allowance: a bucket to grant, None for none.
        validity_days: how long the money can pay; 0 is for ever.
    """

    bonus_id: str
    name: str
    money_micro: int
    allowance: AllowanceGrant | None
    validity_days: int


class Allowance(msgspec.Struct, frozen=True):
    """What buckets of one id may pay for."""

    allowance_id: str
    name: str
    unit_type: UnitType
    services: frozenset[Service]
    conditions: Conditions
    priority: int

    @property
    def is_named_in_path(self) -> bool:
        """Whether a tariff path has to say that it may pay: by zone and rating group alone nobody could tell."""
        return bool(self.conditions.periods) or not self.conditions.is_told_by_path

    def pays_for(self, service: Service, unit_type: UnitType) -> bool:
        """Whether it can pay for a service at all, counted so."""
        return service in self.services and unit_type == self.unit_type


class Discount(msgspec.Struct, frozen=True):
    """A percentage off.

    Attributes:
        kept: the fraction of a price that is left.
        services: an empty set is all of them.
        combines: it is taken besides others.
    """

    discount_id: str
    name: str
    kept: Fraction
    services: frozenset[Service]
    conditions: Conditions
    priority: int
    combines: bool


class Price(msgspec.Struct, frozen=True):
    """One price of an offer.

    Attributes:
        credit_control: False where the gateway need not meter this free service.
        quota: the rule that the price names itself, None to take the rating group's or the standard one.
        currency: ISO 4217 code of its amounts, from which tax that is added is still missing.
        is_discountable: discounts apply to it.
        payers: ids of the allowances that may pay in its place; None for all that fit.
        description: the sentences of the price trace that hold for every use.
    """

    offer_id: str
    price_id: str
    service: Service
    unit_type: UnitType
    conditions: Conditions
    price_micro: int
    price_units: int
    first_units: int
    step_units: int
    connection_fee_micro: int
    allowance_only: bool
    credit_control: bool
    quota: QuotaRule | None
    final_unit: FinalUnitIndication
    tax_class: str
    description: tuple[str, ...]
    currency: str = ""
    counters: tuple[CounterRule, ...] = ()
    tiers: tuple[Tier, ...] = ()
    caps: tuple[Cap, ...] = ()
    is_per_recipient: bool = True
    is_discountable: bool = True
    grace_micro: int = 0
    payers: frozenset[str] | None = None

    def takes(self, allowance: Allowance) -> bool:
        """Whether an allowance can pay in its place, whatever the circumstances."""
        if self.payers is not None and allowance.allowance_id not in self.payers:
            return False
        return allowance.pays_for(self.service, self.unit_type)

    @property
    def is_free(self) -> bool:
        """Whether it takes neither money nor allowance, and counts nothing."""
        return (
            self.price_micro == 0
            and self.connection_fee_micro == 0
            and not self.allowance_only
            and not self.counters
        )

    def matches(
        self,
        service: Service,
        rating_group: int | None,
        service_identifiers: tuple[int, ...],
        circumstances: Circumstances,
    ) -> bool:
        """Whether it applies to a use at some time; its periods are another question."""
        return service == self.service and self.conditions.hold(
            rating_group, service_identifiers, circumstances
        )
