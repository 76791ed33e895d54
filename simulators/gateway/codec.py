"""Credit-control requests and answers as messages of the ``diameter`` package, an independent stack."""

import datetime as dt
import struct
from collections.abc import Sequence
from typing import Any, Final, cast

from diameter.message import Message
from diameter.message.avp import grouped
from diameter.message.avp.errors import AvpDecodeError
from diameter.message.commands.credit_control import CreditControlAnswer, CreditControlRequest
from diameter.message.packer import ConversionError

from ocs.messages import CCRequestType, FinalUnitAction, Service
from simulators.gateway.model import CreditAnswer, CreditRequest, ServiceReport, ServiceResult, Units

CONTEXTS: Final = {
    Service.DATA: "32251@3gpp.org",
    Service.VOICE: "32260@3gpp.org",
    Service.SMS: "32274@3gpp.org",
}
_MICRO_EXPONENT: Final = -6
_DIAMETER_LOGOUT: Final = 1
_ROLE_MO: Final = 0
_NODE_AS: Final = 6


class MalformedAnswerError(ValueError):
    """The independent stack could not read the answer."""


def encode_request(
    request: CreditRequest, *, origin_host: str, origin_realm: str, destination_realm: str
) -> CreditControlRequest:
    """Build the message; its identifiers and T flag are the sender's."""
    message = CreditControlRequest()
    message.session_id = request.session_id
    message.origin_host = origin_host.encode()
    message.origin_realm = origin_realm.encode()
    message.destination_realm = destination_realm.encode()
    if request.destination_host:
        message.destination_host = request.destination_host.encode()
    message.service_context_id = CONTEXTS[request.service]
    message.cc_request_type = int(request.request_type)
    message.cc_request_number = request.request_number
    message.event_timestamp = dt.datetime.now(dt.UTC)
    message.add_subscription_id(0, request.subscriber.msisdn)
    if request.subscriber.imsi:
        message.add_subscription_id(1, request.subscriber.imsi)
    if request.requested_action is not None:
        message.requested_action = int(request.requested_action)
    if request.request_type is CCRequestType.TERMINATION:
        message.termination_cause = _DIAMETER_LOGOUT
    if request.multiple_services:
        message.multiple_services_indicator = 1
        message.multiple_services_credit_control = [_service(report) for report in request.reports]
    else:
        _plain_form(message, request.reports)
    message.service_information = _service_information(request)
    return message


def _service(report: ServiceReport) -> grouped.MultipleServicesCreditControl:
    service = grouped.MultipleServicesCreditControl(**_present(rating_group=report.rating_group))
    if report.service_identifier is not None:
        service.service_identifier = [report.service_identifier]
    if report.requested is not None:
        service.requested_service_unit = _requested_units(report.requested)
    if report.used is not None:
        used = _used_units(report.used)
        if report.reporting_reason is not None:
            used.reporting_reason = int(report.reporting_reason)
        service.used_service_unit = [used]
    return service


def _plain_form(message: CreditControlRequest, reports: Sequence[ServiceReport]) -> None:
    for report in reports:
        if report.requested is not None:
            message.requested_service_unit = _requested_units(report.requested)
        if report.used is not None:
            message.used_service_unit = [_used_units(report.used)]
        if report.service_identifier is not None:
            message.service_identifier = report.service_identifier


def _requested_units(units: Units) -> grouped.RequestedServiceUnit:
    return grouped.RequestedServiceUnit(
        **_present(
            cc_time=units.time_s,
            cc_total_octets=units.total_octets,
            cc_input_octets=units.input_octets,
            cc_service_specific_units=units.service_specific_units,
        )
    )


def _used_units(units: Units) -> grouped.UsedServiceUnit:
    return grouped.UsedServiceUnit(
        **_present(
            cc_time=units.time_s,
            cc_total_octets=units.total_octets,
            cc_input_octets=units.input_octets,
            cc_output_octets=units.output_octets,
            cc_service_specific_units=units.service_specific_units,
        )
    )


