"""Demands are sent, awaited, repeated and given up within bounds."""

from typing import Any

import pytest

from ocs.clock import ManualClock
from ocs.diameter_gy import demand_sender
from ocs.diameter_gy.avp import split_avps, unsigned32, utf8
from ocs.diameter_gy.demand_sender import GIVEN_UP, RESULTS, DemandSender
from ocs.diameter_gy.gateway_routes import GatewayRoutes
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.peer_states import State
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.limits import DEMAND_ATTEMPTS_MAX, DEMAND_RETRY_DELAY_S, DEMAND_TIMEOUT_S
from ocs.log import RepeatLimiter
from ocs.metrics import Counter

OURS = NodeIdentity("ocs.lab.example", "lab.example", "ocs", 7)


class FakePeer:
    def __init__(self):
        self.state = State.OPEN
        self.capabilities = None
        self.numbers = 100
        self.forgotten: list[int] = []

    def number_request(self):
        self.numbers += 1
        return self.numbers

    def forget_request(self, number):
        self.forgotten.append(number)


class FakeConnection:
    def __init__(self, name="pgw.example"):
        self.peer_name = name
        self.is_closed = False
        self.peer = FakePeer()
        self.sent: list[bytes] = []

    def send(self, message):
        self.sent.append(message)


def a_connection(name: str = "pgw.example") -> Any:
    return FakeConnection(name)


def sessions_of(connection: Any) -> list[str]:
    """Session-Ids of what was sent on a connection, in order."""
    return [
        avp.data.decode() for message in connection.sent for avp in split_avps(message, 20) if avp.code == 263
    ]


def demand(
    session: str = "s1", host: str = "pgw.example", kind: DemandKind = DemandKind.REAUTHORISE, **more: Any
):
    return SessionDemand(kind, "a1", session, host, "example", **more)


class Desk:
    """A sender with its connections, a clock, and what it was told is gone."""

    def __init__(self, *connections: Any):
        self.connections = list(connections)
        self.now_s = 0.0
        self.gone: list[tuple[str, str]] = []
        self.sender = DemandSender(
            GatewayRoutes(lambda: self.connections),
            lambda: OURS,
            RepeatLimiter(ManualClock(0)),
            lambda: self.now_s,
            lambda account, session: self.gone.append((account, session)),
        )

    def answer(self, connection: Any, result_code: int, which: int = -1, command: int | None = None) -> None:
        header = parse_header(connection.sent[which])
        body = utf8(263, "s") + unsigned32(268, result_code)
        code = header.command_code if command is None else command
        octets = encode_message(code, 4, 0x40, header.hop_by_hop_id, header.end_to_end_id, body)
        self.sender.answered(octets, parse_header(octets), connection)

    def passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.sender.tick()


@pytest.fixture
def gateway() -> Any:
    return a_connection()


@pytest.fixture
def desk(gateway: Any) -> Desk:
    return Desk(gateway)


@pytest.mark.parametrize("result_code", [2001, 2002])
def test_gateway_that_agrees_is_asked_once(desk: Desk, gateway: Any, result_code: int) -> None:
    assert desk.sender.submit([demand()]) == 1
    assert sessions_of(gateway) == ["s1"]
    desk.answer(gateway, result_code)
    desk.passes(1000)
    assert (len(gateway.sent), desk.sender.count, desk.gone) == (1, 0, [])


@pytest.mark.parametrize("kind", DemandKind)
def test_session_that_the_gateway_does_not_know_is_told(desk: Desk, gateway: Any, kind: DemandKind) -> None:
    desk.sender.submit([demand(kind=kind)])
    desk.answer(gateway, 5002)
    assert desk.gone == [("a1", "s1")]
    assert desk.sender.count == 0


def counted(metric: Counter) -> dict[tuple[str, ...], float]:
    return {sample.labels: sample.value for sample in metric.family().samples}


