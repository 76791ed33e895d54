"""Credit-Control-Requests: content, habits of real gateways, and what is refused how."""

from typing import Any

import pytest

from ocs.diameter_gy.avp import (
    Avp,
    address,
    encode_avp,
    enumerated,
    grouped,
    integer32,
    integer64,
    octet_string,
    split_avps,
    unsigned32,
    unsigned64,
    utf8,
)
from ocs.diameter_gy.errors import (
    AvpNotAllowed,
    AvpOccursTooManyTimes,
    AvpUnsupported,
    ContradictingAvps,
    InvalidAvpBits,
    InvalidAvpLength,
    InvalidAvpValue,
    LoopDetected,
    MissingAvp,
    RatingFailed,
    RealmNotServed,
    UnableToDeliver,
)
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.routing import RoutingPolicy
from ocs.limits import (
    AVPS_PER_MESSAGE_MAX,
    AVPS_PER_SERVICE_MAX,
    SERVICES_PER_REQUEST_MAX,
    SESSION_ID_OCTETS_MAX,
    UNITS_PER_REQUEST_MAX,
)
from ocs.messages import CCRequestType, RequestedAction, Service, ServiceUnit
from ocs.units import Money

TGPP = 10415
SERVICES = 456

BASE = {
    "session": utf8(263, "pgw.example;1;2"),
    "origin_host": utf8(264, "pgw.example"),
    "origin_realm": utf8(296, "example"),
    "destination_realm": utf8(283, "lab.example"),
    "application": unsigned32(258, 4),
    "context": utf8(461, "32251@3gpp.org"),
    "type": enumerated(416, 2),
    "number": unsigned32(415, 7),
    "subscription": grouped(443, enumerated(450, 0), utf8(444, "4915112345")),
}
MSCC = grouped(SERVICES, grouped(437, unsigned64(421, 1000)), unsigned32(432, 10))


def ccr(*more: bytes, flags: int = 0xC0, end_to_end_id: int = 99, **changed: bytes) -> bytes:
    """A CCR-U; keywords replace AVPs of BASE (b"" leaves one out), further AVPs follow."""
    body = b"".join((BASE | changed).values()) + b"".join(more)
    return encode_message(272, 4, flags, 5, end_to_end_id, body)


def decode(message: bytes, policy: GyPolicy | None = None):
    return (policy or GyPolicy()).decoder.decode(message, parse_header(message))


def charging(*more: bytes, **changed: Any):
    return decode(ccr(*more, **changed)).charging


def event(*more: bytes, **changed: Any):
    return charging(enumerated(436, 0), *more, **({"type": enumerated(416, 4)} | changed))


# --- Content ---------------------------------------------------------------------------------------------


def test_request_is_read_whole():
    message = ccr(MSCC, utf8(293, "ocs.lab.example"), utf8(282, "relay.example"), flags=0xD0)
    request = decode(message)
    asked = request.charging
    assert asked.session_id == "pgw.example;1;2"
    assert asked.request_type is CCRequestType.UPDATE
    assert asked.request_number == 7
    assert (asked.origin_host, asked.origin_realm) == ("pgw.example", "example")
    assert asked.service is Service.DATA
    assert asked.subscription_ids == ("e164:4915112345",)
    assert asked.multiple_services
    [service] = asked.services
    assert (service.rating_group, service.service_identifiers) == (10, ())
    assert service.requested == ServiceUnit(total_octets=1000)
    assert service.used == ()
    assert asked.requested_action is None
    assert asked.retransmitted
    assert request.message is message
    assert (request.hop_by_hop_id, request.end_to_end_id, request.flags) == (5, 99, 0xD0)
    assert (request.destination_host, request.destination_realm) == ("ocs.lab.example", "lab.example")
    assert request.route_records == ("relay.example",)
    assert request.tolerated == ()


