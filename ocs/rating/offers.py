"""Offers, prices and allowances as the tariff uses them: checked, in integers, references resolved."""

import msgspec

from ocs.messages import FinalUnitIndication, Service
from ocs.rating.rate import QuotaRule
from ocs.units import UnitType


class AllowanceGrant(msgspec.Struct, frozen=True):
    """A bucket that comes with an offer when it is activated.

    Attributes:
        allowance: id of the catalogue's allowance, which says what the bucket may pay for.
        units: octets, seconds or events in it.
        validity_days: how long it can pay; 0 is for ever.
        priority: lower is drawn first.
    """

    allowance: str
    name: str
    unit_type: UnitType
    units: int
    validity_days: int
    priority: int


class Offer(msgspec.Struct, frozen=True):
    """What a subscriber buys.

    Attributes:
        priority: of two offers of one subscriber the lower is asked for a price first.
        allowances: buckets granted at activation.
        opening_micro: money on a new account of this offer.
        credit_limit_micro: how far money may go below zero by reservation.
    """

    offer_id: str
    name: str
    priority: int
    allowances: tuple[AllowanceGrant, ...]
    opening_micro: int
    credit_limit_micro: int


class Allowance(msgspec.Struct, frozen=True):
    """What buckets of one id may pay for; an empty set means no restriction."""

    allowance_id: str
    name: str
    unit_type: UnitType
    services: frozenset[Service]
    rating_groups: frozenset[int]
    zones: frozenset[str]
    periods: frozenset[str]
    priority: int

    def may_pay(
        self, service: Service, unit_type: UnitType, rating_group: int | None, zone: str | None
    ) -> bool:
        """Whether a use can be paid by it at some time; its periods are another question."""
        return (
            service in self.services
            and unit_type == self.unit_type
            and (not self.rating_groups or rating_group in self.rating_groups)
            and (not self.zones or zone in self.zones)
        )


class Price(msgspec.Struct, frozen=True):
    """One price of an offer; an empty set means no restriction.

    Attributes:
        credit_control: False where the gateway need not meter this free service.
        quota: the rule that the price names itself, None to take the rating group's or the standard one.
        description: the sentences of the price trace that hold for every use.
    """

    offer_id: str
    price_id: str
    service: Service
    unit_type: UnitType
    rating_groups: frozenset[int]
    service_identifiers: frozenset[int]
    zones: frozenset[str]
    periods: frozenset[str]
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

    @property
    def is_free(self) -> bool:
        """Whether it takes neither money nor allowance."""
        return self.price_micro == 0 and self.connection_fee_micro == 0 and not self.allowance_only

    @property
    def specificity(self) -> tuple[bool, bool, bool, bool]:
        """How much a price asks for: the greater is tried first.

        A price for a destination comes before one for a service identifier, that before one for a rating group,
        that before one for a time, and one that asks for nothing is last.
        """
        return bool(self.zones), bool(self.service_identifiers), bool(self.rating_groups), bool(self.periods)

    def matches(
        self,
        service: Service,
        rating_group: int | None,
        service_identifiers: tuple[int, ...],
        zone: str | None,
    ) -> bool:
        """Whether it applies to a use at some time; its periods are another question."""
        return (
            service == self.service
            and (not self.zones or zone in self.zones)
            and (not self.rating_groups or rating_group in self.rating_groups)
            and (not self.service_identifiers or not self.service_identifiers.isdisjoint(service_identifiers))
        )
