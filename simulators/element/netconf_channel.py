"""One NETCONF session over an SSH channel: messages in, replies out, and the faults between (asyncio)."""

import asyncio
import os
import traceback
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import asyncssh

from simulators.element.datastores import Profile
from simulators.element.errors import RpcError
from simulators.element.faults import Fault, FaultKind, Faults
from simulators.element.framing import Framing, FramingError
from simulators.element.messages import (
    BASE_1_1,
    MalformedError,
    Request,
    as_bytes,
    hello,
    parse,
    read_hello,
    read_rpc,
    reply,
    rpc_error,
)
from simulators.element.model import Model
from simulators.element.operations import Client, Operations, Outcome
from simulators.element.ssh import EXIT_STATUS, user_of
from simulators.element.tree import Element

_REQUESTS_WAITING_MAX: Final = 256
_PIECE: Final = b"x" * 65_536
# What ends a step before its reply; the rest shapes the reply.
_BEFORE: Final = {
    FaultKind.DROP_BEFORE,
    FaultKind.DIE_BEFORE,
    FaultKind.EXIT_BEFORE,
    FaultKind.STALL,
}
_AFTER: Final = {FaultKind.DROP_AFTER, FaultKind.DIE_AFTER, FaultKind.EXIT_AFTER}


class Host(Protocol):
    """The element as its sessions see it."""

    model: Model
    profile: Profile
    faults: Faults
    operations: Operations

    def next_session_id(self) -> int:
        """An id that no session has had."""
        ...

    def open_session(self, client: Client, channel: "NetconfChannel") -> None:
        """A session begins."""
        ...

    def close_session(self, client: Client, reason: str, killed_by: int = 0) -> None:
        """A session is over."""
        ...

    def kill(self, session_id: int, by: int) -> None:
        """End another's session."""
        ...

    def settle(self) -> None:
        """After every operation: remember what changed and tell it."""
        ...

    def die(self, seconds: float) -> None:
        """Go down and come back."""
        ...

    def do_other(self, fault: Fault) -> None:
        """Do what was not asked for."""
        ...


