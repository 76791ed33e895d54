"""Size and reserve a grant: never more than can be paid, the final unit told with the last grant."""

from typing import Final

import msgspec

from ocs.balance.model import Hold, SessionService
from ocs.balance.purse import Purse
from ocs.charging.draft import Draft
from ocs.charging.usage import amount_of
from ocs.messages import FinalUnitAction, FinalUnitIndication, Outcome, ServiceAnswer, ServiceUnit
from ocs.rating import Rate, affordable_units, billable_units, grantable_units, price_micro, wanted_units
from ocs.units import Money, UnitType

# What a gateway does at the end of the last grant when the offer does not say (RFC 8506 section 5.6.1).
_TERMINATE: Final = FinalUnitIndication(FinalUnitAction.TERMINATE)


class Affordable(msgspec.Struct, frozen=True, gc=False):
    """How much of a need the account can pay now.

    Attributes:
        units: billed units that can be paid, at most the need.
        allowance_units: how many of them allowances pay.
    """

    units: int
    allowance_units: int


def affordable(purse: Purse, service: SessionService, rate: Rate, need: int) -> Affordable:
    """See how many of ``need`` billed units allowances and unreserved money pay."""
    _, covered = purse.plan_units(rate.unit_type, rate.allowances, need)
    if covered >= need:
        return Affordable(need, covered)
    by_money = affordable_units(
        rate,
        money_units_before=service.money_units,
        fee_due=not service.fee_paid,
        available_micro=purse.available_money(),
    )
    return Affordable(min(need, covered + by_money), covered)


def reserve_grant(
    draft: Draft, service: SessionService, rate: Rate, requested: ServiceUnit
) -> tuple[SessionService, ServiceAnswer]:
    """Reserve the next grant of a service that holds none.

    Returns:
        The service with its grant (or unchanged), and what to answer: SUCCESS with a grant and, when nothing
        more can be paid after it, the final-unit indication; or CREDIT_LIMIT_REACHED.

    Source: RFC 8506 sections 5.1.2, 5.2 and 5.6; TS 32.299 section 5.2.2.
    """
    wanted = wanted_units(rate, amount_of(rate.unit_type, requested))
    counted = service.counted_units
    billed = billable_units(rate, counted)
    need = billable_units(rate, counted + wanted) - billed
    can = affordable(draft, service, rate, need)
    granted = wanted
    if can.units < need:
        granted = grantable_units(rate, counted_units=counted, wanted_units=wanted, payable_units=can.units)
        if granted <= 0:
            return service, _answer(service, Outcome.CREDIT_LIMIT_REACHED)
        need = billable_units(rate, counted + granted) - billed
    holds, money_units = _plan(draft, service, rate, need)
    draft.reserve(holds)
    used_up = SessionService(
        service.rating_group,
        service.service_identifiers,
        rate.catalogue_version,
        rate.path,
        counted + granted,
        service.money_units + money_units,
        service.fee_paid or money_units > 0,
    )
    service = SessionService(
        service.rating_group,
        service.service_identifiers,
        rate.catalogue_version,
        rate.path,
        counted,
        service.money_units,
        service.fee_paid,
        granted,
        holds,
    )
    is_final = granted < wanted or not _can_continue(draft, used_up, rate)
    threshold = rate.quota.volume_quota_threshold_octets
    time_threshold = rate.quota.time_quota_threshold_s
    return service, ServiceAnswer(
        Outcome.SUCCESS,
        service.rating_group,
        service.service_identifiers,
        granted_unit(rate, granted),
        _validity_time_s(draft, rate, holds),
        threshold if threshold is not None and threshold < granted else None,
        time_threshold if time_threshold is not None and time_threshold < granted else None,
        (rate.final_unit or _TERMINATE) if is_final else None,
    )


def _plan(draft: Draft, service: SessionService, rate: Rate, need: int) -> tuple[tuple[Hold, ...], int]:
    """Choose the buckets that the grant is reserved in; say how many of its billed units money pays."""
    allowance_parts, covered = draft.plan_units(rate.unit_type, rate.allowances, need)
    if covered == need:
        return allowance_parts, 0
    amount = price_micro(rate, service.money_units, service.money_units + need - covered)
    if not service.fee_paid:
        amount += rate.connection_fee_micro
    return allowance_parts + draft.plan_money(amount), need - covered


def _can_continue(draft: Draft, used_up: SessionService, rate: Rate) -> bool:
    """Whether one more billing block could be paid once this grant is used up."""
    if rate.is_free:
        return True
    block = billable_units(rate, used_up.counted_units + 1) - billable_units(rate, used_up.counted_units)
    return affordable(draft, used_up, rate, block).units >= block


def _validity_time_s(draft: Draft, rate: Rate, holds: tuple[Hold, ...]) -> int:
    """The quota's own time, cut where the tariff changes or a bucket that pays for it expires."""
    now_ms = draft.now_ms
    validity_s = rate.quota.validity_time_s
    if rate.changes_at_s:
        validity_s = min(validity_s, rate.changes_at_s - now_ms // 1000)
    for bucket in draft.buckets:
        if bucket.valid_until_ms and any(hold.bucket_id == bucket.bucket_id for hold in holds):
            validity_s = min(validity_s, (bucket.valid_until_ms - now_ms) // 1000)
    return max(1, validity_s)


def granted_unit(rate: Rate, amount: int) -> ServiceUnit:
    """A Granted-Service-Unit in the unit that the rate counts."""
    match rate.unit_type:
        case UnitType.TOTAL_OCTETS:
            return ServiceUnit(amount)
        case UnitType.TIME:
            return ServiceUnit(time_s=amount)
        case UnitType.SERVICE_SPECIFIC_UNITS:
            return ServiceUnit(service_specific_units=amount)
        case UnitType.INPUT_OCTETS:
            return ServiceUnit(input_octets=amount)
        case UnitType.OUTPUT_OCTETS:
            return ServiceUnit(output_octets=amount)
        case UnitType.MONEY:
            return ServiceUnit(money=Money(amount, rate.currency))


def _answer(service: SessionService, outcome: Outcome) -> ServiceAnswer:
    return ServiceAnswer(outcome, service.rating_group, service.service_identifiers)
