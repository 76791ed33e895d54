"""The gateway's connection, against a charging system on the package's own node."""

import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest
from diameter.message import Message
from diameter.message.commands import AbortSessionRequest, ReAuthRequest
from diameter.message.commands.disconnect_peer import DisconnectPeerRequest

from ocs.messages import CCRequestType, Service
from simulators.gateway.codec import decode_answer
from simulators.gateway.expectations import check_frame
from simulators.gateway.model import CreditRequest, Demand, ServiceReport, Subscriber, Units
from simulators.gateway.node import Arrived, Demanded, GatewayNode, NotConnectedError


def request(number: int) -> CreditRequest:
    kind = CCRequestType.UPDATE if number else CCRequestType.INITIAL
    report = ServiceReport(1, requested=Units())
    return CreditRequest(
        Subscriber("491710000001"), "gateway.sim.example;1", kind, number, Service.DATA, (report,)
    )


def gateway(port: int, host: str = "127.0.0.1") -> GatewayNode:
    return GatewayNode(
        host=host,
        port=port,
        origin_host="gateway.sim.example",
        origin_realm="sim.example",
        destination_realm="lab.example",
    )


@pytest.fixture
def node(ocs: Any) -> Generator[GatewayNode]:
    with gateway(ocs.port) as opened:
        opened.wait_until_ready()
        yield opened


def test_request_is_answered(node: GatewayNode) -> None:
    sent = node.send(request(0))
    arrived = node.receive(5.0)
    assert isinstance(arrived, Arrived)
    assert arrived.hop_by_hop == sent.hop_by_hop
    assert check_frame(arrived.frame, end_to_end=sent.end_to_end) == []
    assert decode_answer(arrived.frame).services[0].granted == Units(total_octets=10_485_760)
    node.forget(sent)


def test_repeat_has_T_flag_new_hop_by_hop_same_end_to_end_and_same_content(
    node: GatewayNode, ocs: Any
) -> None:
    sent = node.send(request(0))
    first = node.receive(5.0)
    again = node.send(request(0), again=sent)
    second = node.receive(5.0)
    assert again.end_to_end == sent.end_to_end
    assert again.hop_by_hop != sent.hop_by_hop
    assert [one.header.is_retransmit for one in ocs.requests] == [False, True]
    assert ocs.requests[0].event_timestamp == ocs.requests[1].event_timestamp
    assert isinstance(first, Arrived)
    assert isinstance(second, Arrived)
    assert decode_answer(first.frame) == decode_answer(second.frame)


def test_nothing_arrives_when_nothing_was_sent(node: GatewayNode) -> None:
    assert node.receive(0.0) is None


def test_nobody_listening_is_not_connected_and_told_at_once() -> None:
    with gateway(1) as alone:
        with pytest.raises(NotConnectedError, match=r"127\.0\.0\.1:1: Connection refused"):
            alone.wait_until_ready(60.0)
        with pytest.raises(NotConnectedError):
            alone.send(request(0))


def test_name_that_is_none_is_named() -> None:
    with (
        gateway(3868, "nowhere.invalid") as alone,
        pytest.raises(NotConnectedError, match=r"nowhere\.invalid:3868"),
    ):
        alone.wait_until_ready(60.0)


def test_server_that_is_silent_is_given_up() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        gateway(listener.getsockname()[1]) as alone,
        pytest.raises(NotConnectedError, match=r"within 0\.1 s"),
    ):
        alone.wait_until_ready(0.1)


