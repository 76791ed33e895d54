"""3GPP's containers: parties, access point and network wherever a vendor puts them."""

import pytest

from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, octet_string, utf8
from ocs.diameter_gy.errors import AvpUnsupported, InvalidAvpLength, InvalidAvpValue
from ocs.diameter_gy.service_information import ServiceInformation, ServiceInformationDecoder

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
