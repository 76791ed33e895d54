"""How gateways run sessions, step by step, against answers made here."""

from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ocs.messages import CCRequestType, FinalUnitAction, RequestedAction, Service
from simulators.gateway.model import (
    Ask,
    Behaviour,
    CreditAnswer,
    CreditRequest,
    Demand,
    Pause,
    ReportingReason,
    ServiceResult,
    Subscriber,
    Units,
)
from simulators.gateway.sessions import Flow, Leaving, Session, data_session, one_time_event, voice_session

Answerer = Callable[[CreditRequest], CreditAnswer | None]


def session(service: Service, seed: int = 1) -> Session:
    return Session(Subscriber("49171"), "g;1", service, Random(seed), Leaving(), called_party="4930")


def play(behaviour: Behaviour, answer: Answerer, *, steps_max: int = 10_000) -> list[CreditRequest]:
    """Run a behaviour to its end; the requests it sent."""
    requests: list[CreditRequest] = []
    outcome: float | CreditAnswer | None = None
    for _ in range(steps_max):
        try:
            step = behaviour.send(outcome)
        except StopIteration:
            return requests
        if isinstance(step, Ask):
            requests.append(step.request)
            outcome = answer(step.request)
        else:
            assert isinstance(step, Pause)
            outcome = step.seconds
    raise AssertionError("a behaviour without end")


def grant(amount: int, **result: object) -> Answerer:
    def answer(request: CreditRequest) -> CreditAnswer:
        voice = request.service is Service.VOICE
        units = Units(time_s=amount) if voice else Units(total_octets=amount)
        services = tuple(
            ServiceResult(
                report.rating_group,
                2001,
                granted=units if report.requested is not None else None,
                **result,  # pyright: ignore[reportArgumentType]
            )
            for report in request.reports
        )
        kind, number = int(request.request_type), request.request_number
        return CreditAnswer("g;1", 2001, kind, number, origin_host="ocs", services=services)

    return answer


def refuse(code: int) -> Answerer:
    return lambda request: CreditAnswer("g;1", code, int(request.request_type), request.request_number)


def used(requests: list[CreditRequest]) -> int:
    return sum(
        report.used.amount(request.service)
        for request in requests
        for report in request.reports
        if report.used
    )


def kinds(requests: list[CreditRequest]) -> list[CCRequestType]:
    return [request.request_type for request in requests]


def test_call_reports_each_second_and_ends_with_a_termination() -> None:
    requests = play(voice_session(session(Service.VOICE), 100, talk_s=150), grant(60))
    assert kinds(requests) == [
        CCRequestType.INITIAL,
        CCRequestType.UPDATE,
        CCRequestType.UPDATE,
        CCRequestType.TERMINATION,
    ]
    assert [request.request_number for request in requests] == [0, 1, 2, 3]
    assert used(requests) >= 150
    assert requests[0].destination_host == ""
    assert {request.destination_host for request in requests[1:]} == {"ocs"}


def test_termination_asks_for_nothing() -> None:
    requests = play(voice_session(session(Service.VOICE), 100, talk_s=10), grant(60))
    assert all(report.requested is None for report in requests[-1].reports)


def test_threshold_brings_the_report_forward() -> None:
    requests = play(voice_session(session(Service.VOICE), 100, talk_s=100), grant(60, time_threshold_s=10))
    assert requests[1].reports[0].used == Units(time_s=50)
    assert requests[1].reports[0].reporting_reason is ReportingReason.THRESHOLD


def test_threshold_as_large_as_the_quota_is_ignored() -> None:
    requests = play(voice_session(session(Service.VOICE), 100, talk_s=100), grant(60, time_threshold_s=60))
    assert requests[1].reports[0].reporting_reason is ReportingReason.QUOTA_EXHAUSTED


