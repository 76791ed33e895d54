"""What subscribers have used by the day, and what credit pools hold: kept by an auditor from requests and events alone."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from ocs.balance.model import CounterHold, Session, SessionState, Subscriber
from ocs.events import ChargeEvent
from ocs.messages import ChargingAnswer, ChargingRequest
from ocs.units import UnitType
from tests.support.prices import Price

_DAY_MS = 86_400_000
_OCTETS = {UnitType.TOTAL_OCTETS, UnitType.INPUT_OCTETS, UnitType.OUTPUT_OCTETS}
_Place = tuple[str, str, int]  # subscriber, counter, start of its period


class Held(NamedTuple):
    """What the grant of a use held in counters when the use was reported.

    Attributes:
        holds: as the commit before left them.
        may_be_released: the same commit may have closed the session first: then the grant held nothing any more.
    """

    holds: tuple[CounterHold, ...] = ()
    may_be_released: bool = False


NOTHING_HELD = Held()


class Counts:
    """How far each counter of each subscriber has come.

    Periods are days of the operator. A use falls into the one that its grant held something of; without such a grant
    into what its worker thought, and that the subscriber's value tells.
    """

    def __init__(self) -> None:
        self._values: dict[_Place, int] = defaultdict(int)
        # Uses of this commit whose grant may have been released before: how much, counted where, or else where.
        self._unsure: list[tuple[int, _Place, _Place]] = []

    def cost(self, subscriber: Subscriber, price: Price, units: int, held: Held, charged: int) -> int:
        """What units cost now, and count them.

        Args:
            charged: what was paid for them, by which two prices that are possible are told apart.
        """
        place, other = self._places(subscriber, price.counter, held)
        cost, after = price.counted_cost(self._values[place], units)
        if cost != charged and place != other:
            place = other
            cost, after = price.counted_cost(self._values[place], units)
        self._count(after - self._values[place], place, other)
        return cost

    def count_limits(
        self, subscriber: Subscriber | None, event: ChargeEvent, held: Held = NOTHING_HELD
    ) -> None:
        """Count a use, or take one back, against its subscriber's limits."""
        for limit in subscriber.limits if subscriber else ():
            places = self._places(subscriber, limit.counter_id, held)
            if limit.unit_type == UnitType.MONEY:
                self._count(-event.amount_micro, *places)
            elif event.unit_type in _OCTETS:
                self._count(event.billed_units, *places)

    def _count(self, amount: int, place: _Place, other: _Place) -> None:
        self._values[place] += amount
        if amount and place != other:
            self._unsure.append((amount, place, other))

    def _settle(self, subscriber: Subscriber) -> None:
        """Let the subscriber's own counters say where uses counted that may count in either of two periods."""
        unsure = [each for each in self._unsure if each[1][0] == subscriber.subscriber_id]
        if not unsure:
            return
        self._unsure = [each for each in self._unsure if each not in unsure]
        values = self._values
        for are_elsewhere in product((False, True), repeat=len(unsure)):
            self._values = defaultdict(int, values)
            for (amount, place, other), is_elsewhere in zip(unsure, are_elsewhere, strict=True):
                if is_elsewhere:
                    self._values[place] -= amount
                    self._values[other] += amount
            if all(
                counter.value
                == self._values[subscriber.subscriber_id, counter.counter_id, counter.period_start_ms]
                for counter in subscriber.counters
            ):
                return
        self._values = values

    def faults(self, subscriber: Subscriber, sessions: list[Session], at_ms: int) -> list[object]:
        """What is wrong with a subscriber's counters."""
        faults: list[object] = []
        self._settle(subscriber)
        for counter in subscriber.counters:
            place = subscriber.subscriber_id, counter.counter_id, counter.period_start_ms
            held = sum(
                hold.amount
                for session in sessions
                if session.subscriber_id == subscriber.subscriber_id
                for service in session.services
                for hold in service.counter_holds
                if (hold.counter_id, hold.period_start_ms) == place[1:]
            )
            if (counter.value, counter.reserved) != (self._values[place], held):
                faults.append((counter, "should be", self._values[place], held))
            if abs(at_ms - counter.period_start_ms - _DAY_MS // 2) > _DAY_MS * 30:
                faults.append((counter, "is of no day"))
        return faults

    def _places(self, subscriber: Subscriber | None, counter_id: str, held: Held) -> tuple[_Place, _Place]:
        """Where a use counts, and where it does if its grant was released before."""
        assert subscriber is not None
        started = [c.period_start_ms for c in subscriber.counters if c.counter_id == counter_id]
        granted = [h.period_start_ms for h in held.holds if h.counter_id == counter_id and h.amount]
        latest = max(started, default=0)
        periods = max(granted, default=latest), latest
        if not held.may_be_released:
            periods = periods[0], periods[0]
        return (subscriber.subscriber_id, counter_id, periods[0]), (
            subscriber.subscriber_id,
            counter_id,
            periods[1],
        )


@dataclass
class Pool:
    """A session's credit pools by the standard's own sum (RFC 8506 section 5.1.2), in micro-units.

    Attributes:
        credit: of each pool the quotas granted into it, less what has been reported: also what a gateway keeps that
            takes nothing else out when the last of its services reports.
        members: rating groups that have a quota in a pool, with its identifier.
    """

    credit: dict[int, int] = field(default_factory=dict[int, int])
    members: dict[int | None, int] = field(default_factory=dict[int | None, int])

    def reported(self, request: ChargingRequest, prices: dict[int | None, Price]) -> None:
        """A gateway reports: what it used is gone, and nothing else."""
        reporting = {asked.rating_group for asked in request.services} & self.members.keys()
        for asked in request.services:
            if asked.rating_group in reporting:
                price = prices[asked.rating_group]
                used = sum(unit.total_octets or 0 for unit in asked.used)
                self.credit[self.members[asked.rating_group]] -= used * price.micro // price.per
        for group in reporting:
            del self.members[group]

    def granted(self, answer: ChargingAnswer, prices: dict[int | None, Price]) -> None:
        """Quotas come into it."""
        for service in answer.services:
            if service.pools and service.granted is not None:
                price = prices[service.rating_group]
                (pool,) = service.pools
                more = (service.granted.total_octets or 0) * price.micro // price.per
                self.credit[pool.pool_id] = self.credit.get(pool.pool_id, 0) + more
                self.members[service.rating_group] = pool.pool_id

    def is_covered_by(self, session: Session) -> bool:
        """Whether the session holds what its gateway may still use of its pools."""
        if session.state != SessionState.OPEN:
            return True
        held = dict.fromkeys(self.members.values(), 0)
        for service in session.services:
            if service.pool_id in held:
                held[service.pool_id] += sum(hold.amount for hold in service.holds)
        return all(amount >= self.credit[pool_id] for pool_id, amount in held.items())
