"""The generator's loop: keeps N requests in flight, measures each, and keeps the tally of what was acknowledged.

It runs in a process of its own (:mod:`bench.load` starts it) on raw sockets and one epoll, since it shares two
processor cores with the system that it measures. Requests are never lost: one without an answer when a
connection breaks, when its time is up, or that was answered "could not deliver", is sent again with the same
Session-Id, CC-Request-Number and End-to-End-Id and the T flag (RFC 6733 section 5.5.4).

At a rate (``rate_per_s``) the loop is open: requests leave by the clock, whatever is answered, and a request that
was refused as too busy goes again at that rate's cost.
"""

import select
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable
from enum import Enum
from itertools import chain
from typing import Final

import msgspec

from bench import templates
from bench.answers import MalformedAnswerError, grants, result_code
from bench.connection import Connection
from bench.templates import LoadPlan, RequestPlaces

# TOO_BUSY and UNABLE_TO_DELIVER say nothing about the request's fate: it is sent again.
_SEND_AGAIN: Final = frozenset({3002, 3004})
_SEND_AGAIN_AFTER_NS: Final = 50_000_000
_HOUSEKEEPING_NS: Final = 20_000_000
_POLL_MAX_S: Final = 0.02
# At a rate what is due is looked for so often.
_POLL_AT_RATE_S: Final = 0.001
# Every so many answers one is looked into for its grant.
_GRANT_SAMPLE: Final = 64
_LATENCIES_MAX: Final = 4_000_000


class Kind(Enum):
    """What a phase sends."""

    OPEN = templates.INITIAL
    UPDATE = templates.UPDATE
    CLOSE = templates.TERMINATION


class PhaseResult(msgspec.Struct, frozen=True):
    """What one phase did.

    Attributes:
        requests: answered within ``elapsed_s``, the phase without its draining.
        latencies_ms: quantile name (``p50``, ``p99``, ``p999``, ``max``) to milliseconds, from first sending; at a
            rate from the sending that was answered.
        results: Result-Code to number of answers, draining included.
        refused: answers within ``elapsed_s`` that said to try again. offered: requests sent in that time.
        resent: requests sent again; reconnected: connections opened again.
        without_grant: of the sampled answers, those without a grant for each rating group.
        cpu_s: processor time of the generator.
        unanswered: requests still without answer after draining.
    """

    requests: int
    elapsed_s: float
    latencies_ms: dict[str, float]
    results: dict[int, int]
    refused: int
    offered: int
    resent: int
    reconnected: int
    without_grant: int
    cpu_s: float
    unanswered: int


class Tally(msgspec.Struct, frozen=True):
    """What the network side knows about its own usage, per account.

    Attributes:
        acknowledged_octets: reported as used and answered with success.
        refused_octets: reported and answered with another result.
        unanswered_octets: reported, no answer yet: debited at most once.
        requests: CC-Request-Number of the next request.
    """

    acknowledged_octets: list[int]
    refused_octets: list[int]
    unanswered_octets: list[int]
    requests: list[int]


