"""Whether the replicas cover what is acknowledged: looked at on real servers, and judged case by case."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.balance.replicas import Replica, ReplicaReport, Replication, check_replicas, refuse_uncoverable
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_client import StoreClient
from ocs.settings import StoreSettings
from ocs.store_url import Endpoint
from tests.support.store_servers import Cluster, cluster, replicated, sentinel_group, until

PRIMARY = Endpoint("p", 1)


def settings(replicas: int = 1) -> StoreSettings:
    return StoreSettings(durability="replicated", replicas=replicas)


def replica(number: int = 0, *, connected: bool = True, promotable: bool = True, fault: str = "") -> Replica:
    return Replica(Endpoint("r", number), connected, promotable, 0 if connected else None, fault)


def report(wanted: int, *replicas: Replica) -> ReplicaReport:
    return ReplicaReport(wanted, (Replication(PRIMARY, replicas),))


# --- The verdict -------------------------------------------------------------------------------------------------


def test_as_many_as_there_are_cover():
    found = report(2, replica(1), replica(2))
    assert (found.is_covered, found.connected, found.uncoverable, found.missing) == (True, 2, "", "")
    refuse_uncoverable(found)


def test_one_of_two_may_be_the_one_that_lacks_it():
    found = report(1, replica(1), replica(2))
    assert not found.is_covered
    with pytest.raises(
        StoreRefusedError, match=r"p:1 has 2 replicas and \[store\] replicas is 1.*set \[store\]"
    ):
        refuse_uncoverable(found)


def test_barred_replica_may_answer_in_the_place_of_one_that_is_not():
    assert report(1, replica(1), replica(2, promotable=False)).uncoverable
    assert report(2, replica(1), replica(2, promotable=False)).is_covered


def test_any_number_covers_when_none_may_be_promoted():
    assert report(1, replica(1, promotable=False), replica(2, promotable=False)).is_covered


def test_replica_that_is_away_counts_for_it_may_come_back_and_be_promoted():
    found = report(1, replica(1), replica(2, connected=False))
    assert found.uncoverable and not found.missing


def test_too_few_that_follow_are_missing_and_do_not_refuse_the_start():
    found = report(2, replica(1), replica(2, connected=False))
    assert found.missing == "1 of 2 replicas follow p:1 (r:1 follows, r:2 does not)"
    assert not found.uncoverable and not found.is_covered
    refuse_uncoverable(found)
    assert report(1).missing == "0 of 1 replicas follow p:1 (it knows none)"


def test_worst_primary_counts():
    found = ReplicaReport(1, (Replication(PRIMARY, (replica(1),)), Replication(Endpoint("q", 1), ())))
    assert found.connected == 0 and "q:1" in found.missing


def test_fault_of_a_replica_that_may_be_promoted_is_told():
    found = report(3, replica(1, fault="bad"), replica(2, promotable=False, fault="barred"), replica(3))
    assert found.faults == ("bad",)


# --- Real servers ------------------------------------------------------------------------------------------------


def test_replicas_of_one_server_are_those_that_follow_it(tmp_path: Path):
    with replicated(tmp_path, replicas=2) as group, StoreClient(plain_address(group.primary.url)) as client:
        first, second = group.replicas
        found = check_replicas(client, settings(2))
        assert found.is_covered and found.faults == ()
        assert {one.endpoint for one in found.replications[0].replicas} == {first.endpoint, second.endpoint}
        assert check_replicas(client, settings(1)).uncoverable
        first.admin.config_set("replica-priority", 0)
        second.admin.config_set("replica-priority", 0)
        second.admin.config_set("appendonly", "no")
        assert check_replicas(client, settings(1)).is_covered
        second.admin.config_set("replica-priority", 1)
        (fault,) = check_replicas(client, settings(2)).faults
        assert fault.startswith(f"{second.endpoint}: appendonly is 'no'")
        second.kill()
        until(lambda: check_replicas(client, settings(2)).missing, "it is missed")


def test_replica_that_the_sentinels_know_counts_though_it_is_away(tmp_path: Path):
    with (
        sentinel_group(tmp_path, replicas=2, sentinels=1) as group,
        StoreClient(plain_address(group.url)) as client,
    ):
        assert check_replicas(client, settings(2)).is_covered
        group.replicas[0].kill()
        until(lambda: check_replicas(client, settings(2)).missing, "it is missed")
        assert check_replicas(client, settings(1)).uncoverable


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), primaries=2, replicas=1, spare=1) as nodes:
        yield nodes


def test_each_primary_of_a_cluster_that_owns_slots_has_its_replicas(nodes: Cluster):
    with StoreClient(plain_address(nodes.url)) as client:
        found = check_replicas(client, settings())
        assert found.is_covered
        assert {one.primary for one in found.replications} == {node.endpoint for node in nodes.nodes[:2]}
        nodes.nodes[2].admin.config_set("cluster-replica-no-failover", "yes")
        promotable = {
            one.replicas[0].endpoint: one.has_promotable
            for one in check_replicas(client, settings()).replications
        }
        assert promotable == {nodes.nodes[2].endpoint: False, nodes.nodes[3].endpoint: True}
        assert check_replicas(client, settings(2)).missing
