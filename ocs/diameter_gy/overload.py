"""Which requests are refused when more come than can be answered in time. Pure: times come in, no clock, no I/O.

Requests in flight are bounded, and the bound follows the time that answers take. When most answers come later than
the store's own time and a little more, requests have begun to queue and the bound is cut until they do not; while
answers are in time it grows again, by a small part at a time, so that recovery brings no herd. A first request gives
way at half the bound, an UPDATE at the bound, a TERMINATION never: it costs the least and frees what is held.

Fairness: what is refused is refused to peers that use more than their share, the bound divided by the peers that have
requests in flight. Beside a peer that floods us a quiet one keeps its service.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from ocs.limits import (
    OVERLOAD_ANSWERS_MIN,
    OVERLOAD_INTERVAL_S,
    OVERLOAD_QUEUEING_S,
    REFUSALS_BEFORE_REST,
    REQUEST_OCTETS_IN_FLIGHT_MAX,
    REQUESTS_ADMITTED_AT_REST,
    REQUESTS_ADMITTED_MAX,
    REQUESTS_ADMITTED_MIN,
    REQUESTS_ADMITTED_PER_STORE_S,
)
from ocs.messages import CCRequestType

# Part of the bound left after an interval in which nearly all answers were late, at best and at worst.
_CUT_LEAST: Final = 0.9
_CUT_MOST: Final = 0.5
# The bound grows by this part after an interval in time: from a tenth to the whole in a second.
_GROWTH: Final = 1.05
# An interval is late when fewer than one answer in so many was in time: a store node that is slow or gone must not
# have requests refused that others would answer.
_IN_TIME_SHARE: Final = 4
# Late intervals in a row before the first cut: a single slow fsync is no overload.
_LATE_INTERVALS: Final = 2
# Requests in flight that are too few to queue: the least bound, and the TERMINATIONs that pass it.
_FEW: Final = REQUESTS_ADMITTED_MIN * 3 // 2


class PeerLoad:
    """What one peer has under way, over all its connections of this process.

    Attributes:
        in_flight: requests without answer; octets: their length together.
        refused: requests refused in this interval, or since the peer last rested.
        had_s, message_s: its time for what it sends, kept by :mod:`ocs.diameter_gy.time_slices`.
    """

    __slots__ = ("connections", "had_s", "in_flight", "message_s", "name", "octets", "refused")

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections = 0
        self.in_flight = 0
        self.octets = 0
        self.refused = 0
        self.had_s = 0.0
        self.message_s = 20e-6  # until it is known


class Overload:
    """Admits requests to one process. Times are seconds of any clock that only rises.

    Invariants: a TERMINATION is never refused; nor is a request of a peer that is under its share.

    Attributes:
        bound: requests in flight at which UPDATE is refused; what begins a session is refused at half of it.
        is_overloaded: the bound was cut and has not grown back.

    Args:
        admitted_at_rest: the bound while answers are in time and the store is quick.
        octets_max: octets of requests in flight that memory has room for.
        note_bound: is told of each change of the bound.
    """

    def __init__(
        self,
        *,
        admitted_at_rest: int = REQUESTS_ADMITTED_AT_REST,
        octets_max: int = REQUEST_OCTETS_IN_FLIGHT_MAX,
        note_bound: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.bound = admitted_at_rest
        self.is_overloaded = False
        self.in_flight = 0
        self.octets = 0
        self._admitted_at_rest = admitted_at_rest
        self._octets_max = octets_max
        self._note_bound = note_bound
        self._peers: dict[str, PeerLoad] = {}
        self._refused: list[PeerLoad] = []
        self._active = 0
        self._store_s = 0.0
        self._late_intervals = 0
        self._begin_interval(0.0)
        note_bound(admitted_at_rest)

    # --- peers ---

    def join(self, origin_host: str) -> PeerLoad:
        """A connection of a peer was opened; connections of one Origin-Host share one load."""
        name = origin_host.lower()
        load = self._peers.get(name)
        if load is None:
            load = self._peers[name] = PeerLoad(name)
        load.connections += 1
        return load

    def leave(self, load: PeerLoad) -> None:
        """A connection of a peer was closed; its requests in flight still end with :meth:`finish`."""
        load.connections -= 1
        if not load.connections:
            del self._peers[load.name]

    # --- requests ---

    @property
    def is_pressed(self) -> bool:
        """Whether :meth:`admit` could refuse anything: the cheap look before the request's type is known."""
        return 2 * self.in_flight >= self.bound

    def admit(self, request_type: CCRequestType | None, load: PeerLoad) -> bool:
        """Decide on a request before anything is spent on it; None is a request whose type cannot be told."""
        if request_type is CCRequestType.TERMINATION:
            return True
        bound = self.bound if request_type is CCRequestType.UPDATE else self.bound // 2
        if self._has_room(self.in_flight, load.in_flight, bound):
            return True
        if not load.refused:
            self._refused.append(load)
        load.refused += 1
        return False

    def begin(self, load: PeerLoad, octets: int) -> None:
        """A request of so many octets was taken; :meth:`finish` ends it."""
        self.in_flight += 1
        self.octets += octets
        load.octets += octets
        load.in_flight += 1
        if load.in_flight == 1:
            self._active += 1
        self._peak = max(self._peak, self.in_flight)

    def finish(self, load: PeerLoad, octets: int) -> None:
        """A request was answered, whatever the answer."""
        self.in_flight -= 1
        self.octets -= octets
        load.octets -= octets
        load.in_flight -= 1
        if not load.in_flight:
            self._active -= 1

    def measure(self, began_s: float, now_s: float) -> None:
        """Take in how long an answer took. Not for answers that tell nothing of it, such as a store's failure."""
        if began_s >= self._counts_from_s:
            self._taken_s.append(now_s - began_s)
        if now_s >= self._ends_s and len(self._taken_s) >= OVERLOAD_ANSWERS_MIN:
            self._judge(now_s)

    # --- reading ---

    def may_read(self, load: PeerLoad) -> bool:
        """Whether a peer's next octets may be read.

        Not when memory, or the queue that TERMINATION always enters, is full of requests and the peer holds its
        share of it, and not when so much was refused to
        the peer in one interval that refusing alone would eat the time of the others; then it rests for
        limits.OVERLOAD_INTERVAL_S, and :meth:`rested` says that it has.
        """
        return (
            load.refused < REFUSALS_BEFORE_REST
            and self._has_room(self.octets, load.octets, self._octets_max // 2)
            and self._has_room(self.in_flight, load.in_flight, REQUESTS_ADMITTED_MAX)
        )

    def rested(self, load: PeerLoad) -> None:
        """A peer has waited for an interval."""
        load.refused = 0

    # --- inside ---

    def _has_room(self, used: int, used_by_peer: int, bound: int) -> bool:
        """Whether the bound is not reached, or the peer is under its share; used stays under twice the bound."""
        return used < bound or used_by_peer * self._active < bound

    def _begin_interval(self, now_s: float) -> None:
        self._ends_s = now_s + OVERLOAD_INTERVAL_S
        self._counts_from_s = -1e9
        self._taken_s: list[float] = []
        self._peak = self.in_flight
        for load in self._refused:
            load.refused = 0
        self._refused.clear()

    def _judge(self, now_s: float) -> None:
        """End an interval: cut the bound, or let it grow."""
        taken_s = sorted(self._taken_s)
        peak, mean_s, fastest_s = self._peak, sum(taken_s) / len(taken_s), taken_s[0]
        bound_s = self._store_s + OVERLOAD_QUEUEING_S
        is_late = bisect_right(taken_s, bound_s) * _IN_TIME_SHARE < len(taken_s)
        # So few cannot queue: what their answers take is the store's own time. Else that is at most what the fastest
        # took.
        few = peak <= _FEW
        self._store_s = fastest_s if few else min(self._store_s, fastest_s)
        self._begin_interval(now_s)
        if not is_late or few:
            self._late_intervals = 0
            ceiling = self._admitted_at_rest + int(self._store_s * REQUESTS_ADMITTED_PER_STORE_S)
            ceiling = min(ceiling, REQUESTS_ADMITTED_MAX)
            self._move_bound(min(ceiling, int(self.bound * _GROWTH) + 1))
            self.is_overloaded = self.is_overloaded and self.bound < ceiling
            return
        self._late_intervals += 1
        if self.is_overloaded or self._late_intervals >= _LATE_INTERVALS:
            self.is_overloaded = True
            part = max(_CUT_MOST, min(_CUT_LEAST, bound_s / mean_s))
            self._move_bound(max(REQUESTS_ADMITTED_MIN, int(min(self.bound, peak) * part)))
            self._counts_from_s = now_s  # those taken before the cut do not show what it brought

    def _move_bound(self, bound: int) -> None:
        if bound != self.bound:
            self.bound = bound
            self._note_bound(bound)
