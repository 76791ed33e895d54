"""One account decided request by request, with everything that must always hold checked after each."""

import msgspec

from ocs.balance.model import (
    Account,
    Bucket,
    Counter,
    LifecycleState,
    Session,
    SessionState,
    Subscriber,
    Total,
)
from ocs.balance.purse import check_invariants, in_drawing_order
from ocs.charging.decide import decide
from ocs.charging.decision import Decision, Moment, Policy, State
from ocs.charging.sessions import expire_session
from ocs.charging.tariffs import Tariffs
from ocs.events import ChargeEvent
from ocs.messages import ChargingRequest, Outcome, ServiceAnswer
from ocs.rating import Catalogue
from ocs.units import UnitType
from tests.support.catalogue import lab_catalogue
from tests.support.requests import ANNA, SESSION

# 2027-01-15 09:00 in Berlin, in epoch seconds: the 20:00 of period "night" is eleven hours away.
MORNING_S = 1_800_000_000
MONEY = UnitType.MONEY


def account_with(
    *buckets: Bucket, credit_limit_micro: int = 0, state: LifecycleState = LifecycleState.ACTIVE
) -> Account:
    totals: dict[UnitType, int] = {}
    for bucket in buckets:
        totals[bucket.unit_type] = totals.get(bucket.unit_type, 0) + bucket.value
    return Account(
        "a",
        "EUR",
        state,
        0,
        in_drawing_order(buckets),
        tuple(Total(t, v) for t, v in totals.items()),
        credit_limit_micro,
    )


def money(micro: int) -> Bucket:
    return Bucket("main", UnitType.MONEY, micro, priority=1000)


def pack(units: int, *, until_ms: int = 0, bucket_id: str = "pack") -> Bucket:
    return Bucket(bucket_id, UnitType.TOTAL_OCTETS, units, 0, "pack", 10, 0, until_ms)


def texts(units: int) -> Bucket:
    return Bucket("texts", UnitType.SERVICE_SPECIFIC_UNITS, units, 0, "texts", 10)


class Ledger:
    """State that moves on with each decision, as the store's would.

    Attributes:
        events: all charge events so far.
    """

    def __init__(
        self,
        *buckets: Bucket,
        credit_limit_micro: int = 0,
        account_state: LifecycleState = LifecycleState.ACTIVE,
        subscriber_state: LifecycleState = LifecycleState.ACTIVE,
        policy: Policy | None = None,
        catalogue: Catalogue | None = None,
        offers: tuple[str, ...] = ("packs", "basic"),
    ) -> None:
        self.account = account_with(*buckets, credit_limit_micro=credit_limit_micro, state=account_state)
        self.subscriber: Subscriber | None = Subscriber("anna", "a", subscriber_state, (ANNA,), offers)
        self.sessions: dict[str, Session] = {}
        self.tariffs = Tariffs(catalogue or lab_catalogue())
        self.policy = policy or Policy()
        self.now_s = MORNING_S
        self.events: list[ChargeEvent] = []

    def ask(self, request: ChargingRequest) -> Decision:
        state = State(self.account, self.subscriber, self.sessions.get(request.session_id))
        decision = decide(state, request, self.tariffs, self._moment(), self.policy)
        assert not (decision.is_repeat and decision.events)
        self._take(decision)
        return decision

    def expire(self, session_id: str = SESSION) -> Decision:
        decision = expire_session(
            self.account,
            self.sessions[session_id],
            self._moment(),
            self.tariffs.current,
            self.subscriber,
        )
        self._take(decision)
        return decision

    def _moment(self) -> Moment:
        return Moment(self.now_s * 1000, self.now_s * 1000)

    def _take(self, decision: Decision) -> None:
        before = self.account
        self.account = decision.account
        if decision.subscriber is not None:
            self.subscriber = decision.subscriber
        if decision.session is not None:
            self.sessions[decision.session.session_id] = decision.session
        self.events += decision.events
        check_invariants(self.account)
        assert [e.sequence for e in decision.events] == list(
            range(before.sequence + 1, self.account.sequence + 1)
        )
        assert len({event.event_id for event in self.events}) == len(self.events)
        moved = {b.bucket_id: b.value for b in before.buckets}
        for movement in (movement for event in decision.events for movement in event.movements):
            moved[movement.bucket_id] = moved.get(movement.bucket_id, 0) + movement.amount
            assert moved[movement.bucket_id] == movement.balance_after
        values = {b.bucket_id: b.value for b in self.account.buckets}
        assert {name: value for name, value in moved.items() if value or name in values} == values
        assert self.held() == {b.bucket_id: b.reserved for b in self.account.buckets if b.reserved}
        counters = self.subscriber.counters if self.subscriber is not None else ()
        for counter in counters:
            assert counter.reserved == self.counter_held(counter.counter_id, counter.period_start_ms)

    def counter_held(self, counter_id: str, period_start_ms: int) -> int:
        """What open grants may add to a counter in its period."""
        return sum(
            hold.amount
            for session in self.sessions.values()
            for service in session.services
            for hold in service.counter_holds
            if (hold.counter_id, hold.period_start_ms) == (counter_id, period_start_ms)
        )

    def counter(self, counter_id: str) -> Counter:
        """A counter of the subscriber in its latest period; one that never counted stands at nothing."""
        known = (counter for counter in self.counters if counter.counter_id == counter_id)
        return next(known, Counter(counter_id, 0))

    @property
    def counters(self) -> tuple[Counter, ...]:
        """All counters of the subscriber, those of earlier periods last."""
        assert self.subscriber is not None
        return self.subscriber.counters

    def held(self) -> dict[str, int]:
        """What open sessions hold, by bucket."""
        held: dict[str, int] = {}
        for session in self.sessions.values():
            assert session.state == SessionState.OPEN or not any(s.holds for s in session.services)
            for hold in (hold for service in session.services for hold in service.holds):
                held[hold.bucket_id] = held.get(hold.bucket_id, 0) + hold.amount
        return held

    def bucket(self, bucket_id: str = "main") -> Bucket:
        return next(b for b in self.account.buckets if b.bucket_id == bucket_id)

    @property
    def balance(self) -> int:
        """Money, held or not, in micro-units."""
        return sum(b.value for b in self.account.buckets if b.unit_type == MONEY)

    @property
    def reserved(self) -> int:
        """Money that sessions hold, in micro-units."""
        return sum(b.reserved for b in self.account.buckets if b.unit_type == MONEY)

    def session(self, session_id: str = SESSION) -> Session:
        return self.sessions[session_id]

    def change_subscriber(self, **changes) -> None:
        assert self.subscriber is not None
        self.subscriber = msgspec.structs.replace(self.subscriber, **changes)

    def change_account(self, **changes) -> None:
        self.account = msgspec.structs.replace(self.account, **changes)


def only(decision: Decision) -> ServiceAnswer:
    """The one service's answer of a command that succeeded."""
    assert decision.answer.outcome == Outcome.SUCCESS, decision.answer
    (answer,) = decision.answer.services
    return answer
