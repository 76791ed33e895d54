"""Audits a store, in use or at rest: do accounts, sessions, deadlines and events tell one story?

Partition by partition, so that memory is bounded by one of them. First everything is read in pages; an account whose
token has not changed from before to after was read as it stood. What has changed meanwhile, and what looks wrong, is
read again in one transaction, account by account, until it is right or is found wrong twice at one and the same token.
Blocking, by redis-py.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

import msgspec

from ocs.balance import keys
from ocs.balance.books import (
    ABSENT_KEY,
    KeptSession,
    Tail,
    account_findings,
    counter_findings,
    counters_held,
    session_findings,
)
from ocs.balance.checkpoints import NOTHING_TRIMMED, Checkpoint
from ocs.balance.findings import WARNINGS, Finding, FindingKind
from ocs.balance.key_spool import KeySpool
from ocs.balance.model import (
    Account,
    LifecycleState,
    SessionState,
    Subscriber,
    decode_account,
    decode_subscriber,
)
from ocs.balance.partition_reader import Entry, PartitionReader, is_before
from ocs.balance.redis_commands import decode_stored
from ocs.balance.store import ABSENT
from ocs.balance.store_client import StoreClient
from ocs.events import ChargeEvent, EventKind, decode_event
from ocs.limits import FINDINGS_TOLD_MAX, VERIFY_PAGE, VERIFY_ROUNDS_MAX

_SCAN_COUNT: Final = 1_000


class CannotVerifyError(Exception):
    """The store cannot be audited as it is; ``str()`` is one line with the remedy."""


class Report(msgspec.Struct):
    """What an audit saw.

    Attributes:
        counted: what was looked at, by noun. by_kind: how many findings of each kind there are.
        findings: the first of them.
    """

    counted: Counter[str] = msgspec.field(default_factory=Counter[str])
    by_kind: Counter[FindingKind] = msgspec.field(default_factory=Counter[FindingKind])
    findings: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self.by_kind[finding.kind] += 1
        if len(self.findings) < FINDINGS_TOLD_MAX:
            self.findings.append(finding)

    @property
    def is_clean(self) -> bool:
        """Whether the money is right: warnings do not count."""
        return self.by_kind.keys() <= WARNINGS


class OtherAudit(Protocol):
    """Audits what other rooms keep beside accounts and sessions; told of each partition, it may remember."""

    def findings_in(
        self, partition: int, names: Callable[[str], Iterable[bytes]], transfers: Sequence[ChargeEvent]
    ) -> Iterator[Finding]:
        """What is wrong in a partition.

        Args:
            names: keys of a kind there (:mod:`ocs.balance.key_spool`).
            transfers: the events there that sent money from account to account, or brought it.
        """
        ...

    def findings_between(self) -> Iterator[Finding]:
        """What is wrong between partitions, after all of them."""
        ...


def verify_store(
    connection: StoreClient,
    *,
    partitions: int,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    other: OtherAudit | None = None,
) -> Report:
    """Audit a whole store; nothing in it is changed.

    Args:
        partitions: as the store's own description says.
        other: what is looked at besides.
        progress: told after each partition how many of how many are done.

    Raises:
        CannotVerifyError: events are trimmed faster than they can be read.
    """
    report = Report()
    (versions,) = connection.ask((("SMEMBERS", keys.CATALOGUES),))
    catalogues = frozenset(version.decode() for version in versions)
    with KeySpool() as spool:
        for server in connection.primaries():
            primary: Any = server  # redis-py's scan is not typed
            spool.fill(primary.scan_iter(count=_SCAN_COUNT))
        numbers = sorted(spool.partitions() | set(range(partitions)))
        for done, partition in enumerate(numbers, 1):
            audit = _PartitionAudit(connection, partition, partitions, spool, catalogues)
            for finding in audit.run(report.counted):
                report.add(finding)
            if other is not None:
                names = partial(spool.keys, partition=partition)
                for finding in other.findings_in(partition, names, audit.transfers):
                    report.add(finding)
            progress(done, len(numbers))
        for finding in _directory_findings(connection, spool, partitions, report.counted):
            report.add(finding)
    if other is not None:
        for finding in other.findings_between():
            report.add(finding)
    return report


class _TrimmedUnreadError(Exception):
    """Events were trimmed before they were read: the partition is to be read again."""


class _PartitionAudit:
    """Everything that one partition holds, compared."""

    def __init__(
        self,
        connection: StoreClient,
        partition: int,
        partitions: int,
        spool: KeySpool,
        catalogues: frozenset[str],
    ) -> None:
        self._client = connection
        self._reader = PartitionReader(connection, partition)
        self._partition = partition
        self._partitions = partitions
        self._spool = spool
        self._catalogues = catalogues
        self._begin()

    def _begin(self) -> None:
        self._tails: dict[str, Tail] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._position = b"0-0"
        self._event_ids: set[int] = set()
        self._strays: list[Finding] = []
        self.transfers: list[ChargeEvent] = []

    def run(self, counted: Counter[str]) -> list[Finding]:
        """Audit the partition; what is counted is added to ``counted``."""
        for _ in range(VERIFY_ROUNDS_MAX):
            self._begin()
            mine: Counter[str] = Counter()
            try:
                findings = self._audit(mine)
            except _TrimmedUnreadError:
                continue
            counted.update(mine)
            return findings
        raise CannotVerifyError(
            f"partition {self._partition}: its events are trimmed faster than they are read: try again later"
        )

    def _audit(self, counted: Counter[str]) -> list[Finding]:
        reader = self._reader
        names = {self._id_of(key) for key in self._spool.keys("a", self._partition)}
        before = {name: stored.token for name, stored in reader.accounts(names)}
        self._read_events()
        names |= self._tails.keys() | self._checkpoints.keys()
        deadlines = reader.deadlines()
        wanted = {
            self._session_name(key) for key in self._spool.keys("s", self._partition)
        } | deadlines.keys()
        sessions: dict[str, list[KeptSession]] = {}
        for kept in reader.sessions(wanted, deadlines):
            if kept.ttl_ms != ABSENT_KEY or kept.scheduled_ms is not None:
                sessions.setdefault(kept.account_id, []).append(kept)
                is_open = kept.session is not None and kept.session.state == SessionState.OPEN
                counted["open sessions" if is_open else "closed sessions"] += 1
        names |= sessions.keys()
        doubtful = {name for name in names if before.get(name, ABSENT) == ABSENT}
        for name, stored in reader.accounts(names - doubtful):
            kept = sessions.get(name, ())
            if stored.token != before[name] or self._findings(name, stored.content, kept):
                doubtful.add(name)
        counted["accounts"] += len(names)
        findings = self._settled(doubtful, sessions)
        counted["events"] += len(self._event_ids)
        return [*findings, *self._strays, *self._subscriber_findings(names, sessions, counted)]

    # --- Events -----------------------------------------------------------------------------------------

    def _read_events(self) -> None:
        self._position = trimmed = self._reader.trimmed()
        self._checkpoints = self._reader.checkpoints()
        self._take(self._reader.entries(trimmed))
        if self._reader.trimmed() != trimmed:  # then checkpoints and events are of two moments
            raise _TrimmedUnreadError

    def _take(self, entries: Iterable[Entry]) -> None:
        """Add events to their accounts' tails."""
        for entry in entries:
            self._position = entry.entry_id
            try:
                event = decode_event(entry.event)
            except msgspec.MsgspecError as error:
                self._stray(FindingKind.UNREADABLE, f"event {entry.entry_id.decode()}", str(error))
                continue
            # 64 bits of a secret hash: two ids of a million have the same once in forty million audits.
            event_id = hash(event.event_id)
            if event_id in self._event_ids:
                self._stray(FindingKind.EVENT_ID_REPEATED, event.account_id, f"event id {event.event_id!r}")
            self._event_ids.add(event_id)
            self._tail(event.account_id).add(event)
            if event.kind is EventKind.TRANSFER:
                self.transfers.append(event)

    def _tail(self, account_id: str) -> Tail:
        tail = self._tails.get(account_id)
        if tail is None:
            tail = self._tails[account_id] = Tail(self._checkpoints.get(account_id, NOTHING_TRIMMED))
        return tail

    def _stray(self, kind: FindingKind, subject: str, detail: str) -> None:
        self._strays.append(Finding(kind, subject, f"{detail}, partition {self._partition}"))

    # --- Accounts ---------------------------------------------------------------------------------------

    def _id_of(self, key: bytes) -> str:
        return key.partition(b":")[2].decode(errors="surrogateescape")

    def _session_name(self, key: bytes) -> tuple[str, str]:
        account_id, _, session_id = self._id_of(key).partition(":")
        return account_id, session_id

    def _findings(self, account_id: str, content: bytes, sessions: Iterable[KeptSession]) -> list[Finding]:
        """What is wrong with an account and its sessions, as far as these values tell."""
        found = [finding for kept in sessions for finding in session_findings(kept, self._catalogues)]
        try:
            account = decode_account(content)
        except msgspec.MsgspecError as error:
            return [*found, Finding(FindingKind.UNREADABLE, account_id, str(error))]
        return [
            *found,
            *self._placement(account_id, account),
            *account_findings(account, sessions, self._tail(account_id)),
        ]

    def _placement(self, account_id: str, account: Account) -> Iterator[Finding]:
        where = keys.partition_of(account_id, self._partitions)
        if account.account_id != account_id or where != self._partition:
            detail = f"account {account.account_id!r} in partition {self._partition}, its own is {where}"
            yield Finding(FindingKind.WRONG_PARTITION, account_id, detail)

    def _settled(self, doubtful: set[str], sessions: dict[str, list[KeptSession]]) -> list[Finding]:
        """Look at accounts at one moment each, until each is right, or wrong twice without having moved."""
        seen: dict[str, tuple[bytes, list[Finding]]] = {}
        settled: list[Finding] = []
        for last in (*[False] * (VERIFY_ROUNDS_MAX - 1), True):
            if not doubtful:
                break
            known: dict[str, set[str]] = {
                name: {kept.session_id for kept in sessions.get(name, ())} for name in doubtful
            }
            for account_id, session_id in self._reader.deadlines():
                if account_id in known:
                    known[account_id].add(session_id)
            for account_id in sorted(doubtful):
                token, found = self._look(account_id, sorted(known[account_id]))
                if not found or last or seen.get(account_id) == (token, found):
                    settled += found
                    doubtful.discard(account_id)
                seen[account_id] = token, found
        return settled

    def _look(self, account_id: str, session_ids: list[str]) -> tuple[bytes, list[Finding]]:
        self._take(self._reader.entries(self._position))  # what the transaction has to read stays short
        moment = self._reader.moment(account_id, session_ids, self._position)
        if is_before(self._position, moment.trimmed):
            raise _TrimmedUnreadError
        self._take(moment.entries)
        if moment.account.token != ABSENT:
            return moment.account.token, self._findings(account_id, moment.account.content, moment.sessions)
        found = [
            Finding(FindingKind.SESSION_WITHOUT_ACCOUNT, kept.session_id, f"of account {account_id!r}")
            for kept in moment.sessions
            if kept.session is not None
        ]
        if account_id in self._tails or account_id in self._checkpoints:
            last = self._tail(account_id).books.sequence
            found.append(Finding(FindingKind.EVENTS_WITHOUT_ACCOUNT, account_id, f"{last} events"))
        found += [f for kept in moment.sessions for f in session_findings(kept, self._catalogues)]
        return ABSENT, found

    # --- Subscribers ------------------------------------------------------------------------------------

    def _subscriber_findings(
        self, accounts: set[str], sessions: dict[str, list[KeptSession]], counted: Counter[str]
    ) -> Iterator[Finding]:
        held = counters_held(kept for own in sessions.values() for kept in own)
        for page in _pages(self._spool.keys("u", self._partition)):
            subscribers: list[Subscriber] = []
            for key, value in zip(page, _read(self._client, page), strict=True):
                if value is None:
                    continue
                try:
                    subscribers.append(decode_subscriber(decode_stored(value).content))
                except msgspec.MsgspecError as error:
                    yield Finding(FindingKind.UNREADABLE, self._id_of(key), str(error))
            counted["subscribers"] += len(subscribers)
            for subscriber in subscribers:
                if subscriber.account_id not in accounts:
                    detail = (
                        f"of account {subscriber.account_id!r}, which is not in partition {self._partition}"
                    )
                    yield Finding(FindingKind.SUBSCRIBER_WITHOUT_ACCOUNT, subscriber.subscriber_id, detail)
                if counter_findings(subscriber, held):
                    own = sessions.get(subscriber.account_id, ())
                    yield from self._counters_settled(subscriber, {kept.session_id for kept in own})
            yield from self._unreachable(subscribers)

    def _counters_settled(self, doubtful: Subscriber, session_ids: set[str]) -> list[Finding]:
        """Look at a subscriber and its account's sessions at one moment, until right, or wrong without moving."""
        account_id, subscriber_id = doubtful.account_id, doubtful.subscriber_id
        seen: tuple[bytes, list[Finding]] | None = None
        for _ in range(VERIFY_ROUNDS_MAX):
            stored, sessions = self._reader.subscriber_moment(account_id, subscriber_id, session_ids)
            if stored.token == ABSENT:
                return []
            try:
                subscriber = decode_subscriber(stored.content)
            except msgspec.MsgspecError:
                return []  # told where it stands
            found = counter_findings(subscriber, counters_held(sessions))
            if not found or seen == (stored.token, found):
                return found
            seen = stored.token, found
        return seen[1] if seen is not None else []

    def _unreachable(self, subscribers: list[Subscriber]) -> Iterator[Finding]:
        """Identities that the directory does not know, or knows as another's."""
        named = [(subscriber, identity) for subscriber in subscribers for identity in subscriber.identities]
        locations = _read(self._client, [keys.identity_key(identity) for _, identity in named])
        for (subscriber, identity), location in zip(named, locations, strict=True):
            owner = (subscriber.account_id, subscriber.subscriber_id)
            if location is None or keys.decode_location(location) != owner:
                detail = f"subscriber {subscriber.subscriber_id!r}: the directory " + (
                    "does not know it" if location is None else f"leads to {keys.decode_location(location)}"
                )
                yield Finding(FindingKind.IDENTITY_UNREACHABLE, identity, detail)


