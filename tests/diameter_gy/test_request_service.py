from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ocs.clock import ManualClock
from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, split_avps, unsigned32, utf8
from ocs.diameter_gy.demand_sender import DemandSender
from ocs.diameter_gy.gateway_routes import GatewayRoutes
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.overload import Overload, PeerLoad
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.request_log import RequestLog
from ocs.diameter_gy.request_service import CreditControlService
from ocs.diameter_gy.routing import RoutingPolicy
from ocs.limits import MESSAGE_OCTETS_MAX, PROXY_INFO_OCTETS_MAX, REQUESTS_ADMITTED_MIN
from ocs.log import RepeatLimiter
from ocs.messages import CCRequestType, ChargingAnswer, Outcome

OURS = NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss", origin_state_id=7)


class FakeConnection:
    peer_name = "pgw.example"

    def __init__(self):
        self.load = PeerLoad("pgw.example")
        self.read_s = 0.0
        self.sent = []
        self.in_flight = 0
        self.counted = []

    def begin_request(self):
        self.in_flight += 1

    def answer(self, message):
        self.in_flight -= 1
        self.sent.append(message)

    def send(self, message):
        self.sent.append(message)

    def count_error(self, result_code):
        self.counted.append(result_code)

    def results(self):
        return [
            int.from_bytes(avp.data)
            for message in self.sent
            for avp in split_avps(message, 20)
            if avp.code == 268
        ]


def new_connection() -> Any:
    return FakeConnection()


class FailingHandler:
    def submit(self, request, reply):
        raise RuntimeError("a bug of ours")


class NonsenseHandler:
    def submit(self, request, reply):
        nonsense: Any = ("no service",)
        reply(ChargingAnswer(Outcome.SUCCESS, services=nonsense))


def new_service(handler, *, success_sample=0, overload=None):
    routing = RoutingPolicy.of(["ocs.lab.example"], ["lab.example"])
    policy = GyPolicy(check_routing=routing.check)
    limiter = RepeatLimiter(ManualClock(0))
    log = RequestLog(limiter, success_sample)
    demands = DemandSender(GatewayRoutes(tuple), lambda: OURS, limiter, lambda: 0.0, lambda *_: None)
    return CreditControlService(OURS, policy, handler, log, overload or Overload(), demands)


def serve(service, message):
    connection = new_connection()
    service.serve(message, parse_header(message), connection)
    return connection


def test_request_is_handed_over_and_its_answer_sent(lab):
    gateway = lab.gateway(None)
    connection = serve(new_service(lab.handler), gateway.ccr())
    assert connection.results()[0] == 2001
    assert connection.in_flight == 0
    assert connection.counted == []


def test_request_in_flight_is_counted_until_its_answer(lab):
    lab.handler.holds = True
    connection = serve(new_service(lab.handler), lab.gateway(None).ccr())
    assert (connection.in_flight, connection.sent) == (1, [])
    lab.handler.release()
    assert (connection.in_flight, len(connection.sent)) == (0, 1)


def test_refused_request_never_reaches_charging(lab):
    connection = serve(new_service(lab.handler), encode_message(272, 4, 0xC0, 1, 1, utf8(263, "s")))
    assert connection.results() == [5005]
    assert connection.counted == [5005]
    assert lab.handler.requests == []


def test_route_is_judged_before_content(lab):
    body = utf8(263, "s") + utf8(264, "pgw") + utf8(296, "example") + utf8(283, "other.example")
    connection = serve(new_service(lab.handler), encode_message(272, 4, 0xC0, 1, 1, body))
    assert connection.results() == [3003]


def full():
    """A process with as much in flight as it takes, all of it of one peer."""
    overload = Overload(admitted_at_rest=REQUESTS_ADMITTED_MIN)
    load = overload.join("pgw.example")
    for _ in range(overload.bound):
        overload.begin(load, 500)
    return overload, load


def test_overloaded_node_refuses_before_it_reads_and_says_so_once(lab):
    overload, load = full()
    service, connection = new_service(lab.handler, overload=overload), new_connection()
    connection.load = load
    message = encode_message(
        272, 4, 0xC0, 7, 8, utf8(263, "s;1") + enumerated(416, 1)
    )  # decoding would refuse it
    with structlog.testing.capture_logs() as lines:
        for _ in range(200):
            service.serve(message, parse_header(message), connection)
    assert connection.results() == [3004] * 200
    assert lab.handler.requests == []
    (line,) = lines
    assert line["event"] == "overloaded"
    assert line["remedy"]


def test_overloaded_node_takes_a_termination_and_what_a_quiet_peer_sends(lab):
    lab.handler.holds = True
    overload, load = full()
    service, busy, quiet = new_service(lab.handler, overload=overload), new_connection(), new_connection()
    busy.load, quiet.load = load, overload.join("quiet.example")
    initial = lab.gateway(None).ccr()
    termination = initial.replace(enumerated(416, 1), enumerated(416, 3))
    service.serve(termination, parse_header(termination), busy)
    service.serve(initial, parse_header(initial), quiet)
    service.serve(initial, parse_header(initial), busy)
    assert [request.request_type for request in lab.handler.requests] == [
        CCRequestType.TERMINATION,
        CCRequestType.INITIAL,
    ]
    assert busy.results() == [3004]


