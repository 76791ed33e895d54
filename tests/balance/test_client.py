"""The public client on a cluster: the same answers as on one server, wherever the keys lie."""

import threading
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import redis

from ocs import limits
from ocs.balance import keys
from ocs.balance.barrier import Barrier
from ocs.balance.client import BalanceClient, Change, StoreBusyError
from ocs.balance.model import Account, LifecycleState, decode_account
from ocs.balance.scan import ScanInterruptedError
from ocs.balance.store import ABSENT, Stored
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import load_library
from ocs.balance.store_client import StoreClient
from tests.support.calls import set_up
from tests.support.store_servers import Cluster, cluster, replicated, slot_of

LIBRARY = resources.files("ocs.balance").joinpath("commit.lua").read_text()
PARTITIONS = 16


def account(account_id: str, sequence: int = 1) -> Account:
    return Account(account_id, "EUR", LifecycleState.ACTIVE, sequence, (), ())


def creations(client: BalanceClient, *names: str) -> Iterator[tuple[str, dict[str, bytes], Change]]:
    for name in names:
        key = keys.account_key(client.partition_of(name), name)
        directory = {keys.identity_key(f"e164:{name}"): keys.encode_location(name, name)}
        yield name, directory, Change({key: account(name)})


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), primaries=3) as nodes:
        with StoreClient(plain_address(nodes.url)) as client:
            assert load_library(client, LIBRARY) == 3
        yield nodes


@pytest.fixture
def client(nodes: Cluster) -> Iterator[BalanceClient]:
    for node in nodes.primaries:
        node.admin.flushall()
    set_up(nodes.url)
    with StoreClient(plain_address(nodes.url)) as connection:
        yield BalanceClient(connection, partitions=PARTITIONS)


def scan_all(client: BalanceClient, count: int) -> list[str]:
    found, cursor, is_first = [], 0, True
    while cursor or is_first:
        cursor, page = client.scan_accounts(cursor, count)
        found += [account.account_id for account in page]
        is_first = False
    return found


def test_accounts_of_all_servers_are_created_by_the_batch_and_listed_page_by_page(client: BalanceClient):
    names = [f"a{number}" for number in range(300)]
    assert list(client.create_pipelined(creations(client, *names), batch=128)) == []
    assert sorted(scan_all(client, 40)) == sorted(names)
    assert client.account("a7") == account("a7")
    assert client.locate("e164:a7") == ("a7", "a7")
    assert list(client.create_pipelined(creations(client, "a7", "b", "a8"))) == ["a7", "a8"]


def test_listing_tells_that_slots_moved_meanwhile(nodes: Cluster, client: BalanceClient):
    assert list(client.create_pipelined(creations(client, *map(str, range(100))))) == []
    cursor, _ = client.scan_accounts(0, 10)
    assert cursor
    slot = slot_of("{3}")
    source = nodes.owner(slot)
    target = next(node for node in nodes.primaries if node is not source)
    nodes.migrate_slots(slot, slot, target)
    with pytest.raises(ScanInterruptedError, match="begin again"):
        client.scan_accounts(cursor, 10)
    assert len(scan_all(client, 10)) >= 100
    nodes.migrate_slots(slot, slot, source)


def test_values_of_many_partitions_are_read_at_once(client: BalanceClient):
    names = [f"a{number}" for number in range(20)]
    list(client.create_pipelined(creations(client, *names)))
    stored = client.read([keys.account_key(client.partition_of(name), name) for name in (*names, "none")])
    assert [value.token != ABSENT for value in stored] == [True] * 20 + [False]


def test_identity_is_claimed_once_wherever_it_lies(client: BalanceClient):
    names = tuple(f"e164:49{number}" for number in range(20))
    assert client.claim_identities("a", "s", names) is None
    assert client.claim_identities("a", "s", names) is None
    assert {client.locate(name) for name in names} == {("a", "s")}


