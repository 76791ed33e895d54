import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ

from ocs.faults.snmp import ber
from ocs.faults.snmp.discard import DiscardReason, SnmpError

arcs = st.lists(st.integers(0, 2**32 - 1), max_size=126)


def refused(call, *arguments) -> str:
    with pytest.raises(SnmpError) as caught:
        call(*arguments)
    assert caught.value.reason is DiscardReason.MALFORMED
    return str(caught.value)


@given(st.binary(max_size=400), st.integers(0, 0xFF))
def test_element_is_read_as_it_was_written_whatever_stands_behind_it(contents: bytes, tag: int) -> None:
    octets = ber.encode(tag, contents)
    found, start, stop = ber.element(octets + b"behind", 0, len(octets))
    assert (found, octets[start:stop], stop) == (tag, contents, len(octets))
    assert ber.expect(octets, 0, len(octets), tag) == (start, stop)


def test_lengths_with_more_octets_than_they_need_are_read() -> None:
    for octets in ("0402aabb", "048102aabb", "04820002aabb", "0483000002aabb", "048400000002aabb"):
        whole = bytes.fromhex(octets)
        start, stop = ber.expect(whole, 0, len(whole), ber.OCTET_STRING)
        assert whole[start:stop] == b"\xaa\xbb"


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "04",
        "0401",
        "0480aa0000",
        "04ffaa",
        "0485000000000100",
        "0482",
        "048200",
        "0484ffffffffaa",
        "0403aabb",
    ],
)
def test_element_that_is_not_whole_or_of_indefinite_length_is_refused(octets: str) -> None:
    whole = bytes.fromhex(octets)
    refused(ber.element, whole, 0, len(whole))
    refused(ber.expect, whole, 0, len(whole), ber.OCTET_STRING)


def test_element_never_reaches_past_what_holds_it() -> None:
    octets = bytes.fromhex("0402aabb")
    for end in range(4):
        refused(ber.element, octets, 0, end)
        refused(ber.expect, octets, 0, end, ber.OCTET_STRING)


def test_another_tag_than_expected_is_refused_and_named() -> None:
    assert "0x5 instead of 0x2" in refused(ber.expect, bytes.fromhex("0500"), 0, 2, ber.INTEGER)


@given(st.integers(-(2**31), 2**31 - 1))
def test_integer_is_read_as_it_was_written_and_as_pyasn1_writes_it(value: int) -> None:
    octets = ber.encode_number(ber.INTEGER, value)
    assert octets == encoder.encode(univ.Integer(value))
    assert ber.expect_integer(octets, 0, len(octets)) == (value, len(octets))


@pytest.mark.parametrize(
    ("octets", "value"), [("0200", None), ("02050080000000", None), ("0205ff7fffffff", None)]
)
def test_integer_beyond_32_bits_or_without_octets_is_refused(octets: str, value: None) -> None:
    whole = bytes.fromhex(octets)
    refused(ber.expect_integer, whole, 0, len(whole))


def test_integer_with_more_octets_than_it_needs_is_read_as_net_snmp_does() -> None:
    for octets, value in (("02020001", 1), ("0204ffffffff", -1), ("0208000000007fffffff", 2**31 - 1)):
        whole = bytes.fromhex(octets)
        assert ber.expect_integer(whole, 0, len(whole)) == (value, len(whole))


@pytest.mark.parametrize(
    ("contents", "bits", "value"),
    [
        ("00", 32, 0),
        ("00ffffffff", 32, 2**32 - 1),
        ("ffffffff", 32, 2**32 - 1),
        ("80000000", 32, 2**31),
        ("00ffffffffffffffff", 64, 2**64 - 1),
        ("ffffffffffffffff", 64, 2**64 - 1),
        ("ff", 32, 2**32 - 1),
    ],
)
def test_unsigned_number_without_its_leading_zero_is_read(contents: str, bits: int, value: int) -> None:
    octets = bytes.fromhex(contents)
    assert ber.unsigned(octets, 0, len(octets), bits) == value


@pytest.mark.parametrize("contents", ["", "00" * 10, "010000000000000000", "ff7fffffffffffffff"])
def test_number_that_fits_into_no_64_bits_is_refused(contents: str) -> None:
    octets = bytes.fromhex(contents)
    refused(ber.unsigned, octets, 0, len(octets), 64)


@given(st.integers(0, 2), st.integers(0, 39), arcs)
def test_object_identifier_is_read_as_pyasn1_writes_it(first: int, second: int, rest: list[int]) -> None:
    name = (first, second, *rest)
    contents = encoder.encode(univ.ObjectIdentifier(name))
    start, stop = ber.expect(contents, 0, len(contents), ber.OBJECT_IDENTIFIER)
    assert ber.object_identifier(contents[start:stop]) == ".".join(map(str, name))


def test_second_arc_below_2_may_be_beyond_39() -> None:
    assert ber.object_identifier(bytes.fromhex("8837")) == "2.999"
    assert ber.object_identifier(bytes.fromhex("908080804f")) == f"2.{2**32 - 1}"


def test_object_identifier_without_octets_is_zero() -> None:
    assert ber.object_identifier(b"") == "0.0"


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ("2b81", "within an arc"),
        ("2b8001", "zero septet"),
        ("2b9080808000", "beyond 32 bits"),
        ("2bffffffff7f", "beyond 32 bits"),
        ("9180808000", "beyond 32 bits"),
        ("2b" + "01" * 127, "129 arcs"),
    ],
)
def test_object_identifier_that_none_may_write_is_refused(contents: str, why: str) -> None:
    assert why in refused(ber.object_identifier, bytes.fromhex(contents))


def test_longest_object_identifier_is_read() -> None:
    assert ber.object_identifier(bytes.fromhex("2b" + "01" * 126)).count(".") == 127


@given(st.integers(-(2**63), 2**64 - 1))
def test_number_is_written_as_others_read_it(number: int) -> None:
    assert int(decoder.decode(ber.encode_number(ber.INTEGER, number))[0]) == number
