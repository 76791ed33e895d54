"""Forgets charge events that the business side has acknowledged, and keeps what they came to.

Trimming follows acknowledgement: an event goes when every consumer group of its partition's stream has acknowledged it
and all before it; without the business side's own group (:data:`ocs.events.BILLING_GROUP`) nothing goes, and for the
listeners of HTTP (:data:`ocs.events.LISTENERS_GROUP`) it waits within bounds alone. One function
in the store trims and writes the checkpoints in one step, and refuses when somebody else has trimmed meanwhile; so
several trimmers, and crashes anywhere between the steps, do no harm.

Blocking, by redis-py.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from ocs.balance import keys
from ocs.balance.checkpoints import (
    NOTHING_TRIMMED,
    POSITION_FIELD,
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
)
from ocs.balance.store_client import StoreClient
from ocs.events import BILLING_GROUP, LISTENERS_GROUP, ChargeEvent, decode_event
from ocs.limits import EVENTS_PER_TRIM_MAX, LISTENERS_LAG_MAX_S, TRIMS_PER_LOOK_MAX
from ocs.metrics import Counter

log = structlog.get_logger()

_TRIMMED = Counter("ocs_events_trimmed_total", "Charge events forgotten after everybody acknowledged them.")
_REFUSED = Counter(
    "ocs_events_trim_refused_total",
    "Times that events were kept although acknowledged, because their numbers do not follow each other.",
)

StreamId = tuple[int, int]


class Trimmer:
    """Trims the event streams of a store.

    Args:
        client: the store, set up.
    """

    def __init__(self, client: StoreClient) -> None:
        self._client: Any = client
        self._refused: set[int] = set()

    def trim_partition(self, partition: int, *, waits_for_listeners: bool = True) -> int:
        """Trim one partition of what may go, or of much of it; returns how many events went.

        Args:
            waits_for_listeners: whether what HTTP's listeners have not been told of yet is kept, for some time.

        Raises:
            redis.RedisError: the store did not answer; what went, went together with its checkpoints.
        """
        end = self._acknowledged(partition, waits_for_listeners=waits_for_listeners)
        if end is None:
            return 0
        gone = 0
        for _ in range(TRIMS_PER_LOOK_MAX):
            count = self._trim_page(partition, end)
            gone += count
            if count < EVENTS_PER_TRIM_MAX:
                break
        return gone

    def _acknowledged(self, partition: int, *, waits_for_listeners: bool) -> StreamId | None:
        """The first id that somebody has not acknowledged; None while the business side does not read."""
        stream = keys.events_key(partition)
        (exists,) = self._client.ask((("EXISTS", stream),))
        if not exists:
            return None
        groups: list[dict[str, Any]] = self._client.xinfo_groups(stream)
        if BILLING_GROUP.encode() not in {group["name"] for group in groups}:
            return None
        ends: list[StreamId] = []
        for group in groups:
            # Asked after what was delivered: an event delivered in between is among the pending, and stays.
            lowest: bytes | None = None
            if group["pending"]:
                lowest = self._client.xpending(stream, group["name"])["min"]
            end = successor(parse_id(group["last-delivered-id"])) if lowest is None else parse_id(lowest)
            if group["name"] == LISTENERS_GROUP.encode():
                if not waits_for_listeners:
                    continue
                end = max(end, self._kept_for_listeners(stream))
            ends.append(end)
        return min(ends)

    def _kept_for_listeners(self, stream: str) -> StreamId:
        """The first id that listeners may still hold back: a reader that is gone stops nothing for ever."""
        last_ms, _ = parse_id(self._client.xinfo_stream(stream)["last-generated-id"])
        return max(0, last_ms - int(LISTENERS_LAG_MAX_S * 1000)), 0

    def _trim_page(self, partition: int, end: StreamId) -> int:
        """Trim the oldest events before ``end``, as many as one step may."""
        stream, checkpoints = keys.events_key(partition), keys.checkpoints_key(partition)
        position: bytes = self._client.hget(checkpoints, POSITION_FIELD) or b""
        page = self._client.xrange(stream, "-", f"({_text(end)}", count=EVENTS_PER_TRIM_MAX)
        if not page:
            return 0
        try:
            events = [decode_event(fields[b"e"]) for _, fields in page]
            books = self._sum_up(checkpoints, events)
        except (KeyError, msgspec.MsgspecError, _NotConsecutiveError) as error:
            self._tell_refused(partition, error)
            return 0
        self._refused.discard(partition)
        last: bytes = page[-1][0]
        arguments: list[Any] = [position, last, _text(successor(parse_id(last)))]
        for account_id, checkpoint in books.items():
            arguments += (account_id, encode_checkpoint(checkpoint))
        if not self._client.fcall("ocs_trim", 2, stream, checkpoints, *arguments):
            return 0  # somebody else is at it
        _TRIMMED.inc(by=len(page))
        return len(page)

    def _sum_up(self, checkpoints: str, events: Sequence[ChargeEvent]) -> dict[str, Checkpoint]:
        """The checkpoints after these events of the accounts that they concern."""
        names = list(dict.fromkeys(event.account_id for event in events))
        books = {
            name: NOTHING_TRIMMED if value is None else decode_checkpoint(value)
            for name, value in zip(names, self._client.hmget(checkpoints, names), strict=True)
        }
        for event in events:
            before = books[event.account_id]
            if event.sequence != before.sequence + 1:
                raise _NotConsecutiveError(
                    f"account {event.account_id}: event {event.sequence} follows {before.sequence}"
                )
            books[event.account_id] = before.after(event)
        return books

    def _tell_refused(self, partition: int, error: Exception) -> None:
        """Evidence is not trimmed away: say it once, and leave the partition as it is."""
        _REFUSED.inc()
        if partition not in self._refused:
            self._refused.add(partition)
            log.error(
                "events_not_trimmed",
                partition=partition,
                reason=str(error),
                remedy="run `ocs verify`; the events of this partition are kept until it is clean",
            )


class _NotConsecutiveError(Exception):
    """An account's events do not follow its checkpoint."""


def parse_id(entry_id: bytes) -> StreamId:
    """Milliseconds and count of a stream's entry id."""
    milliseconds, _, count = entry_id.partition(b"-")
    return int(milliseconds), int(count or 0)


def successor(entry_id: StreamId) -> StreamId:
    """The next higher id; the store's streams count to 2^64, we never do."""
    return entry_id[0], entry_id[1] + 1


def _text(entry_id: StreamId) -> str:
    return f"{entry_id[0]}-{entry_id[1]}"
