"""3GPP's containers: parties, access point and network wherever a vendor puts them."""

import pytest

from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, octet_string, utf8
from ocs.diameter_gy.errors import AvpUnsupported, InvalidAvpLength, InvalidAvpValue
from ocs.diameter_gy.service_information import ServiceInformation, ServiceInformationDecoder
from ocs.messages import RoleOfNode

TGPP = 10415
DECODER = ServiceInformationDecoder(tolerates_unknown=True)
STRICT = ServiceInformationDecoder(tolerates_unknown=False)


def group(code: int, *parts: bytes) -> bytes:
    return grouped(code, *parts, vendor_id=TGPP)


def ps(*parts: bytes) -> ServiceInformation:
    return DECODER.decode(group(873, group(874, *parts)))


def ims(*parts: bytes) -> ServiceInformation:
    return DECODER.decode(group(873, group(876, *parts)))


def sms(*parts: bytes) -> ServiceInformation:
    return DECODER.decode(group(873, group(2000, *parts)))


def location(octets: str) -> bytes:
    return octet_string(22, bytes.fromhex(octets), TGPP)


def test_access_point_is_case_blind():
    assert ps(utf8(30, "Internet.MNC001")).context.access_point_name == "internet.mnc001"


def test_network_of_the_serving_node_wins():
    sgsn, ggsn = utf8(18, "302510", TGPP), utf8(9, "26201", TGPP)
    assert ps(sgsn, ggsn, location("0162f21000000000")).context.serving_network == "302510"
    assert ps(ggsn, sgsn).context.serving_network == "302510"


@pytest.mark.parametrize(
    ("octets", "network"),
    [
        ("8200f110000100f11000000101", "00101"),
        ("0103021501020304", "302510"),
        ("0062f21000000000", "26201"),
        ("8762f21000000000", "26201"),
    ],
)
def test_network_of_the_cell_comes_next(octets, network):
    assert ps(utf8(9, "99999", TGPP), location(octets)).context.serving_network == network


@pytest.mark.parametrize("octets", ["", "01", "0562f210", "01ffffff", b"0102F60200FC0417".hex()])
def test_malformed_location_is_passed_over(octets):
    assert ps(utf8(9, "26202", TGPP), location(octets)).context.serving_network == "26202"


@pytest.mark.parametrize("text", ["1234", "1234567", "26 01", "abcde"])
def test_what_is_no_network_is_passed_over(text):
    assert ps(utf8(18, text, TGPP)).context.serving_network == ""


def test_call_names_its_parties():
    found = ims(
        utf8(831, "sip:+491511@x", TGPP), utf8(831, "tel:+491512", TGPP), utf8(832, "tel:+4930", TGPP)
    )
    assert (found.context.calling_party, found.context.called_party) == ("491511", "4930")


def test_requested_party_stands_in_for_a_called_party():
    assert ims(utf8(1251, "tel:+4930", TGPP)).context.called_party == "4930"
    assert ims(utf8(1251, "tel:+4930", TGPP), utf8(832, "tel:+4931", TGPP)).context.called_party == "4931"


@pytest.mark.parametrize("code", [1201, 2028])
def test_message_names_its_recipient_and_originator(code):
    found = sms(
        group(2027, enumerated(899, 1, TGPP), utf8(897, "+491511", TGPP)),
        group(2026, group(code, enumerated(899, 1, TGPP), utf8(897, "+4917", TGPP))),
    )
    assert (found.context.called_party, found.context.calling_party) == ("4917", "491511")


def test_first_recipient_counts():
    recipients = [group(2026, group(1201, utf8(897, number, TGPP))) for number in ("1", "2")]
    assert sms(*recipients).context.called_party == "1"


def test_subscription_in_the_container_and_imsi_are_found():
    subscription = grouped(443, enumerated(450, 0), utf8(444, "+49"))
    assert DECODER.decode(group(873, subscription, group(874, utf8(1, "26201", TGPP)))).subscription_ids == (
        "e164:49",
    )
    assert ps(utf8(1, "26201", TGPP)).subscription_ids == ("imsi:26201",)
    assert ps(utf8(1, "none", TGPP)).subscription_ids == ()


def test_malformed_content_of_what_is_not_needed_is_passed_over():
    assert ps(encode_avp(1016, b"\xff\xff\xff", TGPP), utf8(30, "a")).context.access_point_name == "a"


def test_container_that_cannot_be_taken_apart_is_refused():
    with pytest.raises(InvalidAvpLength) as caught:
        ps(bytes.fromhex("0000001e400000ff"))
    assert caught.value.failed_avp == group(873, group(874, utf8(30, "")))


def test_party_that_is_no_text_is_refused():
    with pytest.raises(InvalidAvpValue):
        ims(octet_string(832, b"\xff", TGPP))


def test_groups_nested_too_deep_are_refused():
    nested = utf8(30, "a")
    for _ in range(20):
        nested = group(874, nested)
    with pytest.raises(InvalidAvpValue):
        DECODER.decode(nested)


