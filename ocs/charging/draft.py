"""A decision in the making: the account's purse, and the charge events so far."""

from ocs.balance.entries import record_movement
from ocs.balance.model import Account, Session
from ocs.balance.purse import Purse
from ocs.events import SCHEMA_VERSION, BucketMovement, ChargeEvent, EventKind, PriceTrace
from ocs.messages import ChargingRequest
from ocs.rating import Rate


class Draft(Purse):
    """Moves an account step by step; nothing of it is real until the commit.

    Invariant: every movement of value adds exactly one to the account's sequence and one event.
    """

    __slots__ = ("_event_prefix", "events")

    def __init__(self, account: Account, now_ms: int, event_prefix: str, time_zone: str) -> None:
        super().__init__(account, now_ms)
        self.events: list[ChargeEvent] = []
        self._event_prefix = event_prefix
        if self._expired:
            self._record_expiry(time_zone)

    def _record_expiry(self, time_zone: str) -> None:
        """Whatever touches an account first takes out what has expired in it."""
        movements = self.expire()
        if movements:
            event_id = f"{self._event_prefix};expiry"
            self.events.append(
                record_movement(self, EventKind.EXPIRY, movements, event_id=event_id, time_zone=time_zone)
            )

    def record_charge(
        self,
        kind: EventKind,
        request: ChargingRequest,
        session: Session,
        rate: Rate,
        *,
        rating_group: int | None,
        service_identifiers: tuple[int, ...],
        units: int,
        billed_units: int,
        amount_micro: int,
        movements: tuple[BucketMovement, ...],
        trace: PriceTrace,
    ) -> None:
        """Append the event of a priced use, and count it in the account."""
        event_time_s = request.event_time_s
        self.events.append(
            ChargeEvent(
                SCHEMA_VERSION,
                f"{self._event_prefix};{len(self.events)}",
                kind,
                self._origin.account_id,
                self.next_sequence(),
                session.subscriber_id,
                session.session_id,
                request.request_number,
                session.service,
                rating_group,
                service_identifiers,
                rate.unit_type,
                units,
                billed_units,
                amount_micro,
                self._origin.currency,
                rate.tax_class,
                movements,
                self.money_balance(),
                rate.catalogue_version,
                rate.path,
                trace,
                self.now_ms if event_time_s is None else event_time_s * 1000,
                rate.time_zone,
            )
        )