def test_refusal_is_counted_and_not_repeated(desk: Desk, gateway: Any) -> None:
    given_up, results = counted(GIVEN_UP), counted(RESULTS)
    desk.sender.submit([demand()])
    desk.answer(gateway, 3001)
    desk.passes(1000)
    assert (len(gateway.sent), desk.sender.count, desk.gone) == (1, 0, [])
    one = ("reauthorise",)
    assert counted(GIVEN_UP)[one] == given_up.get(one, 0) + 1
    assert counted(RESULTS)[*one, "3001"] == results.get((*one, "3001"), 0) + 1


@pytest.mark.parametrize("result_code", [3002, 3004])
def test_way_that_leads_nowhere_is_left_for_another(result_code: int) -> None:
    one, two = a_connection(), a_connection()
    desk = Desk(one, two)
    desk.sender.routes.note("pgw.example", one)
    desk.sender.submit([demand()])
    desk.answer(one, result_code)
    assert (len(one.sent), len(two.sent)) == (1, 0)
    desk.passes(DEMAND_RETRY_DELAY_S)
    first, copy = parse_header(one.sent[0]), parse_header(two.sent[0])
    assert first.end_to_end_id == copy.end_to_end_id
    assert (first.is_retransmitted, copy.is_retransmitted) == (False, True)


def test_gateway_that_does_not_answer_is_asked_again_within_bounds(desk: Desk, gateway: Any) -> None:
    desk.sender.submit([demand()])
    for _ in range(10):
        desk.passes(DEMAND_TIMEOUT_S)
        desk.passes(DEMAND_ATTEMPTS_MAX * DEMAND_RETRY_DELAY_S)
    assert len(gateway.sent) == DEMAND_ATTEMPTS_MAX
    assert desk.sender.count == 0
    assert len(gateway.peer.forgotten) == DEMAND_ATTEMPTS_MAX


def test_answer_in_time_ends_the_wait_and_a_late_one_means_nothing(desk: Desk, gateway: Any) -> None:
    desk.sender.submit([demand()])
    desk.passes(DEMAND_TIMEOUT_S / 2)
    desk.answer(gateway, 2001)
    desk.answer(gateway, 5002)
    desk.passes(DEMAND_TIMEOUT_S)
    assert (len(gateway.sent), desk.sender.count, desk.gone) == (1, 0, [])


def test_answer_to_another_command_is_none(desk: Desk, gateway: Any) -> None:
    desk.sender.submit([demand()])
    desk.answer(gateway, 5002, command=274)
    assert (desk.gone, desk.sender.count) == ([], 1)


def test_demands_in_flight_are_bounded_and_the_rest_follows(
    desk: Desk, gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand_sender, "DEMANDS_IN_FLIGHT_PER_GATEWAY", 2)
    assert desk.sender.submit([demand(f"s{number}") for number in range(5)]) == 5
    assert sessions_of(gateway) == ["s0", "s1"]
    desk.answer(gateway, 2001, which=0)
    assert sessions_of(gateway) == ["s0", "s1", "s2"]


def test_what_waits_is_not_queued_twice(desk: Desk, gateway: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_sender, "DEMANDS_IN_FLIGHT_PER_GATEWAY", 1)
    desk.sender.submit([demand("s0"), demand("s1")])
    assert desk.sender.submit([demand("s1"), demand("s1", rating_groups=(5,))]) == 2
    for which in range(3):
        desk.answer(gateway, 2001, which=which)
    assert sessions_of(gateway) == ["s0", "s1", "s1"]
    desk.sender.submit([demand("s1")])  # it was told before this change: once more
    assert sessions_of(gateway)[-1] == "s1" and len(gateway.sent) == 4


def test_demands_kept_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_sender, "DEMANDS_WAITING_MAX", 3)
    assert desk.sender.submit([demand(f"s{number}") for number in range(5)]) == 3
    assert desk.sender.count == 3


