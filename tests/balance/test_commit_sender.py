"""Commits of administration: to the right server, and under `replicated` only done when the replicas have them."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import redis

from ocs.balance import keys
from ocs.balance.barrier import Barrier
from ocs.balance.commit_sender import CommitSender
from ocs.balance.store import (
    ABSENT,
    COMMITTED,
    Commit,
    CommitResult,
    Conflict,
    TokenSource,
    Unavailable,
    Write,
)
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import load_library
from ocs.balance.store_client import StoreClient
from tests.support.calls import set_up
from tests.support.store_servers import Cluster, cluster, replicated, slot_of, until

LIBRARY = resources.files("ocs.balance").joinpath("commit.lua").read_text()
TOKENS = TokenSource()
STRICT = Barrier(1, 1_000, is_required=True)


def creation(partition: int, name: str = "x", token: bytes | None = None) -> Commit:
    key = keys.account_key(partition, name)
    return Commit(partition, (key,), (ABSENT,), token or TOKENS.next(), (Write(0, b"one"),))


def refuse_replicas(server: Any) -> None:
    """Replicas that are there get nothing any more: they must show a password that they do not know."""
    server.config_set("requirepass", "changed")
    server.execute_command("CLIENT", "KILL", "TYPE", "replica")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), primaries=2, replicas=1) as nodes:
        with StoreClient(plain_address(nodes.url)) as client:
            assert load_library(client, LIBRARY) == 2
        yield nodes


@pytest.fixture
def client(nodes: Cluster) -> Iterator[StoreClient]:
    for node in nodes.primaries:
        node.admin.flushall()
    set_up(nodes.url)
    with StoreClient(plain_address(nodes.url)) as client:
        yield client


def only(results: list[CommitResult]) -> CommitResult:
    (result,) = results
    return result


@pytest.mark.parametrize("barrier", [None, STRICT])
def test_commits_of_many_partitions_are_answered_in_their_order(client: StoreClient, barrier: Barrier | None):
    sender = CommitSender(client, barrier)
    assert sender.send([creation(partition) for partition in range(16)]) == [COMMITTED] * 16
    results = sender.send([creation(1), creation(1, "y"), creation(9), creation(20)])
    assert [isinstance(result, Conflict) for result in results] == [True, False, True, False]
    assert sender.send([]) == []


def test_commit_is_with_the_replica_when_it_is_done(nodes: Cluster, client: StoreClient):
    assert only(CommitSender(client, STRICT).send([creation(3)])) == COMMITTED
    replica = nodes.replica_of(nodes.owner(slot_of("{3}")))
    stored = replica.admin.config_get("appendonly")  # wakes the connection
    assert stored
    with redis.Redis(port=replica.port, protocol=2) as reader:
        reader.readonly()
        assert reader.exists(keys.account_key(3, "x"))


def test_commit_that_was_sent_twice_is_done_once(client: StoreClient):
    commit = creation(3)
    sender = CommitSender(client, STRICT)
    assert sender.send([commit, commit]) == [COMMITTED, COMMITTED]


def test_commit_without_the_library_is_an_unknown_outcome(nodes: Cluster, client: StoreClient):
    client.server(nodes.owner(slot_of("{3}")).endpoint).execute_command("FUNCTION FLUSH")
    result = only(CommitSender(client, None).send([creation(3)]))
    assert isinstance(result, Unavailable) and "Function not found" in result.reason
    assert load_library(client, LIBRARY) == 1
    assert only(CommitSender(client, None).send([creation(3)])) == COMMITTED


def test_commit_follows_a_partition_that_moves(nodes: Cluster, client: StoreClient):
    slot = slot_of("{7}")
    source = nodes.owner(slot)
    target = next(node for node in nodes.primaries if node is not source)
    sender = CommitSender(client, STRICT)
    # Those of one server go together: what has moved meanwhile finds its way alone.
    others = [partition for partition in range(32) if nodes.owner(slot_of(f"{{{partition}}}")) is source]
    assert sender.send([creation(partition) for partition in others]) == [COMMITTED] * len(others)
    nodes.migrate_slots(slot, slot, target)
    again = [creation(partition, "y") for partition in sorted(others, key=lambda partition: partition == 7)]
    assert sender.send(again) == [COMMITTED] * len(others)
    nodes.begin_migration(slot, source)
    # Key by key there is a time in which nobody takes a commit, for its keys lie here and there.
    assert "during rehashing" in str(only(sender.send([creation(7, "z")])))
    nodes.move_keys(slot, target, source)
    nodes.finish_migration(slot, target, source)
    assert only(sender.send([creation(7, "z")])) == COMMITTED
    assert client.exists(keys.account_key(7, "z")) == client.exists(keys.account_key(7, "y")) == 1


# --- Without replicas --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_required", "expected"), [(True, Unavailable), (False, type(COMMITTED))])
def test_commit_that_replicas_lack_is_refused_or_left_to_the_primary(
    tmp_path: Path, is_required: bool, expected: type
):
    with replicated(tmp_path) as group, StoreClient(plain_address(group.primary.url)) as client:
        set_up(group.primary.url)
        sender = CommitSender(client, Barrier(1, 50, is_required=is_required))
        assert sender.has_barrier
        assert only(sender.send([creation(1)])) == COMMITTED
        group.replicas[0].pause()
        result = only(sender.send([creation(2)]))
        assert isinstance(result, expected)
        if isinstance(result, Unavailable):
            assert result.reason == "0 of 1 replicas have it after 50 ms"
        group.replicas[0].resume()


def test_commit_without_writes_waits_for_what_it_looked_at(tmp_path: Path):
    with replicated(tmp_path) as group, StoreClient(plain_address(group.primary.url)) as client:
        written = creation(1)
        # By a connection of another: WAIT counts what its own has written, and the look writes nothing.
        with StoreClient(client.address) as other:
            set_up(group.primary.url)
            assert only(CommitSender(other, None).send([written])) == COMMITTED
        group.replicas[0].pause()
        look = Commit(1, written.keys, (written.token,), TOKENS.next())
        assert isinstance(
            only(CommitSender(client, Barrier(1, 50, is_required=True)).send([look])), Unavailable
        )
        group.replicas[0].resume()
        result = until(
            lambda: only(CommitSender(client, STRICT).send([look])) == COMMITTED, "the replica has it"
        )
        assert result


def test_small_write_stands_behind_commits_that_may_write_nothing(monkeypatch: pytest.MonkeyPatch):
    """Not every server lets WAIT count a function that wrote nothing, and a repeat rests on what others wrote."""
    sent: list[Any] = []

    def send(key: str, commands: list[Any]) -> list[Any]:
        sent.extend(commands)
        return [1, 1, True, 1]

    with StoreClient(plain_address("redis://h")) as client:
        monkeypatch.setattr(client, "send", send)
        looks = [Commit(1, ("{1}a:x",), (ABSENT,), b"t" * 12), Commit(2, ("{2}a:x",), (ABSENT,), b"u" * 12)]
        assert CommitSender(client, STRICT).send(looks) == [COMMITTED, COMMITTED]
    assert [command[0] for command in sent] == ["FCALL", "FCALL", "SET", "WAIT"]
    assert sent[2][1] == keys.barrier_key(2) and sent[3][1:] == (1, 1_000)


def test_store_that_is_away_is_an_unknown_outcome(tmp_path: Path):
    with StoreClient(plain_address(f"unix://{tmp_path}/none")) as client:
        assert isinstance(only(CommitSender(client, None).send([creation(1)])), Unavailable)
    with StoreClient(plain_address("redis+cluster://127.0.0.1:1")) as client:
        assert isinstance(only(CommitSender(client, None).send([creation(1)])), Unavailable)
