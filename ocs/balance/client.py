"""The public client of the balance room: read and move balances from outside the hot path, by redis-py.

It goes through the same door as charging: :meth:`BalanceClient.change` reads, lets a pure function decide, and
commits if nothing it read has changed meanwhile.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import redis

from ocs import limits
from ocs.balance import keys
from ocs.balance.model import (
    Account,
    Session,
    Subscriber,
    decode_account,
    decode_session,
    decode_subscriber,
    encode_value,
)
from ocs.balance.redis_store import commit_command, decode_commit_reply, decode_stored
from ocs.balance.store import (
    ABSENT,
    Commit,
    CommitResult,
    Committed,
    Conflict,
    Stored,
    TokenSource,
    Unavailable,
    Write,
)
from ocs.events import ChargeEvent, decode_event, encode_event

_SCAN_COUNT: Final = 1_000


class StoreBusyError(Exception):
    """An account changed under us too often, or the store did not confirm: nothing is known to be written."""


class Change(msgspec.Struct, frozen=True):
    """What an operation leads to: new contents by key, and the events of what moved."""

    writes: dict[str, msgspec.Struct]
    events: tuple[ChargeEvent, ...] = ()
    ttl_ms: dict[str, int] = {}


class BalanceClient:
    """Reads and changes accounts in a store that is set up (see :mod:`ocs.balance.store_admin`)."""

    def __init__(self, connection: "redis.Redis", *, partitions: int) -> None:
        self._redis: Any = connection
        self.partitions = partitions
        self._tokens = TokenSource()

    # --- Reading ----------------------------------------------------------------------------------------

    def partition_of(self, account_id: str) -> int:
        """The partition in which an account's values lie."""
        return keys.partition_of(account_id, self.partitions)

    def account(self, account_id: str) -> Account | None:
        """An account as it stands; None when there is none."""
        (stored,) = self.load((keys.account_key(self.partition_of(account_id), account_id),))
        return None if stored.token == ABSENT else decode_account(stored.content)

    def subscriber(self, account_id: str, subscriber_id: str) -> Subscriber | None:
        """A subscriber of an account; None when there is none."""
        (stored,) = self.load((keys.subscriber_key(self.partition_of(account_id), subscriber_id),))
        return None if stored.token == ABSENT else decode_subscriber(stored.content)

    def session(self, session_id: str) -> Session | None:
        """A session, found by its locator."""
        location = self._redis.get(keys.locator_key(session_id))
        if location is None:
            return None
        account_id, _ = keys.decode_location(location)
        (stored,) = self.load((keys.session_key(self.partition_of(account_id), account_id, session_id),))
        return None if stored.token == ABSENT else decode_session(stored.content)

    def locate(self, identity: str) -> tuple[str, str] | None:
        """Account and subscriber id of an identity (a hint)."""
        location = self._redis.get(keys.identity_key(identity))
        return None if location is None else keys.decode_location(location)

    def scan_accounts(self, cursor: int = 0, count: int = _SCAN_COUNT) -> tuple[int, list[Account]]:
        """One page of accounts in no order; a cursor of 0 starts, and comes back at the end."""
        cursor, stored = self._scan("a", cursor, count)
        return cursor, [decode_account(value.content) for value in stored]

    def scan_sessions(self, cursor: int = 0, count: int = _SCAN_COUNT) -> tuple[int, list[Session]]:
        """One page of sessions, closed ones that are still remembered included."""
        cursor, stored = self._scan("s", cursor, count)
        return cursor, [decode_session(value.content) for value in stored]

    def _scan(self, kind: str, cursor: int, count: int) -> tuple[int, list[Stored]]:
        cursor, listed = self._redis.scan(cursor, match=f"{{*}}{kind}:*", count=count)
        # The store's pattern also finds a session whose id ends like a key of this kind begins.
        own = re.compile(rb"\{[0-9]+\}%b:" % kind.encode())
        found = [key for key in listed if own.match(key)]
        pipeline = self._redis.pipeline(transaction=False)
        for key in found:
            pipeline.get(key)
        values: list[bytes | None] = pipeline.execute() if found else []
        return cursor, [decode_stored(value) for value in values if value is not None]

    def events(self, account_id: str) -> Iterator[ChargeEvent]:
        """Charge events of an account that the stream still holds, oldest first."""
        return (
            event
            for event in self.partition_events(self.partition_of(account_id))
            if event.account_id == account_id
        )

    def partition_events(self, partition: int) -> Iterator[ChargeEvent]:
        """All charge events of a partition that its stream still holds, oldest first."""
        start: Any = "-"
        while True:
            entries = self._redis.xrange(keys.events_key(partition), min=start, count=_SCAN_COUNT)
            for _entry_id, fields in entries:
                yield decode_event(fields[b"e"])
            if len(entries) < _SCAN_COUNT:
                return
            start = b"(" + entries[-1][0]

    # --- Changing ---------------------------------------------------------------------------------------

    def load(self, names: tuple[str, ...]) -> tuple[Stored, ...]:
        """Read values of one partition with their tokens."""
        return tuple(decode_stored(value) for value in self._redis.mget(names))

    def change(
        self, account_id: str, names: tuple[str, ...], decide: Callable[[tuple[Stored, ...]], Change | None]
    ) -> None:
        """Read values, decide, commit; decide again when something changed meanwhile.

        Args:
            account_id: in whose partition the values lie.
            names: keys of every value that the decision depends on.
            decide: pure; None when there is nothing to write. It may raise to refuse.

        Raises:
            StoreBusyError: the race was lost too often, or the store gave no clear answer.
        """
        values = self.load(names)
        for _ in range(limits.COMMIT_ATTEMPTS_MAX):
            change = decide(values)
            if change is None:
                return
            commit = self._commit_of(account_id, names, values, change)
            result = self._execute(commit)
            match result:
                case Committed():
                    return
                case Conflict(current):
                    # redis-py sends a command again when its connection broke: what stands may be our own.
                    if any(stored.token == commit.token for stored in current):
                        return
                    values = current
                case _:
                    raise StoreBusyError(f"account {account_id}: {result}")
        raise StoreBusyError(f"account {account_id} changed under us {limits.COMMIT_ATTEMPTS_MAX} times")

    def _execute(self, commit: Commit) -> CommitResult:
        try:
            return decode_commit_reply(self._redis.execute_command(*commit_command(commit)))
        except redis.RedisError as error:
            return Unavailable(str(error))

    def _commit_of(
        self, account_id: str, names: tuple[str, ...], values: tuple[Stored, ...], change: Change
    ) -> Commit:
        return Commit(
            self.partition_of(account_id),
            names,
            tuple(stored.token for stored in values),
            self._tokens.next(),
            tuple(
                Write(names.index(key), encode_value(value), change.ttl_ms.get(key, 0))
                for key, value in change.writes.items()
            ),
            tuple(encode_event(event) for event in change.events),
        )

    def create_pipelined(
        self, changes: "Iterator[tuple[str, dict[str, bytes], Change]]", batch: int = 500
    ) -> Iterator[str]:
        """Create accounts by the batch: each account id with its directory entries and its values.

        Yields:
            The ids of accounts that were not created because something stood there already.
        """
        pipeline = self._redis.pipeline(transaction=False)
        slots: list[str] = []

        def flush() -> Iterator[str]:
            for account_id, reply in zip(slots, _commit_replies(pipeline.execute()), strict=True):
                if not isinstance(decode_commit_reply(reply), Committed):
                    yield account_id
            slots.clear()

        for account_id, directory, change in changes:
            names = tuple(change.writes)
            commit = self._commit_of(account_id, names, tuple(Stored(ABSENT, b"") for _ in names), change)
            pipeline.execute_command(*commit_command(commit))
            pipeline.mset(directory)
            slots.append(account_id)
            if len(slots) >= batch:
                yield from flush()
        if slots:
            yield from flush()

    def claim_identities(
        self, account_id: str, subscriber_id: str, identities: tuple[str, ...]
    ) -> str | None:
        """Enter identities into the directory; a name that another account holds is returned, and nothing kept."""
        location = keys.encode_location(account_id, subscriber_id)
        claimed: list[str] = []
        for identity in identities:
            key = keys.identity_key(identity)
            if self._redis.set(key, location, nx=True):
                claimed.append(key)
            elif self._redis.get(key) != location and self._holds(identity):
                if claimed:
                    self._redis.delete(*claimed)
                return identity
            else:
                self._redis.set(key, location)
        return None

    def _holds(self, identity: str) -> bool:
        """Whether the subscriber that the directory names really has the identity: a crash may have left a hint."""
        location = self.locate(identity)
        if location is None:
            return False
        subscriber = self.subscriber(*location)
        return subscriber is not None and identity in subscriber.identities


def _commit_replies(replies: list[Any]) -> list[Any]:
    """Every second reply: a commit and its directory entries alternate."""
    return replies[::2]
