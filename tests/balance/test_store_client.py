"""One client for the whole store: every command finds its server, whatever moves or fails meanwhile."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import TryAgainError

from ocs.balance.store_address import plain_address
from ocs.balance.store_client import StoreClient, key_of
from tests.support.store_servers import Cluster, cluster, replicated, sentinel_group, slot_of, until

TAGS = [f"{{{partition}}}" for partition in range(32)]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), primaries=3) as nodes:
        yield nodes


@pytest.fixture
def client(nodes: Cluster) -> Iterator[StoreClient]:
    for node in nodes.primaries:
        node.admin.flushall()
    with StoreClient(plain_address(nodes.url)) as client:
        yield client


def test_each_command_goes_to_the_server_that_holds_its_key(nodes: Cluster, client: StoreClient):
    for tag in TAGS:
        client.set(f"{tag}k", tag)
        assert nodes.owner(slot_of(tag)).admin.get(f"{tag}k") == tag.encode()
        assert client.get(f"{tag}k") == tag.encode()
    assert {len(node.admin.keys()) > 0 for node in nodes.primaries} == {True}
    client.hset("{1}h", mapping={"a": "1", "b": "2"})
    assert client.hgetall("{1}h") == {b"a": b"1", b"b": b"2"}
    client.sadd("set", "x")
    assert client.smembers("set") == {b"x"}
    assert client.mget("{1}k", "{1}none") == [b"{1}", None]


def test_many_commands_of_any_keys_are_answered_in_their_order(client: StoreClient):
    assert client.ask([("SET", tag, tag) for tag in TAGS]) == [True] * len(TAGS)
    assert client.ask([("GET", tag) for tag in TAGS]) == [tag.encode() for tag in TAGS]
    assert client.ask([]) == []
    client.lpush("{1}list", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.ask([("GET", "{0}"), ("GET", "{1}list")])


def test_pipeline_takes_keys_of_one_partition(client: StoreClient):
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("{3}a", "1")
        pipeline.incr("{3}a")
        assert pipeline.execute() == [True, 2]
        assert pipeline.execute() == []
    with client.pipeline(transaction=False) as pipeline:
        for tag in TAGS:
            pipeline.get(tag)
        with pytest.raises(redis.ResponseError):
            pipeline.execute()


def test_command_of_a_server_needs_a_server(nodes: Cluster, client: StoreClient):
    with pytest.raises(ValueError, match="INFO concerns one server"):
        client.info()
    ports = {primary.config_get("port")["port"] for primary in client.primaries()}
    assert ports == {str(node.port) for node in nodes.primaries}


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "k"), "k"),
        (("mget", b"k", "l"), b"k"),
        (("FCALL", "f", 2, "k", "l", "x"), "k"),
        (("XRANGE", "k", "-", "+"), "k"),
    ],
)
def test_key_of_a_command_is_found(command: tuple[str, ...], key: str | bytes):
    assert key_of(command) == key


def test_slot_that_moved_at_once_is_found_again(nodes: Cluster, client: StoreClient):
    slot = slot_of("{5}")
    client.set("{5}a", "1")
    source = nodes.owner(slot)
    target = next(node for node in nodes.primaries if node is not source)
    nodes.migrate_slots(slot, slot, target)
    assert client.get("{5}a") == b"1"
    assert client.ask([("GET", "{5}a"), ("GET", "{6}a")]) == [b"1", None]
    assert client.holder("{5}a").config_get("port")["port"] == str(target.port)


def test_slot_that_moves_key_by_key_is_served_throughout(nodes: Cluster, client: StoreClient):
    slot = slot_of("{7}")
    client.mset({"{7}here": "1", "{7}there": "2"})
    source = nodes.owner(slot)
    target = next(node for node in nodes.primaries if node is not source)
    nodes.begin_migration(slot, target)
    nodes.move_keys(slot, source, target, "{7}there")
    assert client.get("{7}here") == b"1"
    assert client.get("{7}there") == b"2"  # ASK
    assert client.ask([("GET", "{7}there"), ("GET", "{7}here")]) == [b"2", b"1"]
    with pytest.raises(TryAgainError):
        client.mget("{7}here", "{7}there")  # one here, one there: for as long as we wait
    nodes.move_keys(slot, source, target)
    nodes.finish_migration(slot, source, target)
    assert client.mget("{7}here", "{7}there") == [b"1", b"2"]


def test_threads_may_share_it(client: StoreClient):
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for tag in TAGS:
                client.set(f"{tag}{number}", number)
                assert client.get(f"{tag}{number}") == str(number).encode()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_closed_client_may_be_used_again(client: StoreClient):
    client.set("{1}a", "1")
    client.close()
    assert client.get("{1}a") == b"1"


def test_cluster_that_is_away_is_a_connection_error():
    with (
        StoreClient(plain_address("redis+cluster://127.0.0.1:1")) as client,
        pytest.raises(redis.ConnectionError, match="no node of the cluster answers"),
    ):
        client.get("k")


# --- Failovers ---------------------------------------------------------------------------------------------------


def test_replica_that_took_over_in_a_cluster_is_found(tmp_path: Path):
    with cluster(tmp_path, primaries=3, replicas=1) as nodes, StoreClient(plain_address(nodes.url)) as client:
        client.set("{1}a", "1")
        old = nodes.owner(slot_of("{1}"))
        replica = nodes.replica_of(old)
        nodes.fail_over(replica)  # in order: the old one is a replica now and redirects
        client.set("{1}a", "2")
        assert replica.admin.get("{1}a") == b"2"
        until(lambda: old.info("replication")["master_link_status"] == "up", "it follows")
        replica.kill()
        assert until(lambda: client.get("{1}a"), "the other one takes over") == b"2"
        assert nodes.owner(slot_of("{1}")) is old


def test_primary_that_the_sentinels_name_is_found_again(tmp_path: Path):
    with sentinel_group(tmp_path, replicas=1) as group, StoreClient(plain_address(group.url)) as client:
        old = group.primary
        client.set("a", "1")
        new = group.fail_over()
        # The connection to the old one stands; it is a replica now, and says so. The Sentinels turn it after ten seconds.
        old.follow(new)
        client.set("a", "2")
        assert new.admin.get("a") == b"2"
        assert client.ask([("GET", "a"), ("GET", "b")]) == [b"2", None]


def test_store_of_one_server_is_redis_py_s_own_client(tmp_path: Path):
    with replicated(tmp_path, replicas=0) as group, StoreClient(plain_address(group.primary.url)) as client:
        assert client.primaries() == (client,)
        assert client.holder("k") is client
        assert client.info("server")["tcp_port"] == group.primary.port
        assert client.send("k", [("SET", "k", "1"), ("INCR", "k"), ("LPUSH", "k", "x")])[:2] == [True, 2]
        with client.pipeline() as pipeline:
            pipeline.set("a", 1)
            pipeline.get("a")
            assert pipeline.execute() == [True, b"1"]
