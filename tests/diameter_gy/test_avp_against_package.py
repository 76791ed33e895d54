"""Our codec and the `diameter` package's read and write the same octets, both ways."""

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from diameter.message import Message, MessageHeader
from diameter.message.avp import Avp as PackageAvp
from diameter.message.avp import avp as package
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy import avp as codec
from ocs.diameter_gy.avp import Address, split_avps, split_tree
from ocs.diameter_gy.message import encode_message, parse_header

CODES = st.integers(100_000, 2**32 - 1)  # unknown to the package, so that it leaves the data alone
VENDORS = st.one_of(st.just(0), st.integers(1, 2**32 - 1))


def identity(value):
    return value


TYPES: dict[str, Any] = {
    "octet_string": (package.AvpOctetString, codec.octet_string, lambda avp: avp.data, st.binary(max_size=50), identity),
    "integer32": (package.AvpInteger32, codec.integer32, codec.decode_integer32, st.integers(-(2**31), 2**31 - 1), identity),
    "integer64": (package.AvpInteger64, codec.integer64, codec.decode_integer64, st.integers(-(2**63), 2**63 - 1), identity),
    "unsigned32": (package.AvpUnsigned32, codec.unsigned32, codec.decode_unsigned32, st.integers(0, 2**32 - 1), identity),
    "unsigned64": (package.AvpUnsigned64, codec.unsigned64, codec.decode_unsigned64, st.integers(0, 2**64 - 1), identity),
    "enumerated": (package.AvpEnumerated, codec.enumerated, codec.decode_enumerated, st.integers(-(2**31), 2**31 - 1), identity),
    "float32": (package.AvpFloat32, codec.float32, codec.decode_float32, st.floats(width=32, allow_nan=False), identity),
    "float64": (package.AvpFloat64, codec.float64, codec.decode_float64, st.floats(allow_nan=False), identity),
    "utf8": (package.AvpUtf8String, codec.utf8, codec.decode_utf8_string, st.text(max_size=50), identity),
    # The package is an hour off after the roll-over of 2036 (it takes 05:28:16 UTC for it); test_avp.py has vectors.
    "time": (
        package.AvpTime,
        codec.time,
        codec.decode_time,
        st.integers(0, 2_085_974_895),
        lambda seconds: datetime.fromtimestamp(seconds, UTC),
    ),
    "address": (package.AvpAddress, codec.address, lambda avp: str(codec.decode_address(avp)), st.ip_addresses().map(str), identity),
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
def test_what_the_package_writes_we_write_and_read_alike(name, data):
    package_type, encode, decode, values, to_package = TYPES[name]
    value, code, vendor_id = data.draw(values), data.draw(CODES), data.draw(VENDORS)
    mandatory = data.draw(st.booleans())
    theirs = package_type(code, vendor_id)
    theirs.is_mandatory = mandatory
    theirs.value = to_package(value)
    ours = encode(code, value, vendor_id, 0x40 if mandatory else 0)
    assert ours == theirs.as_bytes()
    [avp] = split_avps(theirs.as_bytes())
    assert (avp.code, avp.vendor_id, avp.is_mandatory) == (code, vendor_id, mandatory)
    assert decode(avp) == value


def comparable(name, value):
    if name == "time":
        return int(value.timestamp())
    return str(ip_address(value[1])) if name == "address" else value


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
def test_what_we_write_the_package_reads(name, data):
    package_type, encode, _, values, _ = TYPES[name]
    value, code, vendor_id = data.draw(values), data.draw(CODES), data.draw(VENDORS)
    raw = PackageAvp.from_bytes(encode(code, value, vendor_id))
    theirs = package_type(raw.code, raw.vendor_id, raw.payload, raw.flags)
    assert (theirs.code, theirs.vendor_id) == (code, vendor_id)
    assert comparable(name, theirs.value) == value


def test_e164_addresses_agree():
    theirs = package.AvpAddress(257)
    theirs.value = "4915112345"
    [avp] = split_avps(theirs.as_bytes())
    assert codec.decode_address(avp) == Address(8, b"4915112345")
    assert PackageAvp.from_bytes(codec.address(257, Address(8, b"49"))).value == (8, "49")


# A tree is a value (octets) or a list of trees.
TREES = st.recursive(st.binary(max_size=13), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
GROUP = 456  # known to the package as Grouped; whatever it holds is kept


def our_tree(tree) -> bytes:
    if isinstance(tree, list):
        return codec.grouped(GROUP, *map(our_tree, tree))
    return codec.octet_string(100_000, tree)


def their_tree(tree) -> PackageAvp:
    if isinstance(tree, list):
        group = PackageAvp.new(GROUP)
        group.value = [their_tree(part) for part in tree]
        return group
    leaf = package.AvpOctetString(100_000)
    leaf.is_mandatory = True
    leaf.value = tree
    return leaf


def read_ours(node):
    if node.avp.code == GROUP:
        return [read_ours(child) for child in node.children]
    return node.avp.data


def read_theirs(avp):
    return [read_theirs(part) for part in avp.value] if avp.code == GROUP else avp.payload


@given(st.lists(TREES, max_size=3).filter(lambda tree: depth(tree) <= 7))
def test_groups_agree_both_ways(tree):
    ours, theirs = our_tree(tree), their_tree(tree).as_bytes()
    assert ours == theirs
    [node] = split_tree(theirs, lambda avp: avp.code == GROUP)
    assert read_ours(node) == tree
    assert read_theirs(PackageAvp.from_bytes(ours)) == tree


def depth(tree) -> int:
    return 1 + max(map(depth, tree), default=0) if isinstance(tree, list) else 0


@given(
    st.tuples(
        st.integers(0, 2**24 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 255),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
    ),
    st.lists(st.binary(max_size=9), max_size=4),
)
def test_messages_agree_both_ways(header, values):
    command_code, application_id, flags, hop_by_hop_id, end_to_end_id = header
    body = b"".join(codec.octet_string(100_000, value) for value in values)
    ours = encode_message(command_code, application_id, flags, hop_by_hop_id, end_to_end_id, body)
    theirs = MessageHeader.from_bytes(ours)
    assert theirs.command_code == command_code
    assert theirs.command_flags == flags
    assert theirs.application_id == application_id
    assert (theirs.hop_by_hop_identifier, theirs.end_to_end_identifier) == (hop_by_hop_id, end_to_end_id)
    assert theirs.length == len(ours)
    assert parse_header(theirs.as_bytes()) == (
        1,
        len(ours),
        flags,
        command_code,
        application_id,
        hop_by_hop_id,
        end_to_end_id,
    )
    assert [avp.payload for avp in Message.from_bytes(ours).avps] == values