def test_validity_time_brings_the_report_forward() -> None:
    requests = play(voice_session(session(Service.VOICE), 100, talk_s=100), grant(600, validity_time_s=30))
    assert requests[1].reports[0].used == Units(time_s=30)
    assert requests[1].reports[0].reporting_reason is ReportingReason.VALIDITY_TIME


def test_nothing_is_asked_for_before_a_final_unit_that_terminates_is_used_up() -> None:
    final = grant(60, final_unit_action=FinalUnitAction.TERMINATE)
    requests = play(voice_session(session(Service.VOICE), 100, talk_s=500), final)
    assert kinds(requests) == [CCRequestType.INITIAL, CCRequestType.TERMINATION]
    assert used(requests) >= 60
    assert requests[-1].reports[0].reporting_reason is ReportingReason.FINAL


def test_redirected_session_reports_without_asking_and_comes_back_once_later() -> None:
    def answer(request: CreditRequest) -> CreditAnswer:
        first = request.request_type is CCRequestType.INITIAL
        if first:
            return grant(1000, final_unit_action=FinalUnitAction.REDIRECT)(request)  # type: ignore[return-value]
        if request.reports[0].requested is not None:
            return refuse(4012)(request)  # type: ignore[return-value]
        return grant(0)(request)  # type: ignore[return-value]

    requests = play(data_session(session(Service.DATA), (1,), octets=100_000, octets_per_s=100.0), answer)
    assert kinds(requests)[:3] == [CCRequestType.INITIAL, CCRequestType.UPDATE, CCRequestType.UPDATE]
    assert requests[1].reports[0].requested is None
    assert requests[1].reports[0].used is not None
    assert requests[2].reports[0].requested is not None
    assert requests[2].reports[0].used is None
    assert requests[-1].request_type is CCRequestType.TERMINATION


def test_refused_session_sends_no_updates() -> None:
    for seed in range(10):
        requests = play(voice_session(session(Service.VOICE, seed), 100, talk_s=60), refuse(4012))
        assert kinds(requests) in (
            [CCRequestType.INITIAL],
            [CCRequestType.INITIAL, CCRequestType.TERMINATION],
        )
        assert used(requests) == 0


def test_session_lost_by_the_server_is_not_closed() -> None:
    def answer(request: CreditRequest) -> CreditAnswer | None:
        return grant(60)(request) if request.request_type is CCRequestType.INITIAL else refuse(5002)(request)

    requests = play(voice_session(session(Service.VOICE), 100, talk_s=600), answer)
    assert kinds(requests) == [CCRequestType.INITIAL, CCRequestType.UPDATE]


def test_session_without_an_answer_is_abandoned() -> None:
    requests = play(voice_session(session(Service.VOICE), 100, talk_s=600), lambda request: None)
    assert kinds(requests) == [CCRequestType.INITIAL]


def test_free_service_is_used_without_reports() -> None:
    def answer(request: CreditRequest) -> CreditAnswer:
        services = (ServiceResult(8, 4011),)
        return CreditAnswer("g;1", 2001, int(request.request_type), request.request_number, services=services)

    requests = play(data_session(session(Service.DATA), (8,), octets=5_000, octets_per_s=100.0), answer)
    assert kinds(requests) == [CCRequestType.INITIAL, CCRequestType.TERMINATION]
    assert requests[-1].reports == ()


def test_leaving_subscriber_closes_at_once() -> None:
    one = session(Service.VOICE)
    behaviour = voice_session(one, 100, talk_s=3600)
    first = behaviour.send(None)
    assert isinstance(first, Ask)
    behaviour.send(grant(600)(first.request))
    one.leaving.now = True
    last = behaviour.send(5.0)
    assert isinstance(last, Ask)
    assert last.request.request_type is CCRequestType.TERMINATION
    assert last.request.reports[0].used == Units(time_s=5)


def test_event_is_one_request_with_its_action() -> None:
    event = one_time_event(
        session(Service.SMS), RequestedAction.REFUND_ACCOUNT, Units(service_specific_units=1), 200
    )
    (request,) = play(event, refuse(2001))
    assert request.request_type is CCRequestType.EVENT
    assert request.requested_action is RequestedAction.REFUND_ACCOUNT
    assert request.reports[0].rating_group == 200


