"""The gateway's Diameter connection: the ``diameter`` package's own node, an independent stack, on its threads."""

import contextlib
import queue
import socket
import struct
import threading
import time
from typing import Any, Final, Protocol, Self

import msgspec
from diameter.message.commands.capabilities_exchange import CapabilitiesExchangeAnswer
from diameter.message.commands.disconnect_peer import DisconnectPeerRequest
from diameter.message.constants import (
    APP_DIAMETER_CREDIT_CONTROL_APPLICATION,
    CMD_ABORT_SESSION,
    CMD_RE_AUTH,
    E_DISCONNECT_CAUSE_REBOOTING,
    E_RESULT_CODE_DIAMETER_COMMAND_UNSUPPORTED,
    E_RESULT_CODE_DIAMETER_LIMITED_SUCCESS,
    E_RESULT_CODE_DIAMETER_SUCCESS,
    E_RESULT_CODE_DIAMETER_UNKNOWN_SESSION_ID,
)
from diameter.node import Node
from diameter.node.application import Application
from diameter.node.node import NotRoutable
from diameter.node.peer import (
    DISCONNECT_REASON_UNKNOWN,
    PEER_CONNECTED,
    PEER_READY_STATES,
    PEER_SEND,
    PEER_TRANSPORT_TCP,
    Peer,
    PeerConnection,
)

from ocs.messages import CCRequestType
from simulators.gateway.codec import encode_request
from simulators.gateway.model import CreditRequest, Demand

_CREDIT_CONTROL_ANSWER: Final = 272
_REQUEST_BIT: Final = 0x8000_0000
_HEADER: Final = struct.Struct(">IIIII")
_CONNECT_TIMEOUT_S: Final = 5.0
_STOP_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.02


class NotConnectedError(RuntimeError):
    """There is no connection to the server at the moment, or none came up in time."""


class Sent(msgspec.Struct, frozen=True):
    """Identifiers of a request on its way."""

    hop_by_hop: int
    end_to_end: int


class Arrived(msgspec.Struct, frozen=True):
    """The bytes of a Credit-Control-Answer."""

    hop_by_hop: int
    frame: bytes


class Demanded(msgspec.Struct, frozen=True):
    """The server has asked something about a session, and was answered."""

    session_id: str
    demand: Demand


class Transport(Protocol):
    """Sends requests and hands over what comes back: a Diameter node, or a fake in tests."""

    def send(self, request: CreditRequest, *, again: Sent | None = None) -> Sent:
        """Send a request; ``again`` repeats an earlier sending, with the T flag and its End-to-End-Id.

        Raises:
            NotConnectedError: no connection.
        """
        ...

    def receive(self, timeout_s: float) -> Arrived | Demanded | None:
        """The next answer, or what the server demands; None when nothing came in time."""
        ...

    def forget(self, sent: Sent) -> None:
        """A request is settled and will not be sent again."""
        ...


# Re-Auth-Request is answered with 2002, as a Credit-Control-Request follows (RFC 8506 section 5.5).
_DEMANDS: Final = {
    CMD_RE_AUTH: (Demand.REAUTHORISE, E_RESULT_CODE_DIAMETER_LIMITED_SUCCESS),
    CMD_ABORT_SESSION: (Demand.ABORT, E_RESULT_CODE_DIAMETER_SUCCESS),
}


class _GatewayApplication(Application):
    """Answers what the server asks of a gateway, and hands it on to the session's subscriber.

    Attributes:
        sessions: those that the gateway has open; of others it says that it does not know them.
    """

    def __init__(self, demanded: "queue.SimpleQueue[Arrived | Demanded]") -> None:
        super().__init__(APP_DIAMETER_CREDIT_CONTROL_APPLICATION, is_auth_application=True)
        self.sessions: set[str] = set()
        self._demanded = demanded

    def handle_request(self, message: Any) -> None:
        demand, result = _DEMANDS.get(
            message.header.command_code, (None, E_RESULT_CODE_DIAMETER_COMMAND_UNSUPPORTED)
        )
        if demand is not None and message.session_id not in self.sessions:
            result = E_RESULT_CODE_DIAMETER_UNKNOWN_SESSION_ID
        elif demand is not None:
            self._demanded.put(Demanded(message.session_id, demand))
        self.send_answer(self.generate_answer(message, result_code=result))