def test_what_is_not_credit_control_is_answered_by_an_overloaded_node_as_ever(lab):
    overload, load = full()
    connection = new_connection()
    connection.load = load
    message = encode_message(271, 3, 0xC0, 7, 8, utf8(263, "s;1"))
    new_service(lab.handler, overload=overload).serve(message, parse_header(message), connection)
    assert connection.results() == [3007]


@pytest.mark.parametrize("outcome", Outcome)
def test_load_is_over_with_the_answer_whatever_it_is(lab, outcome):
    overload = Overload()
    lab.handler.outcome = outcome
    serve(new_service(lab.handler, overload=overload), lab.gateway(None).ccr())
    assert (overload.in_flight, overload.octets) == (0, 0)


@pytest.mark.parametrize("handler", [FailingHandler(), NonsenseHandler()])
def test_load_is_over_after_a_bug_of_ours(lab, handler):
    overload = Overload()
    with structlog.testing.capture_logs():
        serve(new_service(handler, overload=overload), lab.gateway(None).ccr())
    assert (overload.in_flight, overload.octets) == (0, 0)


def test_new_identity_is_told_by_a_busy_node_too(lab):
    overload, load = full()
    service, connection = new_service(lab.handler, overload=overload), new_connection()
    connection.load = load
    service.identity = NodeIdentity("other.lab.example", "lab.example")
    message = lab.gateway(None).ccr()
    service.serve(message, parse_header(message), connection)
    assert b"other.lab.example" in connection.sent[0]


def test_proxy_info_that_leaves_no_room_for_an_answer_is_refused_before_charging(lab):
    room = MESSAGE_OCTETS_MAX - len(lab.gateway(None).ccr())
    for octets, result in (
        (PROXY_INFO_OCTETS_MAX - 100, 2001),
        (PROXY_INFO_OCTETS_MAX + 1, 5012),
        (room - 100, 5012),
    ):
        proxy_info = grouped(284, utf8(280, "proxy.example"), encode_avp(33, bytes(octets)))
        connection = serve(new_service(lab.handler), lab.gateway(None).ccr(extra=proxy_info))
        assert connection.results()[0] == result
        assert len(connection.sent[0]) <= MESSAGE_OCTETS_MAX
        assert proxy_info in connection.sent[0]
    assert len(lab.handler.requests) == 1


@pytest.mark.parametrize("handler", [FailingHandler(), NonsenseHandler()])
def test_bug_of_ours_is_answered_unable_to_comply_with_details_in_the_log_only(lab, handler):
    with structlog.testing.capture_logs() as lines:
        connection = serve(new_service(handler), lab.gateway(None).ccr())
    assert connection.results()[0] == 5012
    assert connection.in_flight == 0
    assert [line["event"] for line in lines if line["log_level"] == "error"]
    assert b"bug" not in connection.sent[0]


@pytest.mark.parametrize(
    ("outcome", "result_code"),
    [
        (Outcome.TOO_BUSY, 3004),
        (Outcome.UNABLE_TO_DELIVER, 3004),
        (Outcome.UNKNOWN_SESSION, 5002),
        (Outcome.USER_UNKNOWN, 5030),
        (Outcome.CREDIT_LIMIT_REACHED, 4012),
        (Outcome.UNABLE_TO_COMPLY, 5012),
    ],
)
def test_refusal_by_charging_keeps_its_code(lab, outcome, result_code):
    lab.handler.outcome = outcome
    connection = serve(new_service(lab.handler), lab.gateway(None).ccr())
    assert connection.results()[0] == result_code
    assert parse_header(connection.sent[0]).is_error == (result_code // 1000 == 3)


@given(st.binary(max_size=300), st.integers(0, 255), st.sampled_from([0, 4, 16777238]))
def test_random_request_gets_exactly_one_answer(body, flags, application):
    class Granting:
        def submit(self, request, reply):
            reply(ChargingAnswer(Outcome.UNKNOWN_SESSION))

    connection = serve(new_service(Granting()), encode_message(272, application, flags | 0x80, 1, 2, body))
    assert len(connection.sent) == 1
    assert parse_header(connection.sent[0])[4:] == (application, 1, 2)


@given(st.data())
def test_damaged_request_gets_exactly_one_answer(data):
    class Refusing:
        def submit(self, request, reply):
            reply(ChargingAnswer(Outcome.USER_UNKNOWN))

    body = bytearray(
        utf8(263, "s;1")
        + utf8(264, "pgw.example")
        + utf8(296, "example")
        + utf8(283, "lab.example")
        + unsigned32(258, 4)
        + utf8(461, "32251@3gpp.org")
        + enumerated(416, 1)
        + unsigned32(415, 0)
        + grouped(456, encode_avp(437, b""), unsigned32(432, 10))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    connection = serve(new_service(Refusing()), encode_message(272, 4, 0xC0, 1, 2, bytes(body)))
    assert len(connection.sent) == 1
    assert connection.results()
