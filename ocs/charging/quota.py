"""Size and reserve a grant: never more than can be paid, the final unit told with the last grant."""

from typing import Final

from ocs.balance.model import Hold, SessionService
from ocs.balance.purse import Purse
from ocs.charging.draft import Draft
from ocs.charging.usage import amount_of
from ocs.messages import FinalUnitAction, FinalUnitIndication, Outcome, ServiceAnswer, ServiceUnit
from ocs.rating import Rate, affordable_units, billable_units, grantable_units, price_micro, wanted_units
from ocs.units import Money, UnitType

# What a gateway does at the end of the last grant when the offer does not say (RFC 8506 section 5.6.1).
_TERMINATE: Final = FinalUnitIndication(FinalUnitAction.TERMINATE)
_NOTHING: Final[tuple[Hold, ...]] = ()
_SUCCESS: Final = Outcome.SUCCESS


def payable_units(purse: Purse, rate: Rate, need: int, money_units: int, fee_paid: bool) -> int:  # noqa: FBT001
    """Count the billed units that can be paid now: by allowances as far as they are needed, and by unreserved money.

    Args:
        need: billed units that are asked for; the count may exceed it where money pays.
        money_units: billed units of the session that money has paid. fee_paid: the connection fee is charged.
    """
    covered = 0
    if rate.allowances and purse.has_allowances:
        covered = purse.plan_units(rate.unit_type, rate.allowances, need)[1]
        if covered >= need:
            return need
    return covered + affordable_units(
        rate, money_units_before=money_units, fee_due=not fee_paid, available_micro=purse.available_money()
    )


def reserve_grant(
    draft: Draft, service: SessionService, rate: Rate, requested: ServiceUnit
) -> tuple[SessionService, ServiceAnswer]:
    """Reserve the next grant of a service that holds none.

    Returns:
        The service with its grant (or unchanged), and what to answer: SUCCESS with a grant and, when nothing
        more can be paid after it, the final-unit indication; or CREDIT_LIMIT_REACHED.

    Source: RFC 8506 sections 5.1.2, 5.2 and 5.6; TS 32.299 section 5.2.2.
    """
    granted = wanted = wanted_units(rate, amount_of(rate.unit_type, requested))
    counted, money_units, fee_paid = service.counted_units, service.money_units, service.fee_paid
    billed = billable_units(rate, counted)
    need = billable_units(rate, counted + wanted) - billed
    payable = payable_units(draft, rate, need, money_units, fee_paid)
    if payable < need:
        granted = grantable_units(rate, counted_units=counted, wanted_units=wanted, payable_units=payable)
        if granted <= 0:
            answer = ServiceAnswer(
                Outcome.CREDIT_LIMIT_REACHED, service.rating_group, service.service_identifiers
            )
            return service, answer
        need = billable_units(rate, counted + granted) - billed
    holds, by_money = _plan(draft, rate, need, money_units, fee_paid)
    draft.reserve(holds)
    is_final = granted < wanted or (
        (payable - need < rate.first_units or payable - need < rate.step_units)
        and not _can_continue(
            draft, rate, counted + granted, money_units + by_money, fee_paid or by_money > 0
        )
    )
    quota = rate.quota
    volume_threshold, time_threshold = quota.volume_quota_threshold_octets, quota.time_quota_threshold_s
    rating_group, identifiers = service.rating_group, service.service_identifiers
    return SessionService(
        rating_group,
        identifiers,
        rate.catalogue_version,
        rate.path,
        counted,
        money_units,
        fee_paid,
        granted,
        holds,
    ), ServiceAnswer(
        _SUCCESS,
        rating_group,
        identifiers,
        granted_unit(rate, granted),
        _validity_time_s(draft, rate, holds),
        volume_threshold if volume_threshold is not None and volume_threshold < granted else None,
        time_threshold if time_threshold is not None and time_threshold < granted else None,
        (rate.final_unit or _TERMINATE) if is_final else None,
    )


def _plan(
    purse: Purse,
    rate: Rate,
    need: int,
    money_units: int,
    fee_paid: bool,  # noqa: FBT001 - positional on the hot path
) -> tuple[tuple[Hold, ...], int]:
    """Choose the buckets that the grant is reserved in; say how many of its billed units money pays."""
    parts, covered = _NOTHING, 0
    if rate.allowances and purse.has_allowances:
        parts, covered = purse.plan_units(rate.unit_type, rate.allowances, need)
        if covered == need:
            return parts, 0
    by_money = need - covered
    amount = price_micro(rate, money_units, money_units + by_money)
    if not fee_paid and by_money:
        amount += rate.connection_fee_micro
    return parts + purse.plan_money(amount), by_money


def _can_continue(purse: Purse, rate: Rate, counted: int, money_units: int, fee_paid: bool) -> bool:  # noqa: FBT001
    """Whether one more billing block could be paid once this grant is used up."""
    if rate.is_free:
        return True
    block = billable_units(rate, counted + 1) - billable_units(rate, counted)
    return payable_units(purse, rate, block, money_units, fee_paid) >= block


def _validity_time_s(draft: Draft, rate: Rate, holds: tuple[Hold, ...]) -> int:
    """The quota's own time, cut where the tariff changes or a bucket that pays for it expires."""
    validity_s = rate.quota.validity_time_s
    if rate.changes_at_s:
        validity_s = min(validity_s, rate.changes_at_s - draft.now_ms // 1000)
    if draft.has_expiring_buckets:
        held = [hold.bucket_id for hold in holds]
        for bucket in draft.buckets:
            if bucket.valid_until_ms and bucket.bucket_id in held:
                validity_s = min(validity_s, (bucket.valid_until_ms - draft.now_ms) // 1000)
    return validity_s if validity_s > 0 else 1


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