@pytest.mark.parametrize("kind", CCRequestType)
def test_each_request_type_is_known(kind):
    assert charging(enumerated(436, 0), type=enumerated(416, kind)).request_type is kind


def test_avps_may_come_in_any_order():
    expected = charging(MSCC)
    body = [*BASE.values(), MSCC]
    for turned in (body[::-1], body[3:] + body[:3]):
        message = encode_message(272, 4, 0xC0, 1, 99, b"".join(turned))
        found = decode(message).charging
        assert found.services == expected.services
        assert found.session_id == expected.session_id
        assert found.subscription_ids == expected.subscription_ids


def test_m_bit_may_be_missing_and_p_bit_set():
    found = charging(
        encode_avp(SERVICES, unsigned32(432, 10, flags=0), flags=0x20),
        number=unsigned32(415, 7, flags=0x60),
        type=enumerated(416, 2, flags=0),
    )
    assert found.request_number == 7
    assert found.services[0].rating_group == 10


def test_several_services_keep_their_order():
    found = charging(*[grouped(SERVICES, unsigned32(432, number)) for number in (9, 3, 1)])
    assert [service.rating_group for service in found.services] == [9, 3, 1]


def test_service_without_rating_group_and_with_identifiers():
    found = charging(grouped(SERVICES, unsigned32(439, 5), unsigned32(439, 6)))
    assert (found.services[0].rating_group, found.services[0].service_identifiers) == (None, (5, 6))


def test_plain_form_is_one_service():
    found = charging(
        grouped(437, unsigned32(420, 60)), grouped(446, unsigned32(420, 12)), grouped(446, unsigned32(420, 1))
    )
    assert not found.multiple_services
    [service] = found.services
    assert service.requested == ServiceUnit(time_s=60)
    assert service.used == (ServiceUnit(time_s=12), ServiceUnit(time_s=1))
    assert (service.rating_group, service.service_identifiers) == (None, ())


def test_plain_form_may_name_its_service():
    assert charging(unsigned32(439, 1000)).services[0].service_identifiers == (1000,)


def test_nothing_asked_and_several_services_supported_is_no_service():
    found = charging(unsigned32(455, 1), type=enumerated(416, 1))
    assert (found.services, found.multiple_services) == ((), True)


def test_termination_with_nothing_used_is_no_service():
    found = charging(type=enumerated(416, 3))
    assert (found.services, found.multiple_services) == ((), False)


def test_services_indicator_is_ignored_beside_a_service():
    assert charging(unsigned32(455, 0), MSCC).multiple_services


@pytest.mark.parametrize("action", RequestedAction)
def test_event_says_what_it_wants(action):
    found = charging(enumerated(436, action), type=enumerated(416, 4))
    assert found.requested_action is action


def test_requested_action_outside_events_is_ignored():
    assert charging(enumerated(436, 0)).requested_action is None
    assert charging(enumerated(436, 77)).requested_action is None


def test_event_without_action_lacks_it():
    with pytest.raises(MissingAvp) as caught:
        charging(type=enumerated(416, 4))
    assert caught.value.failed_avp == enumerated(436, 0)


def test_event_with_empty_session_id_is_known_by_origin_and_end_to_end_identifier():
    message = ccr(enumerated(436, 0), session=utf8(263, ""), type=enumerated(416, 4), end_to_end_id=4711)
    assert decode(message).charging.session_id == "pgw.example;4711"


def test_sub_sessions_are_sessions_of_their_own():
    request = decode(ccr(unsigned64(419, 3)))
    assert request.charging.session_id == "pgw.example;1;2;sub=3"
    assert request.sub_session_id == 3


def test_unknown_service_context_cannot_be_rated():
    with pytest.raises(RatingFailed) as caught:
        charging(context=utf8(461, "32251@example.org"))
    assert (caught.value.result_code, caught.value.failed_avp) == (5031, utf8(461, "32251@example.org"))


