"""The store's contract: versioned commits and reads, by callback, so that one caller can have many in flight.

Two stores keep it: :mod:`ocs.balance.redis_store` (Redis or Valkey) and :mod:`ocs.balance.memory_store`
(tests and the simulation); one suite of tests holds both to it.
"""

from collections.abc import Callable, Sequence
from os import urandom
from typing import Final, Protocol

import msgspec

TOKEN_OCTETS: Final = 12
# How a token begins: the process that made it, which is how turns name their holder.
NONCE_OCTETS: Final = 7
ABSENT: Final = b""


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A value as the store holds it: its token (``ABSENT`` when there is none) and its content."""

    token: bytes
    content: bytes


class Write(msgspec.Struct, frozen=True, gc=False):
    """A new content for one of the commit's values.

    Attributes:
        index: which of the commit's ``keys``.
        ttl_ms: time to live, 0 for ever. Open sessions never carry one: a reservation would vanish with them.
    """

    index: int
    content: bytes
    ttl_ms: int = 0


class DeadlineChange(msgspec.Struct, frozen=True, gc=False):
    """Sets when something is looked at (a session by supervision), or takes it off the list (``None``)."""

    member: str
    score_ms: int | None


class Commit(msgspec.Struct, frozen=True, gc=False):
    """What one decision read and what it changes, in one partition.

    Attributes:
        keys: every value that the decision read, also those it leaves as they are.
        expected: their tokens then.
        token: unique for ever, put on every value written. Not a counter: after a failover a counter can
            repeat with other content behind it.
        not_before_ms: refuse while the store's own clock is earlier.
        turn_key: where the turn on the account is kept (:func:`~ocs.balance.keys.turn_key`); empty takes no part.
        claims_turn: should this commit lose its race, its worker shall be alone for limits.TURN_MS.
        agenda: when what no session watches is looked at: renewals, expiries, operations that are under way.
    """

    partition: int
    keys: tuple[str, ...]
    expected: tuple[bytes, ...]
    token: bytes
    writes: tuple[Write, ...] = ()
    events: tuple[bytes, ...] = ()
    deadlines: tuple[DeadlineChange, ...] = ()
    not_before_ms: int | None = None
    turn_key: str = ""
    claims_turn: bool = False
    agenda: tuple[DeadlineChange, ...] = ()


class Committed(msgspec.Struct, frozen=True, gc=False):
    """Every token matched; what there was to write is durable as the setting promises."""


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """A token did not match; nothing was written. ``current`` is what stands at the commit's keys now."""

    current: tuple[Stored, ...]


class TooEarly(msgspec.Struct, frozen=True, gc=False):
    """The store's clock has not reached ``not_before_ms``; nothing was written."""


class NotYourTurn(msgspec.Struct, frozen=True, gc=False):
    """Another worker, which had lost two races, has the account for itself; nothing was written. Try again soon."""


class Unavailable(msgspec.Struct, frozen=True, gc=False):
    """No answer, or an error: a commit may or may not have happened. Forget what was cached and look again.

    Attributes:
        is_unsent: it was not even sent, as it would have been refused: nothing happened, and waiting brings nothing.
    """

    reason: str
    is_unsent: bool = False


CommitResult = Committed | Conflict | TooEarly | NotYourTurn | Unavailable
COMMITTED: Final = Committed()
TOO_EARLY: Final = TooEarly()
NOT_YOUR_TURN: Final = NotYourTurn()
NOTHING: Final = Stored(ABSENT, b"")


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """The store's clock and the sum of our own outages, in milliseconds."""

    store_ms: int
    outage_ms: int


class BalanceStore(Protocol):
    """What charging needs from a store. Callbacks run later, in the store's task, in the order of the calls."""

    def commit(self, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        """Write a decision if everything it read still stands."""
        ...

    def load(self, keys: Sequence[str], done: Callable[[tuple[Stored, ...] | Unavailable], None]) -> None:
        """Read values of one partition with their tokens."""
        ...

    def read_hint(self, key: str, done: Callable[[bytes | Unavailable | None], None]) -> None:
        """Read a directory or locator entry."""
        ...

    def write_hint(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Write a directory or locator entry; it is ordered before later commits and may be lost with the store."""
        ...

    def due(
        self, partition: int, until_ms: int, limit: int, done: Callable[[tuple[str, ...] | Unavailable], None]
    ) -> None:
        """List members of the deadlines whose time has come."""
        ...

    def heartbeat(self, done: Callable[[Heartbeat | Unavailable], None]) -> None:
        """Tell the store that we live; learn its time and our outages."""
        ...


class TokenSource:
    """Makes tokens that no other process, nor this one after a restart, makes again."""

    def __init__(self, nonce: bytes | None = None) -> None:
        self._nonce = urandom(NONCE_OCTETS) if nonce is None else nonce
        self._count = 0

    def next(self) -> bytes:
        """Twelve octets: seven random ones of this process and a count of five."""
        self._count += 1
        return self._nonce + self._count.to_bytes(5, "big")
