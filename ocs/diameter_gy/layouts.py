"""Whole requests by their layout: where each AVP stands, learnt once, so that the next is read at one go.

A gateway's requests of one kind differ in values, seldom in layout: the same AVPs, of the same lengths, in the
same order. Laid over a message as one large number, the mask of a layout leaves the AVP headers; when they are
those of the layout, stepping through the message would come to the same AVPs at the same places.
"""

import struct
from collections.abc import Callable, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Final, NamedTuple

from ocs.diameter_gy.errors import DiameterError
from ocs.diameter_gy.grammar import IGNORED, VENDOR, ShapeTable, ToleratedAvp
from ocs.diameter_gy.message import HEADER_OCTETS
from ocs.limits import LAYOUTS_MAX, LAYOUTS_PER_LENGTH_MAX

# A layout is learnt from one unknown message in so many: messages that are all different cost nothing then.
_LEARN_EVERY: Final = 16


class Step(NamedTuple):
    """One AVP: its kind, where it, its data, its padding and the next AVP begin."""

    kind: int
    start: int
    data: int
    stop: int
    next: int


def steps_of(table: ShapeTable, buffer: bytes, start: int, end: int) -> list[Step]:
    """Step over AVPs that are known to be without fault."""
    steps: list[Step] = []
    while start < end:
        kind, header_octets, length, octets = table[buffer[start : start + 8]]
        if kind == VENDOR:
            kind, header_octets, length, octets = table[buffer[start : start + 12]]
        steps.append(Step(kind, start, start + header_octets, start + length, start + octets))
        start += octets
    return steps


class KindRanges(NamedTuple):
    """How kinds of AVPs are ordered: single places, then lists; each with a part that is no charging content.

    Attributes:
        first_without_content: kinds of single places from here on are left out of the fingerprint.
        first_of_many: kinds from here on may occur more than once; their octets are kept with their headers.
        first_of_many_with_content: kinds of lists before this one are left out of the fingerprint.
        services: the kind whose data are kept one by one, as is ``used``, the last kind.
    """

    first_without_content: int
    first_of_many: int
    first_of_many_with_content: int
    services: int
    used: int

    def is_content(self, kind: int) -> bool:
        """Whether AVPs of a kind are part of the fingerprint."""
        if kind < self.first_of_many:
            return kind < self.first_without_content
        return kind >= self.first_of_many_with_content


class Content:
    """What was found at the top level of a request.

    Attributes:
        places: by kind, the data of what may occur once (None when absent), and the octets, with headers, of
            what may occur more than once (empty when absent).
        services: data of each Multiple-Services-Credit-Control.
        used: data of each Used-Service-Unit.
        fingerprint: digest of the charging content.
        tolerated: unknown AVPs with the M bit that were let pass.
        fault: the first reason to refuse the request.
    """

    __slots__ = ("fault", "fingerprint", "places", "services", "tolerated", "used")

    def __init__(
        self,
        places: Sequence[bytes | None],
        services: Sequence[bytes],
        used: Sequence[bytes],
        fingerprint: bytes,
    ) -> None:
        self.places = places
        self.services = services
        self.used = used
        self.fingerprint = fingerprint
        self.tolerated: list[ToleratedAvp] = []
        self.fault: DiameterError | None = None


class _Layout(NamedTuple):
    """A layout, compiled.

    Attributes:
        mask: ones where AVP headers stand. headers: those headers.
        fields: cuts a message into what is kept.
        places: picks the places by kind out of (None, b"", *fields).
        services: which fields are services. used: which are Used-Service-Units.
        content: cuts a message into what the fingerprint covers.
    """

    mask: int
    headers: int
    fields: Callable[[bytes], tuple[bytes, ...]]
    places: Callable[[tuple[bytes | None, ...]], tuple[bytes | None, ...]]
    services: slice
    used: slice
    content: Callable[[bytes], tuple[bytes, ...]]


