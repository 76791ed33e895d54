"""Tells listeners how transactions of services move, and of services that have changed by them, from whatever door.

One HTTP process at a time does it, by a lease. The journal is asked for what has moved since the last look, and a while
before: whoever wrote then may have been done only now. What was told is remembered for as long; who takes over tells
it again, under the same ``eventId``. While nobody listens nothing is asked.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import trio

from ocs.api.service_activation.resources import BASE, MONITOR
from ocs.api.service_activation.resources import SERVICE as ACTIVATED
from ocs.api.service_inventory.resources import BASE as INVENTORY_BASE
from ocs.api.service_inventory.resources import SERVICE
from ocs.api.service_ordering.resources import BASE as ORDERING_BASE
from ocs.api.service_ordering.resources import SERVICE_ORDER
from ocs.api.threads import ReaderUnavailableError, write_in_thread
from ocs.api.tmf.delivery import announce_to, make_event
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.hubs import HubStore
from ocs.api.tmf.resources import Attributes
from ocs.api.tmf.sql_side import SqlSide
from ocs.balance.store_client import StoreClient
from ocs.clock import Clock
from ocs.limits import (
    HUB_LEASE_S,
    HUB_POLL_INTERVAL_S,
    LISTENER_EVENTS_PER_PAGE,
    TRANSACTIONS_TOLD_AGAIN_MS,
)
from ocs.log import get_logger

log = get_logger(__name__)

LEASE: Final = "service-transactions"
PLACE_KEY: Final = "service_transactions_told"
_CHANGES: Final = {"create": "Create", "modify": "AttributeValueChange", "delete": "StateChange"}


class TransactionAnnouncer:
    """Looks at the journal for the listeners of TMF638, TMF640 and TMF641.

    Args:
        store: keeps up to when was told.
    """

    def __init__(self, sql: SqlSide, store: StoreClient, hubs: HubStore, clock: Clock) -> None:
        self._sql = sql
        self._redis: Any = store
        self._hubs = hubs
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._told: OrderedDict[tuple[str, str], int] = OrderedDict()

    def open(self) -> None:
        """Begin to listen, as when somebody registers; blocks."""
        self._redis.set(PLACE_KEY, self._clock.now_ms(), nx=True)

    async def run(self) -> None:
        """Look again and again until cancelled, which waits for the look under way."""
        is_told = False
        while True:
            try:
                has_more = await write_in_thread(self.look)
                is_told = False
            except ReaderUnavailableError as error:
                has_more = False
                if not is_told:
                    is_told = True
                    log.warning(
                        "transaction_listeners_not_told",
                        reason=str(error),
                        remedy="look at the store and at the database: it is tried again",
                    )
            if not has_more:
                await trio.sleep(HUB_POLL_INTERVAL_S)

    def look(self) -> bool:
        """Tell what is new; whether there may be more. Blocks.

        Raises:
            redis.RedisError, ReaderUnavailableError: it is not known what was told; the next look tells it again.
        """
        listeners = {base: self._hubs.listening_to(base) for base in (BASE, INVENTORY_BASE, ORDERING_BASE)}
        if not any(listeners.values()):
            if self._redis.delete(PLACE_KEY):
                self._told.clear()
            return False
        if not self._hubs.hold_lease(LEASE, self._holder, HUB_LEASE_S):
            self._told.clear()
            return False
        self.open()
        place_ms = int(self._redis.get(PLACE_KEY))
        moved = self._sql.read_blocking(self._moved_since(place_ms - TRANSACTIONS_TOLD_AGAIN_MS))
        for one in moved:
            for kind, event in self._events(one):
                announce_to(self._hubs, listeners[kind], event)
            order = self._order(one.batch_id) if one.batch_id and listeners[ORDERING_BASE] else None
            if order is not None and (one.batch_id, order["state"]) not in self._told:
                event_id = f"{one.batch_id}:{order['state']}"
                event = self._event(SERVICE_ORDER, "StateChange", order, event_id)
                announce_to(self._hubs, listeners[ORDERING_BASE], event)
                self._told[one.batch_id, order["state"]] = one.changed_ms
            self._told[one.transaction_id, one.state.value] = one.changed_ms
        if moved:
            place_ms = max(place_ms, moved[-1].changed_ms)
            self._redis.set(PLACE_KEY, place_ms)
        self._forget(place_ms - 2 * TRANSACTIONS_TOLD_AGAIN_MS)
        return len(moved) == LISTENER_EVENTS_PER_PAGE

    def _forget(self, before_ms: int) -> None:
        while self._told and next(iter(self._told.values())) < before_ms:
            self._told.popitem(last=False)

    def _moved_since(self, since_ms: int) -> Callable[[Any], Any]:
        def work(connection: Any) -> Any:
            from ocs.api.service_activation.finding import moved_since

            told = frozenset(self._told)
            return moved_since(connection, since_ms, told=told, limit=LISTENER_EVENTS_PER_PAGE)

        return work

    def _events(self, moved: Any) -> list[tuple[str, dict[str, Any]]]:
        """What listeners of which API are told of one that has moved."""
        event_id = f"{moved.transaction_id}:{moved.state.value}"
        events: list[tuple[str, dict[str, Any]]] = []
        if moved.state.value != "queued":
            events.append((BASE, self._event(MONITOR, "StateChange", moved.monitor, event_id)))
        what = _CHANGES.get(str(moved.order.action))
        if moved.state.value == "done" and what is not None:
            for base, kind in ((INVENTORY_BASE, SERVICE), (BASE, ACTIVATED)):
                service = self._service(kind, moved.order.service_id)
                if service is not None:
                    events.append((base, self._event(kind, what, service, f"{event_id}:service")))
        return events

    def _event(self, kind: Any, what: str, resource: Attributes, event_id: str) -> dict[str, Any]:
        return make_event(kind, what, resource, event_id=event_id, now_ms=self._clock.now_ms())

    def _order(self, order_id: str) -> Attributes | None:
        """The order whose item a transaction is, once something of it has begun; None of a batch that is none."""

        def work(connection: Any) -> Attributes:
            from ocs.api.service_ordering.finding import show_order

            return show_order(connection, order_id)

        try:
            order: Attributes = self._sql.read_blocking(work)
        except TmfError:
            return None
        return None if order["state"] == "acknowledged" else order

    def _service(self, kind: Any, service_id: str) -> Attributes | None:
        def work(connection: Any) -> Attributes:
            from ocs.api.service_inventory.finding import show_service

            return show_service(connection, kind, service_id)

        try:
            return self._sql.read_blocking(work)
        except TmfError:
            return None  # it was forgotten meanwhile