def test_event_timestamp_is_read_and_a_malformed_one_ignored():
    assert charging(octet_string(55, bytes.fromhex("e43d7ec6"))).event_time_s == 1_620_246_598
    assert charging(octet_string(55, b"2021")).event_time_s is not None
    assert charging(octet_string(55, b"2021-05-05")).event_time_s is None
    assert charging(octet_string(55, b"")).event_time_s is None
    assert charging().event_time_s is None


def test_malformed_user_equipment_info_is_ignored():
    assert charging(encode_avp(458, b"\xff\xff\xff")).request_number == 7


def test_unknown_avps_without_m_bit_are_ignored():
    assert charging(encode_avp(9999, b"x", flags=0), encode_avp(1, b"x", 4711, flags=0)).request_number == 7


# --- Who pays --------------------------------------------------------------------------------------------


def test_subscriptions_keep_their_order():
    found = charging(
        grouped(443, enumerated(450, 1), utf8(444, "262010000000001")), subscription=BASE["subscription"]
    )
    assert found.subscription_ids == ("e164:4915112345", "imsi:262010000000001")


def test_subscription_may_stand_inside_service_information():
    information = grouped(873, BASE["subscription"], vendor_id=TGPP)
    assert charging(information, subscription=b"").subscription_ids == ("e164:4915112345",)


def test_top_level_subscription_wins():
    inner = grouped(873, grouped(443, enumerated(450, 4), utf8(444, "other")), vendor_id=TGPP)
    assert charging(inner).subscription_ids == ("e164:4915112345",)


def test_user_name_stands_in_for_a_subscription():
    assert charging(utf8(1, "a@b"), subscription=b"").subscription_ids == ("nai:a@b",)
    assert charging(utf8(1, "a@b")).subscription_ids == ("e164:4915112345",)


def test_subscription_may_be_absent():
    assert charging(subscription=b"").subscription_ids == ()


def test_subscription_id_extension_is_read():
    extension = encode_avp(659, utf8(661, "26201") + utf8(660, "+4915"), flags=0)
    assert charging(subscription=extension).subscription_ids == ("imsi:26201", "e164:4915")


def test_3gpp_avps_at_the_top_level_are_read():
    found = charging(
        utf8(18, "26201", TGPP), utf8(30, "Internet"), utf8(1, "262010000000001", TGPP), subscription=b""
    )
    assert found.context.serving_network == "26201"
    assert found.context.access_point_name == "internet"
    assert found.subscription_ids == ("imsi:262010000000001",)


# --- Routing ---------------------------------------------------------------------------------------------

ROUTED = GyPolicy(check_routing=RoutingPolicy.of(["ocs.lab.example"], ["lab.example"]).check)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"destination_realm": utf8(283, "other.example")}, RealmNotServed),
        ({"session": BASE["session"] + utf8(293, "other.example")}, UnableToDeliver),
        ({"session": BASE["session"] + utf8(282, "ocs.lab.example")}, LoopDetected),
    ],
)
def test_routing_is_judged_before_content(changed, error):
    for more in (b"", encode_avp(9999, b""), enumerated(268, 1)):
        with pytest.raises(error):
            decode(ccr(more, **(changed | {"context": b""})), ROUTED)


def test_request_for_us_passes():
    assert decode(ccr(utf8(293, "OCS.lab.example"), utf8(282, "relay.example")), ROUTED).destination_host


# --- Refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("session", utf8(263, "")),
        ("origin_host", utf8(264, "")),
        ("origin_realm", utf8(296, "")),
        ("destination_realm", utf8(283, "")),
        ("application", unsigned32(258, 0)),
        ("context", utf8(461, "")),
        ("type", enumerated(416, 0)),
        ("number", unsigned32(415, 0)),
    ],
)
def test_missing_avp_is_5005_with_an_example(name, example):
    with pytest.raises(MissingAvp) as caught:
        charging(**{name: b""})
    assert caught.value.result_code == 5005
    assert caught.value.failed_avp == example


