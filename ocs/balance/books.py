"""An account's books, compared: its value, its sessions and its events must tell one story. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from ocs.balance.checkpoints import Checkpoint
from ocs.balance.findings import Finding, FindingKind
from ocs.balance.model import Account, LedgerInvariantError, Session, SessionState, Subscriber
from ocs.balance.purse import check_invariants, money_balance
from ocs.events import ChargeEvent

NO_TIME_TO_LIVE: Final = -1
ABSENT_KEY: Final = -2


Owner = tuple[str, str]  # account and subscriber
CountersHeld = dict[tuple[str, int], int]  # by counter and start of its period
_NONE_HELD: Final[CountersHeld] = {}


class KeptSession(msgspec.Struct, frozen=True, gc=False):
    """A session as the store keeps it.

    Attributes:
        session: None when the deadlines name one that is not there.
        ttl_ms: what PTTL says: -1 for ever, -2 when there is no such key.
        scheduled_ms: its score among the deadlines, None when it has none.
        fault: why its value cannot be read; empty when it can.
        is_listed: it is among the partition's open sessions.
    """

    account_id: str
    session_id: str
    session: Session | None
    ttl_ms: int
    scheduled_ms: int | None
    fault: str = ""
    is_listed: bool = False


class Tail:
    """An account's events that the stream still holds, after its checkpoint.

    Args:
        checkpoint: what its trimmed events came to.
    """

    __slots__ = ("_balances", "balance_after_micro", "books", "findings")

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.books = checkpoint
        self.balance_after_micro: int | None = None
        self.findings: list[Finding] = []
        self._balances: dict[str, int] = {}

    def add(self, event: ChargeEvent) -> None:
        """Take the next event of the stream: its number must be the next, its balances those after the one before."""
        expected = self.books.sequence + 1
        if event.sequence > expected:
            missing = (
                f"{expected} to {event.sequence - 1}" if event.sequence > expected + 1 else f"{expected}"
            )
            self._find(FindingKind.SEQUENCE_GAP, event, f"event {missing} is missing")
        elif event.sequence < expected:
            self._find(
                FindingKind.SEQUENCE_REPEATED,
                event,
                f"event {event.event_id!r} has number {event.sequence} after number {self.books.sequence}",
            )
        for movement in event.movements:
            before = self._balances.get(movement.bucket_id)
            if before is not None and before + movement.amount != movement.balance_after:
                self._find(
                    FindingKind.BALANCE_AFTER,
                    event,
                    f"event {event.sequence}: bucket {movement.bucket_id!r} had {before}, moved {movement.amount}"
                    f" and has {movement.balance_after}",
                )
            self._balances[movement.bucket_id] = movement.balance_after
        self.balance_after_micro = event.balance_after_micro
        self.books = self.books.after(event)

    def _find(self, kind: FindingKind, event: ChargeEvent, detail: str) -> None:
        self.findings.append(Finding(kind, event.account_id, detail))

    def compared_with(self, account: Account) -> Iterator[Finding]:
        """Tell where the account differs from what its events say."""
        name = account.account_id
        if account.sequence != self.books.sequence:
            kind = FindingKind.SEQUENCE_GAP if account.sequence > self.books.sequence else FindingKind.EVENTS
            detail = f"the account counts {account.sequence} events, the last that is known is {self.books.sequence}"
            yield Finding(kind, name, detail)
            return
        counted = {total.unit_type: total for total in account.totals}
        for unit_type in sorted(counted.keys() | {total.unit_type for total in self.books.totals}):
            told, total = self.books.total(unit_type), counted.get(unit_type)
            if total is None or told != total:
                yield Finding(
                    FindingKind.EVENTS, name, f"{unit_type.name.lower()}: account {total}, events {told}"
                )
        money = money_balance(account)
        if self.balance_after_micro is not None and self.balance_after_micro != money:
            detail = f"money is {money}, the last event says {self.balance_after_micro}"
            yield Finding(FindingKind.BALANCE_AFTER, name, detail)
        values = {bucket.bucket_id: bucket.value for bucket in account.buckets}
        for bucket_id, balance in self._balances.items():
            if values.get(bucket_id, 0) != balance:
                detail = f"bucket {bucket_id!r} has {values.get(bucket_id, 0)}, its last event says {balance}"
                yield Finding(FindingKind.BALANCE_AFTER, name, detail)


def account_findings(account: Account, sessions: Iterable[KeptSession], tail: Tail) -> list[Finding]:
    """Compare an account with its sessions and its events, all read at one moment.

    Args:
        account: as it is.
        sessions: every open session of the account; closed ones may be among them.
        tail: all events up to that moment.
    """
    findings = [*tail.findings, *tail.compared_with(account)]
    reserved = {bucket.bucket_id: bucket.reserved for bucket in account.buckets}
    held = dict.fromkeys(reserved, 0)
    holders: dict[str, int] = {}
    for kept in sessions:
        if kept.session is None or kept.session.state != SessionState.OPEN:
            continue
        for service in kept.session.services:
            for hold in service.holds:
                held[hold.bucket_id] = held.get(hold.bucket_id, 0) + hold.amount
                holders[hold.bucket_id] = holders.get(hold.bucket_id, 0) + 1
    for bucket_id in sorted(held):
        if held[bucket_id] != reserved.get(bucket_id, 0):
            detail = (
                f"bucket {bucket_id!r} reserves {reserved.get(bucket_id, 'nothing, it is gone')},"
                f" {holders.get(bucket_id, 0)} holds of open sessions are {held[bucket_id]}"
            )
            findings.append(Finding(FindingKind.RESERVATION, account.account_id, detail))
    try:
        check_invariants(account)
    except LedgerInvariantError as error:
        findings.append(Finding(FindingKind.TOTALS, account.account_id, str(error)))
    return findings


def counters_held(sessions: Iterable[KeptSession]) -> dict[Owner, CountersHeld]:
    """What open grants have set aside in counters."""
    held: dict[Owner, CountersHeld] = {}
    for kept in sessions:
        session = kept.session
        if session is None or session.state != SessionState.OPEN:
            continue
        for hold in (hold for service in session.services for hold in service.counter_holds):
            if hold.amount:
                own = held.setdefault((kept.account_id, session.subscriber_id), {})
                place = hold.counter_id, hold.period_start_ms
                own[place] = own.get(place, 0) + hold.amount
    return held


def counter_findings(subscriber: Subscriber, all_held: Mapping[Owner, CountersHeld]) -> list[Finding]:
    """Compare what a subscriber's counters reserve with what open grants hold in them, read at one moment.

    Args:
        all_held: of :func:`counters_held`.
    """
    held = all_held.get((subscriber.account_id, subscriber.subscriber_id), _NONE_HELD)
    reserved = {(c.counter_id, c.period_start_ms): c.reserved for c in subscriber.counters}
    return [
        Finding(
            FindingKind.COUNTER,
            f"{subscriber.subscriber_id} of account {subscriber.account_id}",
            f"counter {place[0]!r} of the period from {place[1]} reserves {reserved.get(place, 'nothing, it is gone')},"
            f" open grants hold {held.get(place, 0)}",
        )
        for place in sorted(reserved.keys() | held.keys())
        if reserved.get(place, 0) != held.get(place, 0)
    ]


def _pool_findings(session: Session, name: str) -> Iterator[Finding]:
    """What a pool has of other services' quotas is held, and by a service that is in a pool."""
    for service in session.services:
        carried, held = service.pool_carried_micro, sum(hold.amount for hold in service.holds)
        if not 0 <= carried <= held or (carried and service.pool_id is None):
            group = service.rating_group
            detail = f"rating group {group} carries {carried} for pool {service.pool_id}, and holds {held}"
            yield Finding(FindingKind.POOL, name, detail)


