"""One form for equal values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.provisioning.schema.value_type import (
    BitsType,
    DecimalType,
    EmptyType,
    IdentityType,
    InstanceType,
    IntegerType,
    TextType,
    UnionType,
    path_of_xml,
)


def anything(_: str) -> str:
    return ""


NUMBER = IntegerType(lambda text: "" if abs(int(text)) < 100_000 else "range error")
IDENTITY = IdentityType("near", frozenset({"near:a", "far:b"}))
MODULES = {"h": "near", "f": "far", "": "near"}


@pytest.mark.parametrize(
    ("text", "canonical"), [("1", "1"), ("+1", "1"), ("-1", "-1"), ("0x1F", "31"), ("017", "15"), (" 7 ", "7"), ("0", "0"), ("-0", "0")]
)  # fmt: skip
def test_integers_are_decimal(text: str, canonical: str) -> None:
    assert NUMBER.canonical(text) == canonical


@pytest.mark.parametrize("text", ["", "x", "1_0", "1.0", "٣", "08", "--1", "100000"])
def test_what_is_no_integer_of_the_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        NUMBER.canonical(text)


@given(st.integers(-99_999, 99_999))
def test_the_one_form_of_an_integer_stays(number: int) -> None:
    assert NUMBER.canonical(str(number)) == str(number)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1", "1.0"),
        ("1.50", "1.5"),
        ("-0.0", "0.0"),
        (".5", "0.5"),
        ("010", "10.0"),
        ("100", "100.0"),
        ("+2.0", "2.0"),
    ],
)
def test_decimals_have_one_digit_after_the_point_at_least(text: str, canonical: str) -> None:
    assert DecimalType(anything).canonical(text) == canonical


def test_bits_stand_in_the_order_of_their_positions() -> None:
    bits = BitsType({"low": 0, "mid": 1, "high": 2})
    assert bits.canonical(" high  low") == "low high"
    assert bits.canonical("") == ""
    for wrong in ("lowest", "low low"):
        with pytest.raises(ValueError):
            bits.canonical(wrong)


def test_empty_has_no_value() -> None:
    assert EmptyType().canonical("") == ""
    with pytest.raises(ValueError):
        EmptyType().canonical("x")


def test_identities_carry_their_module_and_come_from_any_prefix() -> None:
    assert IDENTITY.canonical("a") == "near:a"
    assert IDENTITY.canonical("far:b") == "far:b"
    assert IDENTITY.modules("far:b") == ("far",)
    assert IDENTITY.of_xml("f:b", MODULES.get) == "far:b"
    assert IDENTITY.of_xml("a", MODULES.get) == "near:a"
    assert IDENTITY.of_xml("unknown:a", MODULES.get) == "unknown:a"
    for wrong in ("b", "near:b", "", "far:"):
        with pytest.raises(ValueError):
            IDENTITY.canonical(wrong)


def test_paths_in_values_come_from_prefixes_and_name_what_they_need() -> None:
    text = "/h:a/h:list[h:name = '/f:x[1]']/f:leaf"
    path = "/near:a/list[name='/f:x[1]']/far:leaf"
    assert InstanceType().of_xml(text, MODULES.get) == path
    assert InstanceType().modules(path) == ("near", "far")
    assert path_of_xml("/h:a[h:name='it']", MODULES.get) == "/near:a[name='it']"
    assert path_of_xml("/x:a", MODULES.get) is None
    assert path_of_xml("no path", MODULES.get) is None


def test_unions_take_the_first_member_that_does() -> None:
    union = UnionType(
        (NUMBER, IDENTITY, TextType(lambda text: "" if text.islower() else "not lower", str.lower))
    )
    assert union.canonical("007") == "7"
    assert union.canonical("a") == "near:a"
    assert union.canonical("z") == "z"
    assert union.modules("far:b") == ("far",)
    assert union.modules("7") == ()
    assert union.of_xml("f:b", MODULES.get) == "far:b"
    assert union.of_xml("Z", MODULES.get) == "Z"
    with pytest.raises(ValueError, match=r"integer.*not lower"):
        union.canonical("Z")
