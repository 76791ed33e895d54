"""What one service reports, charged at the rates that it was used under."""

from typing import Final

import msgspec

from ocs.balance.model import Session, SessionService
from ocs.charging.circumstances import time_of_use_s
from ocs.charging.draft import Draft
from ocs.charging.rates import RateFinder
from ocs.charging.usage import debit_use, is_zero, measured
from ocs.messages import (
    ChargingRequest,
    MultipleServicesCreditControl,
    Outcome,
    TariffChangeUsage,
)
from ocs.rating import Rate

_AFTER: Final = TariffChangeUsage.AFTER
_with = msgspec.structs.replace

# The service without a grant, what money paid, and why the report could not be priced, if so.
Debited = tuple[SessionService, int, Outcome | None]


def debit_report(
    draft: Draft,
    request: ChargingRequest,
    session: Session,
    service: SessionService,
    asked: MultipleServicesCreditControl,
    rates: RateFinder,
) -> Debited:
    """Charge a report at the rate of its grant; without one, at the rate of its time."""
    used = asked.used
    rate = rates.held(service)
    for unit in used:
        if unit.tariff_change_usage is not None or unit.event_time_s is not None:
            return _debit_itemised(draft, request, session, service, asked, rates)
    if rate is None:
        if not used or all([is_zero(unit) for unit in used]):
            draft.release_grant(service)
            return released(service), 0, None
        unit = next(unit for unit in used if not is_zero(unit))
        rate = rates.at(asked, unit, time_of_use_s(request.event_time_s, rates.now_s))
        if rate is not None:
            # Another rate starts another meter, which knows nothing of the old grant's holds.
            draft.release_grant(service)
            service = at_rate(released(service), rate)
    units = None if rate is None else measured(rate, used)
    if rate is None or units is None:
        draft.release_grant(service)
        return released(service), 0, Outcome.RATING_FAILED
    debited = debit_use(draft, request, session, service, rate, units)
    if debited is None:
        return released(service), 0, Outcome.RATING_FAILED
    return debited[0], debited[1], None


def _debit_itemised(
    draft: Draft,
    request: ChargingRequest,
    session: Session,
    service: SessionService,
    asked: MultipleServicesCreditControl,
    rates: RateFinder,
) -> Debited:
    """Charge units that say on which side of a tariff switch, or when, they were used.

    INDETERMINATE units are charged as those before the switch: the rate that the subscriber was granted them under. The
    standard leaves it to us (RFC 8506 section 8.27), and the grant's reservation covers either side.
    """
    granted = service
    held, after = rates.held(service), rates.after_switch(service)
    draft.release_grant(service)
    service = released(service)
    total, failure = 0, None
    for unit in sorted(asked.used, key=lambda unit: unit.tariff_change_usage is _AFTER):
        if is_zero(unit):
            continue
        used_s = unit.event_time_s
        if unit.tariff_change_usage is _AFTER:
            rate = after or rates.at(asked, unit, rates.now_s)
        elif used_s is not None or held is None:
            told_s = request.event_time_s if used_s is None else used_s
            rate = rates.at(asked, unit, time_of_use_s(told_s, rates.now_s))
        else:
            rate = held
        units = None if rate is None else measured(rate, (unit,))
        if rate is None or units is None:
            failure = Outcome.RATING_FAILED
            continue
        at = at_rate(service, rate)
        debited = debit_use(draft, request, session, at, rate, units, granted, used_s)
        if debited is None:
            failure = Outcome.RATING_FAILED
            continue
        moved, amount = debited
        total += amount
        # The meter goes on where the session is now; what was buffered under another rate has had one of its own.
        is_past = used_s is not None and at is not service and held is not None
        service = _with(service, fee_paid=moved.fee_paid) if is_past else moved
    return service, total, failure


def at_rate(service: SessionService, rate: Rate) -> SessionService:
    """The service under a rate: another rate starts a meter of its own; the connection fee is paid but once."""
    if service.tariff_path == rate.path and service.catalogue_version == rate.catalogue_version:
        return service
    return SessionService(
        service.rating_group,
        service.service_identifiers,
        rate.catalogue_version,
        rate.path,
        fee_paid=service.fee_paid,
        is_redirected=service.is_redirected,
    )


def released(service: SessionService) -> SessionService:
    """The service without its grant, whose holds the caller has released."""
    if not service.granted_units and not service.holds:
        return service
    return SessionService(
        service.rating_group,
        service.service_identifiers,
        service.catalogue_version,
        service.tariff_path,
        service.counted_units,
        service.money_units,
        service.fee_paid,
        is_redirected=service.is_redirected,
    )
