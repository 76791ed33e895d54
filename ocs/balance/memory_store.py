"""The store's contract in memory, for tests and the simulation: same answers, no server.

Calls are queued and carried out by :meth:`step`, one at a time or all, so that a simulation can put anything
between two steps. Callbacks run inside the step.
"""

from collections import deque
from collections.abc import Callable, Sequence

from ocs import limits
from ocs.balance.store import (
    COMMITTED,
    NONCE_OCTETS,
    NOT_YOUR_TURN,
    NOTHING,
    TOO_EARLY,
    Commit,
    CommitResult,
    Conflict,
    Heartbeat,
    Stored,
    Unavailable,
)
from ocs.clock import Clock


class MemoryStore:
    """A :class:`~ocs.balance.store.BalanceStore` over dictionaries.

    Attributes:
        values: key -> stored value. hints: directory and locators.
        events: partition -> encoded charge events in order. deadlines, agenda: partition -> member -> score.
        on_call: called after each call was queued (an engine under test wakes its stepper with it).
    """

    def __init__(self, clock: Clock, on_call: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self.on_call = on_call
        self.values: dict[str, Stored] = {}
        self.expires_ms: dict[str, int] = {}
        self.hints: dict[str, bytes] = {}
        self.events: dict[int, list[bytes]] = {}
        self.deadlines: dict[int, dict[str, int]] = {}
        self.agenda: dict[int, dict[str, int]] = {}
        self.commits = 0
        self._last_beat_ms: int | None = None
        self._outage_ms = 0
        self._queue: deque[Callable[[], None]] = deque()

    # --- BalanceStore -----------------------------------------------------------------------------------

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        """Write a decision if everything it read still stands."""
        self._call(lambda: done(self.apply(commit)))

    def load(self, keys: Sequence[str], done: Callable[[tuple[Stored, ...] | Unavailable], None]) -> None:
        """Read values of one partition with their tokens."""
        wanted = tuple(keys)
        self._call(lambda: done(tuple(self._get(key) for key in wanted)))

    def read_hint(self, key: str, done: Callable[[bytes | Unavailable | None], None]) -> None:
        """Read a directory or locator entry."""
        self._call(lambda: done(self.hints.get(key)))

    def write_hint(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Write a directory or locator entry; its time to live is not kept here."""
        del ttl_ms
        self._call(lambda: self.hints.__setitem__(key, value))

    def due(
        self, partition: int, until_ms: int, limit: int, done: Callable[[tuple[str, ...] | Unavailable], None]
    ) -> None:
        """List members of the deadlines whose time has come."""

        def listed() -> None:
            deadlines = self.deadlines.get(partition, {})
            ordered = sorted((score, member) for member, score in deadlines.items() if score <= until_ms)
            done(tuple(member for _, member in ordered[:limit]))

        self._call(listed)

    def heartbeat(self, done: Callable[[Heartbeat | Unavailable], None]) -> None:
        """Tell the store that we live; learn its time and our outages."""

        def beat() -> None:
            now_ms = self._clock.now_ms()
            last_ms = now_ms if self._last_beat_ms is None else self._last_beat_ms
            if now_ms - last_ms > limits.OUTAGE_THRESHOLD_MS:
                self._outage_ms += now_ms - last_ms
            self._last_beat_ms = max(now_ms, last_ms)
            done(Heartbeat(now_ms, self._outage_ms))

        self._call(beat)

    # --- Steps ------------------------------------------------------------------------------------------

    def _call(self, action: Callable[[], None]) -> None:
        self._queue.append(action)
        self.on_call()

    @property
    def queued(self) -> int:
        """Calls not yet carried out."""
        return len(self._queue)

    def step(self) -> bool:
        """Carry out the oldest call; say whether there was one."""
        if not self._queue:
            return False
        self._queue.popleft()()
        return True

    def drop_calls(self) -> None:
        """Lose every call not yet carried out, as when a worker dies."""
        self._queue.clear()

    def _get(self, key: str) -> Stored:
        expires_ms = self.expires_ms.get(key)
        if expires_ms is not None and expires_ms <= self._clock.now_ms():
            self.values.pop(key, None)
            del self.expires_ms[key]
        return self.values.get(key, NOTHING)

    def apply(self, commit: Commit) -> CommitResult:
        """Carry out a commit as commit.lua does."""
        holder = self._get(commit.turn_key).content if commit.turn_key else b""
        if holder and holder != commit.token[:NONCE_OCTETS]:
            return NOT_YOUR_TURN
        current = tuple(self._get(key) for key in commit.keys)
        if tuple(stored.token for stored in current) != commit.expected:
            if commit.claims_turn:
                self.values[commit.turn_key] = Stored(commit.token, commit.token[:NONCE_OCTETS])
                self.expires_ms[commit.turn_key] = self._clock.now_ms() + limits.TURN_MS
            return Conflict(current)
        if commit.not_before_ms is not None and self._clock.now_ms() < commit.not_before_ms:
            return TOO_EARLY
        self.commits += 1
        for write in commit.writes:
            key = commit.keys[write.index]
            self.values[key] = Stored(commit.token, write.content)
            self.expires_ms.pop(key, None)
            if write.ttl_ms:
                self.expires_ms[key] = self._clock.now_ms() + write.ttl_ms
        self.events.setdefault(commit.partition, []).extend(commit.events)
        for scores, changes in ((self.deadlines, commit.deadlines), (self.agenda, commit.agenda)):
            listed = scores.setdefault(commit.partition, {})
            for change in changes:
                if change.score_ms is None:
                    listed.pop(change.member, None)
                else:
                    listed[change.member] = change.score_ms
        if holder:
            del self.values[commit.turn_key], self.expires_ms[commit.turn_key]
        return COMMITTED