def test_vendor_specific_application_id_may_stand_in_and_application_1_is_heard():
    group = grouped(260, unsigned32(266, TGPP), unsigned32(258, 4))
    assert charging(application=group).request_number == 7
    assert charging(application=unsigned32(258, 1)).request_number == 7
    with pytest.raises(InvalidAvpValue):
        charging(application=unsigned32(258, 16777238))


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"type": enumerated(416, 9)}, enumerated(416, 9)),
        ({"type": enumerated(416, 0)}, enumerated(416, 0)),
        ({"session": utf8(263, "")}, utf8(263, "")),
        ({"session": octet_string(263, b"\xff")}, octet_string(263, b"\xff")),
        ({"session": utf8(263, "x" * 600)}, utf8(263, "x" * SESSION_ID_OCTETS_MAX)),
        ({"origin_host": utf8(264, "")}, utf8(264, "")),
        ({"origin_realm": utf8(296, "a b")}, utf8(296, "a b")),
        ({"subscription": grouped(443, enumerated(450, 9), utf8(444, "1"))}, grouped(443, enumerated(450, 9))),
        ({"subscription": grouped(443, enumerated(450, 0), octet_string(444, b"\xff"))}, grouped(443, octet_string(444, b"\xff"))),
    ],
)  # fmt: skip
def test_invalid_value_is_5004_with_the_avp(changed, failed):
    with pytest.raises(InvalidAvpValue) as caught:
        charging(**changed)
    assert caught.value.result_code == 5004
    assert caught.value.failed_avp == failed


def test_unknown_action_is_5004():
    with pytest.raises(InvalidAvpValue) as caught:
        charging(enumerated(436, 4), type=enumerated(416, 4))
    assert caught.value.failed_avp == enumerated(436, 4)


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        ({"type": octet_string(416, b"\1")}, enumerated(416, 0)),
        ({"number": octet_string(415, bytes(8))}, unsigned32(415, 0)),
        ({"application": octet_string(258, b"")}, unsigned32(258, 0)),
        ({"session": BASE["session"] + octet_string(419, bytes(4))}, unsigned64(419, 0)),
        ({"session": BASE["session"] + octet_string(439, bytes(2))}, unsigned32(439, 0)),
    ],
)
def test_wrong_data_length_is_5014_with_an_example(changed, failed):
    with pytest.raises(InvalidAvpLength) as caught:
        charging(**changed)
    assert caught.value.result_code == 5014
    assert caught.value.failed_avp == failed


@pytest.mark.parametrize("length", [0, 7, 13, 200, 0xFFFFFF])
def test_avp_that_does_not_fit_is_5014(length):
    wrong = bytes.fromhex("0000010c40") + length.to_bytes(3, "big") + bytes(4)
    with pytest.raises(InvalidAvpLength) as caught:
        charging(wrong)
    assert split_avps(caught.value.failed_avp) == [Avp(268, 0, 0x40, bytes(4))]


def test_reserved_avp_bits_are_3009():
    wrong = encode_avp(415, bytes(4), flags=0x42)
    with pytest.raises(InvalidAvpBits) as caught:
        charging(number=wrong)
    assert caught.value.failed_avp == wrong


def test_unknown_avp_with_m_bit_is_5001_with_the_avp():
    for unknown in (encode_avp(9999, b"x"), encode_avp(22832, b"x", 666)):
        with pytest.raises(AvpUnsupported) as caught:
            charging(unknown)
        assert caught.value.result_code == 5001
        assert caught.value.failed_avp == unknown


def test_unknown_avp_with_m_bit_is_tolerated_where_the_operator_says():
    policy = GyPolicy(
        tolerate_unknown_mandatory_in=["Credit-Control-Request", "Multiple-Services-Credit-Control"]
    )
    service = grouped(SERVICES, encode_avp(5, b"", 4711), grouped(446, encode_avp(6, b"", 4711)))
    request = decode(ccr(encode_avp(9999, b"x"), service), policy)
    assert request.tolerated == (
        ("Credit-Control-Request", 0, 9999),
        ("Multiple-Services-Credit-Control", 4711, 5),
        ("Multiple-Services-Credit-Control", 4711, 6),
    )


