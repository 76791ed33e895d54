"""The charge events that listeners have not been told of yet: read in order, each partition from where it was left.

The place in each partition's stream is that of a consumer group, so that trimming keeps what was not told (for an hour,
and while the room for events is not half full). Nothing is delivered to consumers: a page is read, its events are told,
and the place moves behind it. Who crashes in between tells them again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import redis

from ocs.balance import keys
from ocs.balance.checkpoints import POSITION_FIELD
from ocs.balance.client import BalanceClient
from ocs.balance.store_client import Command
from ocs.balance.trimming import parse_id
from ocs.events import LISTENERS_GROUP, ChargeEvent, decode_event
from ocs.limits import LISTENER_EVENTS_PER_PAGE
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

MISSED = Counter(
    "ocs_listener_gaps_total", "Times that charge events were trimmed before listeners had been told of them."
)

# Partition -> id of the last event of which listeners were told.
Places = dict[int, bytes]


class Page(msgspec.Struct, frozen=True):
    """The next events of a partition, in order; ``last_id`` is where they end."""

    events: tuple[ChargeEvent, ...]
    last_id: bytes


class ChargeStream:
    """The streams of a store as listeners' announcements read them; blocking.

    Args:
        client: of the store.
    """

    def __init__(self, client: BalanceClient) -> None:
        self._client = client

    def open(self) -> None:
        """Begin at the next event, where no place is kept yet."""
        for partition in range(self._client.partitions):
            connection: Any = self._client.connection
            try:
                connection.xgroup_create(keys.events_key(partition), LISTENERS_GROUP, "$", mkstream=True)
            except redis.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    def close(self) -> None:
        """Give the places up: nobody listens, and nothing is kept for them."""
        streams = [keys.events_key(partition) for partition in range(self._client.partitions)]
        existing = self._client.connection.ask([("EXISTS", stream) for stream in streams])
        found = [stream for stream, exists in zip(streams, existing, strict=True) if exists]
        self._client.connection.ask([("XGROUP DESTROY", stream, LISTENERS_GROUP) for stream in found])

    def places(self) -> Places:
        """How far listeners have been told.

        Raises:
            redis.RedisError: no answer, or the places were given up.
        """
        found: Places = {}
        connection: Any = self._client.connection
        for partition in range(self._client.partitions):
            for group in connection.xinfo_groups(keys.events_key(partition)):
                if group["name"] == LISTENERS_GROUP.encode():
                    found[partition] = group["last-delivered-id"]
        return found

    def read(self, places: Mapping[int, bytes]) -> dict[int, Page]:
        """The next events behind these places, in order; partitions without any are left out."""
        commands: list[Command] = [
            (
                "XRANGE",
                keys.events_key(partition),
                f"({place.decode()}",
                "+",
                "COUNT",
                LISTENER_EVENTS_PER_PAGE,
            )
            for partition, place in places.items()
        ]
        replies = self._client.connection.ask(commands) if commands else []
        pages = {
            partition: Page(tuple(_decoded(partition, entries)), entries[-1][0])
            for partition, entries in zip(places, replies, strict=True)
            if entries
        }
        self._tell_gaps(places, tuple(pages))
        return pages

    def _tell_gaps(self, places: Mapping[int, bytes], partitions: tuple[int, ...]) -> None:
        """Say when events went that nobody was told of."""
        commands: list[Command] = [
            ("HGET", keys.checkpoints_key(each), POSITION_FIELD) for each in partitions
        ]
        trimmed = self._client.connection.ask(commands) if commands else []
        for partition, last in zip(partitions, trimmed, strict=True):
            if last and parse_id(last) > parse_id(places[partition]):
                MISSED.inc()
                log.warning(
                    "listeners_missed_events",
                    partition=partition,
                    reason="they were trimmed: nobody told listeners for too long, or the store had no room",
                    remedy="what happened stands in the accounts' books; listeners compare with balances",
                )

    def advance(self, places: Mapping[int, bytes]) -> None:
        """Note how far listeners have been told."""
        self._client.connection.ask(
            [
                ("XGROUP SETID", keys.events_key(partition), LISTENERS_GROUP, place)
                for partition, place in places.items()
            ]
        )


def _decoded(partition: int, entries: list[Any]) -> Iterator[ChargeEvent]:
    """The events of a page; one that cannot be read is passed over: the audit finds it, listeners cannot help."""
    for entry_id, fields in entries:
        try:
            yield decode_event(fields[b"e"])
        except (KeyError, msgspec.MsgspecError) as error:
            log.warning(
                "charge_event_not_announced",
                partition=partition,
                reason=f"{entry_id.decode()}: {error}",
                remedy="run `ocs verify`",
            )
