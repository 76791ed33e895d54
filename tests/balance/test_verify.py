"""An audit of a real store (verify, partition_reader): clean while it is charged against, and every kind of damage found and named."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from ocs.balance import client as client_module
from ocs.balance import keys, verify
from ocs.balance.checkpoints import Checkpoint, encode_checkpoint
from ocs.balance.findings import REMEDIES, FindingKind
from ocs.balance.model import (
    Account,
    Counter,
    CounterHold,
    Hold,
    Session,
    SessionState,
    decode_account,
    decode_session,
    decode_subscriber,
    encode_value,
)
from ocs.balance.store import TOKEN_OCTETS
from ocs.balance.trimming import Trimmer
from ocs.balance.verify import Report, verify_store
from ocs.events import BILLING_GROUP, ChargeEvent, EventKind, decode_event, encode_event
from tests.support.charged_store import PARTITIONS, ChargedStore

HAND = b"by hand 0123"[:TOKEN_OCTETS]
ACCOUNT = "a1"
OPEN, ENDED = "open;1", "ended;1"
P = keys.partition_of(ACCOUNT, PARTITIONS)
ACCOUNT_KEY = keys.account_key(P, ACCOUNT)
OPEN_KEY, ENDED_KEY = (keys.session_key(P, ACCOUNT, name) for name in (OPEN, ENDED))
MEMBER = keys.deadline_member(ACCOUNT, OPEN)


def audit(store: ChargedStore) -> Report:
    return verify_store(store.admin, partitions=PARTITIONS)


def test_store_that_was_only_charged_against_is_clean(store: ChargedStore) -> None:
    report = audit(store)
    assert (report.is_clean, report.findings) == (True, [])
    assert report.counted == {
        "accounts": 6, "open sessions": 6, "closed sessions": 6, "subscribers": 6, "directory entries": 6,
        "events": sum(decode_account(store.admin.get(key)[TOKEN_OCTETS:]).sequence for key in store.admin.keys("{*}a:*")),
    }  # fmt: skip


def test_store_without_accounts_is_clean(store: ChargedStore) -> None:
    store.set_up()
    report = audit(store)
    assert (report.is_clean, report.counted.total()) == (True, 0)


def test_session_that_supervision_closed_leaves_the_store_clean(store: ChargedStore) -> None:
    store.expire(ACCOUNT, OPEN)
    report = audit(store)
    assert (report.findings, report.counted["open sessions"]) == ([], 5)


# --- Damage ---------------------------------------------------------------------------------------------------


def changed_account(store: ChargedStore, change: Callable[[Account], Account]) -> None:
    account = decode_account(store.admin.get(ACCOUNT_KEY)[TOKEN_OCTETS:])
    store.admin.set(ACCOUNT_KEY, HAND + encode_value(change(account)))


def changed_session(store: ChargedStore, key: str, change: Callable[[Session], Session]) -> None:
    session = decode_session(store.admin.get(key)[TOKEN_OCTETS:])
    store.admin.set(key, HAND + encode_value(change(session)), keepttl=True)


def more_reserved(store: ChargedStore) -> None:
    changed_account(
        store,
        lambda a: msgspec.structs.replace(
            a,
            buckets=(
                msgspec.structs.replace(a.buckets[0], reserved=a.buckets[0].reserved + 1),
                *a.buckets[1:],
            ),
        ),
    )


def more_money(store: ChargedStore) -> None:
    changed_account(
        store,
        lambda a: msgspec.structs.replace(
            a, buckets=(msgspec.structs.replace(a.buckets[0], value=a.buckets[0].value + 1), *a.buckets[1:])
        ),
    )


def money_with_its_total(store: ChargedStore) -> None:
    more_money(store)
    changed_account(
        store,
        lambda a: msgspec.structs.replace(
            a, totals=tuple(msgspec.structs.replace(t, credited=t.credited + 1) for t in a.totals)
        ),
    )


def stream(store: ChargedStore) -> list[tuple[bytes, ChargeEvent]]:
    return [(i, decode_event(fields[b"e"])) for i, fields in store.admin.xrange(keys.events_key(P))]


def own(store: ChargedStore) -> list[tuple[bytes, ChargeEvent]]:
    return [(i, event) for i, event in stream(store) if event.account_id == ACCOUNT]


def rewritten(store: ChargedStore, change: Callable[[ChargeEvent], ChargeEvent | None]) -> None:
    """The stream once more, with one account's events changed."""
    events = [event if event.account_id != ACCOUNT else change(event) for _, event in stream(store)]
    store.admin.delete(keys.events_key(P))
    for event in filter(None, events):
        store.admin.xadd(keys.events_key(P), {"e": encode_event(event)})