class Pump:
    """One generator: its accounts, connections and counters.

    Invariant: an account has at most one request without answer; it waits on one connection or, to be sent
    again, in ``_again``.

    Attributes:
        drain_s: how long the phase that runs waits for answers after its end.
    """

    def __init__(self, plan: LoadPlan) -> None:
        count = plan.accounts
        self._plan = plan
        self._epoll = select.epoll()
        self._connections = [Connection(plan, self._epoll) for _ in range(plan.connections)]
        self._by_descriptor: dict[int, Connection] = {}
        self._requests: list[bytearray] = [bytearray()] * count
        self._places = RequestPlaces(0, ())
        self._number = array("I", bytes(4 * count))
        self._end_to_end = array("I", bytes(4 * count))
        self._sent_ns = array("Q", bytes(8 * count))
        self._tried_ns = array("Q", bytes(8 * count))
        self._reported = array("Q", bytes(8 * count))
        self._acknowledged = array("Q", bytes(8 * count))
        self._refused = array("Q", bytes(8 * count))
        self._free: deque[int] = deque()
        self._again: deque[tuple[int, int]] = deque()
        self._hop_by_hop = 0
        # RFC 6733 section 3: the high 12 bits are the time, so that a restart does not reuse identifiers.
        self._end_to_end_next = (int(time.time()) & 0xFFF) << 20
        self._expected_at = 20 + 8 + (len(templates.session_id(plan, 0)) + 3 & ~3)
        self._latencies = array("Q")
        self._rate_began_ns = 0
        self.drain_s = 0.0
        self._begin_phase(Kind.OPEN)

    def _begin_phase(self, kind: Kind, rate_per_s: float = 0.0) -> None:
        self._kind = kind
        self._rate_per_s = rate_per_s
        self._offered = self._refusals = 0
        self._timed_from = self._tried_ns if rate_per_s else self._sent_ns
        self._sending = True
        self._results: Counter[int] = Counter()
        self._answered = 0
        self._latency_count = 0
        self._resent = 0
        self._opened_before = sum(connection.opened for connection in self._connections)
        self._without_grant = 0

    @property
    def answered(self) -> int:
        """Answers taken in this phase."""
        return self._answered

    @property
    def in_flight(self) -> int:
        """Requests without an answer."""
        return len(self._again) + sum(len(connection.waiting) for connection in self._connections)

    def connect(self, timeout_s: float = 10.0) -> None:
        """Open all connections and exchange capabilities.

        Raises:
            TimeoutError: not all were open in time.
        """
        deadline_ns = time.perf_counter_ns() + int(timeout_s * 1e9)
        while not all(connection.is_open for connection in self._connections):
            if time.perf_counter_ns() > deadline_ns:
                reasons = {failure for connection in self._connections for failure in connection.failures}
                raise TimeoutError(
                    f"no Diameter connection to {self._plan.host}:{self._plan.port}: "
                    f"{', '.join(sorted(reasons)) or 'no answer'}"
                )
            self._housekeeping(time.perf_counter_ns())
            self._wait(_POLL_MAX_S)

    def close(self) -> None:
        """Close sockets at once."""
        for connection in self._connections:
            connection.close()
        self._epoll.close()

    def run(
        self,
        kind: Kind,
        *,
        in_flight: int,
        duration_s: float,
        drain_s: float,
        stopped: Callable[[], bool],
        rate_per_s: float = 0.0,
    ) -> PhaseResult:
        """Keep ``in_flight`` requests without answer until time is up, ``stopped()``, or no account is left.

        OPEN and CLOSE send one request for each account; UPDATE goes round the accounts.

        Args:
            drain_s: how long answers may still arrive (and requests be sent again) after the end; ``stopped``
                may set the attribute of that name to something else.
            rate_per_s: other than 0: send so many a second instead, whatever is answered.
        """
        self.drain_s = drain_s
        self._begin_phase(kind, rate_per_s)
        self._build(kind)
        connections = self._connections
        for position, connection in enumerate(connections):
            connection.window = (in_flight + len(connections) - 1 - position) // len(connections)
        capacity = min(_LATENCIES_MAX, max(65_536, int(duration_s * 60_000)))
        self._latencies = array("Q", bytes(8 * capacity))
        # Not before all is built: what would be due by then would come down in one burst, and count as what it waited.
        begin_ns, begin_cpu = time.perf_counter_ns(), time.process_time()
        self._rate_began_ns = begin_ns
        self._loop(stopped, begin_ns + int(duration_s * 1e9))
        end_ns, requests, timed = time.perf_counter_ns(), self._answered, self._latency_count
        refused, offered = self._refusals, self._offered
        self._sending, self._rate_per_s = False, 0.0
        self._loop(lambda: not self.in_flight, end_ns + int(self.drain_s * 1e9))
        cpu_s = time.process_time() - begin_cpu
        return PhaseResult(
            requests=requests,
            elapsed_s=(end_ns - begin_ns) / 1e9,
            latencies_ms=quantiles_ms(self._latencies[:timed]),
            results=dict(self._results),
            refused=refused,
            offered=offered,
            resent=self._resent,
            reconnected=sum(connection.opened for connection in connections) - self._opened_before,
            without_grant=self._without_grant,
            cpu_s=cpu_s,
            unanswered=self.in_flight,
        )

    def tally(self) -> Tally:
        """What was reported and acknowledged so far."""
        waiting = [0] * self._plan.accounts
        for account in self._unanswered():
            waiting[account] = self._reported[account]
        return Tally(list(self._acknowledged), list(self._refused), waiting, list(self._number))

    def _unanswered(self) -> list[int]:
        on_connections = (connection.waiting.values() for connection in self._connections)
        return [*chain.from_iterable(on_connections), *(account for _, account in self._again)]

    def _build(self, kind: Kind) -> None:
        """Make every free account's request of this kind; unanswered ones keep theirs."""
        now_s = int(time.time())
        busy = set(self._unanswered())
        self._free.clear()
        for account in range(self._plan.accounts):
            if account not in busy:
                self._requests[account], self._places = templates.credit_control_request(
                    self._plan, account, kind.value, now_s
                )
                self._free.append(account)

    def _loop(self, stopped: Callable[[], bool], deadline_ns: int) -> None:
        housekeeping_ns = 0
        while (now_ns := time.perf_counter_ns()) < deadline_ns:
            if now_ns >= housekeeping_ns:
                if stopped() or (self._sending and not self._free and not self.in_flight):
                    return
                self._housekeeping(now_ns)
                housekeeping_ns = now_ns + _HOUSEKEEPING_NS
            elif not self._sending and not self.in_flight:
                return
            if self._rate_per_s:
                self._send_what_is_due(now_ns)
            poll_max_s = _POLL_AT_RATE_S if self._rate_per_s else _POLL_MAX_S
            self._wait(min(poll_max_s, (deadline_ns - now_ns) / 1e9))

    def _send_what_is_due(self, now_ns: int) -> None:
        """Send, over all open connections alike, what the rate wants by now: refused requests first, then new ones."""
        usable = [connection for connection in self._connections if connection.is_open]
        wanted = int((now_ns - self._rate_began_ns) * self._rate_per_s / 1e9) - self._offered
        if not usable or wanted <= 0:
            return
        for position in range(min(wanted, len(self._again))):
            self._send_again(usable[position % len(usable)], self._again.popleft()[1], now_ns)
            wanted -= 1
        for position, connection in enumerate(usable):
            share = (wanted + len(usable) - 1 - position) // len(usable)
            connection.window = len(connection.waiting) + share
            self._refill(connection)
            connection.window = 0

    def _wait(self, timeout_s: float) -> None:
        """Handle what the sockets have; refill each connection that got room."""
        for descriptor, events in self._epoll.poll(timeout_s):
            connection = self._by_descriptor[descriptor]
            if connection.descriptor != descriptor:
                continue  # closed while this round of events was handled
            if events & select.EPOLLOUT:
                connection.flush()
            if events & ~select.EPOLLOUT:
                data = connection.receive()
                if data:
                    try:
                        self._take(connection, data, time.perf_counter_ns())
                    except MalformedAnswerError as error:
                        connection.fail(str(error))
                self._refill(connection)

    def _take(self, connection: Connection, data: bytes, received_ns: int) -> None:
        """Account for every whole answer in ``data`` and keep the rest."""
        position, available = 0, len(data)
        unpack_head, pop_waiting = templates.HEADER.unpack_from, connection.waiting.pop
        while available - position >= 20:
            version_length, flags_command, _, hop_by_hop, end_to_end = unpack_head(data, position)
            length = version_length & 0xFF_FFFF
            if length < 20 or version_length >> 24 != 1:
                raise MalformedAnswerError("not a Diameter header")
            end = position + length
            if end > available:
                break
            if flags_command & 0x80FF_FFFF != templates.CREDIT_CONTROL:
                connection.base_message(flags_command, (hop_by_hop, end_to_end), data, position, end)
                if connection.descriptor < 0:
                    return
            elif (account := pop_waiting(hop_by_hop, -1)) >= 0:
                result = result_code(data, position, end, expected_at=self._expected_at)
                self._answer(account, result, received_ns)
                is_sampled = result == templates.SUCCESS and not self._answered % _GRANT_SAMPLE
                if is_sampled and self._kind is not Kind.CLOSE:
                    self._without_grant += grants(data, position, end) != len(self._plan.rating_groups)
            position = end
        connection.rest = data[position:]

    def _answer(self, account: int, result: int, received_ns: int) -> None:
        """Take an account's answer into the tally and free the account."""
        self._results[result] += 1
        if result == templates.SUCCESS:
            self._acknowledged[account] += self._reported[account]
        elif result in _SEND_AGAIN:
            self._refusals += 1
            self._again.append((received_ns + _SEND_AGAIN_AFTER_NS, account))
            return
        else:
            self._refused[account] += self._reported[account]
        self._answered += 1
        if (count := self._latency_count) < len(self._latencies):
            self._latencies[count] = received_ns - self._timed_from[account]
            self._latency_count = count + 1
        if self._kind is Kind.UPDATE:
            self._free.append(account)

    def _refill(self, connection: Connection) -> None:
        """Send new requests until the connection's window is full."""
        free, waiting = self._free, connection.waiting
        # What was refused and waits to be sent again keeps its place, or a refusal would call for the next at once.
        again = 0 if self._rate_per_s else -(-len(self._again) // len(self._connections))
        room = min(connection.window - len(waiting) - again, len(free))
        if room <= 0 or not self._sending or not connection.is_open:
            return
        places, reports_usage = self._places, self._kind is not Kind.OPEN
        batch: list[bytearray] = []
        now_ns = time.perf_counter_ns()
        for _ in range(room):
            account = free.popleft()
            request, number = self._requests[account], self._number[account]
            self._number[account] = number + 1
            self._hop_by_hop = hop_by_hop = self._hop_by_hop + 1 & 0xFFFF_FFFF
            self._end_to_end_next = end_to_end = self._end_to_end_next + 1 & 0xFFFF_FFFF
            templates.patch_identifiers(request, hop_by_hop, end_to_end)
            templates.patch_number(request, places, number)
            if reports_usage:
                used = templates.used_octets(account, number)
                templates.patch_used(request, places, used)
                self._reported[account] = used * len(places.used_octets)
            request[4] = templates.FLAG_REQUEST | templates.FLAG_PROXIABLE
            self._end_to_end[account] = end_to_end
            self._sent_ns[account] = self._tried_ns[account] = now_ns
            waiting[hop_by_hop] = account
            batch.append(request)
        self._offered += len(batch)
        connection.send(b"".join(batch))

    def _housekeeping(self, now_ns: int) -> None:
        """Reopen broken connections; send again what lost its connection or has waited too long."""
        for connection in self._connections:
            self._again.extend((now_ns, account) for account in connection.take_lost())
            if connection.descriptor < 0 and connection.reopen(now_ns):
                self._by_descriptor[connection.descriptor] = connection
            connection.check_time(now_ns)
            self._take_late(connection, now_ns)
        usable = [connection for connection in self._connections if connection.is_open]
        if usable and self._again and not self._rate_per_s:
            due = [account for due_ns, account in self._again if due_ns <= now_ns]
            self._again = deque(later for later in self._again if later[0] > now_ns)
            for position, account in enumerate(due):
                self._send_again(usable[position % len(usable)], account, now_ns)
        for connection in usable:
            self._refill(connection)

    def _take_late(self, connection: Connection, now_ns: int) -> None:
        """Move requests that have waited too long to those that are sent again; the oldest stand first."""
        timeout_ns = int(self._plan.answer_timeout_s * 1e9)
        while connection.waiting:
            hop_by_hop, account = next(iter(connection.waiting.items()))
            if now_ns - self._tried_ns[account] < timeout_ns:
                return
            del connection.waiting[hop_by_hop]
            self._again.append((now_ns, account))

    def _send_again(self, connection: Connection, account: int, now_ns: int) -> None:
        """Repeat an account's request with the T flag and a new Hop-by-Hop-Id."""
        self._hop_by_hop = hop_by_hop = self._hop_by_hop + 1 & 0xFFFF_FFFF
        request = self._requests[account]
        templates.patch_identifiers(request, hop_by_hop, self._end_to_end[account])
        templates.patch_retransmitted(request)
        connection.waiting[hop_by_hop] = account
        self._tried_ns[account] = now_ns
        self._resent += 1
        self._offered += 1
        connection.send(bytes(request))


def quantiles_ms(latencies_ns: "array[int]") -> dict[str, float]:
    """p50, p99, p999 and the largest, in milliseconds; zeros when nothing was measured."""
    ordered = sorted(latencies_ns)
    if not ordered:
        return {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0}
    last = len(ordered) - 1
    picks = {"p50": 500, "p99": 990, "p999": 999, "max": 1000}
    return {
        name: ordered[min(last, len(ordered) * permille // 1000)] / 1e6 for name, permille in picks.items()
    }
