"""What one worker must tell another, on whatever machine: notices by the store's publish and subscribe.

A message for a peer (leave, re-authorise this session, abort it) must find the worker that holds its connection.
Whoever has something to say publishes a notice on one channel that all workers of a store hear; those who hold
connections of the named peer act, and everybody acknowledges with how often. A notice is heard by those who listen at
that moment and by nobody later: the publisher learns whether anybody acted, and repeats what must be.

One connection does both: RESP3 lets a subscriber publish.
"""

import math
import secrets
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import hiredis
import msgspec
import trio
from redis.crc import key_slot

from ocs.balance.redis_stream import StoreServers, pack_command
from ocs.balance.store_address import StoreAddress
from ocs.balance.topology import Topology
from ocs.limits import (
    NOTICE_OCTETS_MAX,
    NOTICE_TIMEOUT_S,
    NOTICES_IN_FLIGHT_MAX,
    NOTICES_PING_INTERVAL_S,
    STORE_TIMEOUT_S,
)
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

_HEARD = Counter("ocs_notices_heard_total", "Notices heard from other processes, by kind.", ("kind",))
_LOST = Counter("ocs_notices_connections_lost_total", "Connections for notices that ended or were refused.")

CHANNEL: Final = "ocs:peers"
# Every connection of the peer is closed by Disconnect-Peer. The body is a Disconnect-Cause.
DISCONNECT_PEER: Final = "disconnect_peer"
# Who has a way to the peer? The body is empty; how often a worker acted ranks its way.
FIND_ROUTE: Final = "find_route"
# For one worker: what the peer is asked about sessions. The body is a list of SessionDemand.
SESSION_DEMANDS: Final = "session_demands"
# For every worker: the store has lost sessions. The body is the Origin-State-Id from now on.
ORIGIN_STATE: Final = "origin_state"
# For every worker: a catalogue was published, see the store. The body is empty.
CATALOGUE_PUBLISHED: Final = "catalogue_published"

_RECEIVE_OCTETS: Final = 65_536
_BACKOFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_encode: Final = msgspec.msgpack.Encoder().encode


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """Something to be done by whoever holds connections of a peer.

    Attributes:
        kind: what is to be done, and so what the body holds; who does not know it acknowledges without acting.
        origin_host: of the peer; empty when every worker is meant.
        body: msgpack.
        only: the one process that is meant, by the channel of its acknowledgements; empty means all.
    """

    kind: str
    origin_host: str = ""
    body: bytes = b""
    only: str = ""


class Acknowledgement(msgspec.Struct, frozen=True, array_like=True):
    """What one process did about a notice.

    Attributes:
        member: as people know it: ``worker-0@ocs1.example``.
        acted: on how many connections; for a notice to every worker 1 or 0.
        channel: its own, by which a notice can be for it alone.
    """

    member: str
    acted: int
    channel: str = ""


Handler = Callable[[Notice], int]


class NoticesUnavailableError(Exception):
    """A notice was not published, or nobody can say; ``str()`` says why in one line."""


def notice_opener(address: StoreAddress) -> Callable[[], Awaitable[trio.abc.Stream]]:
    """Make what connects to the server where all members of a store listen: the primary that owns the channel's slot.

    A cluster carries a notice from any node to all, but counts those alone who listen at the same one.
    """
    servers = StoreServers(address)
    known: list[Topology] = []

    async def open_stream() -> trio.abc.Stream:
        topology = await servers.find_topology(known[0] if known else None)
        known[:] = [topology]
        node = topology.owner_of(key_slot(CHANNEL.encode()))
        if node is None:
            raise ConnectionError("no primary owns the slot of the channel for notices")
        return await servers.connect(node.endpoint)

    return open_stream


class _Told(msgspec.Struct, frozen=True, array_like=True):
    """A notice on the common channel, and on which channel its publisher waits for acknowledgements."""

    reply_to: str
    number: int
    notice: Notice


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    """An acknowledgement on its publisher's own channel."""

    number: int
    acknowledgement: Acknowledgement


_decode_told: Final = msgspec.msgpack.Decoder(_Told).decode
_decode_answer: Final = msgspec.msgpack.Decoder(_Answer).decode


