"""How much room the charge events take that nobody has acknowledged yet, and for how long it will last.

While the business side is away, events pile up in the store's memory. Their room is ``[store] events_memory_mib``, or
what the store's own memory limit leaves for them if that is less. At half of it an operator is told, once.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from ocs.balance import keys
from ocs.balance.store_client import Command, StoreClient
from ocs.clock import Clock
from ocs.limits import EVENTS_ROOM_ALARM, EVENTS_ROOM_CLEAR
from ocs.metrics import Gauge

log = structlog.get_logger()

_OCTETS = Gauge(
    "ocs_events_untrimmed_octets", "Store memory of charge events that are not trimmed.", merge="max"
)
_AGE = Gauge("ocs_events_oldest_age_seconds", "Age of the oldest charge event that is kept.", merge="max")
_RATIO = Gauge("ocs_events_room_ratio", "Share of the room for charge events that they fill.", merge="max")


class EventsKept(msgspec.Struct, frozen=True):
    """The charge events of the whole store at one time.

    Attributes:
        added: how many there ever were; ``kept`` are still there. octets: the store's memory for them.
        oldest_ms: when the oldest kept one was written, 0 when none is kept.
        room_octets: what they may take.
        at_ms: when this was measured.
    """

    added: int
    kept: int
    octets: int
    oldest_ms: int
    room_octets: int
    at_ms: int

    @property
    def ratio(self) -> float:
        """Which part of their room is filled."""
        return self.octets / self.room_octets if self.room_octets > 0 else 1.0

    @property
    def octets_per_event(self) -> float:
        """What one event takes, 0 when none is kept."""
        return self.octets / self.kept if self.kept else 0.0

    @property
    def age_s(self) -> float:
        """How old the oldest event is."""
        return max(0, self.at_ms - self.oldest_ms) / 1000 if self.oldest_ms else 0.0


def seconds_left(before: EventsKept, now: EventsKept) -> float | None:
    """How long the room will last if events go on to come as they came between two measurements and none goes.

    None when no event came.
    """
    arrived, took_s = now.added - before.added, (now.at_ms - before.at_ms) / 1000
    if arrived <= 0 or took_s <= 0 or not now.kept:
        return None
    return max(0, now.room_octets - now.octets) / (arrived / took_s * now.octets_per_event)


class EventsRoom:
    """Measures, shows the figures as metrics, and tells an operator when half of the room is filled.

    Args:
        client: the store, set up.
        partitions: as the store's own description says.
        limit_octets: ``[store] events_memory_mib``.
    """

    def __init__(self, client: StoreClient, clock: Clock, *, partitions: int, limit_octets: int) -> None:
        self._client = client
        self._clock = clock
        self._partitions = partitions
        self._limit_octets = limit_octets
        self._before: EventsKept | None = None
        self._is_told = False

    def look(self) -> EventsKept:
        """Measure, and tell what changed.

        Raises:
            redis.RedisError: the store did not answer.
        """
        now = self._measure()
        _OCTETS.set(now.octets)
        _AGE.set(now.age_s)
        _RATIO.set(now.ratio)
        left_s = None if self._before is None else seconds_left(self._before, now)
        if now.ratio >= EVENTS_ROOM_ALARM and not self._is_told:
            self._is_told = True
            log.warning(
                "events_pile_up",
                octets=now.octets,
                room_octets=now.room_octets,
                oldest_age_s=round(now.age_s),
                full_in_s=None if left_s is None else round(left_s),
                reason=f"charge events fill {now.ratio:.0%} of their room: the business side does not acknowledge them",
                remedy="start what reads them as the group `billing`, or look why it lags; until then give the store"
                " memory: maxmemory, and [store] events_memory_mib",
            )
        elif now.ratio < EVENTS_ROOM_CLEAR and self._is_told:
            self._is_told = False
            log.info("events_pile_up_is_over", octets=now.octets, room_octets=now.room_octets)
        self._before = now
        return now

    def _measure(self) -> EventsKept:
        streams = [keys.events_key(partition) for partition in range(self._partitions)]
        existing = self._existing(streams)
        sizes = self._client.ask([("MEMORY USAGE", stream) for stream in existing])
        added = kept = 0
        first_ms: list[int] = []
        for stream in existing:
            client: Any = self._client
            described: dict[str, Any] = client.xinfo_stream(stream)
            added += described.get("entries-added", described["length"])
            kept += described["length"]
            if described["first-entry"] is not None:
                first_ms.append(int(described["first-entry"][0].partition(b"-")[0]))
        octets = sum(size or 0 for size in sizes)
        return EventsKept(
            added, kept, octets, min(first_ms, default=0), self._room(octets), self._clock.now_ms()
        )

    def _existing(self, streams: Sequence[str]) -> list[str]:
        commands: list[Command] = [("EXISTS", stream) for stream in streams]
        return [stream for stream, exists in zip(streams, self._client.ask(commands), strict=True) if exists]

    def _room(self, events_octets: int) -> int:
        """What the setting gives, and no more than the servers have left beside everything else."""
        used = available = 0
        for server in self._client.primaries():
            primary: Any = server
            memory: dict[str, int] = primary.info("memory")
            if not memory["maxmemory"]:
                return self._limit_octets
            used += memory["used_memory"]
            available += memory["maxmemory"]
        return max(0, min(self._limit_octets, available - (used - events_octets)))
