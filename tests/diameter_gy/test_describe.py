"""Messages as readable lines."""

from ocs.diameter_gy.avp import (
    address,
    encode_avp,
    enumerated,
    float32,
    float64,
    grouped,
    integer32,
    integer64,
    time,
    unsigned32,
    unsigned64,
    utf8,
)
from ocs.diameter_gy.describe import describe
from ocs.diameter_gy.message import encode_message


def lines_of(*parts: bytes) -> list[str]:
    return describe(encode_message(272, 4, 0xC0, 0x11, 0x22, b"".join(parts))).splitlines()[1:]


def test_header_is_one_line():
    assert describe(encode_message(272, 4, 0xD0, 0x11, 0x22, b"")) == (
        "Credit-Control-Request RP-T application=4 length=20 hop-by-hop=0x00000011 end-to-end=0x00000022"
    )
    assert describe(encode_message(4711, 0, 0x20, 1, 2, b"")).startswith(
        "Command-4711-Answer --E- application=0"
    )


def test_groups_are_indented_and_values_readable():
    assert lines_of(
        utf8(263, "pgw;1"),
        grouped(456, unsigned32(432, 10), grouped(446, unsigned64(421, 5), enumerated(872, 3, 10415))),
        address(257, "127.0.0.1"),
        time(55, 0),
        integer64(447, -1),
        integer32(429, -2),
        utf8(264, "ocs.example"),
    ) == [
        "  Session-Id (263 M) = 'pgw;1'",
        "  Multiple-Services-Credit-Control (456 M)",
        "    Rating-Group (432 M) = 10",
        "    Used-Service-Unit (446 M)",
        "      CC-Total-Octets (421 M) = 5",
        "      Reporting-Reason (872 vendor=10415 M) = 3",
        "  Host-IP-Address (257 M) = 127.0.0.1",
        "  Event-Timestamp (55 M) = 1970-01-01T00:00:00Z",
        "  Value-Digits (447 M) = -1",
        "  Exponent (429 M) = -2",
        "  Origin-Host (264 M) = ocs.example",
    ]


def test_unknown_avps_and_empty_groups_show_their_octets():
    assert lines_of(encode_avp(9999, b"\1", 666, flags=0), grouped(437)) == [
        "  AVP 9999 (9999 vendor=666) = 0x01",
        "  Requested-Service-Unit (437 M) = 0x",
    ]


def test_wrong_value_is_shown_with_the_reason():
    assert lines_of(encode_avp(415, b"\1")) == [
        "  CC-Request-Number (415 M) = 0x01 (AVP 415 has 1 octets, not 4)"
    ]


def test_malformed_group_does_not_hide_the_rest():
    shown = lines_of(utf8(263, "s"), grouped(456, b"\0\0\0"))
    assert shown[0].startswith("  malformed: ")
    assert shown[1:] == [
        "  Session-Id (263 M) = 's'",
        "  Multiple-Services-Credit-Control (456 M) = 0x000000",
    ]


def test_malformed_message_is_said_to_be_one():
    [line] = lines_of(bytes.fromhex("0000010c400000ff"))
    assert line.startswith("  malformed: AVP 268 says 255 octets")
    assert describe(b"\1\2") == "2 octets, no message: 0x0102"


def test_floats_are_shown():
    # No AVP of ours is a float; those of vendors are.
    assert lines_of(float32(9998, 1.5, 666), float64(9998, 1.5, 666))[0].endswith("= 0x3fc00000")