def _present(**values: int | None) -> dict[str, Any]:
    """Only what is there: the package's classes say None by leaving out."""
    return {name: value for name, value in values.items() if value is not None}


def _service_information(request: CreditRequest) -> grouped.ServiceInformation:
    match request.service:
        case Service.DATA:
            packet = grouped.PsInformation(
                tgpp_charging_id=request.session_id.encode()[-4:],
                called_station_id="internet",
                tgpp_sgsn_mcc_mnc="26201",
            )
            return grouped.ServiceInformation(ps_information=packet)
        case Service.VOICE:
            call = grouped.ImsInformation(
                role_of_node=_ROLE_MO,
                node_functionality=_NODE_AS,
                calling_party_address=[f"tel:+{request.subscriber.msisdn}"],
                called_party_address=f"tel:+{request.called_party}",
            )
            return grouped.ServiceInformation(ims_information=call)
        case Service.SMS:
            address = grouped.RecipientAddress(address_type=1, address_data=request.called_party)
            recipient = grouped.RecipientInfo(recipient_address=[address])
            short_message = grouped.SmsInformation(recipient_info=[recipient])
            return grouped.ServiceInformation(sms_information=short_message)
        case Service.MMS:
            recipient = grouped.RecipientAddress(address_type=1, address_data=request.called_party)
            return grouped.ServiceInformation(
                mms_information=grouped.MmsInformation(recipient_address=[recipient])
            )


def decode_answer(frame: bytes) -> CreditAnswer:
    """Read an answer with the independent stack.

    Raises:
        MalformedAnswerError: it cannot.
    """
    try:
        message = cast("Any", Message).from_bytes(frame)
    except (
        AvpDecodeError,
        ConversionError,
        ValueError,
        TypeError,
        LookupError,
        EOFError,
        struct.error,
    ) as error:
        raise MalformedAnswerError(f"unreadable answer: {error}") from None
    if not isinstance(message, CreditControlAnswer):
        raise MalformedAnswerError("not a Credit-Control-Answer")
    return _credit_answer(message)


def _credit_answer(message: Any) -> CreditAnswer:
    services = tuple(_result(service) for service in message.multiple_services_credit_control)
    if not services and message.granted_service_unit is not None:
        services = (_plain_result(message),)
    return CreditAnswer(
        session_id=message.session_id or "",
        result_code=message.result_code or 0,
        request_type=message.cc_request_type or 0,
        request_number=message.cc_request_number or 0,
        origin_host=(message.origin_host or b"").decode(errors="replace"),
        services=services,
        cost_micro=_micro(message.cost_information),
        enough_credit=None if message.check_balance_result is None else message.check_balance_result == 0,
    )


def _result(service: Any) -> ServiceResult:
    final = service.final_unit_indication
    return ServiceResult(
        rating_group=service.rating_group,
        result_code=service.result_code,
        granted=_granted(service.granted_service_unit),
        validity_time_s=service.validity_time,
        volume_threshold_octets=service.volume_quota_threshold,
        time_threshold_s=service.time_quota_threshold,
        final_unit_action=FinalUnitAction(final.final_unit_action) if final else None,
    )


def _plain_result(message: Any) -> ServiceResult:
    final = message.final_unit_indication
    return ServiceResult(
        granted=_granted(message.granted_service_unit),
        validity_time_s=message.validity_time,
        final_unit_action=FinalUnitAction(final.final_unit_action) if final else None,
    )


def _granted(units: Any) -> Units | None:
    if units is None:
        return None
    return Units(
        total_octets=units.cc_total_octets,
        input_octets=units.cc_input_octets,
        time_s=units.cc_time,
        service_specific_units=units.cc_service_specific_units,
    )


def _micro(cost: Any) -> int | None:
    """Cost-Information in micro-units (RFC 8506 section 8.8: digits times ten to the exponent)."""
    if cost is None:
        return None
    exponent = (cost.unit_value.exponent or 0) - _MICRO_EXPONENT
    digits = cost.unit_value.value_digits
    return digits * 10**exponent if exponent >= 0 else digits // 10**-exponent
