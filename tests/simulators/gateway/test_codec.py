"""Requests and answers in the independent stack's messages."""

from typing import Any

import pytest
from diameter.message import Message
from diameter.message.avp import grouped
from diameter.message.commands.credit_control import CreditControlAnswer

from ocs.messages import CCRequestType, FinalUnitAction, RequestedAction, Service
from simulators.gateway.codec import MalformedAnswerError, decode_answer, encode_request
from simulators.gateway.model import CreditRequest, ReportingReason, ServiceReport, Subscriber, Units

SUBSCRIBER = Subscriber("491710000001", "262010000000001")


def encoded(service: Service, **fields: Any) -> Any:
    request = CreditRequest(
        subscriber=SUBSCRIBER,
        session_id="gw;1;abcd",
        request_number=2,
        service=service,
        called_party="4930",
        **fields,
    )
    message = encode_request(request, origin_host="gw.sim", origin_realm="sim", destination_realm="lab")
    return Message.from_bytes(message.as_bytes())


def test_data_update_reports_octets_per_rating_group() -> None:
    used = Units(total_octets=5, input_octets=2, output_octets=3)
    report = ServiceReport(1, requested=Units(), used=used, reporting_reason=ReportingReason.THRESHOLD)
    message = encoded(
        Service.DATA, request_type=CCRequestType.UPDATE, reports=(report,), destination_host="ocs.lab"
    )
    assert message.service_context_id == "32251@3gpp.org"
    assert message.destination_host == b"ocs.lab"
    assert [one.subscription_id_type for one in message.subscription_id] == [0, 1]
    (service,) = message.multiple_services_credit_control
    assert service.rating_group == 1
    assert service.requested_service_unit is not None
    (sent,) = service.used_service_unit
    assert (sent.cc_total_octets, sent.cc_input_octets, sent.cc_output_octets) == (5, 2, 3)
    assert sent.reporting_reason == 0
    assert message.service_information.ps_information.called_station_id == "internet"


def test_call_names_the_called_party_and_ends_with_a_cause() -> None:
    report = ServiceReport(100, used=Units(time_s=30))
    message = encoded(Service.VOICE, request_type=CCRequestType.TERMINATION, reports=(report,))
    assert message.termination_cause == 1
    assert message.service_information.ims_information.called_party_address == "tel:+4930"
    assert message.multiple_services_credit_control[0].used_service_unit[0].cc_time == 30


def test_plain_event_has_its_units_at_top_level() -> None:
    report = ServiceReport(requested=Units(service_specific_units=1), service_identifier=7)
    message = encoded(
        Service.SMS,
        request_type=CCRequestType.EVENT,
        reports=(report,),
        multiple_services=False,
        requested_action=RequestedAction.DIRECT_DEBITING,
    )
    assert message.multiple_services_credit_control == []
    assert message.requested_service_unit.cc_service_specific_units == 1
    assert message.service_identifier == 7
    assert message.requested_action == 0
    (recipient,) = message.service_information.sms_information.recipient_info
    assert recipient.recipient_address[0].address_data == "4930"


def answer() -> Any:
    message: Any = CreditControlAnswer()
    message.session_id = "gw;1"
    message.origin_host = b"ocs.lab"
    message.origin_realm = b"lab"
    message.result_code = 2001
    message.cc_request_type = 2
    message.cc_request_number = 3
    return message


def test_answer_is_read_with_all_that_a_gateway_obeys() -> None:
    message = answer()
    service = grouped.MultipleServicesCreditControl(rating_group=1, result_code=2001, validity_time=60)
    service.granted_service_unit = grouped.GrantedServiceUnit(cc_total_octets=500)
    service.final_unit_indication = grouped.FinalUnitIndication(final_unit_action=1)
    service.volume_quota_threshold = 50
    message.multiple_services_credit_control = [service]
    unit_value = grouped.UnitValue(value_digits=9, exponent=-2)
    message.cost_information = grouped.CostInformation(unit_value=unit_value, currency_code=978)
    message.check_balance_result = 0
    read = decode_answer(message.as_bytes())
    assert (read.session_id, read.result_code, read.request_type, read.request_number) == ("gw;1", 2001, 2, 3)
    (result,) = read.services
    assert result.granted == Units(total_octets=500)
    assert (result.validity_time_s, result.volume_threshold_octets) == (60, 50)
    assert result.final_unit_action is FinalUnitAction.REDIRECT
    assert read.cost_micro == 90_000
    assert read.enough_credit is True
    assert read.origin_host == "ocs.lab"


def test_plain_grant_is_a_service_without_rating_group() -> None:
    message = answer()
    message.granted_service_unit = grouped.GrantedServiceUnit(cc_time=60)
    (result,) = decode_answer(message.as_bytes()).services
    assert result.rating_group is None
    assert result.granted == Units(time_s=60)


@pytest.mark.parametrize("cut", [21, 30, 45])
def test_answer_cut_short_is_malformed(cut: int) -> None:
    with pytest.raises(MalformedAnswerError):
        decode_answer(answer().as_bytes()[:cut])


def test_request_is_no_answer() -> None:
    report = ServiceReport(1, requested=Units())
    message = encoded(Service.DATA, request_type=CCRequestType.INITIAL, reports=(report,))
    with pytest.raises(MalformedAnswerError, match="not a Credit-Control-Answer"):
        decode_answer(message.as_bytes())
