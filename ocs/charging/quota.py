"""Size and reserve a grant: never more than can be paid, the final unit told with the last grant."""

from typing import Final

from ocs import limits
from ocs.balance.model import CounterHold, Hold, SessionService
from ocs.charging import counted as counted_rates
from ocs.charging import member_limits
from ocs.charging.draft import Draft
from ocs.charging.usage import amount_of
from ocs.messages import FinalUnitAction, FinalUnitIndication, Outcome, ServiceAnswer, ServiceUnit
from ocs.rating import Rate, affordable_units, billable_units, grantable_units, price_micro, wanted_units
from ocs.units import Money, UnitType

# What a gateway does at the end of the last grant when the offer does not say (RFC 8506 section 5.6.1).
_TERMINATE: Final = FinalUnitIndication(FinalUnitAction.TERMINATE)
_NOTHING: Final[tuple[Hold, ...]] = ()
_NO_COUNTERS: Final[tuple[CounterHold, ...]] = ()
_SUCCESS: Final = Outcome.SUCCESS
# A grant that is made smaller for the sake of other sessions is no smaller than this part of what was wanted: the last
# credit is not handed out in ever smaller crumbs.
_SMALLEST_PART: Final = 8
_WHOLE: Final = 100  # percent


def payable_units(
    draft: Draft,
    rate: Rate,
    need: int,
    money_units: int,
    fee_paid: bool,  # noqa: FBT001 - positional on the hot path
    grace_micro: int = 0,
) -> int:
    """Count the billed units that can be paid now: by allowances as far as they are needed, and by unreserved money.

    Args:
        need: billed units that are asked for; the count may exceed it where money pays.
        money_units: billed units of the session that money has paid. fee_paid: the connection fee is charged.
        grace_micro: how far money may go below zero.
    """
    if draft.limits:
        need = min(need, member_limits.units_left(draft, rate.unit_type))
    covered = 0
    if rate.allowances and draft.has_allowances:
        covered = draft.plan_units(rate.unit_type, rate.allowances, need)[1]
        if covered >= need:
            return need
    available = draft.available_money() + grace_micro
    if draft.limits:
        available = min(available, member_limits.money_left(draft))
    if rate.counters:
        by_money = counted_rates.payable_by_money(
            draft, rate, need - covered + 1, money_units, fee_paid=fee_paid, available_micro=available
        )
    else:
        by_money = affordable_units(
            rate, money_units_before=money_units, fee_due=not fee_paid, available_micro=available
        )
    return min(covered + by_money, need) if draft.limits else covered + by_money


def reserve_grant(
    draft: Draft, service: SessionService, rate: Rate, requested: ServiceUnit, share_percent: int = 100
) -> tuple[SessionService, ServiceAnswer]:
    """Reserve the next grant of a service that holds none.

    Args:
        share_percent: the part of what can be paid that this grant may take, so that the account's other sessions find
            something; what it takes less is not final, and valid for a shorter time.

    Returns:
        The service with its grant (or unchanged), and what to answer: SUCCESS with a grant and, when nothing
        more can be paid after it, the final-unit indication; or what :func:`_nothing_to_grant` says.

    Source: RFC 8506 sections 5.1.2, 5.2 and 5.6; TS 32.299 section 5.2.2.
    """
    counted, money_units, fee_paid = service.counted_units, service.money_units, service.fee_paid
    granted, need, left, is_small = _size(draft, service, rate, requested, share_percent)
    if granted <= 0:
        return _nothing_to_grant(service, rate)
    holds, by_money, amount = _plan(draft, rate, need, money_units, fee_paid)
    draft.reserve(holds)
    counter_holds = _NO_COUNTERS
    if rate.counters:
        counter_holds = counted_rates.hold_counters(draft, rate, by_money, amount)
    if draft.limits:
        counter_holds += member_limits.hold_limits(draft, rate.unit_type, need, amount)
    final_unit = None
    if left < 0 or (
        (left < rate.first_units or left < rate.step_units)
        and not can_continue(draft, rate, counted + granted, money_units + by_money, fee_paid or by_money > 0)
    ):
        final_unit = rate.final_unit or _TERMINATE
    service = SessionService(
        service.rating_group,
        service.service_identifiers,
        rate.catalogue_version,
        rate.path,
        counted,
        money_units,
        fee_paid,
        granted,
        holds,
        "",
        counter_holds,
        final_unit is not None and final_unit.action is not _TERMINATE.action,
    )
    validity_s = validity_time_s(draft, rate, holds)
    if is_small:
        validity_s = _shorter(validity_s, granted, rate.quota.default_units)
    return service, granted_answer(service, rate, granted, validity_s, final_unit)


