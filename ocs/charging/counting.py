"""A subscriber's counters while a decision moves them: what tiers, caps and a member's limits look at.

They stand beside the money: an account shared by ten thousand stays small, and each of them counts alone. Use counts
in the period in which its grant had set something aside, so that this stays an upper bound of what it costs; without
such a grant, in the period in which it is reported. A new period begins from nothing; the counter of an earlier one is
kept for as long as open grants hold something in it.
"""

from typing import Final

import msgspec

from ocs.balance.model import Counter, CounterHold, LedgerInvariantError, Subscriber

_NONE: Final[tuple[Counter, ...]] = ()


class CounterBook:
    """The counters of one subscriber in one decision.

    Invariant: ``reserved`` of a counter is the sum of what open grants hold in its period.

    Args:
        subscriber: as the store has it; without one, nothing that is counted is kept.
    """

    __slots__ = ("_counters", "_earlier", "_is_changed", "_origin")

    def __init__(self, subscriber: Subscriber | None) -> None:
        self._origin = subscriber
        known = _NONE if subscriber is None else subscriber.counters
        self._counters: dict[str, Counter] = {}
        self._earlier: dict[tuple[str, int], Counter] = {}
        for counter in known:
            self._place(counter)
        self._is_changed = False

    def at(self, counter_id: str, period_start_ms: int) -> Counter:
        """A counter as it stands in the period that began at a moment.

        A clock that was set back finds the later period, which goes on.
        """
        counter = self._counters.get(counter_id)
        if counter is None or counter.period_start_ms < period_start_ms:
            return Counter(counter_id, period_start_ms)
        return counter

    def under(self, hold: CounterHold) -> Counter | None:
        """The counter that a grant has set something aside in, whose period may have ended; None where it has not."""
        latest = self._counters.get(hold.counter_id)
        if not hold.amount or latest is None:
            return None
        if latest.period_start_ms == hold.period_start_ms:
            return latest
        return self._earlier.get((hold.counter_id, hold.period_start_ms))

    def add(self, counter: Counter, amount: int) -> None:
        """Count what was used.

        Args:
            counter: as it stands now.
        """
        if amount:
            self._put(msgspec.structs.replace(counter, value=counter.value + amount))

    def reserve(self, counter_id: str, period_start_ms: int, amount: int) -> CounterHold:
        """Set aside what a grant may add."""
        counter = self.at(counter_id, period_start_ms)
        self._put(msgspec.structs.replace(counter, reserved=counter.reserved + amount))
        return CounterHold(counter_id, counter.period_start_ms, amount)

    def release(self, holds: tuple[CounterHold, ...]) -> None:
        """Give back what a grant had set aside.

        Raises:
            LedgerInvariantError: a counter would hold less than nothing.
        """
        for hold in holds:
            counter = self.under(hold)
            if counter is None:
                continue
            reserved = counter.reserved - hold.amount
            if reserved < 0:
                raise LedgerInvariantError(f"counter {hold.counter_id}: reserved {reserved}")
            self._put(msgspec.structs.replace(counter, reserved=reserved))

    def subscriber(self) -> Subscriber | None:
        """The subscriber with its counters; the very one it started from when none moved."""
        origin = self._origin
        if origin is None or not self._is_changed:
            return origin
        held = [counter for counter in self._earlier.values() if counter.reserved]
        return msgspec.structs.replace(origin, counters=(*self._counters.values(), *held))

    def _put(self, counter: Counter) -> None:
        self._place(counter)
        self._is_changed = True

    def _place(self, counter: Counter) -> None:
        """Put a counter where it belongs: the latest period's first, those before it apart."""
        latest = self._counters.get(counter.counter_id)
        if latest is not None and counter.period_start_ms < latest.period_start_ms:
            self._earlier[counter.counter_id, counter.period_start_ms] = counter
            return
        if latest is not None and latest.period_start_ms < counter.period_start_ms:
            self._earlier[latest.counter_id, latest.period_start_ms] = latest
        self._counters[counter.counter_id] = counter