def lost_event(store: ChargedStore) -> None:
    store.admin.xdel(keys.events_key(P), own(store)[2][0])


def lost_last_event(store: ChargedStore) -> None:
    store.admin.xdel(keys.events_key(P), own(store)[-1][0])


def doubled_event(store: ChargedStore) -> None:
    event = msgspec.structs.replace(own(store)[-1][1], event_id="another")
    store.admin.xadd(keys.events_key(P), {"e": encode_event(event)})


def same_event_id(store: ChargedStore) -> None:
    first, second = own(store)[1][1], own(store)[2][1]
    rewritten(
        store,
        lambda e: msgspec.structs.replace(e, event_id=first.event_id) if e.sequence == second.sequence else e,
    )


def other_amount(store: ChargedStore) -> None:
    """The stream says that less was used, and is consistent in itself but for the totals."""
    rewritten(store, lambda e: msgspec.structs.replace(e, kind=EventKind.EXPIRY) if e.sequence == 3 else e)


def other_balance(store: ChargedStore) -> None:
    last = own(store)[-1][1].sequence
    rewritten(store, lambda e: msgspec.structs.replace(e, balance_after_micro=7) if e.sequence == last else e)


def foreign_partition(store: ChargedStore) -> None:
    store.admin.copy(ACCOUNT_KEY, keys.account_key((P + 1) % PARTITIONS, ACCOUNT))


def unreadable_event(store: ChargedStore) -> None:
    store.admin.xadd(keys.events_key(P), {"e": b"\xc1"})


def checkpoint_of_nobody(store: ChargedStore) -> None:
    p = keys.partition_of("ghost", PARTITIONS)
    store.admin.hset(keys.checkpoints_key(p), "ghost", encode_checkpoint(Checkpoint(3)))


def held_after_close(store: ChargedStore) -> None:
    def hold(session: Session) -> Session:
        service = msgspec.structs.replace(session.services[0], holds=(Hold("main", 5),))
        return msgspec.structs.replace(session, services=(service,))

    changed_session(store, ENDED_KEY, hold)


def unpublished(store: ChargedStore) -> None:
    store.admin.delete(keys.CATALOGUES)


def counter_kept(store: ChargedStore) -> None:
    """A grant has ended, and what it held in a counter stays."""
    key = keys.subscriber_key(P, ACCOUNT)
    subscriber = decode_subscriber(store.admin.get(key)[TOKEN_OCTETS:])
    kept = msgspec.structs.replace(subscriber, counters=(Counter("octets", 1, 7, 3),))
    store.admin.set(key, HAND + encode_value(kept))


def counter_forgotten(store: ChargedStore) -> None:
    """A grant holds something in a counter that the subscriber does not have."""

    def hold(session: Session) -> Session:
        service = msgspec.structs.replace(session.services[0], counter_holds=(CounterHold("octets", 1, 3),))
        return msgspec.structs.replace(session, services=(service,))

    changed_session(store, OPEN_KEY, hold)


def pool_of_nobody(store: ChargedStore) -> None:
    def carry(session: Session) -> Session:
        service = msgspec.structs.replace(session.services[0], pool_carried_micro=1)
        return msgspec.structs.replace(session, services=(service,))

    changed_session(store, OPEN_KEY, carry)


def pool_without_money(store: ChargedStore) -> None:
    def carry(session: Session) -> Session:
        service = msgspec.structs.replace(session.services[0], pool_id=1, pool_carried_micro=1 << 40)
        return msgspec.structs.replace(session, services=(service,))

    changed_session(store, OPEN_KEY, carry)


