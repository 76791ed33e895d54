"""The answer scanner, fed with answers of an independent stack."""

from typing import Any

import pytest
from diameter.message.avp.grouped import GrantedServiceUnit
from diameter.message.commands.credit_control import CreditControlAnswer
from hypothesis import given
from hypothesis import strategies as st

from bench.answers import MalformedAnswerError, find_avp, grants, result_code


def answer(*, result: int, granted: bool = True, session: str = "gateway;1;2") -> bytes:
    message: Any = CreditControlAnswer()
    message.session_id = session
    message.origin_host = b"ocs.lab.example"
    message.origin_realm = b"lab.example"
    message.result_code = result
    message.cc_request_type = 2
    message.cc_request_number = 1
    unit = GrantedServiceUnit(cc_total_octets=1000) if granted else None
    message.add_multiple_services_credit_control(granted_service_unit=unit, rating_group=10, result_code=4012)
    return message.as_bytes()


@pytest.mark.parametrize("expected_at", [0, 40, 5000])
@pytest.mark.parametrize("result", [2001, 3004, 5002])
def test_result_code_is_found_wherever_it_was_expected(result: int, expected_at: int) -> None:
    data = answer(result=result)
    assert result_code(data, 0, len(data), expected_at=expected_at) == result


def test_result_code_of_a_service_is_not_taken_for_the_message() -> None:
    data = answer(result=2001)
    inner = data.rindex(b"\0\0\x01\x0c")
    assert result_code(data, 0, len(data), expected_at=find_avp(data, 20, len(data), 268)) == 2001
    assert inner > find_avp(data, 20, len(data), 268)


def test_answer_in_the_middle_of_received_bytes_is_read() -> None:
    data = answer(result=5002)
    received = b"x" * 33 + data + b"y" * 9
    assert result_code(received, 33, 33 + len(data), expected_at=0) == 5002


def test_answer_without_result_code_is_malformed() -> None:
    with pytest.raises(MalformedAnswerError, match="without Result-Code"):
        result_code(bytes(20), 0, 20, expected_at=20)


@pytest.mark.parametrize("granted", [True, False])
def test_grant_is_seen(granted: bool) -> None:
    data = answer(result=2001, granted=granted)
    assert grants(data, 0, len(data)) == granted


def test_grants_are_counted_by_rating_group() -> None:
    message: Any = CreditControlAnswer()
    message.session_id = "gateway;1;2"
    message.result_code = 2001
    for unit in (GrantedServiceUnit(cc_total_octets=1000), None, GrantedServiceUnit(cc_time=60)):
        message.add_multiple_services_credit_control(granted_service_unit=unit, rating_group=10)
    data = message.as_bytes()
    assert grants(data, 0, len(data)) == 2


def test_avp_of_a_vendor_is_not_mistaken_for_a_standard_one() -> None:
    vendor = bytes.fromhex("0000010c800000100000287400000bb8")
    data = bytes(20) + vendor
    assert find_avp(data, 20, len(data), 268) == -1


@given(st.binary(max_size=200))
def test_nonsense_is_malformed_and_nothing_else(body: bytes) -> None:
    data = bytes(20) + body
    try:
        result_code(data, 0, len(data), expected_at=20)
        grants(data, 0, len(data))
    except MalformedAnswerError:
        pass
