"""What a gateway expects of answers: each rule broken once."""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from diameter.message.commands.credit_control import CreditControlAnswer

from ocs.messages import CCRequestType, FinalUnitAction, Service
from simulators.gateway.expectations import check_answer, check_frame, check_repeat
from simulators.gateway.model import (
    CreditAnswer,
    CreditRequest,
    ServiceReport,
    ServiceResult,
    Subscriber,
    Units,
)

REQUEST = CreditRequest(
    subscriber=Subscriber("491710000001"),
    session_id="g;1",
    request_type=CCRequestType.UPDATE,
    request_number=4,
    service=Service.DATA,
    reports=(ServiceReport(1, requested=Units(), used=Units(total_octets=5)), ServiceReport(2, used=Units())),
)
GRANTED = ServiceResult(1, 2001, granted=Units(total_octets=10))
ANSWER = CreditAnswer("g;1", 2001, 2, 4, services=(GRANTED, ServiceResult(2, 2001)))


def changed(**changes: Any) -> CreditAnswer:
    return CreditAnswer(**({name: getattr(ANSWER, name) for name in ANSWER.__struct_fields__} | changes))


def test_good_answer_has_no_problems() -> None:
    assert check_answer(REQUEST, ANSWER) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (changed(session_id="g;2"), "Session-Id 'g;2'"),
        (changed(request_type=1), "CC-Request-Type 1"),
        (changed(request_number=5), "CC-Request-Number 5"),
        (changed(result_code=5012), "Result-Code 5012"),
        (changed(result_code=3007), "Result-Code 3007"),
        (changed(services=()), "rating group 1 is not in the answer"),
        (changed(services=(ServiceResult(1, 2001),)), "success without units granted"),
        (changed(services=(ServiceResult(1, 2001, granted=Units(total_octets=0)),)), "success without units"),
        (
            changed(services=(ServiceResult(1, 4012, granted=Units(total_octets=9)),)),
            "a grant of 9 with Result-Code 4012",
        ),
        (changed(services=(ServiceResult(1, 5004),)), "rating group 1: Result-Code 5004"),
        (
            changed(services=(GRANTED, ServiceResult(2, 2001, granted=Units(total_octets=1)))),
            "none was requested",
        ),
    ],
)
def test_broken_expectation_is_named(answer: CreditAnswer, problem: str) -> None:
    (found,) = check_answer(REQUEST, answer)
    assert problem in found


@pytest.mark.parametrize(
    "answer",
    [
        changed(result_code=4012, services=()),
        changed(result_code=5030, services=()),
        changed(result_code=3004, request_type=0, request_number=0, services=()),
        changed(services=(ServiceResult(1, 4012),)),
        changed(services=(ServiceResult(1, 2001, final_unit_action=FinalUnitAction.REDIRECT),)),
    ],
)
def test_refusals_are_possible(answer: CreditAnswer) -> None:
    assert check_answer(REQUEST, answer) == []


@pytest.mark.parametrize("code", [2001, 5002])
def test_termination_of_a_refused_session_is_granted_or_unknown(code: int) -> None:
    request = CreditRequest(Subscriber("1"), "g;1", CCRequestType.TERMINATION, 4, Service.DATA, ())
    answer = changed(request_type=3, result_code=code, services=())
    assert check_answer(request, answer, session_refused=True) == []
    assert len(check_answer(request, answer)) == (code == 5002)


def test_session_that_was_granted_is_not_unknown_to_its_update() -> None:
    answer = changed(result_code=5002, services=())
    assert len(check_answer(REQUEST, answer, session_refused=True)) == 1


def test_no_grant_after_the_end() -> None:
    request = CreditRequest(Subscriber("1"), "g;1", CCRequestType.TERMINATION, 4, Service.DATA, ())
    assert check_answer(request, changed(request_type=3)) == ["a grant in the answer to a TERMINATION"]


def test_repeat_with_another_answer_is_a_problem() -> None:
    assert check_repeat(ANSWER, changed()) == []
    assert len(check_repeat(ANSWER, changed(result_code=4012))) == 1


def frame(change: Callable[[Any], None] = lambda message: None) -> bytes:
    message: Any = CreditControlAnswer()
    message.header.application_id = 4
    message.header.end_to_end_identifier = 77
    message.session_id = "g;1"
    message.origin_host = b"ocs"
    message.origin_realm = b"lab"
    message.result_code = 2001
    message.cc_request_type = 2
    message.cc_request_number = 4
    change(message)
    return message.as_bytes()


def error(code: int) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        message.result_code = code
        message.header.is_error = True

    return change


def appended(octets: bytes) -> bytes:
    whole = frame()
    return struct.pack(">I", 1 << 24 | len(whole) + len(octets)) + whole[4:] + octets


def test_good_frame_has_no_problems() -> None:
    assert check_frame(frame(), end_to_end=77) == []
    assert check_frame(frame(error(3004)), end_to_end=77) == []


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (frame(lambda message: setattr(message.header, "application_id", 5)), "Application-Id 5"),
        (frame(lambda message: setattr(message.header, "end_to_end_identifier", 78)), "End-to-End-Id 0x4e"),
        (frame(lambda message: setattr(message.header, "is_proxyable", False)), "P flag"),
        (
            frame(lambda message: setattr(message.header, "is_error", True)),
            "E flag is True with Result-Code 2001",
        ),
        (
            frame(lambda message: setattr(message, "result_code", 3004)),
            "E flag is False with Result-Code 3004",
        ),
        (
            frame(lambda message: setattr(message, "cc_request_number", None)),
            "CC-Request-Number stands 0 times",
        ),
        (appended(bytes.fromhex("000001084000000c61626364")), "Origin-Host stands 2 times"),
        (appended(bytes.fromhex("0000010840000020")), "AVP 264 has length 32"),
        (appended(b"\0\0\1\1"), "4 octets after the last AVP"),
        (frame()[:20] + frame()[32:], "Session-Id is not the first AVP"),
    ],
)
def test_broken_frame_is_named(octets: bytes, problem: str) -> None:
    assert any(problem in found for found in check_frame(octets, end_to_end=77))
