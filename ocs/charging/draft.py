"""A decision in the making: the account's purse, the subscriber's counters, and the charge events so far."""

from typing import Final

from ocs.balance.entries import record_movement
from ocs.balance.model import (
    Account,
    Counter,
    CounterHold,
    MemberLimit,
    Session,
    SessionService,
    Subscriber,
)
from ocs.balance.notices import NoticeRules, crossed, limits_crossed, record_notices
from ocs.balance.purse import Purse
from ocs.charging.circumstances import time_of_use_s
from ocs.charging.counting import CounterBook
from ocs.events import SCHEMA_VERSION, BucketMovement, ChargeEvent, EventKind, PriceTrace
from ocs.messages import NO_CONTEXT, ChargingRequest
from ocs.rating import Catalogue, Rate
from ocs.rating.rate import CountingPeriod

# By CC-Request-Type: INITIAL, UPDATE, TERMINATION, EVENT.
_LETTERS: Final = "_iute"
_NO_LIMITS: Final[tuple[MemberLimit, ...]] = ()
_NO_HOLDS: Final[tuple[CounterHold, ...]] = ()


def operation_of(request: ChargingRequest) -> str:
    """Name a request within its session: some gateways use a number again for another type, as ``recall`` allows."""
    return f"{_LETTERS[request.request_type]}{request.request_number}"


class Draft(Purse):
    """Moves an account step by step; nothing of it is real until the commit.

    Invariant: every movement of value adds exactly one to the account's sequence and one event.

    Attributes:
        limits: of the subscriber, on what it may take from the account.

    Args:
        operation: what the events' ids end in: the request (see :func:`operation_of`), or the reason of an expiry.
        catalogue: the one in force: its clock says when counters begin anew.
        subscriber: whose counters the use moves, if anything looks at them.
    """

    __slots__ = (
        "_book",
        "_catalogue",
        "_expiries",
        "_operation",
        "_session",
        "_subscriber",
        "events",
        "limits",
    )

    def __init__(
        self,
        account: Account,
        now_ms: int,
        session: Session,
        operation: str,
        catalogue: Catalogue,
        subscriber: Subscriber | None = None,
    ) -> None:
        super().__init__(account, now_ms)
        self.events: list[ChargeEvent] = []
        self._session = session
        self._subscriber = subscriber
        self._catalogue = catalogue
        self._book: CounterBook | None = None
        self.limits = _NO_LIMITS if subscriber is None else subscriber.limits
        self._operation = operation
        self._expiries = 0
        if self._has_invalid_buckets:
            self._record_expiry(catalogue.time_zone)

    # --- Counters ---------------------------------------------------------------------------------------

    def counter(self, counter_id: str, period: str, held: tuple[CounterHold, ...] = _NO_HOLDS) -> Counter:
        """One of the subscriber's counters as it is now, in its present period.

        Args:
            held: what the grant had set aside that is used: a counter among them is that of the grant's period.
        """
        book = self._counters()
        for hold in held:
            if hold.counter_id == counter_id and (counter := book.under(hold)) is not None:
                return counter
        return book.at(counter_id, self._period_start_ms(period))

    def count(
        self, counter_id: str, period: str, amount: int, held: tuple[CounterHold, ...] = _NO_HOLDS
    ) -> None:
        """Count what was used; ``held`` as for :meth:`counter`."""
        self._counters().add(self.counter(counter_id, period, held), amount)

    def hold_counter(self, counter_id: str, period: str, amount: int) -> CounterHold:
        """Set aside what a grant may add to a counter."""
        return self._counters().reserve(counter_id, self._period_start_ms(period), amount)

    def _counters(self) -> CounterBook:
        book = self._book
        if book is None:
            book = self._book = CounterBook(self._subscriber)
        return book

    def _period_start_ms(self, period: str) -> int:
        return self._catalogue.period_start_ms(CountingPeriod(period), self.now_ms)

    def subscriber(self) -> Subscriber | None:
        """The subscriber after all counting; the very one it started from when nothing was counted."""
        return self._subscriber if self._book is None else self._book.subscriber()

    def release_grant(self, service: SessionService) -> None:
        """Give back everything that a service's open grant had set aside."""
        self.release(service.holds)
        if service.counter_holds:
            self._counters().release(service.counter_holds)

    # --- Events -----------------------------------------------------------------------------------------

    def note_crossings(self, rules: NoticeRules) -> None:
        """End a decision that has moved something: append the notices of what its moves have crossed."""
        notices = crossed(self, rules)
        if self.limits:
            notices += limits_crossed(self._subscriber, self.subscriber(), rules)
        if notices:
            session = self._session
            self.events += record_notices(
                self,
                notices,
                event_id=self._event_id("notice"),
                subscriber_id=session.subscriber_id,
                time_zone=self._catalogue.time_zone,
            )

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
        used_s: int | None = None,
    ) -> None:
        """Append the event of a priced use, and count it in the account.

        Args:
            used_s: when buffered units were used, if they say so themselves.
        """
        events = self.events
        told_s = request.event_time_s if used_s is None else used_s
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
                self.now_ms if told_s is None else self._time_of_use_ms(told_s),
                rate.time_zone,
                # Most sessions have one; an empty one is not worth its room in the stream.
                context=session.context if session.context != NO_CONTEXT else None,
            )
        )

    def _time_of_use_ms(self, told_s: int) -> int:
        """What is booked as the time of a use: to the second as told, to the millisecond when that is now."""
        now_s = self.now_ms // 1000
        used_s = time_of_use_s(told_s, now_s)
        return self.now_ms if used_s == now_s else used_s * 1000
