"""CoA- and Disconnect-Requests: sent, repeated within bounds, and told about."""

import pytest
from pyrad import packet as pyrad

from ocs.clock import ManualClock
from ocs.limits import RADIUS_ORDER_ATTEMPTS_MAX, RADIUS_ORDER_TIMEOUT_S, RADIUS_ORDERS_PER_CLIENT_MAX
from ocs.log import RepeatLimiter
from ocs.radius import codes
from ocs.radius.codes import Code
from ocs.radius.known_sessions import Place
from ocs.radius.orders import ORDERS, OrderSender
from ocs.radius.packet import attribute
from tests.radius.access_server import DICTIONARY, SECRET

HOST = "192.0.2.1"


class Lab:
    def __init__(self, client):
        self.sent = []
        self.clock = ManualClock(1_800_000_000_000)
        self.orders = OrderSender(self._send, self.clock, RepeatLimiter(self.clock))
        self.place = Place(client, HOST, (attribute(codes.ACCT_SESSION_ID, b"s1"),))

    def _send(self, octets, host, port):
        self.sent.append((octets, host, port))

    def order(self, code=Code.DISCONNECT_REQUEST, session="s1"):
        return self.orders.submit(code, session, self.place)

    def answer(self, code, *, secret=SECRET, port=3799, octets=None, **attributes):
        octets = octets or self.sent[-1][0]
        reply = pyrad.Packet(code, octets[1], secret, octets[4:20], dict=DICTIONARY)
        for name, value in attributes.items():
            reply.AddAttribute(name.replace("_", "-"), value)
        self.orders.answered(reply.ReplyPacket(), HOST, port)

    def passes(self, seconds):
        self.clock.advance_ms(round(seconds * 1000))
        self.orders.tick()


@pytest.fixture
def lab(client):
    return Lab(client)


def counted(kind, result):
    samples = {sample.labels: sample.value for sample in ORDERS.family().samples}
    return samples.get((kind, result), 0)


def test_an_order_goes_to_the_client_s_port_with_the_time_of_its_making(lab):
    assert lab.order()
    octets, host, port = lab.sent[0]
    assert (host, port) == (HOST, 3799)
    order = pyrad.CoAPacket(packet=octets, secret=SECRET, dict=DICTIONARY)
    assert order.VerifyCoARequest()
    assert order["Acct-Session-Id"] == ["s1"]
    assert order["Event-Timestamp"] == [1_800_000_000]


@pytest.mark.parametrize(
    ("code", "reply", "kind", "result"),
    [
        (Code.DISCONNECT_REQUEST, pyrad.DisconnectACK, "disconnect", "ack"),
        (Code.DISCONNECT_REQUEST, pyrad.DisconnectNAK, "disconnect", "nak"),
        (Code.COA_REQUEST, pyrad.CoAACK, "coa", "ack"),
        (Code.COA_REQUEST, pyrad.CoANAK, "coa", "nak"),
    ],
)
def test_its_reply_ends_it(lab, code, reply, kind, result):
    before = counted(kind, result)
    lab.order(code)
    lab.answer(reply)
    assert lab.orders.count == 0
    assert counted(kind, result) == before + 1
    lab.passes(60)
    assert len(lab.sent) == 1


def test_a_session_that_the_server_does_not_know_is_gone(lab):
    before = counted("disconnect", "gone")
    lab.order()
    lab.answer(pyrad.DisconnectNAK, Error_Cause="Session-Context-Not-Found")
    assert counted("disconnect", "gone") == before + 1


def test_a_reply_that_somebody_else_wrote_is_dropped(lab):
    lab.order()
    lab.answer(pyrad.DisconnectACK, secret=b"another secret")
    lab.answer(pyrad.CoAACK)
    lab.answer(pyrad.DisconnectACK, port=1)
    lab.orders.answered(b"nothing", HOST, 3799)
    assert lab.orders.count == 1


def test_an_order_is_repeated_as_it_was_and_given_up(lab):
    before = counted("disconnect", "timeout")
    lab.order()
    for _ in range(RADIUS_ORDER_ATTEMPTS_MAX - 1):
        lab.passes(RADIUS_ORDER_TIMEOUT_S)
    assert len({octets for octets, _, _ in lab.sent}) == 1
    assert len(lab.sent) == RADIUS_ORDER_ATTEMPTS_MAX
    lab.passes(RADIUS_ORDER_TIMEOUT_S)
    assert lab.orders.count == 0
    assert counted("disconnect", "timeout") == before + 1


def test_a_younger_order_takes_the_place_of_the_older(lab):
    lab.order(Code.COA_REQUEST)
    lab.order(Code.COA_REQUEST)
    lab.order(Code.DISCONNECT_REQUEST)
    assert lab.orders.count == 2
    lab.answer(pyrad.CoAACK, octets=lab.sent[0][0])
    assert lab.orders.count == 2, "the reply to the older one says nothing of the younger"
    lab.answer(pyrad.CoAACK, octets=lab.sent[1][0])
    assert lab.orders.count == 1


def test_a_client_has_no_more_orders_than_it_can_tell_apart(lab):
    for number in range(RADIUS_ORDERS_PER_CLIENT_MAX):
        assert lab.order(session=f"s{number}")
    assert len({octets[1] for octets, _, _ in lab.sent}) == RADIUS_ORDERS_PER_CLIENT_MAX
    assert not lab.order(session="one too many")


def test_a_client_without_a_port_gets_none(lab, client):
    lab.place = Place(client._replace(coa_port=0), HOST, ())
    assert not lab.order()
    assert lab.sent == []
