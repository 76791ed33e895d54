"""One Diameter connection at the trio edge: octets in, octets out, and the limits for hostile peers.

One task reads, one writes; a request costs neither a task nor a checkpoint. What arrives together is worked off in
one go, or by slices of time when it is much (:mod:`ocs.diameter_gy.time_slices`), and what is answered meanwhile
leaves in one send.
"""

from time import perf_counter
from typing import Final, Protocol, assert_never

import trio

from ocs.diameter_gy.admission import remedy_for
from ocs.diameter_gy.base_commands import (
    CAPABILITIES_EXCHANGE,
    CREDIT_CONTROL,
    DisconnectCause,
    command_label,
)
from ocs.diameter_gy.errors import DiameterError, FramingError
from ocs.diameter_gy.message import Framer, Header, parse_header
from ocs.diameter_gy.overload import PeerLoad
from ocs.diameter_gy.peer import (
    Answered,
    Disconnect,
    Ignored,
    Opened,
    Output,
    Peer,
    Refused,
    Send,
    Serve,
    StateAdvanced,
)
from ocs.diameter_gy.time_slices import TimeSlices, cut_into_slices
from ocs.limits import (
    CAPABILITIES_UPDATES_MAX,
    ERRORS_PER_CONNECTION_MAX,
    ERRORS_WINDOW_S,
    LINGER_TIMEOUT_S,
    MESSAGE_TIMEOUT_S,
    OVERLOAD_INTERVAL_S,
    READ_OCTETS,
    READ_OCTETS_BEHIND,
    REQUESTS_IN_FLIGHT_PER_CONNECTION,
    SEND_BUFFER_OCTETS_MAX,
    SEND_STALL_TIMEOUT_S,
)
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger("ocs.diameter_gy.connection")

IGNORED = Counter(
    "ocs_diameter_ignored_messages_total", "Messages that had no place, by command.", ("command",)
)
BASE_ERRORS = Counter(
    "ocs_diameter_base_errors_total", "Base requests answered with an error.", ("command", "result_code")
)
CLOSED = Counter("ocs_diameter_connections_closed_total", "Connections closed, by who began it.", ("side",))

# Faults of the peer itself. What is wrong inside one subscriber's request may come from far behind a relay, whose
# connection must not be closed for it.
NEIGHBOUR_FAULTS: Final = frozenset({3001, 3007, 3008, 3009, 5011, 5013, 5014, 5015})


class RequestService(Protocol):
    """Answers the requests of applications."""

    def may_read(self, connection: "Connection") -> bool:
        """Whether the connection may go on to what it has read; if not, it asks again after an interval."""
        ...

    def rested(self, connection: "Connection") -> None:
        """The connection has waited for an interval."""
        ...

    def serve(self, message: bytes, header: Header, connection: "Connection") -> None:
        """Answer now or later by :meth:`Connection.answer`; never blocks, never raises."""
        ...

    def refuse(self, message: bytes, header: Header, error: DiameterError, connection: "Connection") -> None:
        """Answer a request, or the header of one, with an error."""
        ...

    def answered(self, message: bytes, header: Header, connection: "Connection") -> None:
        """Take the answer to a request of ours."""
        ...


class ConnectionWatcher(Protocol):
    """Is told when a connection changes."""

    def identified(self, connection: "Connection") -> None:
        """Capabilities were exchanged."""
        ...

    def explain(self, key: tuple[object, ...], event: str, **fields: object) -> None:
        """Write a warning unless the same one was written a moment ago."""
        ...


