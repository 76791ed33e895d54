"""Which servers make up a store: asked of real Sentinels and clusters, and read from recorded replies."""

from pathlib import Path

import pytest
import redis
import trio
from redis.crc import key_slot

from ocs.balance.store_address import plain_address
from ocs.balance.topology import (
    ALL_SLOTS,
    Node,
    Topology,
    TopologyError,
    find_topology,
    find_topology_blocking,
    idle_primaries,
    read_cluster,
)
from ocs.store_url import Endpoint
from tests.support.store_servers import cluster, debian_redis, sentinel_group, single, slot_of, until

HERE = Endpoint("127.0.0.1", 7001)


# --- One server --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["redis://h:1", "unix:///s"])
def test_one_server_is_its_own_topology_and_is_not_asked(url: str):
    address = plain_address(url)
    assert find_topology_blocking(address) == Topology((Node(address.nodes[0], ALL_SLOTS),))


# --- Sentinel ----------------------------------------------------------------------------------------------------


def test_sentinels_name_the_primary_and_follow_a_failover(tmp_path: Path):
    with sentinel_group(tmp_path, replicas=1) as group:
        address = plain_address(group.url)
        old, new = group.primary, group.replicas[0]
        expected = Topology((Node(old.endpoint, ALL_SLOTS, (new.endpoint,)),))
        assert find_topology_blocking(address) == expected
        group.sentinels[0].kill()
        assert find_topology_blocking(address) == expected  # from the next one
        old.kill()
        group.wait_for_another(old)
        moved = Topology((Node(new.endpoint, ALL_SLOTS, (old.endpoint,)),))  # it is away and may come back
        until(lambda: find_topology_blocking(address) == moved, "every Sentinel tells the new roles")


def test_server_that_does_not_call_itself_primary_is_not_taken_for_one(tmp_path: Path):
    with sentinel_group(tmp_path, replicas=1, sentinels=1, down_after_ms=60_000) as group:
        address = plain_address(group.url)
        primary, replica = group.primary, group.replicas[0]
        # The Sentinel notices only later that somebody else has turned them round.
        replica.admin.replicaof("NO", "ONE")
        primary.admin.replicaof("127.0.0.1", replica.port)
        with pytest.raises(TopologyError, match="says that it is slave"):
            find_topology_blocking(address)


def test_sentinels_that_know_no_such_primary_say_so(tmp_path: Path):
    with sentinel_group(tmp_path, replicas=0, sentinels=1) as group:
        address = plain_address(group.url.rpartition("/")[0] + "/nobody")
        with pytest.raises(TopologyError, match="knows no 'nobody'") as caught:
            find_topology_blocking(address)
        assert isinstance(caught.value.__cause__, redis.ResponseError)


# --- Cluster -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["valkey", "redis"])
def binary(request: pytest.FixtureRequest) -> str | None:
    if request.param == "redis" and debian_redis() is None:
        pytest.skip("redis-server is not installed")
    return debian_redis() if request.param == "redis" else None


async def test_cluster_is_found_from_any_node_and_after_a_failover(tmp_path: Path):
    with cluster(tmp_path, primaries=3, replicas=1, spare=1) as nodes:
        spare = nodes.nodes[-1]
        for node in (nodes.nodes[0], nodes.nodes[4], spare):
            found = await find_topology(plain_address(f"redis+cluster://{node.endpoint}"))
            assert {primary.endpoint for primary in found.primaries} == {
                node.endpoint for node in (*nodes.nodes[:3], spare)
            }
            for primary in found.primaries:
                if primary.endpoint == spare.endpoint:
                    assert (primary.slots, primary.replicas) == ((), ())
                else:
                    assert len(primary.slots) == len(primary.replicas) == 1
            owner = found.owner_of(slot_of("{3}"))
            assert owner is not None and owner.endpoint == nodes.owner(slot_of("{3}")).endpoint
        old = nodes.owner(slot_of("{3}"))
        replica = nodes.replica_of(old)
        old.kill()
        address = plain_address(f"redis+cluster://{old.endpoint},{spare.endpoint}")

        def seen() -> Endpoint | None:
            owner = find_topology_blocking(address).owner_of(slot_of("{3}"))
            return None if owner is None or owner.endpoint == old.endpoint else owner.endpoint

        assert await trio.to_thread.run_sync(until, seen, "the failover is seen") == replica.endpoint


