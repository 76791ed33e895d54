"""What a run came to: when it is good, and what a newcomer is told when it is not."""

import pytest

from ocs.messages import CCRequestType, RequestedAction, Service
from simulators.gateway.model import (
    CreditAnswer,
    CreditRequest,
    ServiceReport,
    ServiceResult,
    Subscriber,
    Units,
)
from simulators.gateway.run import RunReport
from simulators.gateway.summary import Summary, describe, expectations, hints
from simulators.gateway.tally import Tally
from simulators.reports import Expectation

GRANT = (ServiceResult(1, 2001, granted=Units(total_octets=5)),)


def books(*results: int, services: tuple[ServiceResult, ...] = ()) -> tuple[RunReport, Tally]:
    """Books of sessions with one INITIAL each, of subscribers counted down from ...9."""
    report, tally = RunReport(), Tally()
    for position, result in enumerate(results):
        request = CreditRequest(
            Subscriber(str(49179 - position)),
            f"g;{position}",
            CCRequestType.INITIAL,
            0,
            Service.DATA,
            (ServiceReport(1, requested=Units()),),
        )
        tally.record(request, CreditAnswer(request.session_id, result, 1, 0, services=services))
        report.results[result] += 1
        report.requests += 1
        report.checked += 1
    return report, tally


def event(action: RequestedAction, result: int) -> tuple[RunReport, Tally]:
    report, tally = books()
    request = CreditRequest(
        Subscriber("1"), "g;1", CCRequestType.EVENT, 0, Service.SMS, (), requested_action=action
    )
    tally.record(request, CreditAnswer("g;1", result, 4, 0))
    report.results[result] += 1
    report.checked += 1
    return report, tally


def granted(report: RunReport, tally: Tally) -> Expectation:
    return expectations(report, tally)[1]


def test_run_with_a_grant_or_a_debit_is_good() -> None:
    assert all(expectation.met for expectation in expectations(*books(5030, 2001, services=GRANT)))
    assert granted(*event(RequestedAction.DIRECT_DEBITING, 2001)).met


@pytest.mark.parametrize("results", [(5030, 5030, 4012), ()])
def test_run_in_which_nothing_was_granted_is_not_good(results: tuple[int, ...]) -> None:
    expectation = granted(*books(*results))
    assert not expectation.met
    told = "4012: 1, 5030: 2" if results else "none"
    assert list(expectation.failures) == [f"nothing was granted or charged; results: {told}"]


def test_neither_a_question_nor_a_refused_debit_is_a_charge() -> None:
    assert not granted(*event(RequestedAction.PRICE_ENQUIRY, 2001)).met
    assert not granted(*event(RequestedAction.DIRECT_DEBITING, 4012)).met


def test_unknown_numbers_and_realm_are_explained_with_what_to_do() -> None:
    unknown, realm = hints(*books(5030, 5030, 3003), realm="x.example")
    assert unknown == (
        "2 requests: 5030, no account has these numbers; create them with `ocs account create --msisdn 49178 ...`"
    )
    assert realm == "1 request: 3003, the server does not serve realm x.example; check --realm"
    assert hints(*books(2001, 4012), realm="x.example") == []


def summary(report: RunReport, tally: Tally) -> Summary:
    return Summary(
        simulator="gateway",
        seed=1,
        subscribers=1,
        requests=report.requests,
        sendings=report.sendings,
        elapsed_s=1.0,
        latency_mean_ms=None,
        latency_max_ms=None,
        results=dict(report.results),
        hints=hints(report, tally, realm="lab.example"),
        expectations=expectations(report, tally),
        sessions=[],
    )


def test_times_of_no_success_are_dashes_and_hints_stand_in_the_words() -> None:
    told = describe(summary(*books(5030)))
    assert "answers with success: mean -, longest -" in told
    assert "  1 request: 5030, no account has these numbers" in told
    assert "FAILED at least one request was granted units or charged" in told


def test_failures_beyond_ten_are_counted() -> None:
    report, tally = books(2001, services=GRANT)
    report.failures, report.failed = [f"problem {number}" for number in range(12)], 12
    told = describe(summary(report, tally))
    assert "problem 9" in told
    assert "problem 10" not in told
    assert "and 2 more" in told
