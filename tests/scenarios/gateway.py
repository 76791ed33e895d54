"""The gateway of the scenarios: the `diameter` package's node, which hears what the server asks and lets the play answer."""

import contextlib
import logging
import queue
import time
from collections.abc import Generator
from typing import Any, Final

from diameter.message import Message
from diameter.message.commands.credit_control import CreditControl
from diameter.message.constants import APP_DIAMETER_CREDIT_CONTROL_APPLICATION, CMD_ABORT_SESSION, CMD_RE_AUTH
from diameter.node import Node
from diameter.node.application import Application

from tests.endtoend.wireshark import Capture
from tests.scenarios.avps import Found, make, read

HOST: Final = "gateway.scenario.example"
REALM: Final = "scenario.example"
PATIENCE_S: Final = 60
COMMANDS: Final = {"RAR": CMD_RE_AUTH, "ASR": CMD_ABORT_SESSION}
_UNKNOWN_SESSION_ID: Final = 5002
_HEADER_OCTETS: Final = 20
_REQUEST_BIT: Final = 0x80


class _CapturedNode(Node):
    """The package's node, with every octet that it sends and receives kept for Wireshark.

    Attributes:
        frames: messages as they came, by whether they are requests and hop-by-hop identifier: the package's own reading of them sorts their AVPs.
    """

    def __init__(self, capture: Capture) -> None:
        super().__init__(HOST, REALM)
        self._capture = capture
        self.frames: dict[tuple[bool, int], bytes] = {}
        self._rest = b""

    def _split(self, octets: bytes) -> None:
        self._rest += octets
        while len(self._rest) >= _HEADER_OCTETS:
            length = int.from_bytes(self._rest[1:4])
            if len(self._rest) < length:
                break
            is_request = bool(self._rest[4] & _REQUEST_BIT)
            self.frames[is_request, int.from_bytes(self._rest[12:16])] = self._rest[:length]
            self._rest = self._rest[length:]

    def _add_peer_connection(self, conn: Any, peer_socket: Any, proto: int) -> str | None:
        recorded = self._capture.connection()
        take, send = conn.add_in_bytes, conn.add_out_msg

        def received(octets: bytes) -> None:
            recorded.received(octets)
            self._split(octets)
            take(octets)

        def sent(message: Any) -> None:
            recorded.sent(message.as_bytes())
            send(message)

        conn.add_in_bytes, conn.add_out_msg = received, sent
        parent: Any = super()
        # The only place where a connection can be reached before its first octet.
        return parent._add_peer_connection(conn, peer_socket, proto)


class _Application(Application):
    def __init__(self) -> None:
        super().__init__(APP_DIAMETER_CREDIT_CONTROL_APPLICATION, is_auth_application=True)
        self.demands: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def handle_request(self, message: Any) -> None:
        self.demands.put(message)


class ScenarioGateway:
    """An open connection to the server."""

    def __init__(self, node: _CapturedNode, application: _Application) -> None:
        self._node = node
        self._application = application
        self._heard: list[Any] = []

    def ask(self, message: Message, *, end_to_end: int = 0) -> tuple[Found, int]:
        """Send a request and wait for its answer; gives the answer's AVPs and the request's End-to-End Identifier.

        Args:
            end_to_end: of the request that this one is a copy of, which is then sent with the T flag.
        """
        message.header.is_retransmit = bool(end_to_end)
        message.header.end_to_end_identifier = end_to_end or self._node.end_to_end_seq.next_sequence()
        message.header.hop_by_hop_identifier = 0
        answer = self._application.send_request(message, PATIENCE_S)
        return self.found(answer), message.header.end_to_end_identifier

    def found(self, message: Message) -> Found:
        """The AVPs of a message that came, as they came."""
        header = message.header
        frame = self._node.frames.pop((bool(header.is_request), header.hop_by_hop_identifier))
        return read(Message.from_bytes(frame, plain_msg=True).avps)

    def hear(self, command: str, session_id: str) -> Any:
        """Wait for a request of the server about a session; others wait for whoever hears them."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            for message in self._heard:
                if message.session_id == session_id and message.header.command_code == COMMANDS[command]:
                    self._heard.remove(message)
                    return message
            try:
                left_s = deadline_s - time.monotonic()
                self._heard.append(self._application.demands.get(timeout=max(0.01, left_s)))
            except queue.Empty:
                heard = [f"{message.name} for {message.session_id}" for message in self._heard]
                raise AssertionError(
                    f"no {command} for {session_id} within {PATIENCE_S} s; heard {heard}"
                ) from None

    def answer(self, demand: Any, result_code: int) -> None:
        """Answer what was heard."""
        self._application.send_answer(self._application.generate_answer(demand, result_code=result_code))

    def forget(self) -> list[str]:
        """Refuse what nobody heard, so that the server does not ask again; gives what it was."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._heard.append(self._application.demands.get_nowait())
        forgotten, self._heard = self._heard, []
        for demand in forgotten:
            self.answer(demand, _UNKNOWN_SESSION_ID)
        return [f"{demand.name} for {demand.session_id}" for demand in forgotten]


def credit_control_request(members: dict[str, Any]) -> Message:
    """A Credit-Control-Request of these AVPs, in this order."""
    message: Any = CreditControl(avps=make(members))
    message.destination_realm = members["Destination-Realm"].encode()  # by which the package chooses the peer
    message.header.is_request = message.header.is_proxyable = True
    message.header.application_id = APP_DIAMETER_CREDIT_CONTROL_APPLICATION
    return message


@contextlib.contextmanager
def connected(address: tuple[str, int], capture: Capture) -> Generator[ScenarioGateway]:
    """A gateway for a ``with`` block."""
    logging.getLogger("diameter").setLevel(logging.CRITICAL)
    node = _CapturedNode(capture)
    node.wakeup_interval = 1
    host, port = address
    peer = node.add_peer(
        f"aaa://ocs.lab.example:{port};transport=tcp", "lab.example", ip_addresses=[host], is_persistent=True
    )
    application = _Application()
    node.add_application(application, [peer], realms=[REALM])
    node.start()
    try:
        application.wait_for_ready(PATIENCE_S)
        yield ScenarioGateway(node, application)
    finally:
        node.stop(10)
