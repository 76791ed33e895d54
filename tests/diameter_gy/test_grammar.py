"""AVP headers and what they mean in their place."""

import pytest

from ocs.diameter_gy import grammar
from ocs.diameter_gy.avp import enumerated, unsigned32, unsigned64, utf8
from ocs.diameter_gy.grammar import (
    IGNORED,
    MALFORMED,
    NOT_ALLOWED,
    TOLERATED,
    UNSUPPORTED,
    VENDOR,
    ShapeTable,
    describe_code,
    example_avp,
)


def table(*, tolerates_unknown=False):
    return ShapeTable(
        "here",
        {(0, 263): 0, (10415, 873): 1},
        tolerates_unknown=tolerates_unknown,
        not_allowed=frozenset({268}),
    )


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ("000001074000000b", (0, 8, 11, 12)),
        ("000001070000000c", (0, 8, 12, 12)),
        ("0000010c4000000c", (NOT_ALLOWED, 8, 12, 12)),
        ("000001a04000000c", (IGNORED, 8, 12, 12)),  # CC-Request-Type: known, not read here
        ("0000270f4000000c", (UNSUPPORTED, 8, 12, 12)),
        ("0000270f0000000c", (IGNORED, 8, 12, 12)),  # unknown without M
        ("00000369c0000010", (VENDOR, 12, 16, 16)),
        ("00000369c0000010000028af", (1, 12, 16, 16)),
        ("00000369c000001000000000", (UNSUPPORTED, 12, 16, 16)),  # 873 of no vendor
        ("00000369c000000b", (MALFORMED, 0, 0, 0)),
        ("0000010740000007", (MALFORMED, 0, 0, 0)),
        ("000001074100000b", (MALFORMED, 0, 0, 0)),
        ("0000010740", (MALFORMED, 0, 0, 0)),
    ],
)
def test_header_tells_kind_and_step(header, shape):
    assert table()[bytes.fromhex(header)] == shape


def test_unknown_avp_with_m_bit_is_tolerated_where_told():
    assert table(tolerates_unknown=True)[bytes.fromhex("0000270f4000000c")][0] == TOLERATED


def test_shapes_are_remembered_within_the_bound(monkeypatch):
    monkeypatch.setattr(grammar, "CODEC_MEMO_ENTRIES", 3)
    shapes = table()
    for length in range(8, 20):
        assert shapes[bytes.fromhex("00000107400000") + bytes([length])][2] == length
    assert len(shapes) == 3


def test_example_has_the_flags_and_the_shortest_data_of_its_type():
    assert example_avp(268) == unsigned32(268, 0)
    assert example_avp(421) == unsigned64(421, 0)
    assert example_avp(269) == utf8(269, "", flags=0)
    assert example_avp(872, 10415) == enumerated(872, 0, 10415)


def test_codes_are_described_by_name_or_number():
    assert describe_code(0, 263) == "Session-Id"
    assert describe_code(0, 9999) == "AVP 9999"
    assert describe_code(666, 1) == "AVP 1 of vendor 666"
