"""AVPs as bytes: vectors both ways, every type, malformed input."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy import avp as codec
from ocs.diameter_gy.avp import MANDATORY, VENDOR_FLAG, Address, Avp, split_avps, split_tree
from ocs.diameter_gy.errors import (
    AvpOccursTooManyTimes,
    DiameterError,
    InvalidAvpBits,
    InvalidAvpLength,
    InvalidAvpValue,
)
from ocs.limits import AVP_DEPTH_MAX, AVPS_PER_MESSAGE_MAX

# --- Vectors ---------------------------------------------------------------------------------------------

VECTORS = [
    (codec.utf8(263, "abc"), "0000010740 00000b 616263 00"),
    (codec.utf8(263, "abcd"), "0000010740 00000c 61626364"),
    (codec.utf8(269, "ab", flags=0), "0000010d00 00000a 6162 0000"),
    (codec.unsigned32(268, 2001), "0000010c40 00000c 000007d1"),
    (codec.integer32(429, -2), "000001ad40 00000c fffffffe"),
    (codec.enumerated(416, 4), "000001a040 00000c 00000004"),
    (codec.unsigned64(421, 2**40), "000001a540 000010 0000010000000000"),
    (codec.integer64(447, -5), "000001bf40 000010 fffffffffffffffb"),
    (codec.float32(1, 1.5), "0000000140 00000c 3fc00000"),
    (codec.float64(1, -2.0), "0000000140 000010 c000000000000000"),
    (codec.address(257, "127.0.0.1"), "0000010140 00000e 00017f000001 0000"),
    (codec.address(257, "::1"), "0000010140 00001a 0002" + "00" * 15 + "01" + "0000"),
    (codec.address(897, Address(8, b"4930")), "0000038140 00000e 000834393330 0000"),
    (codec.time(55, 0), "0000003740 00000c 83aa7e80"),
    (codec.octet_string(25, b"\x00\xff"), "0000001940 00000a 00ff 0000"),
    (codec.diameter_identity(264, "a.b"), "0000010840 00000b 612e62 00"),
    (codec.unsigned32(869, 5, 10415, flags=0), "0000036580 000010 000028af 00000005"),
    (codec.utf8(30, "x", 10415), "0000001ec0 00000d 000028af 78 000000"),
    (codec.grouped(456, codec.unsigned32(432, 1), codec.grouped(437)), "000001c840 00001c 000001b04000000c00000001 000001b540000008"),
    (codec.grouped(873, vendor_id=10415), "00000369c0 00000c 000028af"),
]  # fmt: skip


@pytest.mark.parametrize(("encoded", "expected"), VECTORS)
def test_avp_is_encoded_as_the_standard_says(encoded, expected):
    assert encoded == bytes.fromhex(expected)


@pytest.mark.parametrize(("encoded", "expected"), VECTORS)
def test_split_and_encode_give_the_same_octets(encoded, expected):
    [avp] = split_avps(encoded)
    assert avp.encoded == encoded


def test_avps_come_out_in_order_with_vendor_and_flags_and_unknown_ones_are_kept():
    body = codec.utf8(263, "s") + codec.encode_avp(77777, b"?", 666) + codec.encode_avp(9999, b"", flags=0x20)
    assert split_avps(body) == [
        Avp(263, 0, 0x40, b"s"),
        Avp(77777, 666, 0xC0, b"?"),
        Avp(9999, 0, 0x20, b""),
    ]


def test_part_of_a_buffer_is_split():
    body = b"head" + codec.unsigned32(268, 1) + b"tail"
    assert split_avps(body, 4, len(body) - 4) == [Avp(268, 0, MANDATORY, bytes((0, 0, 0, 1)))]


def test_padding_of_the_last_avp_may_be_missing():
    assert split_avps(codec.utf8(263, "abc")[:-1]) == [Avp(263, 0, MANDATORY, b"abc")]


# --- Types -----------------------------------------------------------------------------------------------

ROUND_TRIPS = [
    (codec.integer32, codec.decode_integer32, st.integers(-(2**31), 2**31 - 1)),
    (codec.enumerated, codec.decode_enumerated, st.integers(-(2**31), 2**31 - 1)),
    (codec.integer64, codec.decode_integer64, st.integers(-(2**63), 2**63 - 1)),
    (codec.unsigned32, codec.decode_unsigned32, st.integers(0, 2**32 - 1)),
    (codec.unsigned64, codec.decode_unsigned64, st.integers(0, 2**64 - 1)),
    (codec.float32, codec.decode_float32, st.floats(width=32, allow_nan=False)),
    (codec.float64, codec.decode_float64, st.floats(allow_nan=False)),
    (codec.utf8, codec.decode_utf8_string, st.text()),
    (codec.diameter_identity, codec.decode_diameter_identity, st.from_regex(r"[a-z0-9.-]+", fullmatch=True)),
    (codec.time, codec.decode_time, st.integers(-61_505_152, 4_233_462_143)),
    (
        codec.address,
        codec.decode_address,
        st.one_of(st.builds(Address, st.just(1), st.binary(min_size=4, max_size=4)),
                  st.builds(Address, st.just(2), st.binary(min_size=16, max_size=16)),
                  st.builds(Address, st.integers(9, 65535), st.binary(max_size=20))),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("encode", "decode", "values"), ROUND_TRIPS, ids=[encode.__name__ for encode, _, _ in ROUND_TRIPS]
)
@given(data=st.data())
def test_decode_of_encode_is_the_value(encode, decode, values, data):
    value = data.draw(values)
    vendor_id = data.draw(st.sampled_from([0, 10415]))
    [avp] = split_avps(encode(99, value, vendor_id))
    assert (avp.code, avp.vendor_id) == (99, vendor_id)
    assert decode(avp) == value


def test_float_not_a_number_stays_one():
    [avp] = split_avps(codec.float64(1, math.nan))
    assert math.isnan(codec.decode_float64(avp))


@pytest.mark.parametrize(
    ("ntp", "moment"),
    [
        (0x80000000, datetime(1968, 1, 20, 3, 14, 8, tzinfo=UTC)),
        (0x83AA7E80, datetime(1970, 1, 1, tzinfo=UTC)),
        (0xFFFFFFFF, datetime(2036, 2, 7, 6, 28, 15, tzinfo=UTC)),
        (0x00000000, datetime(2036, 2, 7, 6, 28, 16, tzinfo=UTC)),
        (0x7FFFFFFF, datetime(2104, 2, 26, 9, 42, 23, tzinfo=UTC)),
    ],
)
def test_time_rolls_over_in_2036(ntp, moment):
    avp = Avp(55, 0, MANDATORY, ntp.to_bytes(4, "big"))
    assert codec.decode_time(avp) == moment.timestamp()
    assert codec.time(55, int(moment.timestamp())) == avp.encoded


@pytest.mark.parametrize(
    ("octets", "text"),
    [("00017f000001", "127.0.0.1"), ("0002" + "00" * 15 + "01", "::1"), ("000834393330", "4930"), ("00630102", "0102")],
)  # fmt: skip
def test_address_reads_as_text(octets, text):
    assert str(codec.decode_address(Avp(257, 0, MANDATORY, bytes.fromhex(octets)))) == text


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("aaa://host.example", (False, "host.example", 3868, "tcp", "diameter")),
        ("aaas://host.example:6666;transport=sctp", (True, "host.example", 6666, "sctp", "diameter")),
        ("aaa://h;protocol=radius", (False, "h", 3868, "tcp", "radius")),
        ("aaa://h:1;transport=udp;protocol=diameter", (False, "h", 1, "udp", "diameter")),
    ],
)
def test_diameter_uri_is_taken_apart(text, uri):
    assert codec.decode_diameter_uri(Avp(292, 0, MANDATORY, text.encode())) == uri


@pytest.mark.parametrize(
    "text", ["", "http://h", "aaa:/h", "aaa://h:99999", "aaa://h;transport=pigeon", "aaa://ä"]
)
def test_what_is_no_diameter_uri_is_refused(text):
    with pytest.raises(InvalidAvpValue):
        codec.decode_diameter_uri(Avp(292, 0, MANDATORY, text.encode()))


def test_ip_filter_rule_has_action_direction_and_ends():
    rule = "permit in ip from 10.0.0.1 to any 80,443 established"
    assert codec.decode_ip_filter_rule(Avp(438, 0, MANDATORY, rule.encode())) == rule
    for wrong in ("", "allow in ip from any to any", "permit in ip from any", "permit in ip from any to "):
        with pytest.raises(InvalidAvpValue):
            codec.decode_ip_filter_rule(Avp(438, 0, MANDATORY, wrong.encode()))


@pytest.mark.parametrize("name", [b"", b"a b", b"h\xc3\xb6st", b"a\0", b"a\x7f"])
def test_what_is_no_diameter_identity_is_refused(name):
    with pytest.raises(InvalidAvpValue):
        codec.decode_diameter_identity(Avp(264, 0, MANDATORY, name))


def test_text_that_is_not_utf8_is_refused_with_the_avp():
    avp = Avp(1, 0, MANDATORY, b"\xff")
    with pytest.raises(InvalidAvpValue) as caught:
        codec.decode_utf8_string(avp)
    assert caught.value.failed_avp == avp.encoded


@pytest.mark.parametrize(
    ("decode", "octets"),
    [
        (codec.decode_integer32, 4),
        (codec.decode_enumerated, 4),
        (codec.decode_unsigned32, 4),
        (codec.decode_float32, 4),
        (codec.decode_time, 4),
        (codec.decode_integer64, 8),
        (codec.decode_unsigned64, 8),
        (codec.decode_float64, 8),
    ],
)
def test_wrong_size_is_refused_and_failed_avp_has_the_right_one(decode, octets):
    for size in (0, 3, octets - 1, octets + 1):
        with pytest.raises(InvalidAvpLength) as caught:
            decode(Avp(9, 0, MANDATORY, bytes(size)))
        assert caught.value.failed_avp == Avp(9, 0, MANDATORY, bytes(octets)).encoded


@pytest.mark.parametrize("octets", ["", "00", "00017f0000", "0002" + "00" * 15])
def test_address_of_a_wrong_size_is_refused(octets):
    with pytest.raises(InvalidAvpLength):
        codec.decode_address(Avp(257, 0, MANDATORY, bytes.fromhex(octets)))


def test_e164_address_that_is_no_text_is_refused():
    with pytest.raises(InvalidAvpValue):
        codec.decode_address(Avp(257, 0, MANDATORY, b"\0\x08\xff"))


# --- Malformed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "failed"),
    [
        # Result-Code longer than what is left: its header and four zeros.
        ("0000010c40000010000007d1", "0000010c4000000c00000000"),
        # shorter than a header
        ("0000010c40000007000007d1", "0000010c4000000c00000000"),
        # shorter than a vendor's header
        ("00000365c000000b000028af00000000", "00000365c0000010000028af00000000"),
        # text and groups: the header with no data
        ("0000010740000020", "0000010740000008"),
        ("000001c8400000ff", "000001c840000008"),
        # a header that cannot be read whole is padded with zeros
        ("0000010c40", "0000010c4000000c00000000"),
        ("000001", "0000010000000008"),
        # no room for the vendor
        ("00000365c0000010", "00000365c000000c00000000"),
    ],
)
def test_wrong_length_is_refused_with_header_and_shortest_data(octets, failed):
    with pytest.raises(InvalidAvpLength) as caught:
        split_avps(bytes.fromhex(octets))
    assert caught.value.failed_avp == bytes.fromhex(failed)


@pytest.mark.parametrize("flags", [0x41, 0x50, 0x48, 0xDF])
def test_reserved_flag_bits_are_refused_with_the_avp(flags):
    avp = Avp(263, 10415 if flags & VENDOR_FLAG else 0, flags, b"abc")
    with pytest.raises(InvalidAvpBits) as caught:
        split_avps(avp.encoded)
    assert caught.value.failed_avp == avp.encoded


def test_p_bit_is_let_pass():
    assert split_avps(codec.encode_avp(1, b"", flags=0x60))[0].flags == 0x60


def test_more_avps_than_a_message_may_hold_are_refused():
    empty = codec.encode_avp(1, b"")
    assert len(split_avps(empty * AVPS_PER_MESSAGE_MAX)) == AVPS_PER_MESSAGE_MAX
    with pytest.raises(AvpOccursTooManyTimes):
        split_avps(empty * (AVPS_PER_MESSAGE_MAX + 1))


def nested(depth: int) -> bytes:
    encoded = codec.unsigned32(432, 1)
    for _ in range(depth):
        encoded = codec.grouped(456, encoded)
    return encoded


def is_group(avp: Avp) -> bool:
    return avp.code == 456


def test_groups_are_taken_apart_to_the_bound_and_no_deeper():
    [tree] = split_tree(nested(AVP_DEPTH_MAX - 1), is_group)
    for _ in range(AVP_DEPTH_MAX - 2):
        [tree] = tree.children
    assert tree.children[0].avp == Avp(432, 0, MANDATORY, bytes((0, 0, 0, 1)))
    with pytest.raises(InvalidAvpValue):
        split_tree(nested(AVP_DEPTH_MAX), is_group)


def test_fault_in_a_group_is_shown_within_its_groups():
    body = codec.grouped(456, codec.grouped(456, bytes.fromhex("000001b0400000ff")))
    with pytest.raises(InvalidAvpLength) as caught:
        split_tree(body, is_group)
    assert caught.value.failed_avp == codec.grouped(456, codec.grouped(456, codec.unsigned32(432, 0)))


def test_avps_of_all_levels_count_against_the_bound():
    group = codec.grouped(456, *[codec.unsigned32(432, 1)] * 600)
    with pytest.raises(AvpOccursTooManyTimes):
        split_tree(group * 2, is_group)


@given(st.binary(max_size=200))
def test_any_octets_split_or_are_refused(data):
    error, avps = None, []
    try:
        avps = split_avps(data)
    except DiameterError as raised:
        error = raised
    if error is None:
        assert sum(len(avp.encoded) for avp in avps) == len(data) + 3 & ~3
    else:
        assert error.result_code in (3009, 5014)
        assert len(error.failed_avp) >= 8


AVPS = st.builds(
    lambda code, vendor_id, flags, data: Avp(
        code, vendor_id, flags | (VENDOR_FLAG if vendor_id else 0), data
    ),
    st.integers(0, 2**32 - 1),
    st.one_of(st.just(0), st.integers(1, 2**32 - 1)),
    st.sampled_from([0, 0x20, 0x40, 0x60]),
    st.binary(max_size=40),
)


@given(st.lists(AVPS, max_size=10))
def test_any_avps_survive_encoding_and_splitting(avps):
    assert split_avps(b"".join(avp.encoded for avp in avps)) == avps