class _ListeningNode(Node):
    """The package's node, with the bytes of credit-control answers kept as they came.

    Its own decoding makes attributes of AVPs, which hides one that stands twice; the expectations want to see it.

    Attributes:
        refusal: why the last attempt to connect failed; empty while none has.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.answers: queue.SimpleQueue[Arrived | Demanded] = queue.SimpleQueue()
        self.refusal = ""

    def _connect_to_peer(self, peer: Peer) -> None:
        """Connect by IPv4 or IPv6, and keep the reason when it fails: the package's own does neither.

        It may block: there is one peer, and nothing else to do while it is away.
        """
        if peer.connection:
            return
        try:
            connected = socket.create_connection((peer.ip_addresses[0], peer.port), _CONNECT_TIMEOUT_S)
        except OSError as error:
            self.refusal = error.strerror or str(error)
            peer.last_disconnect = int(time.time())  # or it would never be tried again
            return
        connected.setblocking(False)
        connection = PeerConnection(peer.ip_addresses, peer.port, PEER_SEND, self.interrupt_write)
        connection.state = PEER_CONNECTED
        connection.node_name = peer.node_name
        connection.origin_host = self.origin_host
        connection.host_ip_address = [connected.getsockname()[0]]
        if self._add_peer_connection(connection, connected, PEER_TRANSPORT_TCP) is not None:
            self.send_cer(connection)

    def receive_cea(self, conn: PeerConnection, message: CapabilitiesExchangeAnswer) -> None:
        """See whether the server lets us in."""
        if message.result_code != E_RESULT_CODE_DIAMETER_SUCCESS:
            reason = f" ({message.error_message})" if message.error_message else ""
            self.refusal = f"the server refuses us with Result-Code {message.result_code}{reason}"
        super().receive_cea(conn, message)

    def receive_dpr(self, conn: PeerConnection, message: DisconnectPeerRequest) -> None:
        """Come back to a server that only restarts, and stay away from one that wants no more of us.

        The package stays away from both. Source: RFC 6733 section 5.4.3.
        """
        cause: Any = message.disconnect_cause  # an integer, whatever the package's annotation says
        for peer in self.peers.values():
            peer.always_reconnect = cause == E_DISCONNECT_CAUSE_REBOOTING
        super().receive_dpr(conn, message)

    def close_connection_socket(
        self, conn: PeerConnection, disconnect_reason: int = DISCONNECT_REASON_UNKNOWN
    ) -> None:
        """Close a connection with FIN.

        The package resets it. RFC 6733 section 2.1 asks for that when a peer does not behave; after
        Disconnect-Peer the last answer may still be on its way.
        """
        node: Any = self
        own = node.peer_sockets.pop(conn.ident, None)
        if own is not None:
            own.close()
            conn.close(signal_node=False)
        super().close_connection_socket(conn, disconnect_reason)

    def _add_peer_connection(self, conn: PeerConnection, peer_socket: Any, proto: int) -> str | None:
        connection: Any = conn
        connection.add_in_bytes = _FrameSplitter(connection, self.answers).take
        parent: Any = super()
        # The only place where a connection can be reached before its first byte.
        return parent._add_peer_connection(conn, peer_socket, proto)  # noqa: SLF001


class _FrameSplitter:
    """Stands before a connection's input: credit-control answers to us, all else to the package."""

    def __init__(self, connection: PeerConnection, answers: "queue.SimpleQueue[Arrived | Demanded]") -> None:
        self._connection = connection
        self._pass_on = connection.add_in_bytes
        self._answers = answers
        self._rest = b""

    def take(self, data: bytes) -> None:
        """Take bytes from the socket."""
        self._connection.reset_last_read()
        data = self._rest + data
        while len(data) >= 20:
            version_length, flags_command, _, hop_by_hop, _ = _HEADER.unpack_from(data)
            length = version_length & 0xFF_FFFF
            if length < 20 or length > len(data):
                break
            frame, data = data[:length], data[length:]
            if flags_command & (_REQUEST_BIT | 0xFF_FFFF) == _CREDIT_CONTROL_ANSWER:
                self._answers.put(Arrived(hop_by_hop, frame))
            else:
                self._pass_on(frame)
        self._rest = data