def test_nodes_that_were_seen_are_asked_when_the_named_ones_are_gone(tmp_path: Path):
    with cluster(tmp_path, primaries=3) as nodes:
        gone = nodes.nodes[0]
        address = plain_address(f"redis+cluster://{gone.endpoint}")
        known = find_topology_blocking(address)
        gone.kill()
        with pytest.raises(TopologyError, match="no node of the cluster answers"):
            find_topology_blocking(address)
        assert len(find_topology_blocking(address, known).primaries) >= 2


def test_node_that_hangs_does_not_keep_the_others_from_answering(tmp_path: Path):
    with cluster(tmp_path, primaries=3) as nodes:
        nodes.nodes[0].pause()
        assert len(find_topology_blocking(plain_address(nodes.url)).primaries) == 3
        nodes.nodes[0].resume()


def test_server_that_is_no_cluster_says_so(tmp_path: Path, binary: str | None):
    with (
        single(tmp_path, binary=binary) as server,
        pytest.raises(TopologyError, match="cluster support disabled"),
    ):
        find_topology_blocking(plain_address(f"redis+cluster://{server.endpoint}"))


def shard(slots: list[int], *nodes: list[object]) -> list[object]:
    return [b"slots", slots, b"nodes", list(nodes)]


def member(port: int, role: str, health: str = "online", endpoint: bytes = b"h") -> list[object]:
    return [
        b"id", b"x", b"port", port, b"ip", b"10.0.0.1", b"endpoint", endpoint, b"role", role.encode(),
        b"replication-offset", 0, b"health", health.encode(),
    ]  # fmt: skip


def test_slots_of_a_primary_may_lie_apart():
    slots = [[6, 9, [b"h", 1, b"x"]], [0, 2, [b"h", 1, b"x"]], [3, 5, [b"h", 2, b"y"], [b"h", 3, b"z"]]]
    assert read_cluster(slots, [], HERE) == (
        Node(Endpoint("h", 1), ((0, 2), (6, 9))),
        Node(Endpoint("h", 2), ((3, 5),), (Endpoint("h", 3),)),
    )


def test_primary_without_slots_and_replica_that_is_away_are_known_from_the_shards():
    slots = [[0, 9, [b"h", 1, b"x"]]]
    shards = [
        shard([0, 9], member(1, "master"), member(2, "replica", "fail"), member(3, "master", "fail")),
        shard([], member(4, "master")),
        shard([], member(5, "master", "fail")),
    ]
    assert read_cluster(slots, shards, HERE) == (
        Node(Endpoint("h", 1), ((0, 9),), (Endpoint("h", 2),)),
        Node(Endpoint("h", 4), ()),
    )


@pytest.mark.parametrize("host", [b"", None, b"?"])
def test_node_without_a_host_is_where_it_was_asked(host: bytes | None):
    (node,) = read_cluster([[0, 9, [host, 5, b"x"]]], [], HERE)
    assert node.endpoint == Endpoint("127.0.0.1", 5)


def test_port_of_tls_goes_before_the_plain_one():
    node = [*member(0, "master")[:2], b"tls-port", 9, *member(1, "master")[2:]]
    assert read_cluster([], [shard([], node)], HERE) == (Node(Endpoint("h", 9), ()),)


def test_primary_that_holds_no_partition_is_idle():
    first, second = Endpoint("h", 1), Endpoint("h", 2)
    slot = key_slot(b"{0}")
    split = Topology((Node(first, ((0, slot),)), Node(second, ((slot + 1, 16_383),))))
    assert idle_primaries(split, 1) == (second,)
    assert idle_primaries(split, 64) == ()
    assert split.owner_of(slot) == split.primaries[0]
    assert Topology((Node(first, ((0, 1),)),)).owner_of(2) is None