def _directory_findings(
    connection: StoreClient, spool: KeySpool, partitions: int, counted: Counter[str]
) -> Iterator[Finding]:
    """Directory entries that lead to nobody, or to somebody who does not have the identity."""
    for page in _pages(spool.directory()):
        locations = _read(connection, page)
        entries = [
            (key.partition(b":")[2].decode(errors="replace"), keys.decode_location(location))
            for key, location in zip(page, locations, strict=True)
            if location is not None
        ]
        counted["directory entries"] += len(entries)
        names = [
            keys.subscriber_key(keys.partition_of(account_id, partitions), subscriber_id)
            for _, (account_id, subscriber_id) in entries
        ]
        values = _read(connection, names)
        for (identity, owner), value in zip(entries, values, strict=True):
            if not _may_lead_to(value, identity, owner[0]):
                yield Finding(FindingKind.DIRECTORY_ASTRAY, identity, f"leads to {owner}")


def _may_lead_to(value: bytes | None, identity: str, account_id: str) -> bool:
    """Whether it is where the entry should lead; a closed subscriber's stand until somebody claims the identity."""
    if value is None:
        return False
    try:
        subscriber = decode_subscriber(decode_stored(value).content)
    except msgspec.MsgspecError:
        return True  # told where it stands
    if subscriber.account_id != account_id:
        return False
    return identity in subscriber.identities or subscriber.state is LifecycleState.CLOSED


def _read(client: StoreClient, names: Sequence[str | bytes]) -> list[bytes | None]:
    """Read values that lie anywhere: at once where one server has them all."""
    if client.address.kind == "cluster":
        return client.ask([("GET", name) for name in names])
    return client.ask([("MGET", *names)])[0] if names else []


def _pages(names: Iterable[bytes]) -> Iterator[list[bytes]]:
    iterator = iter(names)
    while page := list(islice(iterator, VERIFY_PAGE)):
        yield page
