"""Keeps a view in step with the store, and tells those who watch what changes."""

from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import structlog
import trio

from ocs.faults.store.batch import FollowedChange, Snapshot, StoreUnavailableError, parse_entry_id
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.naming import ResourceNames
from ocs.limits import ALARM_WATCH_CHANGES_MAX, STORE_TOPOLOGY_PAUSE_S
from ocs.metrics import Counter

log = structlog.get_logger()

_LOADED: Final = Counter(
    "ocs_alarm_view_loads_total", "Times that a view of the alarm list was loaded as a whole."
)


class Source(Protocol):
    """Where a view comes from (:class:`~ocs.faults.store.reader.AlarmReader`)."""

    async def load(self) -> Snapshot:
        """The list now."""
        ...

    async def read(self, after_id: str) -> list[FollowedChange] | None:
        """The next changes; empty after a while without, None when some were missed."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...


class AlarmFollower:
    """A view that follows the store.

    Args:
        names: what people call resources.

    Attributes:
        view: as it is now; another object after each loading.
        is_loaded: whether it was ever loaded.
        is_current: whether it follows the store now; a view that does not is shown with that said.
        last_id: of the last change that the view has taken.
    """

    def __init__(self, source: Source, names: ResourceNames | None = None) -> None:
        self._source = source
        self._names = names
        self.view = AlarmView(names=names)
        self.is_loaded = False
        self.is_current = False
        self.last_id = "0-0"
        self._watches: set[Watch] = set()
        self._recent: deque[FollowedChange] = deque(maxlen=ALARM_WATCH_CHANGES_MAX)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow for ever; started when the list was loaded for the first time. Cancelled, the view stays as it is."""
        is_told = is_started = False
        must_load = True
        try:
            while True:
                try:
                    if must_load:
                        await self._load()
                        must_load = False
                        if not is_started:
                            is_started = True
                            task_status.started()
                    found = await self._source.read(self.last_id)
                except StoreUnavailableError as error:
                    self.is_current = False
                    if not is_told:
                        is_told = True
                        log.warning("alarm_view_not_current", reason=str(error), remedy="look at the store")
                    await trio.sleep(STORE_TOPOLOGY_PAUSE_S)
                    continue
                is_told = False
                if found is None:
                    must_load = True
                else:
                    self.is_current = True
                    self._take(found)
        finally:
            self.is_current = False
            await self._source.aclose()

    async def _load(self) -> None:
        snapshot = await self._source.load()
        self.view = AlarmView(snapshot.alarms, snapshot.operators, self._names)
        self.last_id = snapshot.last_id
        self.is_loaded = self.is_current = True
        _LOADED.inc()
        self._recent.clear()
        for watch in self._watches:
            watch.miss()

    def _take(self, found: Sequence[FollowedChange]) -> None:
        for followed in found:
            self.view.apply(followed.change)
        if found:
            self.last_id = found[-1].entry_id
            self._recent.extend(found)
            for watch in self._watches:
                watch.put(found)

    @contextmanager
    def watch(self, after_id: str | None = None) -> "Generator[Watch]":
        """Be told of changes from now on, or behind one that was told before.

        Args:
            after_id: what a listener says that it has seen last (SSE's Last-Event-ID); None: everything until now.
        """
        watch = Watch()
        if after_id is not None:
            missed = self._since(after_id)
            if missed is None:
                watch.miss()
            else:
                watch.put(missed)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def _since(self, after_id: str) -> list[FollowedChange] | None:
        """The changes behind one that was told; None when they are not at hand any more."""
        if after_id == self.last_id:
            return []
        try:
            after = parse_entry_id(after_id)
        except ValueError:
            return None
        behind = [followed for followed in self._recent if parse_entry_id(followed.entry_id) > after]
        # The one that was told must be at hand itself: else others between may be gone.
        return behind if len(behind) < len(self._recent) else None


class Watch:
    """One who is told of changes, by a bounded queue."""

    def __init__(self) -> None:
        self._waiting: deque[FollowedChange] = deque()
        self._has_missed = False
        self._something = trio.Event()

    def put(self, found: Sequence[FollowedChange]) -> None:
        """Have it told of changes; one that does not take them misses all that wait."""
        if len(self._waiting) + len(found) > ALARM_WATCH_CHANGES_MAX:
            self.miss()
            return
        self._waiting.extend(found)
        if found:
            self._something.set()

    def miss(self) -> None:
        """Have it told that it must look at the whole list again."""
        self._waiting.clear()
        self._has_missed = True
        self._something.set()

    async def receive(self) -> list[FollowedChange] | None:
        """The changes since the last call, when there are some; cancelled, they wait for the next call.

        Returns:
            None when some were missed: the whole list is to be looked at again; changes follow from there.
        """
        await self._something.wait()
        self._something = trio.Event()
        if self._has_missed:
            self._has_missed = False
            if self._waiting:
                self._something.set()
            return None
        found = list(self._waiting)
        self._waiting.clear()
        return found
