"""Clears that came before their raises, and purges that repeats must not undo; bounded, and forgotten after a while."""

from collections.abc import Iterable

import msgspec

from ocs.limits import TOMBSTONE_MEMORY_MS, TOMBSTONES_MAX


class Tombstone(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a key that has no entry.

    Attributes:
        at_ms: signals no newer than this are late ones.
        until_ms: our clock; then it is forgotten.
        text: of the clear.
        is_purge: the entry was purged: a late signal is dropped, where otherwise it makes an entry that is cleared.
    """

    alarm_id: str
    at_ms: int
    until_ms: int
    text: str = ""
    is_purge: bool = False


class Tombstones:
    """All of them, the oldest first."""

    def __init__(self, stones: Iterable[Tombstone] = ()) -> None:
        self._stones = {stone.alarm_id: stone for stone in stones}

    def get(self, alarm_id: str) -> Tombstone | None:
        """The one of an alarm, if any. It may be a little past its time: that does no harm."""
        return self._stones.get(alarm_id)

    def add(self, alarm_id: str, at_ms: int, now_ms: int, *, text: str = "", is_purge: bool = False) -> bool:
        """Remember; False when nothing new is said."""
        held = self._stones.get(alarm_id)
        if held is not None and held.at_ms >= at_ms:
            return False
        self._stones.pop(alarm_id, None)
        self._stones[alarm_id] = Tombstone(alarm_id, at_ms, now_ms + TOMBSTONE_MEMORY_MS, text, is_purge)
        self._forget(now_ms)
        return True

    def discard(self, alarm_id: str) -> None:
        """Forget one: its key has an entry."""
        self._stones.pop(alarm_id, None)

    def all(self) -> tuple[Tombstone, ...]:
        """Every one, to be kept."""
        return tuple(self._stones.values())

    def _forget(self, now_ms: int) -> None:
        """They are in the order of their time, as all are kept equally long."""
        while self._stones:
            oldest = next(iter(self._stones.values()))
            if oldest.until_ms > now_ms and len(self._stones) <= TOMBSTONES_MAX:
                break
            del self._stones[oldest.alarm_id]
