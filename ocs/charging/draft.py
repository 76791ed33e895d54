"""A decision in the making: the account's purse, and the charge events so far."""

from typing import Final

from ocs.balance.entries import record_movement
from ocs.balance.model import Account, Session
from ocs.balance.purse import Purse
from ocs.events import SCHEMA_VERSION, BucketMovement, ChargeEvent, EventKind, PriceTrace
from ocs.messages import ChargingRequest
from ocs.rating import Rate

# By CC-Request-Type: INITIAL, UPDATE, TERMINATION, EVENT.
_LETTERS: Final = "_iute"


def operation_of(request: ChargingRequest) -> str:
    """Name a request within its session: some gateways use a number again for another type, as ``recall`` allows."""
    return f"{_LETTERS[request.request_type]}{request.request_number}"


class Draft(Purse):
    """Moves an account step by step; nothing of it is real until the commit.

    Invariant: every movement of value adds exactly one to the account's sequence and one event.

    Args:
        operation: what the events' ids end in: the request (see :func:`operation_of`), or the reason of an expiry.
    """

    __slots__ = ("_expiries", "_operation", "_session", "events")

    def __init__(
        self, account: Account, now_ms: int, session: Session, operation: str, time_zone: str
    ) -> None:
        super().__init__(account, now_ms)
        self.events: list[ChargeEvent] = []
        self._session = session
        self._operation = operation
        self._expiries = 0
        if self._has_invalid_buckets:
            self._record_expiry(time_zone)

    def _event_id(self, ordinal: int | str) -> str:
        """Unique for ever, however often the request is sent or decided, and in every life of its Session-Id."""
        session = self._session
        return f"{session.session_id};{session.opening_fingerprint.hex()};{self._operation};{ordinal}"

    def _record_expiry(self, time_zone: str) -> None:
        """Whatever touches an account first takes out what has expired in it."""
        movements = self.expire()
        if movements:
            event_id = self._event_id("expiry")
            self.events.append(
                record_movement(self, EventKind.EXPIRY, movements, event_id=event_id, time_zone=time_zone)
            )
            self._expiries = 1

    def record_charge(
        self,
        kind: EventKind,
        request: ChargingRequest,
        session: Session,
        rate: Rate,
        rating_group: int | None,
        service_identifiers: tuple[int, ...],
        units: int,
        amount_micro: int,
        movements: tuple[BucketMovement, ...],
        trace: PriceTrace,
    ) -> None:
        """Append the event of a priced use, and count it in the account."""
        events = self.events
        event_time_s = request.event_time_s
        events.append(
            ChargeEvent(
                SCHEMA_VERSION,
                # Without the expiry: decided again elsewhere, where nothing has expired, it is still the same charge.
                self._event_id(len(events) - self._expiries),
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
                trace.billed_after - trace.billed_before,
                amount_micro,
                self._origin.currency,
                rate.tax_class,
                movements,
                self.money_balance,
                rate.catalogue_version,
                rate.path,
                trace,
                self.now_ms if event_time_s is None else event_time_s * 1000,
                rate.time_zone,
            )
        )
