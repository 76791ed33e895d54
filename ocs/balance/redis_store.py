"""The store on Redis or Valkey: one pipelined connection in trio, hiredis packing and parsing.

Calls append to a buffer; one write carries everything that was asked for since the last. Replies come in
order, so a queue of callbacks matches them. With ``appendfsync always`` the server replies only after its
fsync: the reply is the durability barrier.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import hiredis
import structlog
import trio

from ocs import limits
from ocs.balance.keys import CLOCK, deadlines_key, events_key, turn_key
from ocs.balance.redis_stream import pack_command as _pack
from ocs.balance.store import (
    COMMITTED,
    NONCE_OCTETS,
    NOT_YOUR_TURN,
    NOTHING,
    TOKEN_OCTETS,
    TOO_EARLY,
    Commit,
    CommitResult,
    Conflict,
    Heartbeat,
    Stored,
    Unavailable,
)
from ocs.metrics import Counter, Histogram

log = structlog.get_logger()

_COMMANDS = Counter("ocs_store_commands_total", "Commands sent to the store.")
_RECONNECTS = Counter("ocs_store_connections_lost_total", "Connections to the store that ended.")
_ROUND_TRIP = Histogram(
    "ocs_store_round_trip_seconds",
    "From a write to the store until its last reply: the durability barrier included.",
    (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0),
)

_RECEIVE_OCTETS: Final = 262_144
_BACKOFF_S: Final = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

# What hiredis makes of RESP, errors included, or what stands for a reply that did not come.
Reply = int | bytes | list[Any] | Exception | Unavailable | None
Opener = Callable[[], Awaitable[trio.abc.Stream]]


def commit_command(commit: Commit) -> list[str | bytes | int]:
    """A commit as one FCALL (see commit.lua for the order of its arguments)."""
    arguments: list[str | bytes | int] = [
        "FCALL",
        "ocs_commit",
        len(commit.keys) + 3,
        events_key(commit.partition),
        deadlines_key(commit.partition),
        *commit.keys,
        commit.turn_key or turn_key(commit.partition, ""),
        len(commit.writes),
        len(commit.events),
        len(commit.deadlines),
        "" if commit.not_before_ms is None else commit.not_before_ms,
        commit.token[:NONCE_OCTETS],
        limits.TURN_MS if commit.claims_turn else "",
        *commit.expected,
    ]
    for write in commit.writes:
        arguments += (write.index + 1, commit.token + write.content, write.ttl_ms)
    arguments += commit.events
    for change in commit.deadlines:
        arguments += (change.member, "" if change.score_ms is None else change.score_ms)
    return arguments


def decode_stored(value: bytes | None) -> Stored:
    """Split a value into its token and content."""
    return NOTHING if value is None else Stored(value[:TOKEN_OCTETS], value[TOKEN_OCTETS:])


def decode_commit_reply(reply: Reply) -> CommitResult:
    """What the commit function said."""
    if reply == 1:
        return COMMITTED
    if reply == 2:  # commit.lua's own codes
        return TOO_EARLY
    if reply == 3:
        return NOT_YOUR_TURN
    if isinstance(reply, list):
        return Conflict(tuple(decode_stored(value) for value in reply))
    return Unavailable(f"store answered {reply!r}")


class RedisStore:
    """A :class:`~ocs.balance.store.BalanceStore` over one connection that is made again when it is lost.

    Args:
        open_stream: makes an authenticated connection; raises OSError when the store cannot be reached.
        after_replies: called after each batch of replies has been handed out, so that what they set free is
            dealt with together.
    """

    def __init__(self, open_stream: Opener, *, after_replies: Callable[[], None] = lambda: None) -> None:
        self._open_stream = open_stream
        self.after_replies = after_replies
        self._out: list[bytes] = []
        self._waiting: deque[Callable[[Reply], None]] = deque()
        # When each write left, and how many calls had been made until then: the oldest unanswered one is the watch's.
        self._written: deque[tuple[float, int]] = deque()
        self._called = 0
        self._answered = 0
        self._wake = trio.Event()
        self._stream: trio.abc.Stream | None = None

    @property
    def is_connected(self) -> bool:
        """Whether calls go out now; otherwise they answer ``Unavailable`` at once."""
        return self._stream is not None

    # --- BalanceStore -----------------------------------------------------------------------------------

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        """Write a decision if everything it read still stands."""
        self._send(_pack(tuple(commit_command(commit))), lambda reply: done(decode_commit_reply(reply)))

    def load(self, keys: Sequence[str], done: Callable[[tuple[Stored, ...] | Unavailable], None]) -> None:
        """Read values of one partition with their tokens."""

        def loaded(reply: Reply) -> None:
            if isinstance(reply, list):
                done(tuple(decode_stored(value) for value in reply))
            else:
                done(_unavailable(reply))

        self._send(_pack(("MGET", *keys)), loaded)

    def read_hint(self, key: str, done: Callable[[bytes | Unavailable | None], None]) -> None:
        """Read a directory or locator entry."""

        def read(reply: Reply) -> None:
            done(reply if reply is None or isinstance(reply, bytes) else _unavailable(reply))

        self._send(_pack(("GET", key)), read)

    def write_hint(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Write a directory or locator entry."""
        self._send(_pack(("SET", key, value, "PX", ttl_ms) if ttl_ms else ("SET", key, value)), _ignore)

    def due(
        self, partition: int, until_ms: int, limit: int, done: Callable[[tuple[str, ...] | Unavailable], None]
    ) -> None:
        """List members of the deadlines whose time has come."""

        def listed(reply: Reply) -> None:
            if isinstance(reply, list):
                done(tuple(member.decode() for member in reply))
            else:
                done(_unavailable(reply))

        self._send(
            _pack(("ZRANGE", deadlines_key(partition), "-inf", until_ms, "BYSCORE", "LIMIT", 0, limit)),
            listed,
        )

    def heartbeat(self, done: Callable[[Heartbeat | Unavailable], None]) -> None:
        """Tell the store that we live; learn its time and our outages."""

        def beaten(reply: Reply) -> None:
            if isinstance(reply, list):
                done(Heartbeat(int(reply[0]), int(reply[1])))
            else:
                done(_unavailable(reply))

        self._send(_pack(("FCALL", "ocs_heartbeat", 1, CLOCK, limits.OUTAGE_THRESHOLD_MS)), beaten)

    # --- The connection ---------------------------------------------------------------------------------

    def _send(self, packed: bytes, done: Callable[[Reply], None]) -> None:
        if self._stream is None:
            done(Unavailable("the store is not connected"))
            return
        self._out.append(packed)
        self._waiting.append(done)
        self._called += 1
        if len(self._out) == 1:
            self._wake.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a connection for ever; report started when the first one stands.

        Cancellation closes the connection; calls in flight then answer ``Unavailable``.
        """
        failures = 0
        started = False
        while True:
            try:
                stream = await self._open_stream()
            except OSError as error:
                delay = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                if failures % 50 == 0:
                    log.warning(
                        "store_unreachable",
                        reason=str(error),
                        remedy="start the store or correct [store] url",
                    )
                failures += 1
                await trio.sleep(delay)
                continue
            failures = 0
            self._stream = stream
            if not started:
                started = True
                task_status.started()
            reason = "closed by us"
            try:
                reason = await self._converse(stream)
            finally:
                self._stream = None
                self._fail_all(reason)
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)
            _RECONNECTS.inc()
            log.warning("store_connection_lost", reason=reason)

    async def _converse(self, stream: trio.abc.Stream) -> str:
        """Write and read until the connection ends; say why."""
        reason = "closed by the store"
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
            if not self._out or len(self._written) >= limits.STORE_WRITES_IN_FLIGHT_MAX:
                continue  # the replies wake us
            data = b"".join(self._out)
            _COMMANDS.inc(by=len(self._out))
            self._out.clear()
            self._written.append((trio.current_time(), self._called))
            await stream.send_all(data)

    async def _read(self, stream: trio.abc.Stream) -> None:
        reader: Any = hiredis.Reader(replyError=_StoreError, protocolError=hiredis.ProtocolError)
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
            self.after_replies()

    def _note_round_trips(self) -> None:
        """Take the writes off the list whose last reply is here."""
        written = self._written
        now_s = trio.current_time()
        while written and written[0][1] <= self._answered:
            _ROUND_TRIP.observe(now_s - written.popleft()[0])
        if self._out:
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
        self._out.clear()
        self._called = self._answered = 0
        unavailable = Unavailable(reason)
        for done in failed:
            done(unavailable)
        self.after_replies()


class _StoreError(Exception):
    """An error reply, handed out as a value."""


def _unavailable(reply: Reply) -> Unavailable:
    return reply if isinstance(reply, Unavailable) else Unavailable(f"store answered {reply!r}")


def _ignore(_reply: Reply) -> None:
    """A hint that could not be written is found again the long way."""
