"""Cursors of a listing that walks over all primaries: the place on one of them, and which primaries there were."""

from typing import Final
from zlib import crc32

import msgspec

from ocs.balance.topology import Topology

_PRIMARY_BITS: Final = 10
_PRINT_BITS: Final = 32


class ScanInterruptedError(Exception):
    """The primaries changed during a listing, which may have missed something: begin again."""


class Place(msgspec.Struct, frozen=True):
    """Where a listing goes on: the index of a primary, and that server's own cursor."""

    primary: int
    at: int


def parse_cursor(cursor: int, topology: Topology) -> Place:
    """Read a cursor; 0 starts.

    Raises:
        ScanInterruptedError: it was given out when there were other primaries, or it is none of ours.
    """
    if cursor == 0:
        return Place(0, 0)
    primary = cursor & ((1 << _PRIMARY_BITS) - 1)
    seen = (cursor >> _PRIMARY_BITS) & ((1 << _PRINT_BITS) - 1)
    if seen != _print_of(topology) or primary >= len(topology.primaries):
        raise ScanInterruptedError("the store's primaries changed during the listing: begin again")
    return Place(primary, cursor >> (_PRIMARY_BITS + _PRINT_BITS))


def next_cursor(place: Place, at: int, topology: Topology) -> int:
    """The cursor that goes on where one primary's own answer ``at`` says, or on the next primary; 0 at the end."""
    primary = place.primary
    if at == 0:
        primary += 1
        if primary == len(topology.primaries):
            return 0
    return (at << _PRINT_BITS | _print_of(topology)) << _PRIMARY_BITS | primary


def _print_of(topology: Topology) -> int:
    return crc32(repr([(str(node.endpoint), node.slots) for node in topology.primaries]).encode())
