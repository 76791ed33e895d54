"""One pipelined connection to one server, in trio, hiredis parsing; made again when it is lost.

One write carries everything that was asked for since the last. Replies come in order, so a queue of callbacks matches
them. With ``appendfsync always`` the server replies only after its fsync: the reply is the durability barrier.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import hiredis
import trio

from ocs import limits
from ocs.balance.store import Unavailable
from ocs.metrics import Counter, Histogram

_COMMANDS = Counter("ocs_store_commands_total", "Commands sent to the store.")
_RECONNECTS = Counter("ocs_store_connections_lost_total", "Connections to the store that ended.")
_ROUND_TRIP = Histogram(
    "ocs_store_round_trip_seconds",
    "From a write to the store until its last reply: the durability barrier included.",
    (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0),
)

_RECEIVE_OCTETS: Final = 262_144
_BACKOFF_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class StoreError(Exception):
    """An error reply, handed out as a value."""


# What hiredis makes of RESP, errors included, or what stands for a reply that did not come.
Reply = int | bytes | list[Any] | StoreError | Unavailable | None
Callback = Callable[[Reply], None]
# Commands, and who gets which of their replies.
Batch = tuple[list[bytes], list[Callback]]


class Owner(Protocol):
    """Whoever has something to ask, and wants to know whether it can be asked."""

    @property
    def has_calls(self) -> bool:
        """Whether something waits to be sent."""
        ...

    def take(self) -> Batch | None:
        """Give everything that waits to be sent; None when there is nothing."""
        ...

    def connected(self) -> None:
        """A connection stands."""
        ...

    def ended(self, reason: str) -> None:
        """A connection ended; what is in flight on it is answered ``Unavailable`` next."""
        ...

    def lost(self, reason: str) -> None:
        """It did not end because we do; another one is made."""
        ...

    def unreachable(self, reason: str, failures: int) -> None:
        """It could not be made, for the how many-th time in a row (from 0)."""
        ...


class RedisConnection:
    """One connection, which takes batches from its owner.

    Args:
        open_stream: makes an authenticated connection; raises OSError when the server cannot be reached.
        writes_in_flight_max: writes that may wait for their replies at once.
    """

    def __init__(
        self,
        open_stream: Callable[[], Awaitable[trio.abc.Stream]],
        owner: Owner,
        *,
        writes_in_flight_max: int,
    ) -> None:
        self._open_stream = open_stream
        self._owner = owner
        self._writes_in_flight_max = writes_in_flight_max
        self._waiting: deque[Callback] = deque()
        # When each write left, and how many calls had been made until then: the oldest unanswered one is the watch's.
        self._written: deque[tuple[float, int]] = deque()
        self._called = 0
        self._answered = 0
        self._wake = trio.Event()
        self._connection: trio.CancelScope | None = None
        self._dropped_for = ""

    @property
    def is_connected(self) -> bool:
        """Whether it stands."""
        return self._connection is not None

    @property
    def can_write(self) -> bool:
        """Whether it would take a batch now."""
        return self._connection is not None and len(self._written) < self._writes_in_flight_max

    def wake(self) -> None:
        """There is something to take."""
        self._wake.set()

    def drop(self, reason: str) -> None:
        """End this connection; another one is made."""
        if self._connection is not None:
            self._dropped_for = reason
            self._connection.cancel()

    async def run(self) -> None:
        """Keep a connection for ever.

        Cancellation closes it; calls in flight then answer ``Unavailable``.
        """
        failures = 0
        while True:
            try:
                stream = await self._open_stream()
            except OSError as error:
                self._owner.unreachable(str(error), failures)
                delay_s = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                failures += 1
                await trio.sleep(delay_s)
                continue
            failures = 0
            reason, self._dropped_for = "", "closed by us"
            try:
                with trio.CancelScope() as self._connection:
                    self._owner.connected()
                    reason = await self._converse(stream)
            finally:
                self._connection = None
                reason = reason or self._dropped_for
                self._owner.ended(reason)
                self._fail_all(reason)
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)
            _RECONNECTS.inc()
            self._owner.lost(reason)

    async def _converse(self, stream: trio.abc.Stream) -> str:
        """Write and read until the connection ends; say why."""
        reason = "closed by the store"
        self._wake.set()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream)
                nursery.start_soon(self._watch)
                await self._read(stream)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as group:
            reason = "; ".join(repr(error) for error in group.exceptions)
        except* hiredis.ProtocolError:
            reason = "the store does not speak RESP"
        except* trio.TooSlowError:
            reason = f"no answer within {limits.STORE_TIMEOUT_S} s"
        return reason

    async def _write(self, stream: trio.abc.Stream) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            if len(self._written) >= self._writes_in_flight_max:
                continue  # the replies wake us
            batch = self._owner.take()
            if batch is None:
                continue
            packed, callbacks = batch
            self._waiting.extend(callbacks)
            self._called += len(callbacks)
            _COMMANDS.inc(by=len(callbacks))
            self._written.append((trio.current_time(), self._called))
            await stream.send_all(b"".join(packed))

    async def _read(self, stream: trio.abc.Stream) -> None:
        reader: Any = hiredis.Reader(replyError=StoreError, protocolError=hiredis.ProtocolError)
        waiting = self._waiting
        while data := await stream.receive_some(_RECEIVE_OCTETS):
            reader.feed(data)
            while waiting:
                reply = reader.gets()
                if reply is False:
                    break
                self._answered += 1
                waiting.popleft()(reply)
            self._note_round_trips()

    def _note_round_trips(self) -> None:
        """Take the writes off the list whose last reply is here, and make room for the next."""
        written = self._written
        now_s = trio.current_time()
        while written and written[0][1] <= self._answered:
            _ROUND_TRIP.observe(now_s - written.popleft()[0])
        if self._owner.has_calls:
            self._wake.set()

    async def _watch(self) -> None:
        """End a connection whose oldest call has waited too long: its outcome is unknown from here on."""
        while True:
            await trio.sleep(limits.STORE_TIMEOUT_S / 5)
            if self._written and trio.current_time() - self._written[0][0] > limits.STORE_TIMEOUT_S:
                raise trio.TooSlowError

    def _fail_all(self, reason: str) -> None:
        failed = list(self._waiting)
        self._waiting.clear()
        self._written.clear()
        self._called = self._answered = 0
        unavailable = Unavailable(reason)
        for done in failed:
            done(unavailable)
