"""The gateway's connection, against a charging system on the package's own node."""

from collections.abc import Generator
from typing import Any

import pytest

from ocs.messages import CCRequestType, Service
from simulators.gateway.codec import decode_answer
from simulators.gateway.expectations import check_frame
from simulators.gateway.model import CreditRequest, ServiceReport, Subscriber, Units
from simulators.gateway.node import GatewayNode, NotConnectedError


def request(number: int) -> CreditRequest:
    kind = CCRequestType.UPDATE if number else CCRequestType.INITIAL
    report = ServiceReport(1, requested=Units())
    return CreditRequest(
        Subscriber("491710000001"), "gateway.sim.example;1", kind, number, Service.DATA, (report,)
    )


def gateway(port: int) -> GatewayNode:
    return GatewayNode(
        host="127.0.0.1",
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
    assert arrived is not None
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
    assert first is not None
    assert second is not None
    assert decode_answer(first.frame) == decode_answer(second.frame)


def test_nothing_arrives_when_nothing_was_sent(node: GatewayNode) -> None:
    assert node.receive(0.0) is None


def test_nobody_listening_is_not_connected(ocs: Any) -> None:
    with gateway(1) as alone:
        with pytest.raises(NotConnectedError, match=r"127\.0\.0\.1:1"):
            alone.wait_until_ready(0.1)
        with pytest.raises(NotConnectedError):
            alone.send(request(0))


def test_closed_gateway_sends_nothing() -> None:
    closed = gateway(1)
    closed.close()
    assert closed.receive(0.0) is None
    with pytest.raises(NotConnectedError, match="not started"):
        closed.send(request(0))
