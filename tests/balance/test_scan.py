"""Cursors that walk over all primaries."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.balance.scan import Place, ScanInterruptedError, next_cursor, parse_cursor
from ocs.balance.topology import Node, Topology
from ocs.store_url import Endpoint


def topology(count: int, port: int = 1) -> Topology:
    return Topology(tuple(Node(Endpoint("h", port + index), ((index, index),)) for index in range(count)))


def walk(primaries: Topology, answer: Callable[[Place], int]) -> list[Place]:
    places, cursor = [], 0
    while not places or cursor:
        places.append(parse_cursor(cursor, primaries))
        cursor = next_cursor(places[-1], answer(places[-1]), primaries)
    return places


@given(st.lists(st.lists(st.integers(1, 2**64 - 1), max_size=4), min_size=1, max_size=5))
def test_every_primary_is_walked_from_its_beginning_to_its_end(cursors: list[list[int]]):
    left = [iter((*each, 0)) for each in cursors]
    places = walk(topology(len(cursors)), lambda place: next(left[place.primary]))
    assert places == [Place(primary, at) for primary, each in enumerate(cursors) for at in (0, *each)]


def test_listing_is_interrupted_when_a_primary_is_another():
    cursor = next_cursor(Place(0, 0), 5, topology(2))
    with pytest.raises(ScanInterruptedError, match="begin again"):
        parse_cursor(cursor, topology(2, port=9))
    with pytest.raises(ScanInterruptedError):
        parse_cursor(cursor, topology(3))


def test_listing_is_interrupted_when_slots_have_moved():
    before = Topology((Node(Endpoint("h", 1), ((0, 5),)), Node(Endpoint("h", 2), ((6, 9),))))
    after = Topology((Node(Endpoint("h", 1), ((0, 4),)), Node(Endpoint("h", 2), ((5, 9),))))
    cursor = next_cursor(Place(0, 0), 5, before)
    assert parse_cursor(cursor, before) == Place(0, 5)
    with pytest.raises(ScanInterruptedError):
        parse_cursor(cursor, after)


@given(st.integers(1, 2**110))
def test_cursor_that_we_never_gave_out_is_refused_or_harmless(cursor: int):
    try:
        place = parse_cursor(cursor, topology(3))
    except ScanInterruptedError:
        return
    assert place.primary < 3