class NetconfChannel(asyncssh.SSHServerSession[bytes]):
    """A session from its subsystem request to its end."""

    def __init__(self, host: Host, connection: asyncssh.SSHServerConnection) -> None:
        self._host = host
        self._connection = connection
        self._channel: Any = None
        self._framing = Framing()
        self._client: Client | None = None
        self._is_greeted = False
        self._requests: deque[bytes] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    # --- called by asyncssh --------------------------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is there."""
        self._channel = chan

    def subsystem_requested(self, subsystem: str) -> bool:
        """NETCONF is the only subsystem."""
        return subsystem == "netconf"

    def session_started(self) -> None:
        """Greet."""
        user, address = user_of(self._connection)
        self._client = Client(self._host.next_session_id(), user, address, datetime.now(UTC))
        self._host.open_session(self._client, self)
        self._start(self._greet(self._client))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Take in what the client sent."""
        del datatype
        if self._client is None:
            return
        try:
            self._framing.receive(data)
            self._take_messages()
        except FramingError:
            self.abort()
            return
        if self._requests and (self._worker is None or self._worker.done()):
            self._start(self._work(self._client))

    def eof_received(self) -> bool:
        """The end of what the client sends is the end of the session."""
        return False

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The session is over, whoever ended it."""
        del exc
        self._may_write.set()
        if self._worker is not None:
            self._worker.cancel()
        if self._client is not None:
            self._host.close_session(self._client, "dropped")
            self._client = None

    # --- used by the element -------------------------------------------------------------------------------------

    def send(self, message: Element) -> None:
        """Send a whole message, unless the session is over."""
        self._write(self._framing.frame(as_bytes(message)))

    def abort(self) -> None:
        """Break the connection."""
        self._connection.abort()

    # --- the work ------------------------------------------------------------------------------------------------

    def _start(self, work: Any) -> None:
        self._worker = asyncio.get_running_loop().create_task(work)

    def _take_messages(self) -> None:
        # Until the client's hello is read, nobody knows how what follows it is framed.
        while self._is_greeted or not self._requests:
            message = self._framing.next_message()
            if message is None:
                break
            if not self._is_greeted:
                self._read_hello(message)
            else:
                self._requests.append(message)
        if len(self._requests) > _REQUESTS_WAITING_MAX:
            raise FramingError("too many requests at once")

    def _read_hello(self, message: bytes) -> None:
        try:
            theirs = read_hello(parse(message))
        except MalformedError as error:
            raise FramingError(str(error)) from error
        self._framing.is_chunked = self._host.profile.chunked and BASE_1_1 in theirs
        self._is_greeted = True

    async def _greet(self, client: Client) -> None:
        for fault in self._host.faults.take("hello"):
            if await self._ends_before(fault):
                return
            if fault.kind is FaultKind.GARBAGE:
                self._write(b"\x00\xfe this is no hello ]]>]]>")
                return
        # The hello is never in chunks (RFC 6242 section 4.1), however fast the client's came.
        self._write(Framing().frame(hello(self._host.model, self._host.profile, client.session_id)))
        await self._work(client)

    async def _work(self, client: Client) -> None:
        with suppress(asyncssh.Error, BrokenPipeError):
            while self._requests:
                await self._answer(client, self._requests.popleft())

    async def _answer(self, client: Client, message: bytes) -> None:
        try:
            request = read_rpc(parse(message))
        except MalformedError as error:
            self._refuse_unread(RpcError("malformed-message", str(error), error_type="rpc"))
            return
        except RpcError as error:
            self._refuse_unread(error)
            return
        faults = self._host.faults.take(request.step)
        for fault in faults:
            if await self._ends_before(fault):
                return
        try:
            outcome = self._perform(client, request, faults)
            self._host.settle()
        except Exception as error:  # noqa: BLE001 (a request without an answer hangs its client and tells nobody why)
            traceback.print_exc()
            reason = f"internal error: {type(error).__name__}: {error}"
            outcome = self._host.operations.refusal(RpcError("operation-failed", reason))
        if outcome.closes:
            # Before the answer: who has it may count on the locks being free (RFC 6241 section 7.8).
            self._host.close_session(client, "closed")
        for fault in faults:
            if fault.kind in _AFTER:
                self._end(fault)
                return
        await self._reply(request, outcome, faults)
        if outcome.killed:
            self._host.kill(outcome.killed, client.session_id)
        if outcome.closes and self._channel is not None:
            self._channel.exit(0)

    def _perform(self, client: Client, request: Request, faults: list[Fault]) -> Outcome:
        for fault in faults:
            if fault.kind is FaultKind.REFUSE:
                return self._host.operations.refusal(RpcError(fault.tag, fault.message))
            if fault.kind is FaultKind.LIE:
                return Outcome()
            if fault.kind is FaultKind.LIE_OTHER:
                self._host.do_other(fault)
                return Outcome()
        return self._host.operations.perform(client, request)

    async def _ends_before(self, fault: Fault) -> bool:
        if fault.kind is FaultKind.LATENCY:
            await asyncio.sleep(fault.seconds)
        if fault.kind in _BEFORE:
            self._end(fault)
            return True
        return False

    def _end(self, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.EXIT_BEFORE | FaultKind.EXIT_AFTER:
                os._exit(EXIT_STATUS)
            case FaultKind.DIE_BEFORE | FaultKind.DIE_AFTER:
                self._host.die(fault.seconds)
            case FaultKind.DROP_BEFORE | FaultKind.DROP_AFTER:
                self.abort()
            case _:
                pass

    async def _reply(self, request: Request, outcome: Outcome, faults: list[Fault]) -> None:
        attributes = dict(request.attributes)
        kinds = {fault.kind: fault for fault in faults}
        if FaultKind.WRONG_ID in kinds:
            attributes["message-id"] += "-of-somebody-else"
        if FaultKind.HUGE_REPLY in kinds:
            await self._send_huge(kinds[FaultKind.HUGE_REPLY].megabytes)
            return
        framed = self._framing.frame(as_bytes(reply(attributes, outcome.body)))
        if FaultKind.GARBAGE in kinds:
            framed = self._framing.frame(b"\x00\xfe this is no reply <<<")
        if FaultKind.STOP_MID_REPLY in kinds:
            framed = framed[: len(framed) // 2]
        self._write(framed)

    async def _send_huge(self, megabytes: int) -> None:
        """Much of a reply that never ends, no faster than the client reads."""
        start = b'<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1"><data>'
        self._write(self._framing.frame(start).removesuffix(b"\n##\n").removesuffix(b"]]>]]>"))
        piece = b"\n#%d\n%b" % (len(_PIECE), _PIECE) if self._framing.is_chunked else _PIECE
        for _ in range(megabytes * 16):
            await self._may_write.wait()
            if self._client is None:
                return
            self._write(piece)

    def _refuse_unread(self, error: RpcError) -> None:
        """Answer what could not be read as a request; there is no message-id to repeat."""
        self.send(reply({}, [rpc_error(self._host.model, error)]))

    def _write(self, data: bytes) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(data)
