"""The instance part of an object identifier by its row's INDEX: RFC 2578 section 7.7, clause by clause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.mibs.indexes import index_values
from ocs.faults.mibs.model import BaseType, MibType
from ocs.faults.notification import Syntax

NUMBER = MibType("Unsigned32", BaseType.INTEGER)
TEXT = MibType("DisplayString", BaseType.OCTETS)
MAC = MibType("MacAddress", BaseType.OCTETS, "1x:", {}, 6)
OID = MibType("RowPointer", BaseType.OID)
ADDRESS = MibType("IpAddress", BaseType.ADDRESS)
OLD_ADDRESS = MibType("NetworkAddress", BaseType.ADDRESS)


@pytest.mark.parametrize(
    ("index", "types", "expected"),
    [
        ([7], [(NUMBER, False)], [(7, Syntax.INTEGER)]),
        (
            [2, 97, 98, 5],
            [(TEXT, False), (NUMBER, False)],
            [(b"ab", Syntax.OCTET_STRING), (5, Syntax.INTEGER)],
        ),
        ([5, 97, 98], [(NUMBER, False), (TEXT, True)], [(5, Syntax.INTEGER), (b"ab", Syntax.OCTET_STRING)]),
        ([1, 2, 3, 4, 5, 6], [(MAC, False)], [(bytes([1, 2, 3, 4, 5, 6]), Syntax.OCTET_STRING)]),
        ([10, 0, 0, 1], [(ADDRESS, False)], [(bytes([10, 0, 0, 1]), Syntax.IP_ADDRESS)]),
        ([1, 10, 0, 0, 1], [(OLD_ADDRESS, False)], [(bytes([10, 0, 0, 1]), Syntax.IP_ADDRESS)]),
        (
            [3, 1, 3, 6, 9],
            [(OID, False), (NUMBER, False)],
            [("1.3.6", Syntax.OBJECT_IDENTIFIER), (9, Syntax.INTEGER)],
        ),
        ([1, 3, 6], [(OID, True)], [("1.3.6", Syntax.OBJECT_IDENTIFIER)]),
    ],
)
def test_index_is_taken_apart_as_its_row_says(index, types, expected) -> None:
    assert index_values(index, types) == tuple(expected)


@pytest.mark.parametrize(
    ("index", "types"),
    [
        ([], [(NUMBER, False)]),
        ([1, 2], [(NUMBER, False)]),
        ([5, 97], [(TEXT, False)]),
        ([1, 256], [(TEXT, False)]),
        ([10, 0, 0], [(ADDRESS, False)]),
        ([4_000_000_000, 1], [(OID, False)]),
        ([1], [(None, False)]),
    ],
)
def test_index_that_does_not_fit_is_none(index, types) -> None:
    assert index_values(index, types) is None


@given(
    index=st.lists(st.integers(0, 2**32 - 1), max_size=128),
    types=st.lists(
        st.tuples(st.sampled_from([NUMBER, TEXT, MAC, OID, ADDRESS, OLD_ADDRESS, None]), st.booleans()),
        max_size=4,
    ),
)
def test_no_index_is_an_error(index, types) -> None:
    index_values(index, types)