def test_unknown_avps_with_m_bit_in_service_information_are_tolerated_by_default_and_counted():
    information = grouped(873, grouped(874, encode_avp(1368, b"x", 81000), vendor_id=TGPP), vendor_id=TGPP)
    assert decode(ccr(information)).tolerated == (("Service-Information", 81000, 1368),)
    with pytest.raises(AvpUnsupported) as caught:
        decode(ccr(information), GyPolicy(tolerate_unknown_mandatory_in=[]))
    assert caught.value.failed_avp == information


@pytest.mark.parametrize("code", [268, 418, 422, 423, 427, 428, 430, 431, 448, 669, 279, 261, 262, 292])
def test_avp_that_belongs_into_an_answer_is_5008(code):
    with pytest.raises(AvpNotAllowed) as caught:
        charging(encode_avp(code, bytes(4)))
    assert caught.value.result_code == 5008
    assert caught.value.failed_avp == encode_avp(code, bytes(4))


@pytest.mark.parametrize("name", ["session", "application", "context", "type", "number", "destination_realm"])
def test_avp_that_comes_twice_is_5009_with_the_second(name):
    [first] = split_avps(BASE[name])
    second = first._replace(data=first.data[:-1] + b"\1").encoded
    with pytest.raises(AvpOccursTooManyTimes) as caught:
        charging(second)
    assert caught.value.result_code == 5009
    assert caught.value.failed_avp == second


def test_origin_may_come_twice_and_the_first_counts():
    found = charging(utf8(264, "second.example"), utf8(296, "second"))
    assert (found.origin_host, found.origin_realm) == ("pgw.example", "example")


def test_too_many_services_are_5009_with_the_first_too_many():
    services = [grouped(SERVICES, unsigned32(432, number)) for number in range(SERVICES_PER_REQUEST_MAX + 1)]
    assert len(charging(*services[:-1]).services) == SERVICES_PER_REQUEST_MAX
    with pytest.raises(AvpOccursTooManyTimes) as caught:
        charging(*services)
    assert caught.value.failed_avp == services[-1]


def test_too_many_units_in_all_services_are_5009_with_the_first_service_too_many():
    unit, each = grouped(446, unsigned32(420, 1)), UNITS_PER_REQUEST_MAX // 4
    services = [grouped(SERVICES, unsigned32(432, number) + unit * each) for number in range(4)]
    assert sum(len(service.used) for service in charging(*services).services) == UNITS_PER_REQUEST_MAX
    services.append(grouped(SERVICES, unsigned32(432, 4) + unit))
    with pytest.raises(AvpOccursTooManyTimes) as caught:
        charging(*services)
    assert caught.value.failed_avp == services[-1]


def test_too_many_units_without_services_are_5009_with_the_first_too_many():
    units = [grouped(446, unsigned32(420, number)) for number in range(UNITS_PER_REQUEST_MAX + 1)]
    assert len(charging(*units[:-1]).services[0].used) == UNITS_PER_REQUEST_MAX
    with pytest.raises(AvpOccursTooManyTimes) as caught:
        charging(*units)
    assert caught.value.failed_avp == units[-1]


def test_usage_inside_and_outside_of_services_contradicts_itself():
    with pytest.raises(ContradictingAvps) as caught:
        charging(MSCC, grouped(446, unsigned32(420, 1)))
    assert caught.value.failed_avp == grouped(446, unsigned32(420, 1))


def test_first_fault_of_the_top_level_is_told():
    with pytest.raises(AvpUnsupported):
        charging(encode_avp(9999, b""), enumerated(268, 1))
    with pytest.raises(AvpNotAllowed):
        charging(enumerated(268, 1), encode_avp(9999, b""))


