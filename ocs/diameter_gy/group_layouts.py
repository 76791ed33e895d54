"""Small groups by their layout, as :mod:`ocs.diameter_gy.layouts` does for whole requests.

A gateway reports units in the same AVPs, of the same lengths, in the same order, every time: only the values
differ. Where the headers are those of a group read before, its values are cut out at one go.
"""

import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from ocs.limits import GROUP_LAYOUTS_MAX

# Of groups of one length with changing layouts one in so many is learnt: compiling costs more than stepping.
_RELEARN_EVERY: Final = 16


class Span(NamedTuple):
    """One AVP of a group: its kind, where its data begin, and their form as :mod:`struct` writes it."""

    kind: int
    start: int
    form: str


class _Layout(NamedTuple):
    mask: int
    headers: int
    unpack: Callable[[bytes], tuple[Any, ...]]
    places: Callable[[tuple[Any, ...]], tuple[Any, ...]]


class GroupLayouts:
    """The layouts learnt of one kind of group.

    Args:
        kinds: how many kinds of AVPs it has, two or more; each has a place in what :meth:`read` returns.
    """

    def __init__(self, kinds: int) -> None:
        self._kinds: Final = kinds
        self._layouts: dict[int, _Layout] = {}
        self._unknown = 0

    def read(self, data: bytes) -> tuple[Any, ...] | None:
        """The values by kind, None where a kind is absent; None instead of all when the layout is not known."""
        layout = self._layouts.get(len(data))
        if layout is None or int.from_bytes(data, "big") & layout.mask != layout.headers:
            return None
        return layout.places((None, *layout.unpack(data)))

    def learn(self, data: bytes, spans: Sequence[Span]) -> None:
        """Take note of a group without fault, given every AVP of it; the last of its length is remembered.

        A group in which a kind occurs twice is not learnt.
        """
        self._unknown += 1
        is_known_length = len(data) in self._layouts
        if is_known_length and self._unknown % _RELEARN_EVERY:
            return
        if not is_known_length and len(self._layouts) >= GROUP_LAYOUTS_MAX:
            return
        if len({span.kind for span in spans}) != len(spans):
            return
        mask = bytearray(b"\xff" * len(data))
        form = ">"
        position = 0
        for span in spans:
            size = struct.calcsize(f">{span.form}")
            padded = size + -size % 4
            mask[span.start : span.start + padded] = bytes(len(mask[span.start : span.start + padded]))
            form += f"{span.start - position}x{span.form}"
            position = span.start + size
        form += f"{len(data) - position}x"
        place_of = {span.kind: place for place, span in enumerate(spans, start=1)}
        places = itemgetter(*(place_of.get(kind, 0) for kind in range(self._kinds)))
        number = int.from_bytes(mask, "big")
        headers = int.from_bytes(data, "big") & number
        self._layouts[len(data)] = _Layout(number, headers, struct.Struct(form).unpack, places)