def _size(
    draft: Draft, service: SessionService, rate: Rate, requested: ServiceUnit, share_percent: int
) -> tuple[int, int, int, bool]:
    """Choose how large the next grant is.

    Returns:
        Its units, as what they will be billed, how many billed units could be paid beyond them (below zero: not all
        that is wanted can be), and whether it was made smaller for the sake of other sessions.
    """
    granted = wanted = wanted_units(rate, amount_of(rate.unit_type, requested))
    counted, money_units, fee_paid = service.counted_units, service.money_units, service.fee_paid
    billed = billable_units(rate, counted)
    enough = need = billable_units(rate, counted + wanted) - billed
    if share_percent != _WHOLE:
        enough = -(-need * _WHOLE // share_percent)
    payable = payable_units(draft, rate, enough, money_units, fee_paid)
    if payable >= enough:
        return granted, need, payable - need, False
    is_small = False
    if enough != need:
        granted = _fair_units(rate, counted, wanted, payable * share_percent // _WHOLE)
        if granted < wanted:
            is_small, wanted = True, granted
            need = billable_units(rate, counted + wanted) - billed
    if payable >= need:
        return granted, need, payable - need, is_small
    granted = grantable_units(rate, counted_units=counted, wanted_units=wanted, payable_units=payable)
    if granted <= 0 and rate.grace_micro and not draft.credit_limit_micro:
        payable = payable_units(draft, rate, need, money_units, fee_paid, rate.grace_micro)
        granted = grantable_units(rate, counted_units=counted, wanted_units=wanted, payable_units=payable)
    return granted, billable_units(rate, counted + granted) - billed, -1, is_small


def granted_answer(
    service: SessionService,
    rate: Rate,
    granted: int,
    validity_s: int,
    final_unit: FinalUnitIndication | None,
    tariff_time_change_s: int | None = None,
) -> ServiceAnswer:
    """What a gateway is told of a grant: its size, how long it is valid, and when to come back."""
    quota = rate.quota
    volume_threshold, time_threshold = quota.volume_quota_threshold_octets, quota.time_quota_threshold_s
    return ServiceAnswer(
        _SUCCESS,
        service.rating_group,
        service.service_identifiers,
        granted_unit(rate, granted),
        validity_s,
        volume_threshold if volume_threshold is not None and volume_threshold < granted else None,
        time_threshold if time_threshold is not None and time_threshold < granted else None,
        final_unit,
        tariff_time_change_s,
        (),
        quota.quota_holding_time_s,
        quota.quota_consumption_time_s,
        quota.triggers,
    )


def _fair_units(rate: Rate, counted: int, wanted: int, payable: int) -> int:
    """What a grant may take of what is left while others may want some: at least a part worth asking for."""
    fair = grantable_units(rate, counted_units=counted, wanted_units=wanted, payable_units=payable)
    return min(wanted, max(fair, rate.quota.minimum_units, wanted // _SMALLEST_PART))


def _shorter(validity_s: int, granted: int, usual: int) -> int:
    """The validity of a small grant: what it holds comes back to the others the sooner."""
    shorter = max(validity_s * granted // max(usual, granted), limits.SHORT_VALIDITY_MIN_S)
    return min(validity_s, shorter)


def _nothing_to_grant(service: SessionService, rate: Rate) -> tuple[SessionService, ServiceAnswer]:
    """Say that nothing can be paid.

    Where the offer redirects or restricts, the session goes on without a grant: the gateway acts at once, and asks
    again when Validity-Time ends or a top-up has it re-authorised (RFC 8506 section 5.6.2). Otherwise
    CREDIT_LIMIT_REACHED.
    """
    final = rate.final_unit
    rating_group, identifiers = service.rating_group, service.service_identifiers
    if final is None or final.action is FinalUnitAction.TERMINATE:
        return service, ServiceAnswer(Outcome.CREDIT_LIMIT_REACHED, rating_group, identifiers)
    waiting = SessionService(
        rating_group,
        identifiers,
        rate.catalogue_version,
        rate.path,
        service.counted_units,
        service.money_units,
        service.fee_paid,
        is_redirected=True,
    )
    validity_s = rate.quota.validity_time_s
    return waiting, ServiceAnswer(
        _SUCCESS, rating_group, identifiers, validity_time_s=validity_s, final_unit=final
    )


def _plan(
    draft: Draft,
    rate: Rate,
    need: int,
    money_units: int,
    fee_paid: bool,  # noqa: FBT001 - positional on the hot path
) -> tuple[tuple[Hold, ...], int, int]:
    """Choose the buckets that the grant is reserved in; say how many of its units money pays, and what they cost."""
    parts, covered = _NOTHING, 0
    if rate.allowances and draft.has_allowances:
        parts, covered = draft.plan_units(rate.unit_type, rate.allowances, need)
        if covered == need:
            return parts, 0, 0
    by_money = need - covered
    if rate.counters:
        amount = counted_rates.price_to_hold(draft, rate, money_units, by_money, fee_paid=fee_paid)
    else:
        amount = price_micro(rate, money_units, money_units + by_money)
        if not fee_paid and by_money:
            amount += rate.connection_fee_micro
    return parts + draft.plan_money(amount), by_money, amount


def can_continue(draft: Draft, rate: Rate, counted: int, money_units: int, fee_paid: bool) -> bool:  # noqa: FBT001
    """Whether one more billing block could be paid once this grant is used up."""
    if rate.is_free and not draft.limits:
        return True
    block = billable_units(rate, counted + 1) - billable_units(rate, counted)
    if rate.counters and not draft.limits and not (rate.allowances and draft.has_allowances):
        available = draft.available_money()
        return counted_rates.can_pay_after(
            draft, rate, block, money_units, fee_paid=fee_paid, available_micro=available
        )
    return payable_units(draft, rate, block, money_units, fee_paid) >= block


def validity_time_s(
    draft: Draft, rate: Rate, holds: tuple[Hold, ...], changes_at_s: int | None = None
) -> int:
    """The quota's own time, cut where the tariff changes or a bucket that pays for it expires.

    Args:
        changes_at_s: another moment than the rate's own at which the tariff changes, 0 for none.
    """
    validity_s = rate.quota.validity_time_s
    if changes_at_s is None:
        changes_at_s = rate.changes_at_s
    if changes_at_s:
        validity_s = min(validity_s, changes_at_s - draft.now_ms // 1000)
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
