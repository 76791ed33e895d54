"""Requests of the load generator, read by an independent stack."""

from typing import Any

import msgspec
import pytest
from diameter.message import Message

from bench import templates
from bench.templates import LoadPlan

PLAN = LoadPlan(host="127.0.0.1", port=3868, run=42, accounts=100)
NOW_S = 1_790_000_000


def decoded(account: int, request_type: int, number: int) -> tuple[bytes, Any]:
    request, places = templates.credit_control_request(PLAN, account, request_type, NOW_S)
    templates.patch_identifiers(request, 0x11223344, 0x55667788)
    templates.patch_number(request, places, number)
    if request_type != templates.INITIAL:
        templates.patch_used(request, places, templates.used_octets(account, number))
    return bytes(request), Message.from_bytes(bytes(request))


def test_update_is_exactly_512_octets_and_valid() -> None:
    octets, message = decoded(7, templates.UPDATE, 3)
    assert len(octets) == 512 == message.header.length
    assert message.header.is_request and message.header.is_proxyable and not message.header.is_retransmit
    assert (message.header.hop_by_hop_identifier, message.header.end_to_end_identifier) == (
        0x11223344,
        0x55667788,
    )
    assert message.session_id == templates.session_id(PLAN, 7)
    assert (message.cc_request_type, message.cc_request_number) == (2, 3)
    assert message.service_context_id == "32251@3gpp.org"
    assert [one.subscription_id_data for one in message.subscription_id] == [
        "491720000007",
        "262010000000007",
    ]
    assert message.event_timestamp.timestamp() == NOW_S
    (service,) = message.multiple_services_credit_control
    assert service.rating_group == 10 and service.requested_service_unit.cc_total_octets == 1_048_576
    (used,) = service.used_service_unit
    assert used.cc_total_octets == templates.used_octets(7, 3) == used.cc_input_octets + used.cc_output_octets
    assert message.service_information.ps_information.called_station_id.startswith("internet")
    assert message._additional_avps == []


def test_each_rating_group_has_its_own_units_beside_the_others() -> None:
    plan = msgspec.structs.replace(PLAN, rating_groups=(10, 2, 3))
    request, places = templates.credit_control_request(plan, 7, templates.UPDATE, NOW_S)
    templates.patch_used(request, places, 1_234)
    message: Any = Message.from_bytes(bytes(request))
    services = message.multiple_services_credit_control
    assert [service.rating_group for service in services] == [10, 2, 3]
    for service in services:
        (used,) = service.used_service_unit
        assert used.cc_total_octets == 1_234 == used.cc_input_octets + used.cc_output_octets
        assert service.requested_service_unit.cc_total_octets == 1_048_576
    assert len(request) == 512 + 2 * 100
    assert message._additional_avps == []


@pytest.mark.parametrize("account", [0, 9, 99])
def test_all_updates_have_the_same_size_whatever_the_account(account: int) -> None:
    assert len(decoded(account, templates.UPDATE, 2**32 - 1)[0]) == 512


def test_initial_requests_units_and_reports_none() -> None:
    _, message = decoded(1, templates.INITIAL, 0)
    (service,) = message.multiple_services_credit_control
    assert service.used_service_unit == [] and service.requested_service_unit is not None
    assert message.cc_request_type == 1


def test_termination_reports_units_and_requests_none() -> None:
    _, message = decoded(1, templates.TERMINATION, 9)
    (service,) = message.multiple_services_credit_control
    assert service.requested_service_unit is None and len(service.used_service_unit) == 1
    assert message.termination_cause == 1


def test_retransmission_differs_in_the_T_flag_alone() -> None:
    request, _ = templates.credit_control_request(PLAN, 1, templates.UPDATE, NOW_S)
    before = bytes(request)
    templates.patch_retransmitted(request)
    assert Message.from_bytes(bytes(request)).header.is_retransmit
    assert before[:4] + before[5:] == request[:4] + request[5:]


def test_names_that_do_not_fit_are_refused() -> None:
    plan = LoadPlan(host="127.0.0.1", port=3868, run=1, origin_host="g" * 200)
    with pytest.raises(ValueError, match="too long"):
        templates.credit_control_request(plan, 0, templates.UPDATE, NOW_S)


@pytest.mark.parametrize("address", [b"\x7f\0\0\1", bytes(15) + b"\1"])
def test_capabilities_exchange_offers_credit_control(address: bytes) -> None:
    message: Any = Message.from_bytes(templates.capabilities_exchange_request(PLAN, address, (1, 2)))
    assert message.auth_application_id == [4] and message.origin_host == PLAN.origin_host.encode()
    assert message.supported_vendor_id == [10415]


def test_watchdog_answer_says_success() -> None:
    message: Any = Message.from_bytes(templates.base_answer(PLAN, templates.DEVICE_WATCHDOG, (5, 6)))
    assert not message.header.is_request and message.result_code == 2001
    assert message.header.hop_by_hop_identifier == 5


def test_usage_is_known_to_generator_and_auditor_alike() -> None:
    assert templates.used_octets(3, 4) == templates.used_octets(3, 4)
    assert all(1_000 <= templates.used_octets(a, n) < 2_000 for a in range(50) for n in range(50))
