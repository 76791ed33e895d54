"""Who wants to be told of events: registrations, and for each a queue of what it has not taken yet, in the store."""

import secrets
from functools import lru_cache
from typing import Any, Final

import msgspec

from ocs.api.tmf.query import Filter, Query, QueryError, Resource, parse_query
from ocs.balance import keys
from ocs.balance.store_client import Command, StoreClient
from ocs.limits import HUB_EVENTS_WAITING_MAX, HUBS_MAX
from ocs.metrics import Counter

DROPPED = Counter(
    "ocs_hub_events_dropped_total",
    "Events that a listener will never get: its queue was full, or it was given up.",
)

# Attributes of an event that a registration's query may ask for beside those of its resource.
EVENT_ATTRIBUTES: Final = frozenset(("eventId", "eventTime", "eventType", "event"))


class Hub(msgspec.Struct, frozen=True, array_like=True):
    """A registration.

    Attributes:
        base: of the API whose events it is for.
        query: which events: ``eventType=TopupBalanceCreateEvent``; empty for all.
        secret: signs what is posted; empty for no signature.
        created_ms: epoch milliseconds.
    """

    hub_id: str
    base: str
    callback: str
    query: str = ""
    secret: str = ""
    created_ms: int = 0

    def wants(self, event: Resource) -> bool:
        """Whether an event fulfils the query."""
        return parse_event_query(self.query).matches(event)


class HubsTooManyError(Exception):
    """As many listeners are registered as there may be."""


@lru_cache(maxsize=HUBS_MAX)
def parse_event_query(text: str) -> Query:
    """Read a registration's query: conditions on the event, or on its resource as ``topupBalance.status=failed``.

    Raises:
        QueryError: it is none.
    """
    raw = text.removeprefix("?").encode()
    query = parse_query(raw, EVENT_ATTRIBUTES | _first_names(raw), is_list=True)
    if query.fields is not None or query.offset or query.order:
        raise QueryError("query: only conditions are expected")
    conditions = tuple(
        condition
        if condition.path[0] in EVENT_ATTRIBUTES
        else Filter(("event", *condition.path), condition.values, condition.comparison)
        for condition in query.filters
    )
    return Query(filters=conditions)


def _first_names(raw: bytes) -> frozenset[str]:
    """Names by which a condition may begin; whether a resource has them is seen when one comes."""
    return frozenset(
        part.partition(b"=")[0].partition(b".")[0].decode("ascii", "replace") for part in raw.split(b"&")
    )


class HubStore:
    """Registrations and queues in a store; blocking. Events are JSON."""

    def __init__(self, connection: StoreClient) -> None:
        self._store = connection
        self._redis: Any = connection  # redis-py's commands are partly untyped

    def add(self, hub: Hub) -> None:
        """Enter a registration.

        Raises:
            HubsTooManyError: there is no room.
        """
        if self._redis.hlen(keys.HUBS) >= HUBS_MAX:
            raise HubsTooManyError
        self._redis.hset(keys.HUBS, hub.hub_id, msgspec.msgpack.encode(hub))

    def remove(self, hub_id: str, base: str = "") -> bool:
        """Take a registration and its queue away; False when there is none (of this API)."""
        hub = self.get(hub_id)
        if hub is None or (base and hub.base != base):
            return False
        waiting = self._redis.llen(keys.hub_queue_key(hub_id))
        self._store.ask([("HDEL", keys.HUBS, hub_id), ("DEL", keys.hub_queue_key(hub_id))])
        DROPPED.inc(by=waiting)
        return True

    def get(self, hub_id: str) -> Hub | None:
        """One registration; None when there is none."""
        stored = self._redis.hget(keys.HUBS, hub_id)
        return None if stored is None else msgspec.msgpack.decode(stored, type=Hub)

    def all(self) -> list[Hub]:
        """All registrations."""
        return [msgspec.msgpack.decode(stored, type=Hub) for stored in self._redis.hvals(keys.HUBS)]

    def listening_to(self, base: str) -> list[Hub]:
        """Those who listen to one API."""
        return [hub for hub in self.all() if hub.base == base]

    def enqueue(self, hub_ids: list[str], *events: bytes) -> None:
        """Put events behind what waits; a full queue loses its oldest."""
        commands: list[Command] = [("RPUSH", keys.hub_queue_key(hub_id), *events) for hub_id in hub_ids]
        lengths = self._store.ask(commands) if commands else []
        for hub_id, length in zip(hub_ids, lengths, strict=True):
            if length > HUB_EVENTS_WAITING_MAX:
                self._redis.ltrim(keys.hub_queue_key(hub_id), -HUB_EVENTS_WAITING_MAX, -1)
                DROPPED.inc(by=length - HUB_EVENTS_WAITING_MAX)

    def waiting(self, hub_ids: list[str]) -> list[int]:
        """How many events wait for each of these listeners."""
        return self._store.ask([("LLEN", keys.hub_queue_key(hub_id)) for hub_id in hub_ids])

    def first(self, hub_id: str) -> bytes | None:
        """The event that waits longest; None when none does."""
        return self._redis.lindex(keys.hub_queue_key(hub_id), 0)

    def taken(self, hub_id: str, event: bytes) -> None:
        """Take an event away that the listener has."""
        self._redis.lrem(keys.hub_queue_key(hub_id), 1, event)

    def hold_lease(self, hub_id: str, holder: str, time_s: float) -> bool:
        """Whether ``holder`` is the one process that posts to this listener, for so long from now."""
        key = keys.hub_lease_key(hub_id)
        if self._redis.set(key, holder, nx=True, px=int(time_s * 1000)):
            return True
        if self._redis.get(key) != holder.encode():
            return False
        self._redis.pexpire(key, int(time_s * 1000))
        return True


def new_hub_id() -> str:
    """An id that nobody guesses."""
    return secrets.token_hex(12)