class GatewayNode:
    """A gateway connected to one server. Use it in a ``with`` block.

    Its threads are daemons, so that a process which is told to end does.
    """

    def __init__(
        self, *, host: str, port: int, origin_host: str, origin_realm: str, destination_realm: str
    ) -> None:
        self._host = host
        self._port = port
        self._origin_host = origin_host
        self._origin_realm = origin_realm
        self._destination_realm = destination_realm
        self._node: _ListeningNode | None = None
        self._application: _GatewayApplication | None = None
        # A retransmission has to be equal to the first sending: Event-Timestamp included.
        self._messages: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # The package's threads inherit being daemons from the thread that makes them.
        starter = threading.Thread(target=self._start, daemon=True)
        starter.start()
        starter.join()
        return self

    def _start(self) -> None:
        node = _ListeningNode(self._origin_host, self._origin_realm)
        node.wakeup_interval = 1
        node.product_name = "gateway simulator"
        peer = node.add_peer(
            f"aaa://ocs.{self._destination_realm}:{self._port}",
            self._destination_realm,
            ip_addresses=[self._host],
            is_persistent=True,
        )
        peer.reconnect_wait = 1
        application = _GatewayApplication(node.answers)
        node.add_application(application, [peer])
        self._node, self._application = node, application
        node.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait_until_ready(self, timeout_s: float = 10.0) -> None:
        """Wait for capabilities exchange.

        Raises:
            NotConnectedError: it failed, or did not succeed in time.
        """
        host = f"[{self._host}]" if ":" in self._host else self._host
        node, application = self._node, self._application
        if node is None or application is None:
            raise NotConnectedError("the gateway is not started")
        deadline_s = time.monotonic() + timeout_s
        while not application.is_ready.wait(_POLL_S):
            if node.refusal:
                raise NotConnectedError(f"no Diameter connection to {host}:{self._port}: {node.refusal}")
            if time.monotonic() >= deadline_s:
                raise NotConnectedError(
                    f"no Diameter connection to {host}:{self._port} within {timeout_s:g} s"
                )

    def send(self, request: CreditRequest, *, again: Sent | None = None) -> Sent:
        """Send a request; see :class:`Transport`."""
        node, application = self._node, self._application
        if node is None or application is None:
            raise NotConnectedError("the gateway is not started")
        message = self._messages.pop(again.end_to_end, None) if again else None
        if message is None:
            message = encode_request(
                request,
                origin_host=self._origin_host,
                origin_realm=self._origin_realm,
                destination_realm=self._destination_realm,
            )
            message.header.application_id = APP_DIAMETER_CREDIT_CONTROL_APPLICATION
            message.header.end_to_end_identifier = node.end_to_end_seq.next_sequence()
        if request.request_type is CCRequestType.TERMINATION:
            application.sessions.discard(request.session_id)
        elif request.request_type is CCRequestType.INITIAL:
            application.sessions.add(request.session_id)
        # Routing fills in a new Hop-by-Hop-Id where it finds none.
        message.header.hop_by_hop_identifier = 0
        message.header.is_retransmit = again is not None
        try:
            connection, _ = node.route_request(application, message)
        except NotRoutable as error:
            raise NotConnectedError(str(error)) from None
        sent = Sent(message.header.hop_by_hop_identifier, message.header.end_to_end_identifier)
        node.send_message(connection, message)
        self._messages[sent.end_to_end] = message
        return sent

    def forget(self, sent: Sent) -> None:
        """A request is settled and will not be sent again."""
        self._messages.pop(sent.end_to_end, None)

    def receive(self, timeout_s: float) -> Arrived | Demanded | None:
        """The next answer or demand; see :class:`Transport`."""
        if self._node is None:
            return None
        with contextlib.suppress(queue.Empty):
            return self._node.answers.get(timeout=max(0.0, timeout_s))
        return None

    def close(self) -> None:
        """Disconnect with a Disconnect-Peer-Request; its answer is waited for, within reason."""
        node, self._node = self._node, None
        if node is None:
            return
        for peer in node.peers.values():
            peer.persistent = False
        open_ones = [
            connection for connection in node.connections.values() if connection.state in PEER_READY_STATES
        ]
        for connection in open_ones:
            node.send_dpr(connection)
        deadline_s = time.monotonic() + _STOP_TIMEOUT_S
        while (
            any(connection.ident in node.connections for connection in open_ones)
            and time.monotonic() < deadline_s
        ):
            time.sleep(_POLL_S)
        # Its threads look up every two seconds whether they are to stop: nothing hangs on them any more.
        threading.Thread(target=node.stop, kwargs={"force": True}, daemon=True).start()
