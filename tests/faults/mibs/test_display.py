"""Values as people read them: labels, DISPLAY-HINTs, addresses; one printable line of bounded length, whatever came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.mibs.display import hex_text, octets_text, printable
from ocs.faults.mibs.model import BaseType, MibType
from ocs.faults.notification import Syntax
from ocs.limits import VALUE_CHARACTERS_MAX

DATE_AND_TIME = MibType("DateAndTime", BaseType.OCTETS, "2d-1d-1d,1d:1d:1d.1d,1a1d:1d")
MAC = MibType("MacAddress", BaseType.OCTETS, "1x:", {}, 6)
TEXT = MibType("DisplayString", BaseType.OCTETS, "255a")
UTF8 = MibType("SnmpAdminString", BaseType.OCTETS, "255t")
INET = MibType("InetAddress", BaseType.OCTETS)
STATUS = MibType("Integer32", BaseType.INTEGER, "", {1: "up", 2: "down"})
FAULTS = MibType("Bits", BaseType.BITS, "", {0: "fan", 1: "power", 9: "clock"})


def shown(value: int | bytes | str | None, mib_type: MibType | None = None, syntax: int | None = None) -> str:
    if syntax is None:
        syntax = Syntax.INTEGER if isinstance(value, int) else Syntax.OCTET_STRING
    return printable(value, syntax, mib_type, lambda oid: f"name of {oid}")


@pytest.mark.parametrize(
    ("value", "mib_type", "syntax", "expected"),
    [
        (2, STATUS, None, "down"),
        (7, STATUS, None, "7"),
        (2, None, None, "2"),
        (1234, MibType("T", BaseType.INTEGER, "d-2"), None, "12.34"),
        (-5, MibType("T", BaseType.INTEGER, "d-2"), None, "-0.05"),
        (255, MibType("T", BaseType.INTEGER, "x"), None, "ff"),
        (8, MibType("T", BaseType.INTEGER, "o"), None, "10"),
        (5, MibType("T", BaseType.INTEGER, "b"), None, "101"),
        (5, MibType("T", BaseType.INTEGER, "d-999"), None, "5"),
        # 1992-05-26 13:30:15.0 -4:00, the example of RFC 2579 section 2 (DateAndTime).
        (bytes.fromhex("07c8051a0d1e0f002d0400"), DATE_AND_TIME, None, "1992-5-26,13:30:15.0,-4:0"),
        (bytes.fromhex("07c8051a0d1e0f00"), DATE_AND_TIME, None, "1992-5-26,13:30:15.0"),
        (bytes.fromhex("0000c0a80102"), MAC, None, "00:00:c0:a8:01:02"),
        (b"GigabitEthernet0/1", TEXT, None, "GigabitEthernet0/1"),
        (b"ends\0", TEXT, None, "ends"),
        ("München".encode(), UTF8, None, "München"),
        ("München".encode("latin-1"), UTF8, None, "0x4dfc6e6368656e"),
        (b"two\r\nlines", TEXT, None, "two lines"),
        (b"\x1b[31mred", TEXT, None, "0x1b5b33316d726564"),
        (bytes([10, 0, 0, 1]), INET, None, "10.0.0.1"),
        (bytes.fromhex("20010db8000000000000000000000001"), INET, None, "2001:db8::1"),
        (bytes([10, 0, 0, 1]), None, Syntax.IP_ADDRESS, "10.0.0.1"),
        (bytes([0b11000000, 0b01000000]), FAULTS, None, "fan power clock"),
        (bytes([0b00100000]), FAULTS, None, "2"),
        (b"", FAULTS, None, "none"),
        (b"", TEXT, None, ""),
        (b"\x00\x01", None, None, "0x0001"),
        (8_640_000 + 3_600_00 + 6_123, None, Syntax.TIME_TICKS, "1 d 01:01:01.23"),
        (100, None, Syntax.TIME_TICKS, "00:00:01.00"),
        ("1.3.6", None, Syntax.OBJECT_IDENTIFIER, "name of 1.3.6"),
        (None, None, Syntax.NO_SUCH_OBJECT, "noSuchObject"),
        (None, None, Syntax.NULL, "null"),
        # A repeat count in the value: two pieces, each followed by its separator, then the terminator.
        (b"\x02\x01\x02\x07", MibType("T", BaseType.OCTETS, "*1d./1d"), None, "1.2/7"),
        (b"\x01\x02", MibType("T", BaseType.OCTETS, "broken"), None, "0x0102"),
    ],
)
def test_value_is_shown_as_its_type_says(value, mib_type, syntax, expected) -> None:
    assert shown(value, mib_type, syntax) == expected


def test_long_values_are_cut() -> None:
    assert len(octets_text(b"x" * 5_000)) == VALUE_CHARACTERS_MAX
    assert len(hex_text(bytes(5_000))) <= VALUE_CHARACTERS_MAX
    assert len(shown("1.3.6" + ".999999" * 100, syntax=Syntax.OBJECT_IDENTIFIER)) == VALUE_CHARACTERS_MAX
    assert len(shown(bytes(5_000), MAC)) == VALUE_CHARACTERS_MAX
    assert len(shown(b"\xff" * 5_000, FAULTS)) == VALUE_CHARACTERS_MAX
    assert octets_text("ü".encode() * 5_000).endswith("…")


HINTS = st.sampled_from(
    ["", "d", "255a", "1x:", "2d-1d", "*1d./1d", "1d.", "*65535x:-", "0d", "65536d", "1o ", "999999999d-"]
)


@given(
    value=st.one_of(
        st.integers(),
        st.binary(max_size=400),
        st.from_regex(r"1(\.[0-9]{1,9}){0,127}", fullmatch=True),
        st.none(),
    ),
    base=st.sampled_from(BaseType),
    hint=HINTS | st.text(max_size=12),
    syntax=st.integers(0, 255),
    name=st.sampled_from(["", "InetAddress", "InetAddressIPv6", "NetworkAddress"]),
)
def test_whatever_came_is_one_printable_line_of_bounded_length(value, base, hint, syntax, name) -> None:
    mib_type = MibType(name, base, hint, {1: "one"})
    for kind in (mib_type, None):
        text = printable(value, syntax, kind, lambda oid: oid)
        assert text.isprintable()
        assert len(text) <= VALUE_CHARACTERS_MAX or isinstance(value, int)