class _Question:
    """A notice that was published here and whose acknowledgements come in."""

    def __init__(self, *, for_one_peer: bool, only: str) -> None:
        self.acknowledgements: list[Acknowledgement] = []
        self.error = ""
        self.is_done = trio.Event()
        self._for_one_peer = for_one_peer
        self._only = only
        self._heard_by: int | None = None

    def publish_replied(self, reply: object) -> None:
        """The store has said how many hear it, or why it refuses."""
        if isinstance(reply, int):
            self._heard_by = reply
        else:
            self.error = str(reply)
        self._look()

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Somebody has dealt with it."""
        self.acknowledgements.append(acknowledgement)
        if self._only and acknowledgement.channel == self._only:
            self.is_done.set()
        self._look()

    def _look(self) -> None:
        """End the wait when nothing is left to wait for.

        In a cluster the store counts those who listen at its own node: where nobody has acted for a peer yet, the
        others have until the time is up.
        """
        is_complete = self._heard_by is not None and len(self.acknowledgements) >= self._heard_by
        has_acted = any(acknowledgement.acted for acknowledgement in self.acknowledgements)
        if self.error or (is_complete and (has_acted or not self._for_one_peer)):
            self.is_done.set()


class PeerNotices:
    """One process among those that hear and publish notices.

    Charging does not depend on it: without a connection notices are missed, nothing else.

    Args:
        open_stream: makes an authenticated connection to the store; raises OSError when that fails.
        name: of this process, as people know it: ``worker-0``.
        handlers: kind of notice -> acts on it and says on how many connections; short, and never raises.
    """

    def __init__(
        self,
        open_stream: Callable[[], Awaitable[trio.abc.Stream]],
        name: str,
        handlers: Mapping[str, Handler],
    ) -> None:
        self._open_stream = open_stream
        self._member = f"{name}@{socket.gethostname()}"
        self._handlers = handlers
        self._own_channel = f"{CHANNEL}:{secrets.token_hex(8)}"
        self._reason = "not connected yet"
        self._is_listening = False
        self._out: list[bytes] = []
        self._wake = trio.Event()
        self._waiting: deque[Callable[[object], None]] = deque()
        self._questions: dict[int, _Question] = {}
        self._room = trio.CapacityLimiter(NOTICES_IN_FLIGHT_MAX)
        self._number = 0
        self._heard_s = 0.0

    @property
    def is_listening(self) -> bool:
        """Whether notices are heard now."""
        return self._is_listening

    async def publish(
        self, notice: Notice, *, timeout_s: float = NOTICE_TIMEOUT_S
    ) -> tuple[Acknowledgement, ...]:
        """Tell all workers of the store; returns what those did who acknowledged in time, also who did nothing.

        It returns when all whom the store counted have acknowledged and, for a notice to one peer, somebody has acted;
        when the notice is for one process, as soon as that one has acknowledged.
        Cancelled, the notice may have been heard.

        Raises:
            NoticesUnavailableError: there is no connection, or it was lost meanwhile: the notice may have been heard.
        """
        async with self._room:
            if not self._is_listening:
                raise NoticesUnavailableError(f"the store takes no notices: {self._reason}")
            self._number += 1
            number = self._number
            question = self._questions[number] = _Question(
                for_one_peer=bool(notice.origin_host), only=notice.only
            )
            told = _encode(_Told(self._own_channel, number, notice))
            self._call(("PUBLISH", CHANNEL, told), question.publish_replied)
            try:
                with trio.move_on_after(timeout_s):
                    await question.is_done.wait()
            finally:
                del self._questions[number]
            if question.error:
                raise NoticesUnavailableError(f"the notice was not published: {question.error}")
            return tuple(question.acknowledgements)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen for ever, over a connection that is made again whenever it is lost.

        Reports started when it listens, or when the first attempt has failed. Cancellation closes the connection.
        """
        started = [task_status.started]  # called once
        failures = 0
        while True:
            try:
                with trio.fail_after(STORE_TIMEOUT_S):
                    stream, reader = await self._subscribe()
            except (OSError, trio.TooSlowError) as error:
                self._reason = str(error) or f"no answer within {STORE_TIMEOUT_S:g} s"
            else:
                failures = 0
                self._is_listening = True
                for report in started:
                    report()
                started.clear()
                self._reason = await self._converse(stream, reader)
            _LOST.inc()
            if failures % 50 == 0:
                log.warning(
                    "notices_not_heard",
                    reason=self._reason,
                    remedy="none while the store restarts; else let its user +hello, +subscribe, +publish on &ocs:*",
                )
            for report in started:
                report()
            started.clear()
            await trio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            failures += 1

    # --- The connection ---------------------------------------------------------------------------------

    async def _subscribe(self) -> tuple[trio.abc.Stream, Any]:
        """Connect and listen to the common channel and our own.

        Raises:
            OSError: it cannot be reached, or does not let us.
        """
        stream = await self._open_stream()
        try:
            commands = (("HELLO", "3"), ("SUBSCRIBE", CHANNEL, self._own_channel))
            await stream.send_all(b"".join(pack_command(command) for command in commands))
            reader: Any = hiredis.Reader()  # feeds on every buffer, and says str and bytes
            listening = 0
            while listening < len(commands):
                data = await stream.receive_some(_RECEIVE_OCTETS)
                if not data:
                    raise ConnectionError("closed while it was made")
                reader.feed(data)
                while listening < len(commands) and (reply := reader.gets()) is not False:
                    if isinstance(reply, hiredis.ReplyError):
                        raise ConnectionError(f"the store refuses notices: {reply}")
                    listening += isinstance(reply, hiredis.PushNotification)
            return stream, reader
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if isinstance(error, trio.BrokenResourceError | trio.ClosedResourceError | hiredis.ProtocolError):
                raise ConnectionError(f"connection broke while it was made: {error}") from error
            raise

    async def _converse(self, stream: trio.abc.Stream, reader: Any) -> str:
        """Hear and publish until the connection ends; say why."""
        reason = "closed by the store"
        self._heard_s = -math.inf
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream)
                nursery.start_soon(self._watch)
                await self._read(stream, reader)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as group:
            reason = "; ".join(repr(error) for error in group.exceptions)
        except* hiredis.ProtocolError:
            reason = "the store does not speak RESP"
        except* trio.TooSlowError:
            reason = f"no answer within {STORE_TIMEOUT_S:g} s"
        finally:
            self._is_listening = False
            self._out.clear()
            self._waiting.clear()
            for question in self._questions.values():
                question.publish_replied("the connection to the store was lost")
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
        return reason

    def _call(self, command: tuple[str | bytes, ...], done: Callable[[object], None]) -> None:
        self._out.append(pack_command(command))
        self._waiting.append(done)
        self._wake.set()

    async def _write(self, stream: trio.abc.Stream) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            data = b"".join(self._out)
            self._out.clear()
            await stream.send_all(data)

    async def _watch(self) -> None:
        """Ask for a sign of life when nothing is heard: a connection that only listens does not notice its end."""
        while True:
            asked_s = trio.current_time()
            self._call(("PING",), _ignore)
            await trio.sleep(STORE_TIMEOUT_S)
            if self._heard_s < asked_s:
                raise trio.TooSlowError
            await trio.sleep(NOTICES_PING_INTERVAL_S - STORE_TIMEOUT_S)

    async def _read(self, stream: trio.abc.Stream, reader: Any) -> None:
        while True:
            while (reply := reader.gets()) is not False:
                if isinstance(reply, hiredis.PushNotification):
                    self._take(reply)
                elif self._waiting:
                    self._waiting.popleft()(reply)
            data = await stream.receive_some(_RECEIVE_OCTETS)
            if not data:
                return
            self._heard_s = trio.current_time()
            reader.feed(data)

    # --- What is heard ----------------------------------------------------------------------------------

    def _take(self, push: Any) -> None:
        """Take ``message CHANNEL CONTENT``; confirmations of subscriptions are pushes too."""
        if len(push) != 3 or push[0] != b"message":
            return
        channel, content = push[1].decode(errors="replace"), push[2]
        try:
            if len(content) > NOTICE_OCTETS_MAX:
                _HEARD.inc("malformed")
            elif channel == CHANNEL:
                self._act(_decode_told(content))
            else:
                self._collect(_decode_answer(content))
        except msgspec.DecodeError:
            _HEARD.inc("malformed")

    def _act(self, told: _Told) -> None:
        handler = self._handlers.get(told.notice.kind)
        _HEARD.inc("unknown" if handler is None else told.notice.kind)
        is_meant = not told.notice.only or told.notice.only == self._own_channel
        acted = handler(told.notice) if handler is not None and is_meant else 0
        answer = _encode(_Answer(told.number, Acknowledgement(self._member, acted, self._own_channel)))
        self._call(("PUBLISH", told.reply_to, answer), _ignore)

    def _collect(self, answer: _Answer) -> None:
        question = self._questions.get(answer.number)
        if question is not None:  # else it is late
            question.acknowledge(answer.acknowledgement)


def _ignore(_reply: object) -> None:
    """Nobody waits for it."""
