"""A price as it applies to one request: what a unit costs, how it is rounded, and what a quota may be."""

import msgspec

from ocs.messages import FinalUnitIndication
from ocs.units import UnitType


class QuotaRule(msgspec.Struct, frozen=True):
    """How large a grant may be, in the unit of its rate (TS 32.299 section 5.2.2).

    Attributes:
        default_units: granted when the gateway leaves the size to us.
        minimum_units: a smaller grant is given only when nothing more can be paid.
        maximum_units: the operator's ceiling for one grant.
        validity_time_s: Validity-Time of the grant (RFC 8506 section 8.33).
        volume_quota_threshold_octets: 3GPP Volume-Quota-Threshold, None to leave it out.
        time_quota_threshold_s: 3GPP Time-Quota-Threshold, None to leave it out.
    """

    default_units: int
    minimum_units: int
    maximum_units: int
    validity_time_s: int
    volume_quota_threshold_octets: int | None = None
    time_quota_threshold_s: int | None = None


class Rate(msgspec.Struct, frozen=True):
    """One price, resolved for a service, a destination and a moment.

    Attributes:
        path: the tariff path, unique within a catalogue version: ``offer/price@period>zone``, then ``#group``
            where an allowance or quota names the rating group, and ``~allowance`` where one depends on time.
        unit_type: what is counted: octets (total, input or output), seconds or service-specific units.
        price_micro: price of ``price_units`` units, in micro-units of ``currency``.
        first_units: the first billing block; 60 in 60/1.
        step_units: every later billing block; 1 in 60/1.
        connection_fee_micro: charged once a session and service, with the first unit that money pays.
        allowances: ids of the allowances whose buckets may pay instead of money.
        credit_control_applicable: False where the service is free and nobody wants it metered: the gateway is told
            DIAMETER_CREDIT_CONTROL_NOT_APPLICABLE (RFC 8506 section 9.1).
        changes_at_s: epoch second from which another rate applies; 0 when none is in sight.
        allowance_only: no money may pay: without an allowance there is nothing to grant.
        description: the part of the price trace that is the same for every use, one sentence each.
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

    @property
    def is_free(self) -> bool:
        """Whether any amount of use may be granted without money or allowance."""
        return self.price_micro == 0 and self.connection_fee_micro == 0 and not self.allowance_only