@given(
    seed=st.integers(0, 10_000),
    amount=st.integers(500, 50_000),
    threshold=st.integers(0, 60_000),
    validity_s=st.integers(1, 500),
    groups=st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True),
)
def test_any_data_session_ends_numbers_its_requests_and_closes(
    seed: int, amount: int, threshold: int, validity_s: int, groups: list[int]
) -> None:
    behaviour = data_session(session(Service.DATA, seed), tuple(groups), octets=200_000, octets_per_s=1_000.0)
    answer = grant(amount, volume_threshold_octets=threshold, validity_time_s=validity_s)
    requests = play(behaviour, answer, steps_max=2_000_000)
    assert [request.request_number for request in requests] == list(range(len(requests)))
    assert kinds(requests)[0] is CCRequestType.INITIAL
    assert kinds(requests)[-1] is CCRequestType.TERMINATION
    assert kinds(requests).count(CCRequestType.TERMINATION) == 1


def test_overrun_is_reported_above_the_grant() -> None:
    over = 0
    for seed in range(60):
        requests = play(
            data_session(session(Service.DATA, seed), (1,), octets=50_000, octets_per_s=1_000.0), grant(1_000)
        )
        over += sum(
            report.used is not None and report.used.amount(Service.DATA) > 1_000
            for request in requests
            for report in request.reports
        )
    assert over > 0


def test_idle_flow_reports_zero_when_its_validity_ends() -> None:
    flow = Flow(1, Service.DATA, per_s=0.0, wanted=10)
    flow.take(ServiceResult(1, granted=Units(total_octets=100), validity_time_s=60))
    assert flow.seconds_to_report() == 60.0
    flow.use(60.0)
    assert flow.reason is ReportingReason.VALIDITY_TIME
    assert flow.report(ask_more=True, reason=flow.reason).used == Units(
        total_octets=0, input_octets=0, output_octets=0
    )


# --- what the server demands -------------------------------------------------------------------------------------


def browsing() -> tuple[Session, Behaviour]:
    one = session(Service.DATA)
    return one, data_session(one, (1,), octets=50_000_000, octets_per_s=100_000.0)


def opened(behaviour: Behaviour) -> None:
    """Play until the first pause."""
    step = behaviour.send(None)
    assert isinstance(step, Ask)
    assert isinstance(behaviour.send(grant(10_000_000)(step.request)), Pause)


def test_session_that_is_to_reauthorise_reports_at_once_and_says_so() -> None:
    one, behaviour = browsing()
    opened(behaviour)
    one.leaving.demands[one.session_id] = Demand.REAUTHORISE
    step = behaviour.send(1.0)
    assert isinstance(step, Ask)
    (report,) = step.request.reports
    assert step.request.request_type is CCRequestType.UPDATE
    assert report.reporting_reason is ReportingReason.FORCED_REAUTHORISATION
    assert report.requested is not None
    assert report.used is not None
    assert report.used.total_octets
    assert one.leaving.demands == {}
    assert isinstance(behaviour.send(grant(10_000_000)(step.request)), Pause)


def test_session_that_is_to_end_terminates_with_the_rest_of_its_use() -> None:
    one, behaviour = browsing()
    opened(behaviour)
    one.leaving.demands[one.session_id] = Demand.ABORT
    step = behaviour.send(1.0)
    assert isinstance(step, Ask)
    assert step.request.request_type is CCRequestType.TERMINATION
    (report,) = step.request.reports
    assert report.used is not None
    assert report.used.total_octets


def test_demand_on_another_session_changes_nothing() -> None:
    one, behaviour = browsing()
    opened(behaviour)
    one.leaving.demands["other"] = Demand.ABORT
    assert isinstance(behaviour.send(1.0), Pause)