def test_busy_account_is_changed_by_all_in_turn(client: BalanceClient):
    list(client.create_pipelined(creations(client, "hot")))
    key = keys.account_key(client.partition_of("hot"), "hot")
    done: list[int] = []

    def work() -> None:
        with StoreClient(client._store.address) as connection:
            mine = BalanceClient(connection, partitions=PARTITIONS)
            for _ in range(20):

                def add(values: tuple[Stored, ...]) -> Change:
                    return Change({key: account("hot", decode_account(values[0].content).sequence + 1)})

                mine.change("hot", (key,), add)
                done.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 80
    stands = client.account("hot")
    assert stands is not None and stands.sequence == 81  # no update is lost


def test_turn_is_claimed_after_two_lost_races(client: BalanceClient, monkeypatch: pytest.MonkeyPatch):
    list(client.create_pipelined(creations(client, "hot")))
    partition = client.partition_of("hot")
    key = keys.account_key(partition, "hot")
    claims: list[bool] = []
    send = client._sender.send

    def told(commits):
        claims.append(commits[0].claims_turn)
        return send(commits)

    monkeypatch.setattr(client._sender, "send", told)
    rival = BalanceClient(client._store, partitions=PARTITIONS)

    def decide(values: tuple[Stored, ...]) -> Change:
        if len(claims) <= limits.LOST_RACES_BEFORE_TURN:
            rival.change("hot", (key,), lambda _: Change({key: account("hot", 50 + len(claims))}))
        return Change({key: account("hot", 60)})

    client.change("hot", (key,), decide)
    assert claims == [False] * limits.LOST_RACES_BEFORE_TURN + [True, True]
    assert client._redis.get(keys.turn_key(partition, "hot")) is None  # who had its turn gives it back


def test_turn_of_another_is_waited_for(client: BalanceClient, monkeypatch: pytest.MonkeyPatch):
    list(client.create_pipelined(creations(client, "hot")))
    partition = client.partition_of("hot")
    key, turn = keys.account_key(partition, "hot"), keys.turn_key(partition, "hot")
    client._redis.set(turn, b"another")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            client._redis.delete(turn)

    monkeypatch.setattr("ocs.balance.client.time.sleep", sleep)
    client.change("hot", (key,), lambda _: Change({key: account("hot", 2)}))
    assert waited == [limits.TURN_MS / 1000] * 3
    assert client.account("hot") == account("hot", 2)
    client._redis.set(turn, b"another")
    with pytest.raises(StoreBusyError, match="changed under us"):
        client.change("hot", (key,), lambda _: Change({key: account("hot", 3)}))


def test_repeat_is_answered_only_when_replicas_have_what_it_repeats(tmp_path: Path):
    with replicated(tmp_path) as group, StoreClient(plain_address(group.primary.url)) as connection:
        set_up(group.primary.url)
        plain = BalanceClient(connection, partitions=PARTITIONS)
        strict = BalanceClient(connection, partitions=PARTITIONS, barrier=Barrier(1, 50, is_required=True))
        key = keys.account_key(plain.partition_of("a"), "a")

        def create(values: tuple[Stored, ...]) -> Change | None:
            return Change({key: account("a")}) if values[0].token == ABSENT else None

        strict.change("a", (key,), create)
        strict.change("a", (key,), create)
        group.replicas[0].pause()
        plain.change("a", (key,), create)
        with pytest.raises(StoreBusyError, match="0 of 1 replicas have it"):
            strict.change("a", (key,), create)
        with pytest.raises(StoreBusyError, match="0 of 1 replicas have it"):
            list(strict.create_pipelined(creations(strict, "b")))
        group.replicas[0].resume()


@pytest.mark.parametrize(
    "error", [redis.TimeoutError("Timeout reading"), TimeoutError("handshake"), OSError()]
)
def test_store_that_does_not_answer_is_busy_whatever_it_raises(
    client: BalanceClient, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    key = keys.account_key(client.partition_of("x"), "x")
    change = Change({key: account("x", 1)})
    with monkeypatch.context() as patched:
        patched.setattr(client._store, "mget", fail)
        with pytest.raises(StoreBusyError, match="nothing was done"):
            client.change("x", (key,), lambda _: change)
    with monkeypatch.context() as patched:
        patched.setattr(client._store, "send", fail)
        with pytest.raises(StoreBusyError, match="with the same reference"):
            client.change("x", (key,), lambda _: change)
