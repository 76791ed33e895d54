"""The run: time, repeats, losses and expectations, against a transport that answers at once."""

from collections import deque
from typing import Any

import pytest
from diameter.message.avp import grouped
from diameter.message.commands.credit_control import CreditControlAnswer

from ocs.messages import CCRequestType
from simulators.gateway.behaviour import Habits, plots
from simulators.gateway.model import CreditRequest, Demand, ReportingReason, Subscriber
from simulators.gateway.node import Arrived, Demanded, NotConnectedError, Sent
from simulators.gateway.run import Exchange, GatewayRun, RunReport, RunSettings

SUBSCRIBERS = [Subscriber(str(491710000001 + position)) for position in range(5)]


class FakeTransport:
    """Answers each request in its own time; time passes only while waiting.

    Attributes:
        lose: sendings that get no answer, counted from 1.
        result: Result-Code of each sending; 2001 when missing.
        different_repeats: repeats get other grants.
        refuse_all: nobody is known, nor are the sessions that were refused.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.sent: list[tuple[CreditRequest, Sent, bool]] = []
        self.lose: set[int] = set()
        self.result: dict[int, int] = {}
        self.connected = True
        self.different_repeats = False
        self.refuse_all = False
        self.forgotten: list[Sent] = []
        self._answers: deque[Arrived] = deque()

    def send(self, request: CreditRequest, *, again: Sent | None = None) -> Sent:
        if not self.connected:
            raise NotConnectedError("cable cut")
        count = len(self.sent) + 1
        sent = Sent(count, again.end_to_end if again else 10_000 + count)
        self.sent.append((request, sent, again is not None))
        if count not in self.lose and self.lose != {0}:
            amount = 60 + (count if self.different_repeats and again else 0)
            result = self.result.get(count, 2001)
            if self.refuse_all:
                result = 5002 if request.request_type is CCRequestType.TERMINATION else 5030
            self._answers.append(Arrived(count, self._answer(request, sent, amount, result)))
        return sent

    def receive(self, timeout_s: float) -> Arrived | Demanded | None:
        if self._answers:
            return self._answers.popleft()
        self.now_s += timeout_s
        return None

    def forget(self, sent: Sent) -> None:
        self.forgotten.append(sent)

    def _answer(self, request: CreditRequest, sent: Sent, amount: int, result: int) -> bytes:
        message: Any = CreditControlAnswer()
        message.header.application_id = 4
        message.header.hop_by_hop_identifier = sent.hop_by_hop
        message.header.end_to_end_identifier = sent.end_to_end
        message.header.is_error = 3000 <= result < 4000
        message.session_id = request.session_id
        message.origin_host = b"ocs"
        message.origin_realm = b"lab"
        message.result_code = result
        message.cc_request_type = int(request.request_type)
        message.cc_request_number = request.request_number
        for report in request.reports if request.multiple_services and result == 2001 else ():
            granted = grouped.GrantedServiceUnit(
                cc_time=amount, cc_total_octets=amount * 100_000, cc_service_specific_units=1
            )
            message.add_multiple_services_credit_control(
                granted_service_unit=granted if report.requested is not None else None,
                rating_group=report.rating_group,
                result_code=2001,
            )
        return message.as_bytes()


def played(transport: FakeTransport, **settings: Any) -> tuple[GatewayRun, RunReport]:
    defaults: dict[str, Any] = {"duration_s": 60.0, "lost_share": 0.0}
    chosen = RunSettings(**(defaults | settings))
    run = GatewayRun(
        transport,
        plots(SUBSCRIBERS, Habits(), seed=1),
        chosen,
        session_prefix="gw;1",
        clock=lambda: transport.now_s,
    )
    return run, run.run()


def test_good_server_breaks_no_expectation() -> None:
    transport = FakeTransport()
    run, report = played(transport)
    assert report.failures == []
    assert report.requests == report.sendings == len(transport.sent) > 100
    assert report.results == {2001: report.requests}
    assert report.elapsed_s == pytest.approx(60.0, abs=1.0)
    assert all(session.closed for session in run.tally.sessions.values())
    assert len(transport.forgotten) == report.requests


def test_same_seed_sends_the_same_requests() -> None:
    first, second = FakeTransport(), FakeTransport()
    played(first)
    played(second)
    assert [request for request, _, _ in first.sent] == [request for request, _, _ in second.sent]


def test_lost_answer_is_asked_for_again_with_the_same_identifier_and_content() -> None:
    transport = FakeTransport()
    _, report = played(transport, lost_share=0.3)
    assert report.failures == []
    assert report.repeats_checked > 10
    assert report.sendings == report.requests + report.repeats_checked
    first_by_identifier: dict[int, CreditRequest] = {}
    for request, sent, again in transport.sent:
        if again:
            assert first_by_identifier[sent.end_to_end] == request
        else:
            first_by_identifier[sent.end_to_end] = request


def test_repeat_with_another_answer_is_a_failure() -> None:
    transport = FakeTransport()
    transport.different_repeats = True
    _, report = played(transport, lost_share=0.3)
    assert any("got another answer" in failure for failure in report.failures)


def test_answer_that_never_comes_is_a_failure_after_four_sendings() -> None:
    transport = FakeTransport()
    transport.lose = {0}
    _, report = played(transport, duration_s=5.0, leave_timeout_s=100.0)
    assert report.failed == report.requests > 0
    assert "no answer to 4 sendings" in report.failures[0]
    assert report.results == {0: report.requests}


def test_one_lost_sending_is_repaired_by_its_repeat() -> None:
    transport = FakeTransport()
    transport.lose = {1, 7}
    _, report = played(transport)
    assert report.failures == []
    assert report.sendings == report.requests + 2


@pytest.mark.parametrize("code", [3002, 3004])
def test_request_that_could_not_be_delivered_is_sent_again(code: int) -> None:
    transport = FakeTransport()
    transport.result = {1: code, 2: code}
    _, report = played(transport)
    assert report.failures == []
    assert report.results == {2001: report.requests}


def test_wrong_result_is_a_failure() -> None:
    transport = FakeTransport()
    transport.result = {3: 5012}
    _, report = played(transport)
    assert any("Result-Code 5012" in failure for failure in report.failures)


def test_without_a_connection_requests_fail() -> None:
    transport = FakeTransport()
    transport.connected = False
    _, report = played(transport, duration_s=5.0, leave_timeout_s=100.0)
    assert report.failed > 0
    assert "cable cut" in report.failures[0]


def test_count_ends_the_run() -> None:
    transport = FakeTransport()
    _, report = played(transport, duration_s=None, count=40)
    assert 40 <= report.requests < 60


def test_rate_is_a_ceiling() -> None:
    transport = FakeTransport()
    _, report = played(transport, time_scale=10_000.0, rate_per_s=20.0, duration_s=10.0)
    assert report.failures == []
    assert 150 <= report.requests <= 20 * report.elapsed_s + 1


def test_watcher_sees_every_request() -> None:
    transport = FakeTransport()
    seen: list[Exchange] = []
    run = GatewayRun(
        transport,
        plots(SUBSCRIBERS, Habits(), seed=1),
        RunSettings(duration_s=10.0, lost_share=0.0),
        session_prefix="gw;1",
        observe=seen.append,
        clock=lambda: transport.now_s,
    )
    assert len(seen) == 0
    assert run.run().requests == len(seen)


@pytest.mark.parametrize("code", [3002, 3004])
def test_server_that_never_delivers_breaks_expectations_and_has_no_latency(code: int) -> None:
    transport = FakeTransport()
    transport.result = dict.fromkeys(range(1, 1_000), code)
    _, report = played(transport, duration_s=5.0)
    assert report.failed == report.requests > 0
    assert f"still {code} to sending 4" in report.failures[0]
    assert report.results == {code: report.requests}
    assert report.latency_mean_s is None


def test_only_answers_with_success_to_first_sendings_are_timed() -> None:
    transport = FakeTransport()
    transport.result = {1: 4012, 2: 3004}
    _, report = played(transport)
    assert report.timed == report.requests - 2
    assert report.latency_mean_s == 0.0


def test_unknown_subscribers_break_no_expectation_however_their_sessions_are_closed() -> None:
    transport = FakeTransport()
    transport.refuse_all = True
    run, report = played(transport)
    assert report.failures == []
    assert set(report.results) == {5002, 5030}
    assert all(session.grants == 0 for session in run.tally.sessions.values())


class DemandingTransport(FakeTransport):
    """Demands something about the first session as soon as it waits for nothing else."""

    def __init__(self, demand: Demand) -> None:
        super().__init__()
        self.demand: Demand | None = demand
        self.demanded_at = 0

    def receive(self, timeout_s: float) -> Arrived | Demanded | None:
        opened = [request for request, _, _ in self.sent if request.request_type is CCRequestType.INITIAL]
        if self.demand is None or self._answers or not opened:
            return super().receive(timeout_s)
        demand, self.demand = self.demand, None
        self.demanded_at = len(self.sent)
        return Demanded(opened[0].session_id, demand)

    def next_of_session(self) -> CreditRequest:
        """The demanded session's first request after the demand."""
        first = next(r for r, _, _ in self.sent if r.request_type is CCRequestType.INITIAL)
        return next(r for r, _, _ in self.sent[self.demanded_at :] if r.session_id == first.session_id)


def test_session_that_is_to_reauthorise_does_so_at_once_and_goes_on() -> None:
    transport = DemandingTransport(Demand.REAUTHORISE)
    _, report = played(transport)
    assert (report.failures, report.demands) == ([], 1)
    request = transport.next_of_session()
    assert request.request_type is CCRequestType.UPDATE
    assert {one.reporting_reason for one in request.reports} == {ReportingReason.FORCED_REAUTHORISATION}


def test_session_that_is_to_end_does_so() -> None:
    transport = DemandingTransport(Demand.ABORT)
    _, report = played(transport)
    assert (report.failures, report.demands) == ([], 1)
    assert transport.next_of_session().request_type is CCRequestType.TERMINATION


def test_demand_on_a_session_that_nobody_has_is_counted_and_passed_over() -> None:
    transport = DemandingTransport(Demand.ABORT)
    receive = transport.receive

    def elsewhere(timeout_s: float) -> Arrived | Demanded | None:
        arrived = receive(timeout_s)
        return Demanded("nobody's", arrived.demand) if isinstance(arrived, Demanded) else arrived

    transport.receive = elsewhere
    _, report = played(transport)
    assert (report.failures, report.demands) == ([], 1)
