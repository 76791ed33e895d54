"""A worker's connection to a shared store in memory, which can break, lose answers, and die with its worker."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ocs.balance.memory_store import MemoryStore
from ocs.balance.store import Commit, CommitResult, Committed, Heartbeat, Stored, Unavailable

Ask = Callable[[Callable[[Any], None]], None]


class WatchedStore(MemoryStore):
    """A store in memory that tells each commit it has carried out."""

    on_committed: Callable[[Commit], None] = staticmethod(lambda commit: None)

    def apply(self, commit: Commit) -> CommitResult:
        result = super().apply(commit)
        if isinstance(result, Committed):
            self.on_committed(commit)
        return result


class Connection:
    """A :class:`~ocs.balance.store.BalanceStore`: calls wait in order until they are stepped through or lost."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.is_down = False
        self._queue: deque[tuple[Ask, Callable[[Any], None]]] = deque()

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        self._call(lambda tell: self.store.commit(commit, tell), done)

    def load(self, keys: Sequence[str], done: Callable[[tuple[Stored, ...] | Unavailable], None]) -> None:
        wanted = tuple(keys)
        self._call(lambda tell: self.store.load(wanted, tell), done)

    def read_hint(self, key: str, done: Callable[[bytes | Unavailable | None], None]) -> None:
        self._call(lambda tell: self.store.read_hint(key, tell), done)

    def write_hint(self, key: str, value: bytes, ttl_ms: int) -> None:
        self._call(lambda tell: self.store.write_hint(key, value, ttl_ms), lambda _: None)

    def due(
        self, partition: int, until_ms: int, limit: int, done: Callable[[tuple[str, ...] | Unavailable], None]
    ) -> None:
        self._call(lambda tell: self.store.due(partition, until_ms, limit, tell), done)

    def heartbeat(self, done: Callable[[Heartbeat | Unavailable], None]) -> None:
        self._call(self.store.heartbeat, done)

    # --- What happens to calls --------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """Calls not yet carried out."""
        return len(self._queue)

    def _call(self, ask: Ask, done: Callable[[Any], None]) -> None:
        if self.is_down:
            done(Unavailable("the store is not connected"))
        else:
            self._queue.append((ask, done))

    def _carry_out(self, ask: Ask) -> list[Any]:
        told: list[Any] = []
        ask(told.append)
        while self.store.step():
            pass
        return told

    def step(self) -> bool:
        """Carry out the oldest call and answer it; say whether there was one."""
        if not self._queue:
            return False
        ask, done = self._queue.popleft()
        for result in self._carry_out(ask):
            done(result)
        return True

    def run(self) -> None:
        """Carry out everything, also what answers lead to."""
        while self.step():
            pass

    def lose(self, carried_out: int) -> None:
        """Break: the oldest calls still reach the store, no call hears of it."""
        lost = list(self._queue)
        self._queue.clear()
        for index, (ask, done) in enumerate(lost):
            if index < carried_out:
                self._carry_out(ask)
            done(Unavailable("connection lost"))

    def die(self, carried_out: int) -> None:
        """The worker is killed: the oldest calls still reach the store, nobody is left to hear."""
        for index, (ask, _) in enumerate(self._queue):
            if index < carried_out:
                self._carry_out(ask)
        self._queue.clear()
