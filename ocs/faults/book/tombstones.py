"""Clears that came before their raises, and purges that repeats must not undo; bounded, and forgotten after a while."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

import msgspec

from ocs.limits import TOMBSTONE_MEMORY_MS, TOMBSTONES_FORGOTTEN_PER_STEP, TOMBSTONES_MAX


class Tombstone(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of a key that has no entry; the store has each under its alarm's id.

    Attributes:
        at_ms: signals no newer than this are late ones.
        until_ms: our clock; then it is forgotten.
        text: of the clear.
        is_purge: the entry was purged: a late signal is dropped, where otherwise it makes an entry that is cleared.
        is_strangers: of a source that the topology does not know: such never push out the others.
    """

    alarm_id: str
    at_ms: int
    until_ms: int
    text: str = ""
    is_purge: bool = False
    is_strangers: bool = False


_STONE: Final = msgspec.msgpack.Decoder(Tombstone)


def encode_tombstone(stone: Tombstone) -> bytes:
    """As the store keeps it."""
    return msgspec.msgpack.encode(stone)


def decode_tombstone(octets: bytes) -> Tombstone:
    """From the store.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return _STONE.decode(octets)


class Tombstones:
    """All of them, and what of them is news to the store."""

    def __init__(self, stones: Iterable[Tombstone] = ()) -> None:
        # The oldest first, as all are kept equally long; those of strangers apart.
        self._known: dict[str, Tombstone] = {}
        self._strangers: dict[str, Tombstone] = {}
        for stone in sorted(stones, key=_until_ms_of):
            self._of(is_strangers=stone.is_strangers)[stone.alarm_id] = stone
        self._new: dict[str, Tombstone] = {}
        self._gone: dict[str, None] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known) + len(self._strangers)

    def get(self, alarm_id: str) -> Tombstone | None:
        """The one of an alarm, if any. It may be a little past its time: that does no harm."""
        return self._known.get(alarm_id) or self._strangers.get(alarm_id)

    def add(
        self,
        alarm_id: str,
        at_ms: int,
        now_ms: int,
        *,
        text: str = "",
        is_purge: bool = False,
        is_strangers: bool = False,
    ) -> None:
        """Remember, unless nothing new is said."""
        held = self.get(alarm_id)
        if held is not None:
            if held.at_ms >= at_ms:
                return
            self._of(is_strangers=held.is_strangers).pop(alarm_id)
        stone = Tombstone(alarm_id, at_ms, now_ms + TOMBSTONE_MEMORY_MS, text, is_purge, is_strangers)
        stones = self._of(is_strangers=is_strangers)
        stones[alarm_id] = self._new[alarm_id] = stone
        self._gone.pop(alarm_id, None)
        while len(stones) > TOMBSTONES_MAX:
            self.discard(next(iter(stones)))

    def discard(self, alarm_id: str) -> None:
        """Forget one: its key has an entry."""
        held = self.get(alarm_id)
        if held is not None:
            del self._of(is_strangers=held.is_strangers)[alarm_id]
            self._new.pop(alarm_id, None)
            self._gone[alarm_id] = None

    def due_ms(self) -> int | None:
        """When :meth:`forget` is worth a step: some are past their time for as long as they were kept; None: never."""
        oldest = [next(iter(stones.values())) for stones in (self._known, self._strangers) if stones]
        return min((stone.until_ms + TOMBSTONE_MEMORY_MS for stone in oldest), default=None)

    def forget(self, now_ms: int) -> None:
        """Forget what is past its time, so much as one step may."""
        for stones in (self._known, self._strangers):
            for stone in list(islice(stones.values(), TOMBSTONES_FORGOTTEN_PER_STEP)):
                if stone.until_ms > now_ms:
                    break
                self.discard(stone.alarm_id)

    def take_new(self) -> tuple[Tombstone, ...]:
        """Those that the store has not; they count as told."""
        if not self._new:
            return ()
        new, self._new = tuple(self._new.values()), {}
        return new

    def take_gone(self) -> tuple[str, ...]:
        """Ids of those that the store may forget, so many as one step may; they count as told."""
        if not self._gone:
            return ()
        gone = tuple(islice(self._gone, TOMBSTONES_FORGOTTEN_PER_STEP))
        for alarm_id in gone:
            del self._gone[alarm_id]
        return gone

    def _of(self, *, is_strangers: bool) -> dict[str, Tombstone]:
        return self._strangers if is_strangers else self._known


def _until_ms_of(stone: Tombstone) -> int:
    return stone.until_ms
