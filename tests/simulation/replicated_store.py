"""A connection to one of the sites: a :class:`~ocs.balance.store.BalanceStore` whose calls go out in batches.

Replies come in order, after the site's fsync; under ``replicated`` those of commits come after the barrier at the
batch's end (a small write and WAIT), or say that its outcome is unknown. A connection breaks, and then the calls on
it have happened, will happen, happen twice, or never.
"""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from ocs.balance.memory_store import MemoryStore
from ocs.balance.store import Commit, CommitResult, Heartbeat, Stored, Unavailable
from tests.simulation.sites import Ask, Site, Sites
from tests.support.books import check

BARRIER_TIMEOUT_MS = 1_000
CALL_TIMEOUT_MS = 3_000


class Call:
    """One call: how a site carries it out, and who waits for its reply."""

    def __init__(self, carry_out: Callable[[Site], Any], done: Callable[[Any], None], since_ms: int) -> None:
        self.carry_out = carry_out
        self.done = done
        self.since_ms = since_ms
        self.needs_barrier = False
        self.reply: Any = None
        self.position = 0


class StoreConnection:
    """One process' connection.

    Attributes:
        site: where it leads; it may be one that is the primary no more.
        is_down: calls answer Unavailable at once.
        late: calls that a broken connection's site may still carry out.
        excused_ms: how far the clock of whoever uses it was set back.
    """

    def __init__(self, random: Random, sites: Sites, *, is_watched: bool = True) -> None:
        self._random = random
        self._sites = sites
        self.site = sites.primary
        self.is_down = False
        self.late: deque[tuple[Site, Callable[[Site], Any], int]] = deque()
        self.door = Door() if is_watched else None
        self._queue: deque[Call] = deque()
        self._batch: deque[Call] = deque()
        self._replies: deque[Call] = deque()
        self._barrier: tuple[int, int] | None = None  # position to be covered, until when
        self._barrier_is_due = False

    # --- BalanceStore -----------------------------------------------------------------------------------

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        if self.door is not None:
            done = self.door.watched(commit, done)
        self._call(lambda site: site.commit(commit), done, needs_barrier=self.needs_barrier(commit))

    def needs_barrier(self, commit: Commit) -> bool:
        """Every commit does, also one that wrote nothing: what it confirms must be as durable as what it writes."""
        return self._sites.durability == "replicated"

    def load(self, keys: Sequence[str], done: Callable[[tuple[Stored, ...] | Unavailable], None]) -> None:
        wanted = tuple(keys)
        if self.door is not None:
            done = self.door.loaded(wanted, done)
        self._read(lambda data, tell: data.load(wanted, tell), done)

    def read_hint(self, key: str, done: Callable[[bytes | Unavailable | None], None]) -> None:
        self._read(lambda data, tell: data.read_hint(key, tell), done)

    def write_hint(self, key: str, value: bytes, ttl_ms: int) -> None:
        def ask(data: MemoryStore, tell: Callable[[Any], None]) -> None:
            data.write_hint(key, value, ttl_ms)

        self._call(lambda site: site.write(ask), lambda _: None)

    def due(
        self, partition: int, until_ms: int, limit: int, done: Callable[[tuple[str, ...] | Unavailable], None]
    ) -> None:
        self._read(lambda data, tell: data.due(partition, until_ms, limit, tell), done)

    def heartbeat(self, done: Callable[[Heartbeat | Unavailable], None]) -> None:
        def ask(data: MemoryStore, tell: Callable[[Any], None]) -> None:
            data.heartbeat(tell)

        self._call(lambda site: site.write(ask, is_beat=True)[0], done)

    def read_events(self, partition: int, done: Callable[[Any], None], *, barrier: bool) -> None:
        """Read a partition's stream, all of it, as (stream id, event)."""
        self._call(lambda site: tuple(site.streams.get(partition, ())), done, needs_barrier=barrier)

    def _read(self, ask: Ask, done: Callable[[Any], None]) -> None:
        self._call(lambda site: site.read(ask)[0], done)

    # --- Steps ------------------------------------------------------------------------------------------

    def _call(
        self, carry_out: Callable[[Site], Any], done: Callable[[Any], None], *, needs_barrier: bool = False
    ) -> None:
        if self.is_down:
            done(Unavailable("the store is not connected"))
            return
        call = Call(carry_out, done, self._sites.true.now_ms())
        call.needs_barrier = needs_barrier
        self._queue.append(call)

    @property
    def unanswered(self) -> int:
        """Calls without a reply."""
        return len(self._queue) + len(self._batch) + len(self._replies)

    def step(self) -> bool:
        """Let one thing happen: a reply, a call carried out, the barrier, or a new batch. False: nothing can."""
        if self.is_down or not self.site.is_serving:
            return False
        return self._hand_out() or self._carry_out_next() or self._begin_batch()

    def _hand_out(self) -> bool:
        if self._replies:
            call = self._replies[0]
            if call.position <= self.site.fsynced and not (
                call.needs_barrier and not self._pass_barrier(call)
            ):
                self._replies.popleft()
                call.done(call.reply)
                return True
        return False

    def _pass_barrier(self, call: Call) -> bool:
        """Whether WAIT has answered; when it says that replicas are missing, the call's outcome is unknown."""
        if self._barrier is None:
            return False
        position, until_ms = self._barrier
        if self._sites.is_covered(self.site, position):
            return True
        if self._sites.true.now_ms() < until_ms:
            return False
        call.reply = Unavailable("too few replicas have it")
        return True

    def _carry_out_next(self) -> bool:
        site = self.site
        if self._batch:
            call = self._batch.popleft()
            call.reply = call.carry_out(site)
            call.position = len(site.log)
            self._replies.append(call)
            return True
        if self._barrier_is_due:
            self._barrier_is_due = False
            site.write(lambda data, tell: None)
            self._barrier = len(site.log), self._sites.true.now_ms() + BARRIER_TIMEOUT_MS
            return True
        return False

    def _begin_batch(self) -> bool:
        if self._replies or not self._queue:
            return False  # WAIT blocks its connection
        for _ in range(self._random.randint(1, len(self._queue))):
            self._batch.append(self._queue.popleft())
        self._barrier = None
        self._barrier_is_due = any(call.needs_barrier for call in self._batch)
        return True

    # --- Faults -----------------------------------------------------------------------------------------

    @property
    def has_waited_too_long(self) -> bool:
        """Whether the oldest call has waited for longer than any worker does."""
        for calls in (self._replies, self._batch, self._queue):
            if calls:
                return self._sites.true.now_ms() - calls[0].since_ms > CALL_TIMEOUT_MS
        return False

    def lose(self) -> None:
        """Break: no call hears of what became of it."""
        for call in self._break():
            call.done(Unavailable("connection lost"))

    def die(self) -> None:
        """The worker is killed: likewise, and nobody is left to hear."""
        self._break()

    def lead_to(self, site: Site) -> None:
        """Connect to another site."""
        self.lose()
        self.site = site

    def _break(self) -> list[Call]:
        carried_out, waiting = list(self._replies), [*self._batch, *self._queue]
        self._replies.clear()
        self._batch.clear()
        self._queue.clear()
        self._barrier, self._barrier_is_due = None, False
        random, site = self._random, self.site
        if site.is_serving:
            now_ms = self._sites.true.now_ms()
            arrived = random.randint(0, len(waiting))
            for call in waiting[:arrived]:
                if self.late or random.random() < 0.3:
                    self.late.append((site, call.carry_out, now_ms))
                else:
                    call.carry_out(site)
            for call in (*carried_out, *waiting[:arrived]):
                if random.random() < 0.05:  # a client of another kind sends again what its connection lost
                    self.late.append((site, call.carry_out, now_ms))
        return carried_out + waiting

    def carry_out_late(self) -> bool:
        """Let the site of a connection that is gone carry out what it had received from it."""
        if not self.late:
            return False
        site, carry_out, since_ms = self.late.popleft()
        if site.is_serving and self._sites.true.now_ms() - since_ms < CALL_TIMEOUT_MS:
            carry_out(site)
        return True


class Door:
    """What every worker keeps to, though tokens would save it: one commit per account, and a look after a doubt."""

    def __init__(self) -> None:
        self._under_way: set[str] = set()
        self._in_doubt: set[str] = set()

    def watched(self, commit: Commit, done: Callable[[CommitResult], None]) -> Callable[[CommitResult], None]:
        account_key = next(key for key in commit.keys if key[key.index("}") + 1] == "a")
        check(account_key not in self._under_way, "two commits under way for", account_key)
        check(account_key not in self._in_doubt, "not read again after an unknown outcome:", account_key)
        self._under_way.add(account_key)

        def told(result: CommitResult) -> None:
            self._under_way.discard(account_key)
            if isinstance(result, Unavailable):
                self._in_doubt.add(account_key)
            done(result)

        return told

    def loaded(self, keys: tuple[str, ...], done: Callable[[Any], None]) -> Callable[[Any], None]:
        def told(result: tuple[Stored, ...] | Unavailable) -> None:
            if not isinstance(result, Unavailable):
                self._in_doubt.difference_update(keys)
            done(result)

        return told
