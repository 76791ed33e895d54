"""Charge events of movements that no use caused (opening, top-up, adjustment, expiry), and of notices."""

from ocs.balance.purse import Purse
from ocs.events import SCHEMA_VERSION, BucketMovement, ChargeEvent, EventKind, Notice
from ocs.units import UnitType


def record_movement(
    purse: Purse,
    kind: EventKind,
    movements: tuple[BucketMovement, ...],
    *,
    event_id: str,
    time_zone: str = "UTC",
    subscriber_id: str = "",
    reason: str = "",
    notice: Notice | None = None,
) -> ChargeEvent:
    """Count a movement, or a notice of what moved nothing, in the account's sequence and describe it.

    Args:
        purse: after the movement.
        event_id: unique for ever; from the operation's reference, never from the stream.
    """
    return ChargeEvent(
        schema_version=SCHEMA_VERSION,
        event_id=event_id,
        kind=kind,
        account_id=purse.account_id,
        sequence=purse.next_sequence(),
        subscriber_id=subscriber_id,
        session_id="",
        request_number=0,
        service="",
        rating_group=None,
        service_identifiers=(),
        unit_type=UnitType.MONEY,
        units=0,
        billed_units=0,
        amount_micro=sum(movement.amount for movement in movements if movement.unit_type == UnitType.MONEY),
        currency=purse.currency,
        tax_class="",
        movements=movements,
        balance_after_micro=purse.money_balance,
        catalogue_version="",
        tariff_path="",
        trace=None,
        event_time_ms=purse.now_ms,
        time_zone=time_zone,
        notice=notice,
        reason=reason,
    )
