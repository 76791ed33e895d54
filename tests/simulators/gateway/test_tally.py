"""The gateway's own books."""

import pytest

from ocs.messages import CCRequestType, FinalUnitAction, RequestedAction, Service
from simulators.gateway.model import (
    CreditAnswer,
    CreditRequest,
    ServiceReport,
    ServiceResult,
    Subscriber,
    Units,
)
from simulators.gateway.tally import Tally


def request(number: int, octets: int, kind: CCRequestType = CCRequestType.UPDATE) -> CreditRequest:
    reports = (ServiceReport(7, used=Units(total_octets=octets)),)
    return CreditRequest(Subscriber("49171"), "g;1", kind, number, Service.DATA, reports)


def answer(number: int, result: int = 2001, **service: object) -> CreditAnswer:
    granted = ServiceResult(7, granted=Units(total_octets=100), **service)  # pyright: ignore[reportArgumentType]
    return CreditAnswer("g;1", result, 2, number, services=(granted,) if result == 2001 else ())


def test_use_is_booked_by_what_became_of_its_report() -> None:
    tally = Tally()
    tally.record(request(1, 10), answer(1))
    tally.record(request(2, 20), answer(2, 4012))
    tally.record(request(3, 40), None)
    tally.record(request(4, 80), answer(4, final_unit_action=FinalUnitAction.TERMINATE))
    session = tally.sessions["g;1"]
    assert (session.used, session.refused, session.unanswered) == ({7: 90}, {7: 20}, {7: 40})
    assert session.results == [2001, 4012, 0, 2001]
    assert (session.grants, session.granted) == (2, {7: 200})
    assert session.final_unit
    assert not session.closed
    assert tally.used_by("49171", "data", 7) == 90
    assert tally.used_by("49171", "voice", 7) == 0


@pytest.mark.parametrize(("results", "refused"), [([], False), ([5030], True), ([2001, 4012], False)])
def test_session_is_refused_by_the_answer_to_its_first_request(results: list[int], refused: bool) -> None:
    tally = Tally()
    for number, result in enumerate(results):
        tally.record(request(number, 0), answer(number, result))
    assert tally.is_refused("g;1") is refused


def test_session_without_an_answer_is_not_refused() -> None:
    tally = Tally()
    tally.record(request(0, 0), None)
    assert not tally.is_refused("g;1")


def test_session_is_closed_by_its_termination_and_an_event_at_once() -> None:
    tally = Tally()
    tally.record(request(1, 10, CCRequestType.TERMINATION), answer(1))
    event = CreditRequest(
        Subscriber("49171"),
        "g;2",
        CCRequestType.EVENT,
        0,
        Service.SMS,
        (),
        requested_action=RequestedAction.PRICE_ENQUIRY,
    )
    tally.record(event, CreditAnswer("g;2", 2001, 4, 0, cost_micro=90_000))
    assert tally.sessions["g;1"].closed
    assert tally.sessions["g;2"].closed
    assert tally.sessions["g;2"].cost_micro == 90_000
    assert tally.sessions["g;2"].requested_action == "PRICE_ENQUIRY"