class LayoutMemory:
    """The layouts learnt so far, by message length.

    Invariant: at most limits.LAYOUTS_MAX, and limits.LAYOUTS_PER_LENGTH_MAX of one length; when full, all are
    forgotten, so that layouts that went out of use (Session-Ids grow) make room.
    """

    def __init__(self, table: ShapeTable, ranges: KindRanges) -> None:
        self._table = table
        self._ranges = ranges
        self._layouts: dict[int, list[_Layout]] = {}
        self._count = 0
        self._unknown = 0

    def read(self, message: bytes) -> Content | None:
        """Find the AVPs of a message, None when its layout is not known."""
        layouts = self._layouts.get(len(message))
        if layouts is None:
            return None
        octets = int.from_bytes(message, "big")
        for layout in layouts:
            if octets & layout.mask == layout.headers:
                fields = layout.fields(message)
                content = b"".join(layout.content(message))
                return Content(
                    layout.places((None, b"", *fields)),
                    fields[layout.services],
                    fields[layout.used],
                    blake2b(content, digest_size=8).digest(),
                )
        return None

    def learn(self, message: bytes) -> None:
        """Take note of a message whose layout was not known, and which has no fault."""
        self._unknown += 1
        if self._unknown % _LEARN_EVERY != 1 or len(message) & 3:
            return
        layout = self._compile(message)
        if layout is None:
            return
        if self._count >= LAYOUTS_MAX:
            self._layouts.clear()
            self._count = 0
        known = self._layouts.setdefault(len(message), [])
        if len(known) >= LAYOUTS_PER_LENGTH_MAX:
            known.pop(0)
            self._count -= 1
        known.append(layout)
        self._count += 1

    def _compile(self, message: bytes) -> _Layout | None:
        """Make a layout of a message, None for the rare one whose AVPs of one kind do not stand together."""
        ranges = self._ranges
        steps = steps_of(self._table, message, HEADER_OCTETS, len(message))
        mask = bytearray(len(message))
        pick = [0] * ranges.first_of_many + [1] * (ranges.services - ranges.first_of_many)
        lists: dict[int, list[int]] = {ranges.services: [], ranges.used: []}
        cuts: list[tuple[int, int]] = []
        previous = IGNORED
        for step in steps:
            kind = step.kind
            mask[step.start : step.data] = b"\xff" * (step.data - step.start)
            if kind in lists:
                lists[kind].append(len(cuts))
                cuts.append((step.data, step.stop))
            elif kind < ranges.first_of_many:
                if not pick[kind]:  # the first counts where repeats are let pass
                    pick[kind] = len(cuts) + 2
                    cuts.append((step.data, step.stop))
            elif kind != IGNORED:
                if pick[kind] == 1:
                    pick[kind] = len(cuts) + 2
                    cuts.append((step.start, step.next))
                elif kind == previous:
                    cuts[-1] = (cuts[-1][0], step.next)
                else:
                    return None
            previous = kind
        if any(numbers and numbers[-1] - numbers[0] + 1 != len(numbers) for numbers in lists.values()):
            return None
        bits = int.from_bytes(mask, "big")
        content = [(step.start, step.next) for step in steps if ranges.is_content(step.kind)]
        return _Layout(
            bits,
            int.from_bytes(message, "big") & bits,
            cutter(cuts, len(message)),
            itemgetter(*pick),
            _span(lists[ranges.services]),
            _span(lists[ranges.used]),
            cutter(joined(content), len(message)),
        )


def cutter(cuts: Sequence[tuple[int, int]], length: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """Make a function that cuts these pieces, which stand in order, out of a message."""
    form, at = ">", 0
    for start, stop in cuts:
        form += f"{start - at}x{stop - start}s"
        at = stop
    return struct.Struct(f"{form}{length - at}x").unpack


def joined(cuts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same octets in as few pieces as possible."""
    joined: list[tuple[int, int]] = []
    for start, stop in cuts:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _span(numbers: list[int]) -> slice:
    return slice(numbers[0], numbers[-1] + 1) if numbers else slice(0)
