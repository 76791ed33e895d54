"""Reads one partition of a store for an audit, while it is in use: pages, and transactions where one moment counts.

Blocking, by redis-py; each command names keys of one partition, so that it works on one server and on a cluster.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from ocs.balance import keys
from ocs.balance.books import ABSENT_KEY, KeptSession
from ocs.balance.checkpoints import POSITION_FIELD, Checkpoint, decode_checkpoint
from ocs.balance.model import decode_session
from ocs.balance.redis_commands import decode_stored
from ocs.balance.store import TOKEN_OCTETS, Stored
from ocs.limits import VERIFY_PAGE

_FIRST_ID: Final = b"0-0"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry of the event stream: its id, and the event as it was written."""

    entry_id: bytes
    event: bytes


class Moment(msgspec.Struct, frozen=True):
    """An account with all that belongs to it, read in one step.

    Attributes:
        account: its value. entries: the stream's after the asked position.
        trimmed: where the last trim had stopped.
    """

    account: Stored
    sessions: tuple[KeptSession, ...]
    entries: tuple[Entry, ...]
    trimmed: bytes


class PartitionReader:
    """One partition of a store.

    Args:
        connection: a redis-py client that answers in bytes.
    """

    def __init__(self, connection: Any, partition: int) -> None:
        self._redis = connection
        self.partition = partition

    # --- In pages ---------------------------------------------------------------------------------------

    def accounts(self, names: Iterable[str]) -> Iterator[tuple[str, Stored]]:
        """Read accounts with their tokens."""
        for page in _pages(names):
            values = self._redis.mget([self._account_key(name) for name in page])
            for name, value in zip(page, values, strict=True):
                yield name, decode_stored(value)

    def checkpoints(self) -> dict[str, Checkpoint]:
        """What was trimmed, by account."""
        entries = self._redis.hscan_iter(keys.checkpoints_key(self.partition), count=VERIFY_PAGE)
        return {
            name.decode(): decode_checkpoint(value)
            for name, value in entries
            if name != POSITION_FIELD.encode()
        }

    def trimmed(self) -> bytes:
        """Where the last trim stopped."""
        return self._redis.hget(keys.checkpoints_key(self.partition), POSITION_FIELD) or _FIRST_ID

    def entries(self, after: bytes = _FIRST_ID) -> Iterator[Entry]:
        """Entries of the event stream after a position, oldest first."""
        while True:
            page = self._redis.xrange(
                keys.events_key(self.partition), min=b"(" + after, max="+", count=VERIFY_PAGE
            )
            yield from _entries(page)
            if len(page) < VERIFY_PAGE:
                return
            after = page[-1][0]

    def deadlines(self) -> dict[tuple[str, str], int]:
        """When supervision looks at which session, by account and session id."""
        listed = self._redis.zrange(keys.deadlines_key(self.partition), 0, -1, withscores=True)
        return {
            keys.parse_deadline_member(member.decode(errors="surrogateescape")): int(score)
            for member, score in listed
        }

    def sessions(
        self, names: Iterable[tuple[str, str]], deadlines: dict[tuple[str, str], int]
    ) -> Iterator[KeptSession]:
        """Read sessions with their time to live; names are account and session id."""
        for page in _pages(names):
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.mget([self._session_key(*name) for name in page])
            pipeline.zmscore(keys.open_sessions_key(self.partition), [_member(*name) for name in page])
            for name in page:
                pipeline.pttl(self._session_key(*name))
            values, listed, *times = pipeline.execute()
            for name, value, place, ttl_ms in zip(page, values, listed, times, strict=True):
                yield _kept(name, value, ttl_ms, deadlines.get(name), is_listed=place is not None)

    def _account_key(self, account_id: str) -> bytes:
        return keys.account_key(self.partition, account_id).encode(errors="surrogateescape")

    def _session_key(self, account_id: str, session_id: str) -> bytes:
        return keys.session_key(self.partition, account_id, session_id).encode(errors="surrogateescape")

    # --- At one moment ----------------------------------------------------------------------------------

    def moment(self, account_id: str, session_ids: Sequence[str], after: bytes) -> Moment:
        """Read an account, its sessions and the newest events in one transaction."""
        transaction = self._redis.pipeline(transaction=True)
        transaction.get(self._account_key(account_id))
        transaction.hget(keys.checkpoints_key(self.partition), POSITION_FIELD)
        transaction.xrange(keys.events_key(self.partition), min=b"(" + after, max="+")
        if session_ids:
            names = [self._session_key(account_id, session_id) for session_id in session_ids]
            members = [_member(account_id, session_id) for session_id in session_ids]
            transaction.mget(names)
            transaction.zmscore(keys.deadlines_key(self.partition), members)
            transaction.zmscore(keys.open_sessions_key(self.partition), members)
            for name in names:
                transaction.pttl(name)
        account, trimmed, entries, *rest = transaction.execute()
        values, scores, listed, *times = rest or ((), (), ())
        found = zip(session_ids, values, scores, listed, times, strict=True)
        return Moment(
            decode_stored(account),
            tuple(
                _kept(
                    (account_id, session_id),
                    value,
                    ttl_ms,
                    None if score is None else int(score),
                    is_listed=place is not None,
                )
                for session_id, value, score, place, ttl_ms in found
            ),
            tuple(_entries(entries)),
            trimmed or _FIRST_ID,
        )

    def subscriber_moment(
        self, account_id: str, subscriber_id: str, session_ids: Iterable[str]
    ) -> tuple[Stored, tuple[KeptSession, ...]]:
        """Read a subscriber with sessions of its account at one moment: those named, and those listed as open."""
        first, last = keys.deadline_members_of(account_id)
        listed: list[bytes] = self._redis.zrangebylex(keys.open_sessions_key(self.partition), first, last)
        found = {keys.parse_deadline_member(member.decode(errors="surrogateescape")) for member in listed}
        names = sorted(found | {(account_id, session_id) for session_id in session_ids})
        subscriber_key = keys.subscriber_key(self.partition, subscriber_id).encode(errors="surrogateescape")
        subscriber, *values = self._redis.mget(
            [subscriber_key, *(self._session_key(*name) for name in names)]
        )
        sessions = [
            _kept(name, value, ABSENT_KEY, None, is_listed=True)
            for name, value in zip(names, values, strict=True)
        ]
        return decode_stored(subscriber), tuple(sessions)


def is_before(one: bytes, other: bytes) -> bool:
    """Whether an entry id of a stream is lower than another."""
    return _numbers(one) < _numbers(other)


def _numbers(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, count = entry_id.partition(b"-")
    return int(milliseconds), int(count)


def _entries(page: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> Iterator[Entry]:
    return (Entry(entry_id, fields.get(b"e", b"")) for entry_id, fields in page)


def _member(account_id: str, session_id: str) -> bytes:
    return keys.deadline_member(account_id, session_id).encode(errors="surrogateescape")


def _kept(
    name: tuple[str, str], value: bytes | None, ttl_ms: int, scheduled_ms: int | None, *, is_listed: bool
) -> KeptSession:
    session, fault = None, ""
    if value is not None:
        try:
            session = decode_session(value[TOKEN_OCTETS:])
        except msgspec.MsgspecError as error:
            fault = str(error)
    return KeptSession(*name, session, ttl_ms, scheduled_ms, fault, is_listed)


def _pages(names: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(names)
    while page := list(islice(iterator, VERIFY_PAGE)):
        yield page
