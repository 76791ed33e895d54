"""The public client of the balance room: read and move balances from outside the hot path, by redis-py.

It goes through the same door as charging: :meth:`BalanceClient.change` reads, lets a pure function decide, and
commits if nothing it read has changed meanwhile.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import redis

from ocs import limits
from ocs.balance import keys
from ocs.balance.barrier import Barrier
from ocs.balance.commit_sender import CommitSender
from ocs.balance.model import (
    Account,
    Session,
    SessionState,
    Subscriber,
    decode_account,
    decode_session,
    decode_subscriber,
    encode_value,
)
from ocs.balance.redis_commands import decode_stored
from ocs.balance.scan import next_cursor, parse_cursor
from ocs.balance.store import (
    ABSENT,
    Commit,
    CommitResult,
    Committed,
    Conflict,
    DeadlineChange,
    NotYourTurn,
    Stored,
    TokenSource,
    Unavailable,
    Write,
)
from ocs.balance.store_client import Command, StoreClient
from ocs.events import ChargeEvent, decode_event, encode_event

_SCAN_COUNT: Final = 1_000
# Sessions read at one go: a store operation of a millisecond.
_SESSIONS_PAGE: Final = 500


class StoreBusyError(Exception):
    """An account changed under us too often, or the store did not confirm: nothing is known to be written."""


def _unconfirmed(account_id: str, result: CommitResult) -> str:
    reason = result.reason if isinstance(result, Unavailable) else "the store gave no clear answer"
    return f"account {account_id}: {reason}: it may have been done all the same; do it again with the same reference"


class Change(msgspec.Struct, frozen=True):
    """What an operation leads to: new contents by key, the events of what moved, changes of the agenda by member."""

    writes: dict[str, msgspec.Struct]
    events: tuple[ChargeEvent, ...] = ()
    ttl_ms: dict[str, int] = {}
    agenda: dict[str, int | None] = {}


class BalanceClient:
    """Reads and changes accounts in a store that is set up (see :mod:`ocs.balance.store_admin`).

    Args:
        connection: threads may share it.
        partitions: of the store, as its meta says.
        barrier: what replicas must have before a change counts as done; None asks nothing of them.
    """

    def __init__(self, connection: StoreClient, *, partitions: int, barrier: Barrier | None = None) -> None:
        self._store = connection
        self._redis: Any = connection  # redis-py's commands are partly untyped
        self._sender = CommitSender(connection, barrier)
        self.partitions = partitions
        self._tokens = TokenSource()

    @property
    def connection(self) -> StoreClient:
        """The connection underneath, for indexes and hints, which no commit guards."""
        return self._store

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

    def open_sessions(
        self, account_id: str, limit: int = limits.SESSIONS_PER_ACCOUNT_READ_MAX
    ) -> list[Session]:
        """Sessions of an account that are open, ``limit`` of them at most, by their Session-Ids."""
        partition = self.partition_of(account_id)
        first, last = keys.deadline_members_of(account_id)
        listed = keys.open_sessions_key(partition)
        found: list[Session] = []
        while len(found) < limit:
            members = self._redis.zrangebylex(listed, first, last, start=0, num=min(limit, _SESSIONS_PAGE))
            if not members:
                break
            names = [
                keys.session_key(partition, account_id, keys.parse_deadline_member(member.decode())[1])
                for member in members
            ]
            sessions = [
                decode_session(stored.content) for stored in self.load(tuple(names)) if stored.content
            ]
            found += [session for session in sessions if session.state is SessionState.OPEN]
            first = f"({members[-1].decode()}"
        return found[:limit]

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
        topology = self._store.topology(fresh=True)
        place = parse_cursor(cursor, topology)
        server: Any = self._store.server(topology.primaries[place.primary].endpoint)
        at, listed = server.scan(place.at, match=f"{{*}}{kind}:*", count=count)
        # The store's pattern also finds a session whose id ends like a key of this kind begins.
        own = re.compile(rb"\{[0-9]+\}%b:" % kind.encode())
        values = self.read([key for key in listed if own.match(key)])
        return next_cursor(place, at, topology), [value for value in values if value.token != ABSENT]

    def read(self, names: list[Any]) -> list[Stored]:
        """Read values of any partitions with their tokens."""
        return [decode_stored(value) for value in self._store.ask([("GET", name) for name in names])]

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
        try:
            values = self.load(names)
        except (redis.RedisError, OSError) as error:
            raise StoreBusyError(f"account {account_id}: {error}: nothing was done: try again") from error
        lost = 0
        for _ in range(limits.COMMIT_ATTEMPTS_MAX):
            change = decide(values)
            if change is None:
                if not self._sender.has_barrier:
                    return
                # What was decided by may be on this primary alone: it is looked at again, and the replicas waited for.
                change = Change({})
            commit = self._commit_of(account_id, names, values, change, lost=lost)
            (result,) = self._sender.send([commit])
            match result:
                case Committed():
                    return
                case Conflict(current):
                    values, lost = current, lost + 1
                case NotYourTurn():
                    time.sleep(limits.TURN_MS / 1000)
                case _:
                    raise StoreBusyError(_unconfirmed(account_id, result))
        raise StoreBusyError(f"account {account_id} changed under us {limits.COMMIT_ATTEMPTS_MAX} times")

    def _commit_of(
        self,
        account_id: str,
        names: tuple[str, ...],
        values: tuple[Stored, ...],
        change: Change,
        *,
        lost: int = 0,
    ) -> Commit:
        partition = self.partition_of(account_id)
        return Commit(
            partition,
            names,
            tuple(stored.token for stored in values),
            self._tokens.next(),
            tuple(
                Write(names.index(key), encode_value(value), change.ttl_ms.get(key, 0))
                for key, value in change.writes.items()
            ),
            tuple(encode_event(event) for event in change.events),
            turn_key=keys.turn_key(partition, account_id),
            claims_turn=lost >= limits.LOST_RACES_BEFORE_TURN,
            agenda=tuple(DeadlineChange(member, due_ms) for member, due_ms in change.agenda.items()),
        )

    def create_pipelined(
        self, changes: "Iterator[tuple[str, dict[str, bytes], Change]]", batch: int = 500
    ) -> Iterator[str]:
        """Create accounts by the batch: each account id with its directory entries and its values.

        Yields:
            The ids of accounts that were not created because something stood there already.

        Raises:
            StoreBusyError: it is not known whether one of them was created; all may be sent again.
            redis.RedisError: the directory could not be written.
        """
        commits: list[tuple[str, Commit]] = []
        entries: list[Command] = []

        def flush() -> Iterator[str]:
            self._store.ask(entries)
            results = self._sender.send([commit for _, commit in commits])
            for (account_id, _), result in zip(commits, results, strict=True):
                if isinstance(result, Unavailable):
                    raise StoreBusyError(_unconfirmed(account_id, result))
                if not isinstance(result, Committed):
                    yield account_id
            commits.clear()
            entries.clear()

        for account_id, directory, change in changes:
            names = tuple(change.writes)
            absent = tuple(Stored(ABSENT, b"") for _ in names)
            commits.append((account_id, self._commit_of(account_id, names, absent, change)))
            entries += [("SET", key, location) for key, location in directory.items()]
            if len(commits) >= batch:
                yield from flush()
        if commits:
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
                self._store.ask([("DEL", key) for key in claimed])
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
