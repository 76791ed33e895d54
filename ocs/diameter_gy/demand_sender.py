"""Demands on their way to gateways: sent, awaited, repeated within bounds, and told about when they fail.

No task per demand and no I/O of its own: connections send, answers come in by :meth:`DemandSender.answered`, and
time by :meth:`DemandSender.tick`.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from ocs.diameter_gy.connection import Connection
from ocs.diameter_gy.gateway_routes import GatewayRoutes
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Header
from ocs.diameter_gy.session_demand import (
    COMMANDS,
    SentDemand,
    SessionDemand,
    decode_result_code,
    encode_demand,
)
from ocs.limits import (
    DEMAND_ATTEMPTS_MAX,
    DEMAND_RETRY_DELAY_S,
    DEMAND_TIMEOUT_S,
    DEMANDS_IN_FLIGHT_PER_GATEWAY,
    DEMANDS_WAITING_MAX,
    UNANSWERED_DEMANDS_IN_A_ROW,
)
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Counter, Gauge

log = get_logger("ocs.diameter_gy.demand")

SENT = Counter("ocs_diameter_demands_sent_total", "Re-Auth- and Abort-Session-Requests sent.", ("kind",))
RESULTS = Counter(
    "ocs_diameter_demand_results_total",
    "What became of Re-Auth- and Abort-Session-Requests, attempt by attempt.",
    ("kind", "result"),
)
GIVEN_UP = Counter(
    "ocs_diameter_demands_given_up_total",
    "Re-Auth- and Abort-Session-Requests that no gateway followed.",
    ("kind",),
)
WAITING = Gauge("ocs_diameter_demands", "Re-Auth- and Abort-Session-Requests that wait or are on their way.")

# RFC 6733 section 7.1; 2002 announces the CCR that follows (RFC 8506 section 5.5).
_DONE: Final = frozenset({2001, 2002})
_UNKNOWN_SESSION: Final = 5002
# Another agent or another moment may do better: UNABLE_TO_DELIVER, TOO_BUSY.
_TRY_AGAIN: Final = frozenset({3002, 3004})
_REMEDIES: Final = {
    "unreachable": "see that the gateway, or the relay before it, is connected: ocs peer list",
    "timeout": "none if the gateway is known not to answer (its Validity-Time brings the change); else look at it",
    "full": "the gateway does not keep up, or does not answer: look at it",
}


class _Attempt:
    """One demand until it is done or given up."""

    __slots__ = (
        "connection",
        "demand",
        "due_s",
        "end_to_end_id",
        "failed_on",
        "hop_by_hop_id",
        "is_sent",
        "tries",
    )

    def __init__(self, demand: SessionDemand, end_to_end_id: int) -> None:
        self.demand = demand
        self.end_to_end_id = end_to_end_id
        self.hop_by_hop_id = 0
        self.tries = 0
        self.is_sent = False
        self.connection: Connection | None = None  # on which it is under way
        self.failed_on: Connection | None = None
        self.due_s = 0.0


class _Window:
    """What one gateway has unanswered on one connection, and what waits for its turn there."""

    __slots__ = ("in_flight", "unanswered", "waiting")

    def __init__(self) -> None:
        self.in_flight = 0
        self.waiting: deque[_Attempt] = deque()
        self.unanswered = 0  # in a row

    @property
    def is_deaf(self) -> bool:
        """Whether the gateway has not answered for so long that it is asked one by one."""
        return self.unanswered >= UNANSWERED_DEMANDS_IN_A_ROW


class DemandSender:
    """Sends the demands of one process over its connections.

    Invariants: at most limits.DEMANDS_IN_FLIGHT_PER_GATEWAY of one gateway are unanswered on a connection, and at most
    limits.DEMANDS_WAITING_MAX are kept in all. A gateway that does not answer holds up nobody but itself, not even
    others behind the same relay. A demand that waits is not queued twice.

    Args:
        routes: which connection leads to a gateway.
        identity: says who we are now.
        limiter: holds back repeated log lines.
        now_s: any clock that only rises.
        on_gone: called with account and session of which the gateway says that it has no such session (5002).
        end_to_end_id: where End-to-End Identifiers begin: another place after a restart (RFC 6733 section 3).

    Attributes:
        routes: to be told of every request that comes.
    """

    def __init__(
        self,
        routes: GatewayRoutes,
        identity: Callable[[], NodeIdentity],
        limiter: RepeatLimiter,
        now_s: Callable[[], float],
        on_gone: Callable[[str, str], None],
        *,
        end_to_end_id: int = 0,
    ) -> None:
        self.routes = routes
        self._identity = identity
        self._limiter = limiter
        self._now_s = now_s
        self.on_gone = on_gone
        self._windows: dict[Connection, dict[str, _Window]] = {}  # by Origin-Host
        self._in_flight: dict[Connection, dict[int, _Attempt]] = {}  # by Hop-by-Hop Identifier
        self._waiting: set[SessionDemand] = set()
        self._timers: list[tuple[float, int, _Attempt]] = []
        self._order = count()
        self._count = 0
        self._end_to_end_id = end_to_end_id

    @property
    def count(self) -> int:
        """Demands that are neither done nor given up."""
        return self._count

    def rank(self, origin_host: str) -> int:
        """How well a connection of ours leads to a gateway; see :meth:`GatewayRoutes.rank`."""
        return self.routes.rank(origin_host)

    def submit(self, demands: Iterable[SessionDemand]) -> int:
        """Take demands on; returns how many are on their way now, those that waited already included."""
        accepted = 0
        for demand in demands:
            if demand in self._waiting:
                accepted += 1  # what it will be told is what stands then
                continue
            if self._count >= DEMANDS_WAITING_MAX:
                self._tell(demand, "full", "")
                continue
            connection = self.routes.find(demand.origin_host)
            if connection is None:
                continue
            self._count += 1
            self._end_to_end_id = self._end_to_end_id + 1 & 0xFFFFFFFF
            self._queue(_Attempt(demand, self._end_to_end_id), connection)
            accepted += 1
        WAITING.set(self._count)
        return accepted

    def answered(self, message: bytes, header: Header, connection: Connection) -> None:
        """Take the answer to a request that was sent here."""
        sent = self._in_flight.get(connection, {})
        attempt = sent.get(header.hop_by_hop_id)
        if attempt is None or header.command_code != COMMANDS[attempt.demand.kind]:
            return
        del sent[header.hop_by_hop_id]
        demand, result_code = attempt.demand, decode_result_code(message)
        window = self._windows[connection][demand.origin_host]
        window.in_flight -= 1
        window.unanswered = 0
        RESULTS.inc(demand.kind.value, result_code)
        if result_code in _DONE:
            self._finish(attempt)
        elif result_code == _UNKNOWN_SESSION:
            self._finish(attempt)
            self.on_gone(demand.account_id, demand.session_id)
        elif result_code in _TRY_AGAIN:
            self._fail(attempt, str(result_code))
        else:
            self._give_up(attempt, str(result_code))
        self._send_waiting(connection, window)
        if not window.in_flight:
            del self._windows[connection][demand.origin_host]

    def lost(self, connection: Connection) -> None:
        """A connection is gone: what it had goes another way, or soon again."""
        self.routes.forget(connection)
        attempts = list(self._in_flight.pop(connection, {}).values())
        for window in self._windows.pop(connection, {}).values():
            attempts += window.waiting
        for attempt in attempts:
            self._waiting.discard(attempt.demand)
            self._fail(attempt, "unreachable")
        WAITING.set(self._count)

    def tick(self) -> None:
        """Look at what was not answered in time, and at what is to be tried again."""
        now_s = self._now_s()
        silent: dict[tuple[Connection, str], None] = {}
        while self._timers and self._timers[0][0] <= now_s:
            due_s, _, attempt = heapq.heappop(self._timers)
            if attempt.due_s != due_s:
                continue  # answered meanwhile
            connection = attempt.connection
            if connection is None:
                self._try_again(attempt)
            else:
                self._time_out(attempt, connection)
                silent[connection, attempt.demand.origin_host] = None
        for connection, origin_host in silent:
            window = self._windows[connection][origin_host]
            if window.is_deaf:
                self._drop_waiting(window)
            else:
                self._send_waiting(connection, window)
        WAITING.set(self._count)

    # --- inside ---

    def _queue(self, attempt: _Attempt, connection: Connection) -> None:
        window = self._windows.setdefault(connection, {}).setdefault(attempt.demand.origin_host, _Window())
        window.waiting.append(attempt)
        self._waiting.add(attempt.demand)
        self._send_waiting(connection, window)

    def _send_waiting(self, connection: Connection, window: _Window) -> None:
        """Send what has room; to a gateway that seems deaf one at a time."""
        room = 1 if window.is_deaf else DEMANDS_IN_FLIGHT_PER_GATEWAY
        sent = self._in_flight.setdefault(connection, {})
        while window.waiting and window.in_flight < room:
            attempt = window.waiting.popleft()
            self._waiting.discard(attempt.demand)
            attempt.connection = connection
            attempt.hop_by_hop_id = connection.peer.number_request()
            sent[attempt.hop_by_hop_id] = attempt
            window.in_flight += 1
            identifiers = SentDemand(attempt.hop_by_hop_id, attempt.end_to_end_id, attempt.is_sent)
            attempt.is_sent = True
            attempt.tries += 1
            self._wait(attempt, DEMAND_TIMEOUT_S)
            SENT.inc(attempt.demand.kind.value)
            connection.send(encode_demand(attempt.demand, self._identity(), identifiers))

    def _wait(self, attempt: _Attempt, delay_s: float) -> None:
        attempt.due_s = self._now_s() + delay_s
        heapq.heappush(self._timers, (attempt.due_s, next(self._order), attempt))

    def _time_out(self, attempt: _Attempt, connection: Connection) -> None:
        connection.peer.forget_request(attempt.hop_by_hop_id)
        RESULTS.inc(attempt.demand.kind.value, "timeout")
        del self._in_flight[connection][attempt.hop_by_hop_id]
        window = self._windows[connection][attempt.demand.origin_host]
        window.in_flight -= 1
        window.unanswered += 1
        if window.is_deaf:
            self._give_up(attempt, "timeout")
        else:
            self._fail(attempt, "timeout")

    def _drop_waiting(self, window: _Window) -> None:
        """A gateway that never answers is not waited for: the next demand is its next chance."""
        while window.waiting:
            attempt = window.waiting.popleft()
            self._waiting.discard(attempt.demand)
            self._give_up(attempt, "timeout")

    def _fail(self, attempt: _Attempt, reason: str) -> None:
        """Try again later, or give up."""
        if attempt.tries >= DEMAND_ATTEMPTS_MAX:
            self._give_up(attempt, reason)
            return
        attempt.failed_on, attempt.connection = attempt.connection, None
        self._wait(attempt, DEMAND_RETRY_DELAY_S * max(attempt.tries, 1))

    def _try_again(self, attempt: _Attempt) -> None:
        demand = attempt.demand
        if demand in self._waiting:
            self._finish(attempt)  # a younger one says the same
            return
        connection = self.routes.find(demand.origin_host, but=attempt.failed_on)
        if connection is None:
            attempt.tries += 1
            self._fail(attempt, "unreachable")
        else:
            self._queue(attempt, connection)

    def _finish(self, attempt: _Attempt) -> None:
        attempt.due_s = -1.0
        self._count -= 1
        WAITING.set(self._count)

    def _give_up(self, attempt: _Attempt, reason: str) -> None:
        self._finish(attempt)
        peer = "" if attempt.connection is None else attempt.connection.peer_name
        self._tell(attempt.demand, reason, peer)

    def _tell(self, demand: SessionDemand, reason: str, peer: str) -> None:
        GIVEN_UP.inc(demand.kind.value)
        swallowed = self._limiter.admit(("demand", demand.origin_host, reason))
        if swallowed is not None:
            log.warning(
                "demand_not_followed",
                kind=demand.kind.value,
                origin_host=demand.origin_host,
                peer=peer,
                session_id=demand.session_id,
                reason=reason,
                remedy=_REMEDIES.get(reason, "look at the gateway: it refuses what the standard asks of it"),
                swallowed=swallowed,
            )