def test_deaf_gateway_costs_little_and_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_sender, "DEMANDS_IN_FLIGHT_PER_GATEWAY", 8)
    deaf, good = a_connection("deaf.example"), a_connection()
    desk = Desk(deaf, good)
    desk.sender.submit([demand(f"s{number}", "deaf.example") for number in range(100)])
    desk.sender.submit([demand("mine")])
    assert sessions_of(good) == ["mine"]
    desk.passes(DEMAND_TIMEOUT_S)
    assert len(deaf.sent) == 8
    desk.passes(100 * DEMAND_TIMEOUT_S)
    desk.answer(good, 2001)
    desk.passes(100 * DEMAND_TIMEOUT_S)
    before = len(deaf.sent)
    desk.sender.submit([demand(f"later{number}", "deaf.example") for number in range(20)])
    assert len(deaf.sent) == before + 1  # one at a time, until it answers
    desk.answer(deaf, 2001)
    assert len(deaf.sent) == before + 1 + 8


def test_deaf_gateway_behind_a_relay_holds_up_no_other_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_sender, "DEMANDS_IN_FLIGHT_PER_GATEWAY", 8)
    relay = a_connection("relay.example")
    desk = Desk(relay)
    for host in ("deaf.example", "good.example"):
        desk.sender.routes.note(host, relay)
    desk.sender.submit([demand(f"s{number}", "deaf.example") for number in range(100)])
    desk.sender.submit([demand(f"good{number}", "good.example") for number in range(20)])
    assert sessions_of(relay) == [f"s{number}" for number in range(8)] + [
        f"good{number}" for number in range(8)
    ]
    for which in range(8, 16):
        desk.answer(relay, 2001, which=which)
    assert sessions_of(relay)[16:] == [f"good{number}" for number in range(8, 16)]
    for which in range(16, 24):
        desk.answer(relay, 2001, which=which)
    desk.passes(DEMAND_TIMEOUT_S)  # the deaf one's are given up, and the last good ones asked again later
    for _ in range(3):
        desk.passes(DEMAND_ATTEMPTS_MAX * DEMAND_RETRY_DELAY_S)
    assert {f"good{number}" for number in range(20)} <= set(sessions_of(relay))
    assert sum(session.startswith("s") for session in sessions_of(relay)) < 3 * 8


def test_gateways_that_have_answered_leave_nothing_behind(desk: Desk, gateway: Any) -> None:
    for number in range(3):
        desk.sender.submit([demand(f"s{number}")])
        desk.answer(gateway, 2001)
    assert desk.sender._windows == {gateway: {}}
    assert desk.sender._in_flight == {gateway: {}}
    desk.sender.lost(gateway)
    assert desk.sender._windows == desk.sender._in_flight == {}


def test_gateway_that_is_not_here_is_left_to_others(desk: Desk) -> None:
    assert desk.sender.submit([demand(host="elsewhere.example")]) == 0
    assert (desk.sender.rank("elsewhere.example"), desk.sender.rank("pgw.example")) == (0, 2)


def test_lost_connection_s_demands_go_another_way_when_there_is_one(
    desk: Desk, gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand_sender, "DEMANDS_IN_FLIGHT_PER_GATEWAY", 1)
    desk.sender.submit([demand("s0"), demand("s1")])
    gateway.is_closed = True
    desk.sender.lost(gateway)
    desk.passes(DEMAND_RETRY_DELAY_S)
    assert desk.sender.count == 2
    again = a_connection()
    desk.connections = [again]
    desk.passes(DEMAND_ATTEMPTS_MAX * DEMAND_RETRY_DELAY_S)
    desk.answer(again, 2001)
    assert sorted(sessions_of(again)) == ["s0", "s1"]
    sent_before = [parse_header(message).is_retransmitted for message in again.sent]
    assert sent_before == [session == "s0" for session in sessions_of(again)]


def test_gateway_that_stays_away_is_given_up(desk: Desk, gateway: Any) -> None:
    desk.sender.submit([demand()])
    gateway.is_closed = True
    desk.sender.lost(gateway)
    for _ in range(20):
        desk.passes(DEMAND_ATTEMPTS_MAX * DEMAND_RETRY_DELAY_S)
    assert desk.sender.count == 0