def session_findings(kept: KeptSession, catalogues: frozenset[str]) -> list[Finding]:
    """Look whether a session will be found, watched and priced.

    Args:
        kept: read at one moment.
        catalogues: the versions that are published.
    """
    session, name = kept.session, f"{kept.session_id} of account {kept.account_id}"
    if kept.fault:
        return [Finding(FindingKind.UNREADABLE, name, kept.fault)]
    if session is None or session.state != SessionState.OPEN:
        return _not_open(kept, name)
    findings = list(_pool_findings(session, name))
    if kept.scheduled_ms is None:
        findings.append(Finding(FindingKind.DEADLINE_MISSING, name, "open, and not among the deadlines"))
    elif kept.scheduled_ms > session.scheduled_ms:
        detail = f"its place among the deadlines is {kept.scheduled_ms}, its own {session.scheduled_ms}"
        findings.append(Finding(FindingKind.DEADLINE_LATE, name, detail))
    if not kept.is_listed:
        findings.append(Finding(FindingKind.OPEN_LIST, name, "open, and not among the open sessions"))
    if kept.ttl_ms != NO_TIME_TO_LIVE:
        findings.append(
            Finding(FindingKind.SESSION_EXPIRES, name, f"open, and forgotten in {kept.ttl_ms} ms")
        )
    findings.extend(
        Finding(FindingKind.CATALOGUE_MISSING, name, f"granted under catalogue {service.catalogue_version!r}")
        for service in session.services
        if service.granted_units and service.catalogue_version not in catalogues
    )
    return findings


def _not_open(kept: KeptSession, name: str) -> list[Finding]:
    findings: list[Finding] = []
    if kept.scheduled_ms is not None:
        state = "absent" if kept.session is None else "closed"
        findings.append(
            Finding(
                FindingKind.DEADLINE_WITHOUT_SESSION, name, f"among the deadlines, and the session is {state}"
            )
        )
    if kept.is_listed:
        findings.append(Finding(FindingKind.OPEN_LIST, name, "among the open sessions, and not open"))
    if kept.session is not None and kept.ttl_ms == NO_TIME_TO_LIVE:
        findings.append(Finding(FindingKind.CLOSED_SESSION_STAYS, name, "closed, without a time to live"))
    if kept.session is not None and any(service.holds for service in kept.session.services):
        findings.append(Finding(FindingKind.HOLDS_AFTER_CLOSE, name, "closed, and still holds"))
    return findings
