"""A store at two or three sites: one primary, replicas that follow it later, crashes, promotion, split brain.

A site is its log: what it carried out, in order, each entry with the time by its own clock. A replica has the
beginning of its primary's log; a crash cuts a log where nothing is fsynced; a promoted replica goes on from what it
has. The values themselves are the log played into a :class:`~ocs.balance.memory_store.MemoryStore`, so that what is
simulated is the store that the contract's tests hold to the real one.
"""

from collections.abc import Callable
from itertools import count, islice
from random import Random
from typing import Any, Literal, NamedTuple

from ocs.balance.memory_store import MemoryStore
from ocs.balance.store import Commit, CommitResult, Committed, Conflict
from ocs.clock import ManualClock
from tests.support.auditor import Auditor
from tests.support.books import Key, check
from tests.support.history import History

Ask = Callable[[MemoryStore, Callable[[Any], None]], None]
Durability = Literal["fsync", "replicated"]


class Entry(NamedTuple):
    """One write that a store carried out.

    Attributes:
        site_ms: by the store's clock; true_ms: by the world's.
        stream_ids: of the events that the commit appended.
        excused_ms: see :meth:`~tests.support.history.History.committed`.
    """

    site_ms: int
    true_ms: int
    ask: Ask
    commit: Commit | None = None
    is_beat: bool = False
    stream_ids: tuple[int, ...] = ()
    excused_ms: int = 0


class SiteClock:
    """A store's own clock: a little off; while a log is played it shows the time of its entries."""

    def __init__(self, true: ManualClock, skew_ms: int) -> None:
        self._true = true
        self.skew_ms = skew_ms
        self.played_ms: int | None = None

    def now_ms(self) -> int:
        return self._true.now_ms() + self.skew_ms if self.played_ms is None else self.played_ms

    def steady_ms(self) -> int:
        return self.now_ms()


class Site:
    """One store.

    Attributes:
        log: what it has carried out. fsynced: how much of it survives a crash.
        run: a line of history; a replica of another run must begin anew.
        follows: whom it replicates; None for one that believes itself the primary.
        acked: how much of this site's log its replicas, by name, are known to have.
        positions: where in the log each request was processed.
    """

    def __init__(self, sites: "Sites", name: str, clock: SiteClock) -> None:
        self._sites = sites
        self.name = name
        self.clock = clock
        self.log: list[Entry] = []
        self.fsynced = 0
        self.run = 0
        self.is_up = True
        self.follows: Site | None = None
        self.is_linked = True
        self.acked: dict[str, int] = {}
        self._begin()

    def _begin(self) -> None:
        self.data = MemoryStore(self.clock)
        self.history: History = self._sites.auditor.new_history()
        self.positions: dict[Key, int] = {}
        self.streams: dict[int, list[tuple[int, bytes]]] = {}
        self._last_stream_id = 0

    def play(self, log: list[Entry]) -> None:
        """Come up with the values of a log: after a crash, or promoted."""
        self._begin()
        self.log = log
        self.fsynced = len(log)
        for position, entry in enumerate(log):
            self.clock.played_ms = entry.site_ms
            self._carry_out(entry.ask)
            self._take(entry, position)
        self.clock.played_ms = None

    @property
    def is_serving(self) -> bool:
        """Whether it takes calls: up, and a primary as far as it knows."""
        return self.is_up and self.follows is None

    # --- Calls ------------------------------------------------------------------------------------------

    def _carry_out(self, ask: Ask) -> list[Any]:
        told: list[Any] = []
        ask(self.data, told.append)
        while self.data.step():
            pass
        return told

    def read(self, ask: Ask) -> list[Any]:
        """Carry out a call that changes nothing."""
        return self._carry_out(ask)

    def write(self, ask: Ask, *, is_beat: bool = False) -> list[Any]:
        """Carry out a call that changes something, and log it."""
        told = self._carry_out(ask)
        self._append(Entry(self.clock.now_ms(), self._sites.true.now_ms(), ask, is_beat=is_beat))
        return told

    def commit(self, commit: Commit) -> CommitResult:
        """Carry out a commit; what it changed is logged."""

        def ask(data: MemoryStore, tell: Callable[[CommitResult], None]) -> None:
            data.commit(commit, tell)

        (result,) = self._carry_out(ask)
        site_ms, true_ms = self.clock.now_ms(), self._sites.true.now_ms()
        if isinstance(result, Committed):
            ids = tuple(
                max(self._last_stream_id + 1 + index, site_ms << 8) for index in range(len(commit.events))
            )
            excused_ms = self._sites.excused_ms.get(commit.token, 0)
            self._append(Entry(site_ms, true_ms, ask, commit, stream_ids=ids, excused_ms=excused_ms))
        elif isinstance(result, Conflict) and commit.claims_turn:
            self._append(Entry(site_ms, true_ms, ask))
        return result

    def _append(self, entry: Entry) -> None:
        self.log.append(entry)
        self._take(entry, len(self.log) - 1)
        if entry.commit is not None and self is self._sites.primary:
            self._sites.auditor.look()

    def _take(self, entry: Entry, position: int) -> None:
        """Tell the auditor of an entry that was carried out here, and keep its events."""
        if entry.is_beat:
            self.history.beaten(entry.true_ms)
        commit = entry.commit
        if commit is None:
            return
        if entry.stream_ids:
            stream = self.streams.setdefault(commit.partition, [])
            stream += zip(entry.stream_ids, commit.events, strict=True)
            self._last_stream_id = entry.stream_ids[-1]
        processed = self.history.processed
        known = len(processed)
        self.history.committed(commit, entry.true_ms, excused_ms=entry.excused_ms)
        for key in islice(reversed(processed), len(processed) - known):
            self.positions[key] = position