class Connection:
    """One transport connection and its peer.

    Invariant: answers leave in the order in which they were given, and none leaves after :attr:`is_closed`.

    Attributes:
        remote: the far end's address for logs and the snapshot.
        received_s: when the octets now worked off were read, in trio's clock; read_s: the same by perf_counter.
        in_flight: requests that wait for their answer.
        load: what the peer has under way over all its connections; its own until the peer is known.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        peer: Peer,
        service: RequestService,
        watcher: ConnectionWatcher,
        slices: TimeSlices,
        *,
        remote: str,
    ) -> None:
        self.remote = remote
        self.peer = peer
        self.is_tls = peer.is_tls = isinstance(stream, trio.SSLStream)
        self.is_closed = False
        self.in_flight = 0
        self.requests = 0
        self.answers = 0
        self.errors = 0
        self.load = PeerLoad("")
        self.received_s = trio.current_time()
        self.read_s = perf_counter()
        self._stream = stream
        self._service = service
        self._watcher = watcher
        self._slices = slices
        self._slice_began_s = self.read_s
        self._framer = Framer()
        self._out: list[bytes] = []
        self._out_octets = 0
        self._writer_idle = False
        self._writer_wake = trio.lowlevel.ParkingLot()
        self._reader_wake = trio.lowlevel.ParkingLot()
        self._reader_waits = False
        self._is_hanging_up = False
        self._end_of_stream = trio.Event()
        self._scope = trio.CancelScope()
        self._message_began_s: float | None = None
        self._send_began_s: float | None = None
        self._errors_window_began_s = self.received_s
        self._errors_in_window = 0
        self._updates_in_window = 0
        self.close_reason = ""

    # --- the two tasks ---

    async def run(self) -> None:
        """Serve the connection until either side ends it; the stream is closed in any case.

        A transport error ends it quietly, an error of ours is logged and harms no other connection. Cancelled: the
        connection is cut, and answers not yet sent are lost (the gateway repeats its request).
        """
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    await self._write()
                    await self._linger()
                    nursery.cancel_scope.cancel()
        except Exception:  # the bulkhead around a connection
            self.close_reason = self.close_reason or "internal error"
            log.exception("connection_failed", peer=self.peer_name, remote=self.remote)
        finally:
            self.is_closed = True
            self._perform(self.peer.disconnected(trio.current_time()))
            await trio.aclose_forcefully(self._stream)

    async def _read(self) -> None:
        receive_some, feed = self._stream.receive_some, self._framer.feed
        octets_max = READ_OCTETS
        while True:
            try:
                data = await receive_some(octets_max)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._lose(f"transport failed: {error.__cause__ or error}")
                return
            if not data:
                self._end_of_stream.set()
                if (
                    not self._is_hanging_up
                ):  # else what waits is still sent: the peer may read although it has finished
                    self._lose("the peer closed the connection")
                return
            octets_max = READ_OCTETS if len(data) < octets_max else READ_OCTETS_BEHIND
            if self._is_hanging_up:
                continue
            self.read_s = perf_counter()
            now_s = self.received_s = trio.current_time()
            self.peer.hear(now_s)
            while not self._service.may_read(self):
                await self._rest()
            fault: FramingError | None = None
            try:
                messages = feed(bytes(data))
            except FramingError as error:
                messages, fault = error.messages, error
            if messages:
                await self._take_all(messages)
            if fault is not None:
                self._lose_framing(fault)
            elif not self._framer.has_begun_message:
                self._message_began_s = None
            elif messages or self._message_began_s is None:
                self._message_began_s = self.received_s

    async def _take_all(self, messages: list[bytes]) -> None:
        """Work off what was read, and let others have theirs between our slices; the order stays."""
        slices = self._slices
        for part in cut_into_slices(messages, self.load):
            load = self.load
            estimate_s = len(part) * load.message_s
            if not slices.take(load, estimate_s):
                self._reader_waits = True
                await slices.wait(load, estimate_s)
                self._reader_waits = False
            self._slice_began_s = perf_counter()
            for message in part:
                if self.in_flight >= REQUESTS_IN_FLIGHT_PER_CONNECTION:
                    await self._wait_for_room()
                while self._out_octets > SEND_BUFFER_OCTETS_MAX // 2:
                    await self._rest()
                if self._is_hanging_up:
                    return
                header = parse_header(message)
                if header.command_code == CREDIT_CONTROL and header.is_request and self.peer.is_serving:
                    self._service.serve(
                        message, header, self
                    )  # what the table says too, without a list per request
                else:
                    self._perform(self.peer.receive(message, header, self.received_s))
            slices.end(load, len(part), estimate_s, perf_counter() - self._slice_began_s)
        self._tell_drained()

    async def _rest(self) -> None:
        """Leave what was read, and what comes, for an interval: the peer has more than its share, or does not read."""
        self._reader_waits = True
        await trio.sleep(OVERLOAD_INTERVAL_S)
        self._reader_waits = False
        self._service.rested(self)
        self.received_s, self.read_s = trio.current_time(), perf_counter()
        self._slice_began_s = self.read_s

    async def _wait_for_room(self) -> None:
        """Stop reading: the peer's own send buffer fills up and it must wait."""
        self._reader_waits = True
        try:
            while self.in_flight >= REQUESTS_IN_FLIGHT_PER_CONNECTION:
                await self._reader_wake.park()
        finally:
            self._reader_waits = False
        self.received_s, self.read_s = trio.current_time(), perf_counter()
        self._slice_began_s = self.read_s

    async def _write(self) -> None:
        """Send what there is, all of it at once, until the connection is hung up and everything is out."""
        out = self._out
        while True:
            if not out:
                if self._is_hanging_up:
                    return
                self._writer_idle = True
                await self._writer_wake.park()
                self._writer_idle = False
                continue
            octets = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            self._send_began_s = trio.current_time()
            try:
                await self._stream.send_all(octets)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._lose(f"transport failed: {error.__cause__ or error}")
                return
            self._send_began_s = None
            self._out_octets -= len(octets)

    async def _linger(self) -> None:
        """Let the peer read our last octets and close: hanging up on unread input would destroy them."""
        with trio.move_on_after(LINGER_TIMEOUT_S):
            try:
                if not isinstance(self._stream, trio.abc.HalfCloseableStream):
                    await self._stream.aclose()  # TLS says good-bye in its own way
                    return
                await self._stream.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            await self._end_of_stream.wait()

    # --- what the rest of the server calls ---

    @property
    def peer_name(self) -> str:
        """The peer's Origin-Host, empty before capabilities exchange."""
        capabilities = self.peer.capabilities
        return "" if capabilities is None else capabilities.origin.host

    def send(self, message: bytes) -> None:
        """Queue octets; dropped when the connection is gone, cut when the peer lets too much pile up."""
        if self.is_closed:
            return
        self._out.append(message)
        self._out_octets += len(message)
        if self._out_octets > SEND_BUFFER_OCTETS_MAX:
            self.cut("the peer does not read: too much waits to be sent")
        elif self._writer_idle:
            self._writer_idle = False
            self._writer_wake.unpark()

    def begin_request(self) -> None:
        """A request was taken whose answer comes later."""
        self.requests += 1
        self.in_flight += 1

    def answer(self, message: bytes) -> None:
        """Send the answer to a request begun with :meth:`begin_request`."""
        self.in_flight -= 1
        self.answers += 1
        self.send(message)
        if self._reader_waits:
            self._reader_wake.unpark()
        if not self.in_flight and self.peer.awaits_drain:
            self._tell_drained()

    def count_error(self, result_code: int) -> None:
        """A request of the peer was refused; too many faults of its own, and it is cut off."""
        self.errors += 1
        if result_code not in NEIGHBOUR_FAULTS:
            return
        self._count_fault()

    def _count_fault(self) -> None:
        self._begin_window()
        self._errors_in_window += 1
        if self._errors_in_window >= ERRORS_PER_CONNECTION_MAX:
            self._watcher.explain(
                ("errors", self.peer_name),
                "peer_disconnected",
                peer=self.peer_name,
                remote=self.remote,
                reason=f"{self._errors_in_window} faulty messages within {ERRORS_WINDOW_S:.0f} s",
                remedy="look at the refusals logged before and correct the peer",
            )
            self._hang_up("too many faulty messages")

    def _begin_window(self) -> None:
        """Faults are counted within a time, and forgotten after it."""
        if self.received_s - self._errors_window_began_s > ERRORS_WINDOW_S:
            self._errors_window_began_s = self.received_s
            self._errors_in_window = self._updates_in_window = 0

    def _is_bearable_update(self) -> bool:
        """Whether a repeated CER may be one of a change at the peer; too many are faults and logged as one."""
        self._begin_window()
        self._updates_in_window += 1
        if self._updates_in_window <= CAPABILITIES_UPDATES_MAX:
            return True
        self._watcher.explain(
            ("updates", self.peer_name),
            "peer_repeats_capabilities",
            peer=self.peer_name,
            remote=self.remote,
            reason=f"over {CAPABILITIES_UPDATES_MAX} Capabilities-Exchange-Requests within {ERRORS_WINDOW_S:.0f} s",
            remedy="let the peer send them when its capabilities change only",
        )
        self.errors += 1
        self._count_fault()
        return False

    def stop(self, cause: DisconnectCause = DisconnectCause.REBOOTING) -> None:
        """Take leave of the peer (DPR), or hang up when it is not known yet; by default this node shuts down."""
        self._perform(self.peer.stop(trio.current_time(), cause))
        self._tell_drained()

    def tick(self, now_s: float) -> None:
        """Look at all timers; called often and for every connection, so it begins with comparisons."""
        began_s = self._send_began_s
        if began_s is not None and now_s - began_s > SEND_STALL_TIMEOUT_S:
            self.cut("the peer does not read: a send made no progress")
            return
        if self._is_hanging_up:
            return
        if self._reader_waits:
            self.peer.hear(now_s)  # we do not read: the silence is ours
        elif self._message_began_s is not None and now_s - self._message_began_s > MESSAGE_TIMEOUT_S:
            self.cut("a message was begun and not finished in time")
            return
        if now_s >= self.peer.deadline_s:
            self._perform(self.peer.tick(now_s))
            self._tell_drained()

    def cut(self, reason: str) -> None:
        """End the connection at once, without sending what waits."""
        if self.is_closed:
            return
        self.is_closed = True
        self.close_reason = self.close_reason or reason
        CLOSED.inc("here")
        self._watcher.explain(
            ("cut", self.peer_name, reason),
            "peer_disconnected",
            peer=self.peer_name,
            remote=self.remote,
            reason=reason,
            remedy="check the peer's health and the network between",
        )
        self._scope.cancel()

    # --- inside ---

    def _perform(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Serve(message, header):
                    self._service.serve(message, header, self)
                case Send(message):
                    self.send(message)
                case Answered(message, header):
                    self._service.answered(message, header, self)
                case Disconnect(reason):
                    self._hang_up(reason)
                case Opened(request, again):
                    self._watcher.identified(self)
                    if not again or self._is_bearable_update():
                        log.info(
                            "peer_capabilities_updated" if again else "peer_open",
                            peer=request.origin.host,
                            realm=request.origin.realm,
                            product=request.product_name,
                            remote=self.remote,
                            tls=self.is_tls,
                        )
                case Refused(command_code, origin_host, error):
                    self._explain_refusal(command_code, origin_host, error)
                case StateAdvanced(origin):
                    log.warning(
                        "peer_lost_its_sessions",
                        peer=origin.host,
                        origin_state_id=origin.state_id,
                        remedy="none needed: supervision closes the sessions that the peer no longer knows",
                    )
                case Ignored(header):
                    IGNORED.inc(command_label(header.command_code))
                case _:
                    assert_never(output)

    def _explain_refusal(self, command_code: int, origin_host: str, error: DiameterError) -> None:
        BASE_ERRORS.inc(command_label(command_code), error.result_code)
        self.count_error(error.result_code)
        is_cer = command_code == CAPABILITIES_EXCHANGE
        host = origin_host or self.peer_name
        self._watcher.explain(
            ("refused", command_code, host, error.result_code),
            "peer_refused" if is_cer else "base_request_refused",
            peer=host,
            remote=self.remote,
            result_code=error.result_code,
            reason=error.error_message,
            remedy=remedy_for(error.result_code, host) if is_cer else "correct the peer as the reason says",
        )

    def _lose_framing(self, fault: FramingError) -> None:
        """The next message cannot be found: answer what began like a request, then hang up (5011, 5015)."""
        header = parse_header(fault.header)
        self.errors += 1
        self._watcher.explain(
            ("framing", self.peer_name or self.remote.rpartition(":")[0]),
            "peer_disconnected",
            peer=self.peer_name,
            remote=self.remote,
            result_code=fault.result_code,
            reason=fault.error_message,
            remedy="only Diameter over TCP belongs on this port; TLS has its own",
        )
        # Before capabilities exchange only what looks like a CER is worth an answer: scanners get none.
        if header.is_request and (self.peer.is_open or header.command_code == CAPABILITIES_EXCHANGE):
            self._service.refuse(fault.header, header, fault, self)
        self._hang_up(fault.error_message)

    def _tell_drained(self) -> None:
        if not self.in_flight and self.peer.awaits_drain:
            self._perform(self.peer.drained(trio.current_time()))

    def _hang_up(self, reason: str) -> None:
        """Send what waits, then close."""
        if not self._is_hanging_up:
            self._is_hanging_up = True
            self.close_reason = self.close_reason or reason
            CLOSED.inc("here")
            log.info("peer_closing", peer=self.peer_name, remote=self.remote, reason=reason)
        self._writer_wake.unpark()

    def _lose(self, reason: str) -> None:
        """The transport has ended: nothing more can be sent."""
        self._end_of_stream.set()
        if not self.is_closed and not self._is_hanging_up:
            self.close_reason = reason
            CLOSED.inc("peer")
            log.info("peer_closed", peer=self.peer_name, remote=self.remote, reason=reason)
        self.is_closed = True
        self._scope.cancel()