class OneConnection(threading.Thread):
    """A server for one connection: answers each request of the base protocol, and notes how the gateway leaves.

    Attributes:
        commands: codes of the requests, in order.
        ended: how the connection ended: "FIN" or the error.
    """

    def __init__(self, host: str, *, result_code: int = 2001) -> None:
        super().__init__(daemon=True)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((host, 0), family=family)
        except OSError as error:
            pytest.skip(f"this machine has no address {host}: {error}")
        self._listener.settimeout(10.0)
        self._result_code = result_code
        self.port: int = self._listener.getsockname()[1]
        self.commands: list[int] = []
        self.ended = ""

    def run(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(10.0)
        with self._listener, connection:
            try:
                while data := connection.recv(4096):
                    connection.sendall(self._answer(data))
                self.ended = "FIN"
            except OSError as error:
                self.ended = repr(error)

    def _answer(self, data: bytes) -> bytes:
        asked: Any = Message.from_bytes(data)
        self.commands.append(asked.header.command_code)
        answer = asked.to_answer()
        answer.result_code = self._result_code
        answer.origin_host, answer.origin_realm = b"ocs.lab.example", b"lab.example"
        if asked.header.command_code == 257:
            answer.error_message = "not on the list"
            answer.host_ip_address, answer.vendor_id, answer.product_name = ["127.0.0.1"], 0, "fake"
            answer.auth_application_id = [4]
        return answer.as_bytes()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_gateway_leaves_with_a_disconnect_request_and_no_reset(host: str) -> None:
    server = OneConnection(host)
    server.start()
    with gateway(server.port, host) as opened:
        opened.wait_until_ready()
    server.join(10.0)
    assert server.commands == [257, 282]
    assert server.ended == "FIN"


class TakesLeave(threading.Thread):
    """A server that greets its gateway, sends it away with a cause, and waits for it to come back.

    Attributes:
        commands: codes of the messages that came, in order, over all connections.
        has_left: set when the gateway has answered. is_back: when it has connected again.
    """

    def __init__(self, cause: int) -> None:
        super().__init__(daemon=True)
        self._cause = cause
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10.0)
        self.port: int = self._listener.getsockname()[1]
        self.has_left, self.is_back = threading.Event(), threading.Event()

    def run(self) -> None:
        with self._listener:
            with self._listener.accept()[0] as connection:
                connection.sendall(_capabilities_answer(connection.recv(4096)))
                request = DisconnectPeerRequest()
                request.header.hop_by_hop_identifier = request.header.end_to_end_identifier = 7
                request.origin_host, request.origin_realm = b"ocs.lab.example", b"lab.example"
                request.disconnect_cause = self._cause  # type: ignore[assignment] - the package does not say int
                connection.sendall(request.as_bytes())
                connection.recv(4096)
                self.has_left.set()
            try:
                with self._listener.accept()[0] as connection:
                    connection.sendall(_capabilities_answer(connection.recv(4096)))
                    self.is_back.set()
                    connection.recv(4096)
            except OSError:
                return  # nobody came

    def close(self) -> None:
        """Wait no longer."""
        self._listener.shutdown(socket.SHUT_RDWR)


def _capabilities_answer(data: bytes) -> bytes:
    answer: Any = Message.from_bytes(data).to_answer()
    answer.result_code = 2001
    answer.origin_host, answer.origin_realm = b"ocs.lab.example", b"lab.example"
    answer.host_ip_address, answer.vendor_id, answer.product_name = ["127.0.0.1"], 0, "fake"
    answer.auth_application_id = [4]
    return answer.as_bytes()


def test_gateway_comes_back_to_a_server_that_reboots() -> None:
    server = TakesLeave(0)
    server.start()
    with gateway(server.port):
        assert server.is_back.wait(10.0)
    server.join(10.0)


def test_gateway_stays_away_from_a_server_that_wants_no_more_of_it() -> None:
    server = TakesLeave(2)
    server.start()
    with gateway(server.port) as opened:
        assert server.has_left.wait(10.0)
        assert opened._node is not None
        assert [peer.always_reconnect for peer in opened._node.peers.values()] == [False]
        server.close()
    server.join(10.0)
    assert not server.is_back.is_set()


def test_server_that_refuses_us_is_quoted() -> None:
    server = OneConnection("::1", result_code=3010)
    server.start()
    with gateway(server.port, "::1") as opened, pytest.raises(NotConnectedError) as refused:
        opened.wait_until_ready(60.0)
    assert str(refused.value) == (
        f"no Diameter connection to [::1]:{server.port}: "
        "the server refuses us with Result-Code 3010 (not on the list)"
    )
    server.join(10.0)


def test_closed_gateway_sends_nothing() -> None:
    closed = gateway(1)
    closed.close()
    assert closed.receive(0.0) is None
    with pytest.raises(NotConnectedError, match="not started"):
        closed.send(request(0))


# --- what the server demands -------------------------------------------------------------------------------------


def demand(kind: type, session_id: str) -> Any:
    message: Any = kind()
    message.header.application_id = 4
    message.session_id = session_id
    message.origin_host, message.origin_realm = b"ocs.lab.example", b"lab.example"
    message.destination_host, message.destination_realm = b"gateway.sim.example", b"lab.example"
    message.auth_application_id = 4
    if kind is ReAuthRequest:
        message.re_auth_request_type = 0
    return message


@pytest.mark.parametrize(
    ("kind", "result", "wanted"),
    [(ReAuthRequest, 2002, Demand.REAUTHORISE), (AbortSessionRequest, 2001, Demand.ABORT)],
)
def test_demand_on_an_open_session_is_agreed_to_and_handed_on(
    node: GatewayNode, ocs: Any, kind: type, result: int, wanted: Demand
) -> None:
    node.send(request(0))
    assert isinstance(node.receive(5.0), Arrived)
    assert ocs.send_request(demand(kind, "gateway.sim.example;1"), 5.0).result_code == result
    assert node.receive(5.0) == Demanded("gateway.sim.example;1", wanted)


@pytest.mark.parametrize("kind", [ReAuthRequest, AbortSessionRequest])
def test_demand_on_a_session_that_is_not_open_is_refused(node: GatewayNode, ocs: Any, kind: type) -> None:
    assert ocs.send_request(demand(kind, "gateway.sim.example;2"), 5.0).result_code == 5002
    assert node.receive(0.0) is None