class Sites:
    """All sites, and who is the primary in truth: what a promotion has made so, whether others know it or not.

    Attributes:
        needed: ``replicas`` of the settings: how many must have a write before it is answered.
        excused_ms: token of a commit -> how far behind the store's clock its worker thought it was.
    """

    def __init__(
        self, random: Random, true: ManualClock, auditor: Auditor, *, durability: Durability, replicas: int
    ) -> None:
        self._random = random
        self.true = true
        self.auditor = auditor
        self.durability: Durability = durability
        self.needed = replicas if durability == "replicated" else 0
        self.excused_ms: dict[bytes, int] = {}
        self._runs = count(1)
        names = "ABC"[: self.needed + 1]
        self.all = [Site(self, name, SiteClock(true, random.randint(-2000, 2000))) for name in names]
        self.primary = self.all[0]
        self.promotions = 0
        for site in self.all[1:]:
            site.follows = self.primary
        self._count_as_primary()

    def _count_as_primary(self) -> None:
        self.auditor.history = self.primary.history
        self.auditor.look()

    # --- Replication ------------------------------------------------------------------------------------

    @property
    def replicas(self) -> list[Site]:
        """Every site that follows another."""
        return [site for site in self.all if site.follows is not None]

    def replicate(self, replica: Site, most: int | None = None) -> None:
        """Let a replica take the next entries of its primary's log, or the whole when it comes from another run."""
        source = replica.follows
        if source is None or not (source.is_up and replica.is_up and replica.is_linked):
            return
        if replica.run != source.run:
            replica.log = list(source.log)
            replica.run = source.run
        else:
            behind = len(source.log) - len(replica.log)
            replica.log += source.log[len(replica.log) :][: behind if most is None else most]
        replica.fsynced = len(replica.log)

    def acknowledge(self, replica: Site) -> None:
        """Let a primary learn how far its replica is."""
        source = replica.follows
        if source is None or not (source.is_up and replica.is_up and replica.is_linked):
            return
        if replica.run == source.run:
            source.acked[replica.name] = len(replica.log)

    def is_covered(self, site: Site, position: int) -> bool:
        """What WAIT asks: whether enough replicas have a site's log up to there."""
        return sum(acked >= position for acked in site.acked.values()) >= self.needed

    def fsync(self, site: Site) -> None:
        """What a site has carried out survives from here on."""
        if site.is_up and site.follows is None:
            site.fsynced = len(site.log)

    def keep_up(self) -> None:
        """Everything carried out is on disk, and at the replicas that can be reached."""
        for site in self.all:
            self.fsync(site)
        for replica in self.replicas:
            self.replicate(replica)
            self.acknowledge(replica)

    @property
    def promotable(self) -> list[Site]:
        """Replicas that have all that was ever acknowledged: they follow the primary, and have begun with its data."""
        primary = self.primary
        return [
            site
            for site in self.replicas
            if site.follows is primary and (site.run == primary.run or not primary.acked)
        ]

    def check_durable(self, key: Key) -> None:
        """An answer leaves: what was processed for it must survive whatever may happen to a store now."""
        primary = self.primary
        position = primary.positions[key]
        check(position < primary.fsynced, "answered before the fsync:", key)
        if self.durability == "replicated":
            for site in self.promotable:
                has_it = len(site.log) > position and site.log[position] is primary.log[position]
                check(has_it, "answered, and not yet at site", site.name, key)

    # --- Faults -----------------------------------------------------------------------------------------

    def crash(self, site: Site) -> None:
        """A store ends, power and all: what was not fsynced may be lost."""
        site.is_up = False
        if site.follows is None:
            kept = self._random.randint(site.fsynced, len(site.log))
            site.log = site.log[:kept]

    def restart(self, site: Site) -> None:
        """A store that ended comes back with what it has; its replicas begin anew."""
        if site.is_up:
            return
        site.is_up = True
        if site.follows is None:
            self._serve(site, site.log)
            if site is self.primary:
                self._count_as_primary()
                self.auditor.check_acknowledged()

    def promote(self, replica: Site) -> Site:
        """A replica becomes the primary with what it has; the old one does not hear of it.

        Returns:
            The old primary, which goes on serving those who do not know.
        """
        old = self.primary
        replica.follows = None
        replica.is_linked = True
        self._serve(replica, list(replica.log))
        self.primary = replica
        self.promotions += 1
        self._count_as_primary()
        self.auditor.check_acknowledged()
        return old

    def _serve(self, site: Site, log: list[Entry]) -> None:
        site.play(log)
        site.run = next(self._runs)
        site.acked = {}

    def demote(self, site: Site) -> None:
        """An old primary, or a replica of one, hears who the primary is, and follows it."""
        if site is not self.primary:
            site.follows = self.primary
            site.acked = {}

    def heal(self) -> None:
        """Repair everything."""
        for site in self.all:
            site.is_linked = True
            self.restart(site)
            self.demote(site)
        for replica in self.replicas:
            self.replicate(replica)
            self.acknowledge(replica)
        self.fsync(self.primary)