# By tests/subscribers/test_audit.py.
PLANTED_ELSEWHERE = {
    FindingKind.SET_ASIDE,
    FindingKind.AGENDA_MISSING,
    FindingKind.AGENDA_ASTRAY,
    FindingKind.TRANSFER_LOST,
    FindingKind.TRANSFER_TWICE,
    FindingKind.TRANSFER_UNDER_WAY,
    FindingKind.VOUCHER_CLAIMED,
}
Plant = Callable[[ChargedStore], Any]
PLANTS: list[tuple[FindingKind, Plant]] = [
    (FindingKind.RESERVATION, more_reserved),
    (FindingKind.RESERVATION, lambda s: (s.admin.delete(OPEN_KEY), s.admin.zrem(keys.deadlines_key(P), MEMBER))),
    (FindingKind.TOTALS, more_money),
    (FindingKind.EVENTS, money_with_its_total),
    (FindingKind.EVENTS, other_amount),
    (FindingKind.BALANCE_AFTER, other_balance),
    (FindingKind.SEQUENCE_GAP, lost_event),
    (FindingKind.SEQUENCE_GAP, lost_last_event),
    (FindingKind.SEQUENCE_GAP, lambda s: s.admin.xtrim(keys.events_key(P), maxlen=1, approximate=False)),
    (FindingKind.SEQUENCE_REPEATED, doubled_event),
    (FindingKind.EVENT_ID_REPEATED, same_event_id),
    (FindingKind.EVENTS_WITHOUT_ACCOUNT, lambda s: s.admin.delete(ACCOUNT_KEY)),
    (FindingKind.EVENTS_WITHOUT_ACCOUNT, checkpoint_of_nobody),
    (FindingKind.SESSION_WITHOUT_ACCOUNT, lambda s: s.admin.delete(ACCOUNT_KEY)),
    (FindingKind.SESSION_EXPIRES, lambda s: s.admin.pexpire(OPEN_KEY, 60_000)),
    (FindingKind.HOLDS_AFTER_CLOSE, held_after_close),
    (FindingKind.DEADLINE_MISSING, lambda s: s.admin.zrem(keys.deadlines_key(P), MEMBER)),
    (FindingKind.DEADLINE_LATE, lambda s: s.admin.zincrby(keys.deadlines_key(P), 60_000, MEMBER)),
    (
        FindingKind.DEADLINE_WITHOUT_SESSION,
        lambda s: s.admin.zadd(keys.deadlines_key(P), {keys.deadline_member(ACCOUNT, "gone"): 1}),
    ),
    (
        FindingKind.DEADLINE_WITHOUT_SESSION,
        lambda s: s.admin.zadd(keys.deadlines_key(P), {keys.deadline_member(ACCOUNT, ENDED): 1}),
    ),
    (FindingKind.CATALOGUE_MISSING, unpublished),
    (FindingKind.COUNTER, counter_kept),
    (FindingKind.COUNTER, counter_forgotten),
    (FindingKind.POOL, pool_of_nobody),
    (FindingKind.POOL, pool_without_money),
    (FindingKind.WRONG_PARTITION, foreign_partition),
    (FindingKind.UNREADABLE, lambda s: s.admin.set(ACCOUNT_KEY, HAND + b"\xc1")),
    (FindingKind.UNREADABLE, lambda s: s.admin.set(OPEN_KEY, HAND + b"\xc1")),
    (FindingKind.UNREADABLE, lambda s: s.admin.set(keys.subscriber_key(P, ACCOUNT), HAND + b"\xc1")),
    (FindingKind.UNREADABLE, unreadable_event),
    (
        FindingKind.SUBSCRIBER_WITHOUT_ACCOUNT,
        lambda s: s.admin.copy(
            keys.subscriber_key(P, ACCOUNT), keys.subscriber_key((P + 1) % PARTITIONS, ACCOUNT)
        ),
    ),
    (FindingKind.IDENTITY_UNREACHABLE, lambda s: s.admin.delete(keys.identity_key(f"sip:{ACCOUNT}@example"))),
    (
        FindingKind.IDENTITY_UNREACHABLE,
        lambda s: s.admin.set(keys.identity_key(f"sip:{ACCOUNT}@example"), keys.encode_location("a2", "a2")),
    ),
    (
        FindingKind.DIRECTORY_ASTRAY,
        lambda s: s.admin.set(keys.identity_key("e164:1"), keys.encode_location("x", "y")),
    ),
    (FindingKind.CLOSED_SESSION_STAYS, lambda s: s.admin.persist(ENDED_KEY)),
    (FindingKind.OPEN_LIST, lambda s: s.admin.zrem(keys.open_sessions_key(P), MEMBER)),
    (
        FindingKind.OPEN_LIST,
        lambda s: s.admin.zadd(keys.open_sessions_key(P), {keys.deadline_member(ACCOUNT, ENDED): 0}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "plant"), PLANTS)
def test_planted_damage_is_found_and_named(store: ChargedStore, kind: FindingKind, plant: Plant) -> None:
    plant(store)
    report = audit(store)
    assert report.by_kind[kind] >= 1, report.findings
    found = next(finding for finding in report.findings if finding.kind == kind)
    assert found.detail
    assert found.remedy == REMEDIES[kind]
    assert report.is_clean == found.is_warning


def test_each_kind_of_damage_has_been_planted() -> None:
    assert {kind for kind, _ in PLANTS} | PLANTED_ELSEWHERE == set(FindingKind)


def test_damage_names_the_account_and_no_other(store: ChargedStore) -> None:
    more_reserved(store)
    (finding,) = audit(store).findings
    assert finding.subject == ACCOUNT
    assert "'packs.pack' reserves 1," in finding.detail


def test_findings_past_the_bound_are_counted(store: ChargedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "FINDINGS_TOLD_MAX", 2)
    for p in range(PARTITIONS):
        store.admin.delete(keys.deadlines_key(p))
    report = audit(store)
    assert (report.by_kind[FindingKind.DEADLINE_MISSING], len(report.findings)) == (6, 2)
    assert not report.is_clean


# --- In use ---------------------------------------------------------------------------------------------------


class Traffic:
    """Charges some accounts without pause, by sessions that open, are used and end."""

    def __init__(self, store: ChargedStore, *, with_trimming: bool = False) -> None:
        self._charger = ChargedStore(store.url)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._with_trimming = with_trimming
        self.sessions = 0
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._charger.close()
        assert self.error is None
        assert self.sessions > 3

    def _run(self) -> None:
        try:
            while not self._is_over.is_set() or self.sessions <= 3:
                self._story()
        except BaseException as error:
            self.error = error

    def _story(self) -> None:
        for account_id in ("a0", "a1"):
            name = f"traffic;{self.sessions}"
            self._charger.open_session(account_id, name)
            self._charger.use(account_id, name, 1, 40)
            if self._with_trimming:
                self._acknowledge()
            self._charger.end_session(account_id, name, 2, 10)
            self.sessions += 1

    def _acknowledge(self) -> None:
        trimmer = Trimmer(self._charger.admin)
        for partition in range(PARTITIONS):
            name = keys.events_key(partition)
            for _, entries in self._charger.admin.xreadgroup(BILLING_GROUP, "bss", {name: ">"}):
                self._charger.admin.xack(name, BILLING_GROUP, *(entry_id for entry_id, _ in entries))
            trimmer.trim_partition(partition)


def test_store_in_use_is_clean(store: ChargedStore) -> None:
    with Traffic(store):
        for _ in range(5):
            assert audit(store).findings == []


def test_store_that_is_trimmed_meanwhile_is_clean(store: ChargedStore) -> None:
    for partition in range(PARTITIONS):
        store.admin.xgroup_create(keys.events_key(partition), BILLING_GROUP, "0", mkstream=True)
    with Traffic(store, with_trimming=True):
        for _ in range(5):
            assert audit(store).findings == []


def test_damage_to_an_account_in_use_is_found(store: ChargedStore) -> None:
    account_id = "a1"
    store.admin.zadd(keys.deadlines_key(P), {keys.deadline_member(account_id, "gone"): 1})
    store.admin.set(keys.session_key(P, account_id, OPEN), HAND + encode_value(_idle(store)))
    with Traffic(store):
        report = audit(store)
    assert report.by_kind.keys() == {FindingKind.RESERVATION, FindingKind.DEADLINE_WITHOUT_SESSION}
    assert {finding.subject for finding in report.findings} == {ACCOUNT, "gone of account a1"}


def _idle(store: ChargedStore) -> Session:
    """The open session, its holds forgotten."""
    session = decode_session(store.admin.get(OPEN_KEY)[TOKEN_OCTETS:])
    assert session.state == SessionState.OPEN
    services = tuple(msgspec.structs.replace(service, holds=()) for service in session.services)
    return msgspec.structs.replace(session, services=services)


def test_session_opened_between_two_looks_is_no_finding(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account has moved when it is looked at again, and its newest session was in no list."""
    reader = verify.PartitionReader
    once = reader.deadlines
    opened: list[str] = []

    def deadlines(self: Any) -> Any:
        found = once(self)
        if self.partition == P and len(opened) < 3:
            opened.append(f"late;{len(opened)}")
            store.open_session(ACCOUNT, opened[-1])
        return found

    monkeypatch.setattr(reader, "deadlines", deadlines)
    assert audit(store).findings == []
    assert len(opened) == 3


def test_account_charged_right_before_each_look_is_no_finding(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its newest event comes with the look itself."""
    reader = verify.PartitionReader
    look = reader.moment
    numbers = iter(range(2, 1_000))

    def moment(self: Any, account_id: str, session_ids: Any, after: bytes) -> Any:
        store.use(account_id, OPEN, next(numbers), 10)
        return look(self, account_id, session_ids, after)

    monkeypatch.setattr(reader, "moment", moment)
    once = reader.deadlines

    def deadlines(self: Any) -> Any:
        found = once(self)
        if self.partition == P:
            store.use(ACCOUNT, OPEN, next(numbers), 10)
        return found

    monkeypatch.setattr(reader, "deadlines", deadlines)
    assert audit(store).findings == []
    assert next(numbers) > 3


def test_values_of_two_moments_do_not_hide_damage(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Session without its holds, then account without its reservation: read one after the other they would agree."""
    reader = verify.PartitionReader
    read = reader.accounts
    whole = store.admin.get(OPEN_KEY)
    store.admin.set(OPEN_KEY, HAND + encode_value(_idle(store)))
    reads: list[int] = []

    def accounts(self: Any, names: Any) -> Any:
        if self.partition == P:
            reads.append(1)
        if len(reads) == 2:
            store.admin.set(OPEN_KEY, whole)
            changed_account(
                store,
                lambda a: msgspec.structs.replace(
                    a, buckets=tuple(msgspec.structs.replace(b, reserved=0) for b in a.buckets)
                ),
            )
        return read(self, names)

    monkeypatch.setattr(reader, "accounts", accounts)
    assert audit(store).by_kind.keys() == {FindingKind.RESERVATION}


def test_account_is_looked_at_in_one_step_of_the_store(store: ChargedStore) -> None:
    def steps() -> int:
        return store.admin.info("commandstats").get("cmdstat_exec", {"calls": 0})["calls"]

    before = steps()
    audit(store)
    assert steps() == before  # nothing was in doubt
    more_reserved(store)
    audit(store)
    assert steps() == before + 2  # wrong twice


def test_events_trimmed_before_they_were_read_have_the_partition_read_again(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for partition in range(PARTITIONS):
        store.admin.xgroup_create(keys.events_key(partition), BILLING_GROUP, "0", mkstream=True)
    reader = verify.PartitionReader
    read = reader.checkpoints
    trims: list[int] = []

    def checkpoints(self: Any) -> Any:
        found = read(self)
        if not trims:
            name = keys.events_key(self.partition)
            for _, entries in store.admin.xreadgroup(BILLING_GROUP, "bss", {name: ">"}):
                store.admin.xack(name, BILLING_GROUP, *(entry_id for entry_id, _ in entries))
            trims.append(Trimmer(store.admin).trim_partition(self.partition))
        return found

    monkeypatch.setattr(reader, "checkpoints", checkpoints)
    assert audit(store).findings == []
    assert trims[0] > 0


def test_events_that_are_always_trimmed_first_cannot_be_audited(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = iter(range(1, 1_000))
    monkeypatch.setattr(verify.PartitionReader, "trimmed", lambda self: b"%d-0" % next(count))
    with pytest.raises(verify.CannotVerifyError, match="try again later"):
        audit(store)


def test_open_sessions_of_one_account_are_found_and_no_others(
    store: ChargedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.open_account("a")
    store.open_session("a", "one;2")
    store.open_session("a", "one;1")
    assert [session.session_id for session in store.client.open_sessions("a")] == ["one;1", "one;2"]
    assert [session.session_id for session in store.client.open_sessions("a", 1)] == ["one;1"]
    assert [session.session_id for session in store.client.open_sessions("a0")] == ["open;0"]
    assert store.client.open_sessions("nobody") == []
    for number in range(3, 8):
        store.open_session("a", f"one;{number}")
    monkeypatch.setattr(client_module, "_SESSIONS_PAGE", 2)
    expected = [f"one;{number}" for number in range(1, 8)]
    assert [session.session_id for session in store.client.open_sessions("a")] == expected
    assert len(store.client.open_sessions("a", 3)) == 3
    store.expire("a", "one;1")
    assert [session.session_id for session in store.client.open_sessions("a")] == expected[1:]
