"""Grants that cross a tariff switch: one quota, Tariff-Time-Change told, the dearer side reserved.

The gateway reports use before and after the switch apart, and each is charged at its rate
(:mod:`ocs.charging.reports`). Where that cannot be promised, the caller ends the grant's validity at the switch.
"""

from ocs.balance.model import Hold, SessionService
from ocs.charging.draft import Draft
from ocs.charging.quota import can_continue, granted_answer, validity_time_s
from ocs.charging.usage import amount_of
from ocs.messages import ServiceAnswer, ServiceUnit
from ocs.rating import Rate, billable_units, price_micro, wanted_units
from ocs.rating.rate import TariffSwitch
from ocs.units import UnitType


def crosses_switch(draft: Draft, rate: Rate) -> bool:
    """Whether a grant of this rate may run over the next tariff switch, and would.

    Time is used at the pace of the clock: there the mechanism is not used (RFC 8506 section 5.1.1).
    """
    return (
        rate.quota.tariff_switch is TariffSwitch.TARIFF_TIME_CHANGE
        and rate.unit_type is not UnitType.TIME
        and 0 < rate.changes_at_s - draft.now_ms // 1000 < rate.quota.validity_time_s
    )


def reserve_across_switch(
    draft: Draft,
    service: SessionService,
    rate: Rate,
    after: Rate,
    requested: ServiceUnit,
    share_percent: int,
) -> tuple[SessionService, ServiceAnswer] | None:
    """Reserve a grant that is paid for on whichever side of the switch it is used.

    Args:
        after: the rate from the switch on.
        share_percent: the part of what can be paid that a grant may take.

    Returns:
        None when the two rates do not count, bill or draw alike, or when the whole grant with all of its roundings
        cannot be paid with something to spare: then the switch is kept to by Validity-Time, and the last units are
        granted and told as final there.

    Source: RFC 8506 sections 5.1.1 (single quota, allocated for the worst case) and 8.20.
    """
    if not _can_be_one_quota(draft, rate, after):
        return None
    granted = wanted_units(rate, amount_of(rate.unit_type, requested))
    counted = service.counted_units
    # Used on both sides, each side rounds up to blocks of its own.
    blocks = _rounding(rate) + _rounding(after)
    need = billable_units(rate, counted + granted) - billable_units(rate, counted) + blocks
    parts: tuple[Hold, ...] = ()
    covered = 0
    if rate.allowances and draft.has_allowances:
        parts, covered = draft.plan_units(rate.unit_type, rate.allowances, need)
    by_money = need - covered
    # Each side's cumulative price is rounded up to a micro-unit of its own.
    dearest = max(price_micro(rate, 0, by_money), price_micro(after, 0, by_money)) + 2 if by_money else 0
    if by_money and not service.fee_paid:
        dearest += max(rate.connection_fee_micro, after.connection_fee_micro)
    if by_money and dearest * 100 > draft.available_money() * share_percent:
        return None
    holds = parts + draft.plan_money(dearest)
    draft.reserve(holds)
    if not can_continue(draft, after, 0, 0, service.fee_paid or by_money > 0):
        draft.release(holds)
        return None
    crossing = SessionService(
        service.rating_group,
        service.service_identifiers,
        rate.catalogue_version,
        rate.path,
        counted,
        service.money_units,
        service.fee_paid,
        granted,
        holds,
        after.path,
    )
    validity_s = validity_time_s(draft, rate, holds, after.changes_at_s)
    return crossing, granted_answer(crossing, rate, granted, validity_s, None, rate.changes_at_s)


def _can_be_one_quota(draft: Draft, rate: Rate, after: Rate) -> bool:
    """Whether the same units mean the same on both sides, and their price depends on nothing else that moves."""
    return (
        after.unit_type is rate.unit_type
        and after.catalogue_version == rate.catalogue_version
        and after.allowances == rate.allowances
        and not (rate.allowance_only or after.allowance_only)
        and not (rate.counters or after.counters or draft.limits)
        and after.credit_control_applicable
    )


def _rounding(rate: Rate) -> int:
    """By how many units at most a use is billed above what was counted."""
    return max(rate.first_units, rate.step_units) - 1
