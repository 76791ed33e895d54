"""A worker follows what is published: it learns of new catalogues and switches to each at its moment.

Requests are decided in groups, and between two of them the worker switches: none is refused or delayed for it. Every
charge event is stamped with the version that priced it, and what is already granted keeps the version it was granted
under.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import redis
import structlog
import trio

from ocs.balance.store_address import StoreAddress
from ocs.balance.store_admin import StoreRefusedError, connect, explain
from ocs.catalogue_schedule import Schedule, in_force, read_catalogue, read_schedule, upcoming
from ocs.clock import Clock
from ocs.limits import CATALOGUE_LOOK_INTERVAL_S
from ocs.metrics import Counter
from ocs.peer_notices import Notice
from ocs.rating import Catalogue, CatalogueError

log = structlog.get_logger()

_SWITCHES: Final = Counter(
    "ocs_catalogue_switches_total", "Times that a worker began to use another catalogue."
)
_UNREAD: Final = Counter(
    "ocs_catalogue_schedule_unread_total", "Looks for published catalogues that the store did not answer."
)


class Published(msgspec.Struct, frozen=True):
    """What a look into the store brought.

    Attributes:
        catalogues: those in force or to come that were not known before, by version.
    """

    schedule: Schedule
    catalogues: dict[str, Catalogue]


def read_published(address: StoreAddress, clock: Clock, known: frozenset[str]) -> Published:
    """See what is published; blocks.

    Args:
        known: versions that need not be read again.

    Raises:
        StoreRefusedError: one line with the remedy.
        CatalogueError: this release cannot use one of them.
    """
    client = connect(address)
    try:
        schedule = read_schedule(client)
        now_s = clock.now_ms() // 1000
        wanted = {publication.version for publication in upcoming(schedule, now_s)}
        current = in_force(schedule, now_s)
        wanted |= set() if current is None else {current.version}
        return Published(
            schedule, {version: read_catalogue(client, version) for version in sorted(wanted - known)}
        )
    except redis.RedisError as error:
        raise explain(address, error) from None
    finally:
        client.close()


async def look(address: StoreAddress, clock: Clock, known: frozenset[str]) -> Published:
    """Do as :func:`read_published` does, in a thread. Cancelled, the thread ends by itself."""
    return await trio.to_thread.run_sync(read_published, address, clock, known, abandon_on_cancel=True)


class CatalogueWatch:
    """Keeps a worker on the catalogue in force.

    Args:
        current: what it uses now.
        clock: says when it is time.
        read: looks into the store, given the versions known here; raises StoreRefusedError, CatalogueError.
        use: takes another catalogue for everything that is decided from now on.
    """

    def __init__(
        self,
        current: Catalogue,
        clock: Clock,
        *,
        read: Callable[[frozenset[str]], Awaitable[Published]],
        use: Callable[[Catalogue], None],
    ) -> None:
        self._current = current.version
        self._read = read
        self._use = use
        self._clock = clock
        self._schedule: Schedule = ()
        self._known = {current.version: current}
        self._wake = trio.Event()

    def hear(self, _notice: Notice) -> int:
        """Look into the store now: somebody has published something."""
        self._wake.set()
        return 1

    async def run(self) -> None:
        """Look and switch, until cancelled. While the store does not answer, what is known already takes effect."""
        while True:
            self._wake = trio.Event()
            await self._look()
            with trio.move_on_after(CATALOGUE_LOOK_INTERVAL_S):
                while True:
                    self._switch()
                    with trio.move_on_after(self._until_next_s()):
                        await self._wake.wait()
                        break

    async def _look(self) -> None:
        try:
            published = await self._read(frozenset(self._known))
        except (StoreRefusedError, CatalogueError) as error:
            _UNREAD.inc()
            log.warning(
                "catalogue_not_read",
                reason=str(error),
                remedy="none while the store restarts; else publish a catalogue that this release can use",
            )
            return
        self._schedule = published.schedule
        self._known |= published.catalogues
        wanted = {entry.version for entry in upcoming(self._schedule, self._clock.now_ms() // 1000)}
        current = in_force(self._schedule, self._clock.now_ms() // 1000)
        wanted |= {self._current} if current is None else {self._current, current.version}
        self._known = {version: self._known[version] for version in wanted & self._known.keys()}

    def _switch(self) -> None:
        """Use what is in force by now."""
        current = in_force(self._schedule, self._clock.now_ms() // 1000)
        if current is None or current.version == self._current:
            return
        catalogue = self._known.get(current.version)
        if catalogue is None:
            return  # not read yet
        log.info("catalogue_in_force", catalogue=current.version, before=self._current)
        _SWITCHES.inc()
        self._current = current.version
        self._use(catalogue)

    def _until_next_s(self) -> float:
        """Until the next switch; the wall clock may be set meanwhile, so never longer than until the next look."""
        now_ms = self._clock.now_ms()
        following = upcoming(self._schedule, now_ms // 1000)
        if not following:
            return CATALOGUE_LOOK_INTERVAL_S
        return min(CATALOGUE_LOOK_INTERVAL_S, max(0.001, (following[0].effective_s * 1000 - now_ms) / 1000))