def test_unknown_avps_with_m_bit_are_told():
    assert ps(encode_avp(7, b"", 666), encode_avp(8, b"", 666, flags=0)).tolerated == (
        ("Service-Information", 666, 7),
    )


def test_unknown_avp_with_m_bit_is_refused_at_any_depth_where_nothing_is_tolerated():
    unknown = encode_avp(7, b"", 666)
    deep = group(873, group(874, group(1016, unknown)))
    assert DECODER.decode(deep).tolerated == ()
    with pytest.raises(AvpUnsupported) as caught:
        STRICT.decode(deep)
    assert caught.value.failed_avp == deep
    with pytest.raises(AvpUnsupported) as caught:
        STRICT.decode(group(873, group(874, unknown)))
    assert caught.value.failed_avp == group(873, group(874, unknown))
    assert STRICT.decode(group(873, group(874, utf8(30, "a")))).context.access_point_name == "a"


# --- Circumstances ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "utran"), (2, "geran"), (3, "wlan"), (6, "eutran"), (8, "nb-iot"), (10, "nr"), (51, "nr")],
)
def test_radio_access_is_told_by_name(number, name):
    assert ps(octet_string(21, bytes([number]), TGPP)).context.rat_type == name


@pytest.mark.parametrize("octets", [b"", b"\0", b"\xff"])
def test_radio_access_that_is_not_known_is_none(octets):
    assert ps(octet_string(21, octets, TGPP)).context.rat_type == ""


def test_location_is_told_in_hexadecimal_digits():
    assert ps(location("8200f110000100f11000000101")).context.user_location == "8200f110000100f11000000101"


def test_old_gateways_say_it_at_the_top_level():
    found = DECODER.decode(octet_string(21, b"\6", TGPP) + location("0103021501020304"))
    assert (found.context.rat_type, found.context.serving_network) == ("eutran", "302510")


@pytest.mark.parametrize("role", RoleOfNode)
def test_role_of_the_node_is_told(role):
    assert ims(enumerated(829, role, TGPP)).context.role_of_node is role


@pytest.mark.parametrize("avp", [enumerated(829, 7, TGPP), octet_string(829, b"\0", TGPP)])
def test_role_that_is_none_is_passed_over(avp):
    assert ims(avp).context.role_of_node is None
    assert ims().context.role_of_node is None


def media(*names: str) -> tuple[str, ...]:
    return ims(*[group(843, utf8(844, name, TGPP)) for name in names]).context.media


def test_media_of_a_call_are_told_in_order_and_once():
    assert media("m=audio 49170 RTP/AVP 0", "VIDEO 4000 RTP/AVP 31", "m=audio 5000 RTP/AVP 0") == (
        "audio",
        "video",
    )
    assert media("", "m=") == ()


def test_media_of_a_call_are_bounded():
    assert media(*[f"m=kind{number} 1" for number in range(20)]) == tuple(
        f"kind{number}" for number in range(8)
    )


def test_short_message_has_a_recipient_for_each_recipient_info():
    two_addresses = [group(1201, utf8(897, number, TGPP)) for number in ("1", "2")]
    assert sms(group(2026, *two_addresses)).context.recipients == 1
    assert sms(*[group(2026, *two_addresses)] * 3).context.recipients == 3


def test_multimedia_message_has_a_recipient_for_each_address():
    found = DECODER.decode(
        group(
            873,
            group(
                877,
                group(886, utf8(897, "+491511", TGPP)),
                *[group(1201, utf8(897, number, TGPP)) for number in ("+4917", "+4918")],
                enumerated(1211, 1, TGPP),
            ),
        )
    )
    assert found.context.recipients == 2
    assert (found.context.calling_party, found.context.called_party) == ("491511", "4917")
    assert found.context.message_type == "m-send-req"


def test_whatever_names_no_recipient_goes_to_one():
    assert (sms().context.recipients, ps().context.recipients) == (1, 1)


@pytest.mark.parametrize(("number", "name"), [(0, "submission"), (1, "delivery-report"), (9, "")])
def test_kind_of_a_short_message_is_told(number, name):
    assert sms(enumerated(2007, number, TGPP)).context.message_type == name


@pytest.mark.parametrize(("number", "name"), [(0, ""), (1, "m-send-req"), (7, "m-delivery-ind"), (99, "")])
def test_kind_of_a_multimedia_message_is_told(number, name):
    found = DECODER.decode(group(873, group(877, enumerated(1211, number, TGPP))))
    assert found.context.message_type == name


def test_application_that_traffic_was_recognised_as_is_told():
    assert ps(octet_string(1088, b"video.example", TGPP)).context.application == "video.example"


def test_correlation_with_the_application_function_is_stepped_over():
    correlation = group(1276, octet_string(505, b"x", TGPP), grouped(605))
    assert ps(correlation, utf8(30, "a")).context.access_point_name == "a"
