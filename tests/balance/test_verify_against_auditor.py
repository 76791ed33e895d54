"""Two opinions that share no code: the product's audit of a store, and the tests' auditor of the commits that made it."""

from collections.abc import Callable, Generator
from random import Random

import msgspec
import pytest

from ocs.balance import keys
from ocs.balance.model import SessionState, decode_account, decode_session, encode_value
from ocs.balance.redis_commands import decode_stored
from ocs.balance.store import Commit, Write
from ocs.balance.verify import verify_store
from ocs.events import decode_event
from ocs.messages import ChargingAnswer, ChargingRequest
from tests.support.auditor import AuditError, Auditor, key_of
from tests.support.charged_store import PARTITIONS, ChargedStore, started_server

ACCOUNTS = ("a0", "a1", "a2")


class AuditedStore(ChargedStore):
    """Shows each request and each commit to the tests' auditor."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.auditor = Auditor(self.clock, supervision_time_s=3600)
        self.on_committed = self.auditor.committed

    def ask(self, account_id: str, request: ChargingRequest) -> ChargingAnswer:
        self.auditor.sent[key_of(request)] = request
        return super().ask(account_id, request)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with started_server(tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture
def store(url: str) -> Generator[AuditedStore]:
    store = AuditedStore(url)
    store.set_up()
    for account_id in ACCOUNTS:
        store.open_account(account_id)
    yield store
    store.close()


def story(store: AuditedStore, seed: int, steps: int = 60) -> None:
    """Sessions that open, are used and end, in an order that the seed chooses."""
    random = Random(seed)
    under_way: dict[str, tuple[str, int]] = {}
    for step in range(steps):
        account_id = random.choice(ACCOUNTS)
        if not under_way or random.random() < 0.3:
            under_way[f"s;{seed};{step}"] = account_id, 1
            store.open_session(account_id, f"s;{seed};{step}")
            continue
        session = random.choice(sorted(under_way))
        account_id, number = under_way[session]
        if random.random() < 0.25:
            del under_way[session]
            store.end_session(account_id, session, number, random.randint(0, 900))
        else:
            under_way[session] = account_id, number + 1
            store.use(account_id, session, number, random.randint(1, 1500))


@pytest.mark.parametrize("seed", range(5))
def test_both_find_nothing_wrong_with_a_store_that_was_charged_against(
    store: AuditedStore, seed: int
) -> None:
    story(store, seed)
    report = verify_store(store.admin, partitions=PARTITIONS)
    assert report.findings == []
    assert report.counted["events"] == sum(book.sequence for book in store.auditor.books.values())
    assert report.counted["accounts"] == len(store.auditor.books) == len(ACCOUNTS)
    assert report.counted["events"] > 10


# --- The same damage for both -----------------------------------------------------------------------------------


def more_reserved(commit: Commit) -> Commit:
    account = decode_account(commit.writes[0].content)
    first, *others = account.buckets
    first = msgspec.structs.replace(first, reserved=first.reserved + 1)
    return rewritten(commit, 0, encode_value(msgspec.structs.replace(account, buckets=(first, *others))))


def more_money(commit: Commit) -> Commit:
    account = decode_account(commit.writes[0].content)
    *others, last = account.buckets
    last = msgspec.structs.replace(last, value=last.value + 1)
    return rewritten(commit, 0, encode_value(msgspec.structs.replace(account, buckets=(*others, last))))


def forgotten_holds(commit: Commit) -> Commit:
    session = decode_session(commit.writes[1].content)
    assert session.state == SessionState.OPEN
    services = tuple(msgspec.structs.replace(service, holds=()) for service in session.services)
    return rewritten(commit, 1, encode_value(msgspec.structs.replace(session, services=services)))


def time_to_live(commit: Commit) -> Commit:
    account, session = commit.writes
    return msgspec.structs.replace(commit, writes=(account, msgspec.structs.replace(session, ttl_ms=60_000)))


def lost_event(commit: Commit) -> Commit:
    return msgspec.structs.replace(commit, events=())


def doubled_event(commit: Commit) -> Commit:
    return msgspec.structs.replace(commit, events=commit.events * 2)


def rewritten(commit: Commit, index: int, content: bytes) -> Commit:
    writes = [*commit.writes]
    writes[index] = Write(writes[index].index, content)
    return msgspec.structs.replace(commit, writes=tuple(writes))


@pytest.mark.parametrize(
    "damage", [more_reserved, more_money, forgotten_holds, time_to_live, lost_event, doubled_event]
)
def test_both_find_a_commit_that_is_wrong(
    store: AuditedStore, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Commit], Commit]
) -> None:
    story(store, 1)
    store.open_session("a1", "wrong")
    apply = store.apply
    monkeypatch.setattr(store, "apply", lambda commit: apply(damage(commit)))
    with pytest.raises(AuditError):
        store.use("a1", "wrong", 1, 500)
    report = verify_store(store.admin, partitions=PARTITIONS)
    assert not report.is_clean
    assert all("a1" in finding.subject for finding in report.findings)


def test_damage_is_where_it_was_planted(store: AuditedStore) -> None:
    """What both judge is what is there: the stream's events are those that the auditor saw committed."""
    story(store, 2)
    stored = decode_stored(store.admin.get(store.names("a1", "x")[0]))
    assert decode_account(stored.content) == store.auditor.account("a1")
    last = [
        decode_event(fields[b"e"])
        for _, fields in store.admin.xrange(keys.events_key(keys.partition_of("a1", PARTITIONS)))
    ]
    own = [event.sequence for event in last if event.account_id == "a1"]
    assert own == list(range(1, store.auditor.books["a1"].sequence + 1))
