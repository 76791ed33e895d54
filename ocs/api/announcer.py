"""Tells listeners what happens to balances, from whatever door: the charge events, in order, at least once each.

One HTTP process at a time does it, by a lease. Events are told by putting them into the queues of those who want them,
which another task posts from; the place in the stream moves only then, so that whoever takes over tells again what is
not certain to have been told, under the same ``eventId``. While nobody listens nothing is read and nothing is kept.
"""

import secrets
from collections.abc import Callable
from typing import Any, Final

import trio

from ocs.api.charge_stream import ChargeStream, Places
from ocs.api.threads import ReaderUnavailableError, write_in_thread
from ocs.api.tmf.delivery import announce_to
from ocs.api.tmf.hubs import Hub, HubStore
from ocs.api.tmf.slow_listeners import SlowListeners
from ocs.balance.client import StoreBusyError
from ocs.events import ChargeEvent
from ocs.limits import (
    HUB_LEASE_S,
    HUB_POLL_INTERVAL_S,
    LISTENER_PAGES_PER_LOOK,
    LISTENERS_GONE_S,
)
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

ANNOUNCED = Counter("ocs_listener_events_total", "Charge events that were put before listeners.")

# What the lease of this work is held under, beside those of the listeners.
LEASE: Final = "charge-stream"

MakeAnnouncement = Callable[[ChargeEvent], dict[str, Any] | None]
Act = Callable[[ChargeEvent], object]


class Announcer:
    """Reads the charge stream for the listeners of one API.

    Args:
        base: of that API. announcement: what its listeners are told of an event; None for nothing.
        act: does what an event asks for before listeners hear of it; it may be called again with the same event.
        steady_s: a clock that never goes back.
    """

    def __init__(
        self,
        stream: ChargeStream,
        hubs: HubStore,
        base: str,
        announcement: MakeAnnouncement,
        act: Act,
        *,
        steady_s: Callable[[], float] = trio.current_time,
    ) -> None:
        self._stream = stream
        self._hubs = hubs
        self._base = base
        self._announcement = announcement
        self._act = act
        self._steady_s = steady_s
        self._holder = secrets.token_hex(8)
        self._held_s = 0.0
        self._places: Places | None = None
        self._alone_since_s: float | None = None
        self._is_closed = False
        self._slow = SlowListeners(hubs)

    async def run(self) -> None:
        """Look for new events until cancelled, which waits for the page under way."""
        is_told = False
        while True:
            try:
                now_s = self._steady_s()
                has_more = await write_in_thread(self.look, now_s)
                is_told = False
            except (ReaderUnavailableError, StoreBusyError) as error:
                self._places, has_more = None, False
                if not is_told:
                    is_told = True
                    log.warning(
                        "listeners_not_told", reason=str(error), remedy="look at the store: it is tried again"
                    )
            if not has_more:
                await trio.sleep(HUB_POLL_INTERVAL_S)

    def look(self, now_s: float) -> bool:
        """Tell what is new; whether there is more. Blocks.

        Raises:
            redis.RedisError, StoreBusyError: it is not known what was told; the next look tells it again.
        """
        hubs = self._hubs.listening_to(self._base)
        if not hubs and self._is_closed:
            return False
        if not self._hubs.hold_lease(LEASE, self._holder, HUB_LEASE_S):
            self._places, self._alone_since_s = None, None
            return False
        if now_s - self._held_s > HUB_LEASE_S:
            self._places = None  # somebody else may have been at it
        self._held_s = now_s
        if not hubs:
            self._give_up(now_s)
            return False
        self._alone_since_s, self._is_closed = None, False
        if self._places is None:
            self._stream.open()
            self._places = self._stream.places()
        return self._tell(hubs, self._places, now_s)

    def _give_up(self, now_s: float) -> None:
        """Give the places up when nobody has listened for a while: who registers meanwhile finds them again."""
        if self._alone_since_s is None:
            self._alone_since_s = now_s
        if now_s - self._alone_since_s >= LISTENERS_GONE_S:
            self._stream.close()
            self._places, self._is_closed = None, True

    def _tell(self, hubs: list[Hub], places: Places, now_s: float) -> bool:
        for _ in range(LISTENER_PAGES_PER_LOOK):
            if self._slow.must_catch_up(hubs, now_s):
                return False
            pages = self._stream.read(places)
            if not pages:
                return False
            for page in pages.values():
                self._tell_page(hubs, page.events)
            told = {partition: page.last_id for partition, page in pages.items()}
            self._stream.advance(told)
            places |= told
            if not self._hubs.hold_lease(LEASE, self._holder, HUB_LEASE_S):
                self._places = None
                return False
        return True

    def _tell_page(self, hubs: list[Hub], events: tuple[ChargeEvent, ...]) -> None:
        told: list[dict[str, Any]] = []
        for event in events:
            self._act(event)
            announced = self._announcement(event)
            if announced is not None:
                told.append(announced)
        announce_to(self._hubs, hubs, *told)
        ANNOUNCED.inc(by=len(told))
