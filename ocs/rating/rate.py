"""A price as it applies to one request: what a unit costs, how it is rounded, and what a quota may be."""

from enum import StrEnum

import msgspec

from ocs.messages import FinalUnitIndication
from ocs.units import UnitType


class TariffSwitch(StrEnum):
    """How a grant ends where another tariff begins (RFC 8506 section 8.20)."""

    VALIDITY = "validity"  # its Validity-Time ends there
    TARIFF_TIME_CHANGE = "tariff_time_change"  # it crosses the switch, and use is reported for each side


class CountingPeriod(StrEnum):
    """For how long a counter counts before it starts from nothing again, on the operator's clock."""

    DAY = "day"
    WEEK = "week"  # from Monday
    MONTH = "month"
    BILLING = "billing"  # a month from the catalogue's billing day


class AfterCap(StrEnum):
    """What follows when a counter has reached a cap."""

    FREE = "free"
    DENY = "deny"
    PRICE = "price"  # another price per unit


class QuotaRule(msgspec.Struct, frozen=True):
    """How large a grant may be, in the unit of its rate (TS 32.299 section 5.2.2).

    Attributes:
        default_units: granted when the gateway leaves the size to us.
        minimum_units: a smaller grant is given only when nothing more can be paid.
        maximum_units: the operator's ceiling for one grant.
        validity_time_s: Validity-Time of the grant (RFC 8506 section 8.33).
        volume_quota_threshold_octets: 3GPP Volume-Quota-Threshold, None to leave it out.
        time_quota_threshold_s: 3GPP Time-Quota-Threshold, None to leave it out.
        quota_holding_time_s: idle time after which the gateway gives the quota back (TS 32.299 section 7.2.152), None
            to leave it out; 0 tells the gateway to hold it for ever.
        quota_consumption_time_s: idle time that counts as use of a time quota (section 7.2.151), None to leave out.
        triggers: Trigger-Type values at which the gateway reports at once (section 7.2.235).
        pool_id: G-S-U-Pool-Identifier that its grants share (RFC 8506 section 8.31), None for none.
        tariff_switch: how a grant ends where another tariff begins.
    """

    default_units: int
    minimum_units: int
    maximum_units: int
    validity_time_s: int
    volume_quota_threshold_octets: int | None = None
    time_quota_threshold_s: int | None = None
    quota_holding_time_s: int | None = None
    quota_consumption_time_s: int | None = None
    triggers: tuple[int, ...] = ()
    pool_id: int | None = None
    tariff_switch: TariffSwitch = TariffSwitch.VALIDITY


class CounterRule(msgspec.Struct, frozen=True):
    """A subscriber's counter that a rate moves.

    Attributes:
        unit_type: MONEY counts micro-units charged, connection fees among them; else the billed units of this type
            that no allowance paid.
        period: when it starts from nothing, see :meth:`Catalogue.period_start_ms`.
    """

    counter_id: str
    unit_type: UnitType
    period: CountingPeriod


class Tier(msgspec.Struct, frozen=True):
    """What units cost from a count on, until the next tier begins.

    Attributes:
        from_units: value of the rate's first counter at which it begins; the first tier begins at 0.
        price_micro: of ``price_units`` units, rounded up over all units of the tier.
        is_denied: nothing is granted in it; what is reported all the same has this price.
    """

    from_units: int
    price_micro: int
    price_units: int
    is_denied: bool = False


class Cap(msgspec.Struct, frozen=True):
    """A limit on a counter, and what follows when it is reached.

    Attributes:
        counter: index into the rate's ``counters``.
        limit: in micro-units where the counter counts money, else in units.
        price_micro: of ``price_units`` units beyond it, where ``after`` is PRICE.
    """

    counter: int
    limit: int
    after: AfterCap
    price_micro: int = 0
    price_units: int = 1


class Rate(msgspec.Struct, frozen=True):
    """One price, resolved for a service, its circumstances and a moment.

    Attributes:
        path: the tariff path, unique within a catalogue version: ``offer/price@period>zone``, then ``#group``
            where an allowance or quota names the rating group, ``~allowance`` where one depends on time or other
            circumstances, ``%discount``, and ``$USD`` where the price was converted into the account's currency.
        unit_type: what is counted: octets (total, input or output), seconds or service-specific units.
        price_micro: price of ``price_units`` units, in micro-units of ``currency``; discounts taken off and tax added.
        first_units: the first billing block; 60 in 60/1.
        step_units: every later billing block; 1 in 60/1.
        connection_fee_micro: charged once a session and service, with the first unit that money pays.
        allowances: ids of the allowances whose buckets may pay instead of money.
        credit_control_applicable: False where the service is free and nobody wants it metered: the gateway is told
            DIAMETER_CREDIT_CONTROL_NOT_APPLICABLE (RFC 8506 section 9.1).
        changes_at_s: epoch second from which another rate applies, or one of ``counters`` starts from nothing; 0 when
            neither is in sight.
        allowance_only: no money may pay: without an allowance there is nothing to grant.
        description: the part of the price trace that is the same for every use, one sentence each.
        counters: the subscriber's counters that its use moves; empty for a flat price, which :mod:`ocs.rating.meter`
            computes. With counters :mod:`ocs.rating.tiers` does.
        tiers: graduated prices by the first of ``counters``; empty where one price holds.
        caps: limits on counters.
        is_emergency: an emergency call, open to barred subscribers too.
        is_per_recipient: a message counts once for each of its recipients.
        grace_micro: how far money may go below zero for the last grant.
        tax_parts_per_million: tax rate within the amounts; 0 where the catalogue knows none.
    """

    path: str
    catalogue_version: str
    unit_type: UnitType
    price_micro: int
    price_units: int
    first_units: int
    step_units: int
    connection_fee_micro: int
    currency: str
    allowances: frozenset[str]
    quota: QuotaRule
    final_unit: FinalUnitIndication | None
    tax_class: str
    time_zone: str
    credit_control_applicable: bool = True
    changes_at_s: int = 0
    allowance_only: bool = False
    description: tuple[str, ...] = ()
    counters: tuple[CounterRule, ...] = ()
    tiers: tuple[Tier, ...] = ()
    caps: tuple[Cap, ...] = ()
    is_emergency: bool = False
    is_per_recipient: bool = True
    grace_micro: int = 0
    tax_parts_per_million: int = 0

    @property
    def is_free(self) -> bool:
        """Whether any amount of use may be granted without money, allowance or count."""
        return (
            self.price_micro == 0
            and self.connection_fee_micro == 0
            and not self.allowance_only
            and not self.counters
        )
