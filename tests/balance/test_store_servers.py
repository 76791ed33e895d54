"""The servers that other tests rely on: they come up, fail over, move slots, and leave nothing behind."""

from pathlib import Path

from tests.support.store_servers import cluster, replicated, sentinel_group, single, slot_of


def test_server_keeps_its_data_and_port_over_a_kill(tmp_path: Path):
    with single(tmp_path) as server:
        server.admin.set("a", "1")
        port = server.port
        server.kill()
        server.start()
        assert (server.port, server.admin.get("a")) == (port, b"1")
    assert not server.is_running


def test_replica_has_a_copy_and_can_be_promoted(tmp_path: Path):
    with replicated(tmp_path, replicas=1) as group:
        old = group.primary
        old.admin.set("a", "1")
        assert old.admin.wait(1, 5_000) == 1
        old.kill()
        group.promote(group.replicas[0])
        assert group.primary is not old and group.primary.admin.get("a") == b"1"


def test_sentinels_promote_a_replica_when_the_primary_is_lost(tmp_path: Path):
    with sentinel_group(tmp_path, replicas=1) as group:
        old = group.primary
        old.kill()
        assert group.wait_for_another(old).is_primary


def test_cluster_fails_over_and_moves_slots_in_both_ways(tmp_path: Path):
    with cluster(tmp_path, primaries=3, replicas=1) as nodes:
        slot = slot_of("{3}")
        source, key = nodes.owner(slot), "{3}a"
        source.admin.set(key, "1")
        target = next(node for node in nodes.primaries if node is not source)
        nodes.begin_migration(slot, target)
        nodes.move_keys(slot, source, target)
        nodes.finish_migration(slot, source, target)
        assert nodes.owner(slot) is target and target.admin.get(key) == b"1"
        nodes.migrate_slots(slot, slot, source)
        assert nodes.owner(slot) is source and source.admin.get(key) == b"1"
        replica = nodes.replica_of(source)
        nodes.fail_over(replica)
        assert nodes.owner(slot) is replica and replica.admin.get(key) == b"1"