# --- Fingerprint -----------------------------------------------------------------------------------------


def test_copies_of_a_request_have_one_fingerprint_however_they_came():
    first = decode(ccr(MSCC, utf8(293, "ocs1.lab.example"), unsigned32(278, 1)))
    routed = grouped(284, utf8(280, "relay"), octet_string(33, b"1"))
    copy = decode(
        ccr(routed, MSCC, utf8(282, "relay.example"), flags=0xD0, destination_realm=utf8(283, "x.example"))
    )
    assert copy.charging.fingerprint == first.charging.fingerprint
    assert len(first.charging.fingerprint) == 8
    assert copy.proxy_info == routed


@pytest.mark.parametrize(
    "changed", [{"number": unsigned32(415, 8)}, {"session": utf8(263, "pgw.example;1;3")}]
)
def test_other_content_has_another_fingerprint(changed):
    assert charging(**changed).fingerprint != charging().fingerprint


def test_order_is_content():
    other = grouped(SERVICES, unsigned32(432, 2))
    assert charging(MSCC, other).fingerprint != charging(other, MSCC).fingerprint


def test_proxy_infos_are_kept_as_they_came():
    proxies = [grouped(284, utf8(280, f"relay{number}"), octet_string(33, b"s")) for number in (2, 1)]
    assert decode(ccr(proxies[0], MSCC, proxies[1])).proxy_info == b"".join(proxies)


# --- Voice and SMS ---------------------------------------------------------------------------------------


def test_voice_request_names_its_parties():
    parties = grouped(
        876,
        utf8(831, "sip:+491511@ims.example", TGPP),
        utf8(832, "tel:+49-30-1234;phone-context=x", TGPP),
        vendor_id=TGPP,
    )
    found = charging(grouped(873, parties, vendor_id=TGPP), context=utf8(461, "ext.1.2.8.32260@3gpp.org"))
    assert (found.context.calling_party, found.context.called_party) == ("491511", "49301234")


def test_sms_request_names_its_recipient():
    recipient = grouped(1201, enumerated(899, 1, TGPP), utf8(897, "+49151777", TGPP), vendor_id=TGPP)
    sms = grouped(
        2000, address(2010, "10.0.0.1", TGPP), grouped(2026, recipient, vendor_id=TGPP), vendor_id=TGPP
    )
    found = event(grouped(873, sms, vendor_id=TGPP), context=utf8(461, "32274@3gpp.org"))
    assert (found.service, found.context.called_party) == (Service.SMS, "49151777")


def test_money_is_asked_for_and_reported():
    money = grouped(413, grouped(445, integer64(447, 150), integer32(429, -2)), unsigned32(425, 978))
    found = event(grouped(437, money)).services[0].requested
    assert found == ServiceUnit(money=Money(1_500_000, "EUR"))


def test_more_avps_than_anyone_needs_are_refused():
    with pytest.raises(AvpOccursTooManyTimes, match="1024 AVPs"):
        decode(ccr(*[utf8(282, "relay.example")] * AVPS_PER_MESSAGE_MAX))
    crowded = grouped(
        SERVICES, unsigned32(432, 10), *[unsigned32(439, n) for n in range(AVPS_PER_SERVICE_MAX)]
    )
    with pytest.raises(AvpOccursTooManyTimes, match="64 AVPs"):
        decode(ccr(crowded))


def test_long_request_is_read_like_a_short_one_and_not_remembered():
    policy = GyPolicy()
    decoder = policy.decoder
    message = ccr(MSCC, encode_avp(999_999, b"x" * 3_000, 4_242, flags=0x80))
    first = decoder.decode(message, parse_header(message))
    assert first.charging.services == decode(ccr(MSCC)).charging.services
    assert not decoder._familiar._known
    assert decoder._subscriptions.cache_info().currsize == 0  # type: ignore[attr-defined]
