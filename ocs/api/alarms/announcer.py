"""Tells TMF642's listeners of alarms: each change at least once, in order, by one HTTP process at a time.

Events are told by putting them into the queues of those who want them, which another task posts from. While nobody
listens nothing is read, and the stream is not held up.
"""

import secrets
from collections.abc import Callable
from typing import Final

import trio

from ocs.api.alarms.announcements import announcement
from ocs.api.alarms.resources import BASE
from ocs.api.threads import ReaderUnavailableError, write_in_thread
from ocs.api.tmf.delivery import announce_to
from ocs.api.tmf.hubs import HubStore
from ocs.api.tmf.slow_listeners import SlowListeners
from ocs.faults.store.change_group import ChangeGroup
from ocs.limits import HUB_LEASE_S, HUB_POLL_INTERVAL_S, LISTENER_EVENTS_PER_PAGE, LISTENERS_GONE_S
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

ANNOUNCED = Counter("ocs_alarm_listener_events_total", "Changes of alarms that were put before listeners.")

GROUP: Final = "listeners"
LEASE: Final = "alarm-changes"


class AlarmAnnouncer:
    """Reads the changes of alarms for TMF642's listeners.

    Args:
        changes: the group :data:`GROUP`. steady_s: a clock that never goes back.
    """

    def __init__(
        self, changes: ChangeGroup, hubs: HubStore, *, steady_s: Callable[[], float] = trio.current_time
    ) -> None:
        self._changes = changes
        self._hubs = hubs
        self._steady_s = steady_s
        self._slow = SlowListeners(hubs)
        self._holder = secrets.token_hex(8)
        self._alone_since_s: float | None = None
        self._is_closed = False

    def open(self) -> None:
        """Begin to listen, as when somebody registers; blocks."""
        self._changes.open()

    async def run(self) -> None:
        """Look for new changes until cancelled, which waits for the page under way."""
        is_told = False
        while True:
            try:
                has_more = await write_in_thread(self.look, self._steady_s())
                is_told = False
            except ReaderUnavailableError as error:
                self._changes.forget()
                has_more = False
                if not is_told:
                    is_told = True
                    log.warning(
                        "alarm_listeners_not_told",
                        reason=str(error),
                        remedy="look at the store: it is tried again",
                    )
            if not has_more:
                await trio.sleep(HUB_POLL_INTERVAL_S)

    def look(self, now_s: float) -> bool:
        """Tell what is new; whether there may be more. Blocks.

        Raises:
            redis.RedisError: it is not known what was told; the next look tells it again.
        """
        hubs = self._hubs.listening_to(BASE)
        if not hubs and self._is_closed:
            return False
        if not self._hubs.hold_lease(LEASE, self._holder, HUB_LEASE_S):
            self._changes.forget()
            self._alone_since_s = None
            return False
        if not hubs:
            self._give_up(now_s)
            return False
        self._alone_since_s, self._is_closed = None, False
        self._changes.open()
        if self._slow.must_catch_up(hubs, now_s):
            return False
        page = self._changes.read(LISTENER_EVENTS_PER_PAGE)
        told = [event for followed in page if (event := announcement(followed.change)) is not None]
        announce_to(self._hubs, hubs, *told)
        self._changes.done(page)
        ANNOUNCED.inc(by=len(told))
        return bool(page)

    def _give_up(self, now_s: float) -> None:
        """Give the group up when nobody has listened for a while: who registers meanwhile finds its place again."""
        if self._alone_since_s is None:
            self._alone_since_s = now_s
        if now_s - self._alone_since_s >= LISTENERS_GONE_S:
            self._changes.close()
            self._alone_since_s, self._is_closed = None, True
