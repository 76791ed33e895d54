"""Access-Requests as what charging is asked, and its answers as what access servers hear."""

import pytest

from ocs.messages import CCRequestType, ChargingAnswer, Outcome, ServiceAnswer
from ocs.radius import codes
from ocs.radius.authorisation import (
    accept_attributes,
    reason_for,
    refusal_of,
    reject_attributes,
    request_of,
)
from ocs.radius.packet import decode, integer_attribute
from ocs.radius.session_name import name_of_access
from tests.radius.conftest import granted, refused

NOW_S = 1_800_000_000


def packet_of(nas, user="anna@a.example", **attributes):
    return decode(nas.access_request(user, **attributes).RequestPacket())


@pytest.mark.parametrize("service_type", ["Authorize-Only", "Call-Check"])
def test_who_was_authenticated_elsewhere_is_served(nas, service_type):
    assert refusal_of(packet_of(nas, Service_Type=service_type)) == ""


@pytest.mark.parametrize(
    "credential",
    [
        {"CHAP_Password": b"\x01" + bytes(16)},
        {"EAP_Message": b"\x02\x00\x00\x05\x01"},
        {"User_Password": "0123456789abcdef"},
    ],
)
def test_a_password_is_refused_unseen(nas, credential):
    assert "Passwords are not checked here" in refusal_of(packet_of(nas, **credential))


def test_another_service_is_refused(nas):
    request = nas.access_request("anna")
    del request["Service-Type"]
    assert "Only Authorize-Only" in refusal_of(decode(request.RequestPacket()))


def test_an_access_request_asks_for_the_first_quota(nas, client):
    packet = packet_of(nas)
    name = name_of_access(packet, client, "192.0.2.1")
    request = request_of(packet, client, name, NOW_S)
    assert (request.request_type, request.request_number) == (CCRequestType.INITIAL, 0)
    assert request.session_id == name.session_id
    assert request.subscription_ids == ("nai:anna@a.example",)
    assert request.event_time_s == NOW_S
    assert request == request_of(packet, client, name, NOW_S), "a copy asks the same"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (granted(5), ""),
        (ChargingAnswer(Outcome.CREDIT_CONTROL_NOT_APPLICABLE), ""),
        (ChargingAnswer(Outcome.SUCCESS, (ServiceAnswer(Outcome.CREDIT_CONTROL_NOT_APPLICABLE),)), ""),
        (ChargingAnswer(Outcome.SUCCESS, (ServiceAnswer(Outcome.SUCCESS),)), "Your credit is used up"),
        (refused(Outcome.CREDIT_LIMIT_REACHED), "Your credit is used up"),
        (refused(Outcome.END_USER_SERVICE_DENIED), "Your account is barred"),
        (refused(Outcome.RATING_FAILED), "This service is not offered"),
        (ChargingAnswer(Outcome.USER_UNKNOWN), "Unknown user"),
        (ChargingAnswer(Outcome.REPEATED_WITH_OTHER_CONTENT), "Not authorised"),
    ],
)
def test_each_answer_lets_in_or_says_why_not(answer, reason):
    assert reason_for(answer) == reason


def test_every_outcome_but_success_and_free_service_keeps_out():
    let_in = {outcome for outcome in Outcome if not reason_for(refused(outcome))}
    assert let_in == {Outcome.CREDIT_CONTROL_NOT_APPLICABLE}


@pytest.mark.parametrize(("validity_s", "interval_s"), [(None, 600), (300, 300), (30, 60), (7200, 600)])
def test_reports_come_before_the_quota_s_validity_ends_but_not_under_a_minute(
    nas, client, validity_s, interval_s
):
    name = name_of_access(packet_of(nas), client, "192.0.2.1")
    attributes = accept_attributes(name, granted(5, validity_time_s=validity_s), 600)
    assert integer_attribute(codes.ACCT_INTERIM_INTERVAL, interval_s) in attributes


def test_a_reject_tells_the_user_why():
    assert reject_attributes("No credit") == [b"\x12\x0bNo credit"]
