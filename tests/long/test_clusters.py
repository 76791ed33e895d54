"""Clusters and Sentinel groups under load: nodes killed, paused, promoted, slots moved, and the books stay equal.

Every run has its seed, which decides what happens in which order; it is in the test's name.
"""

import os
import random
import signal
from collections.abc import Callable

import pytest

from tests.endtoend.lab import System, running, wait_until
from tests.support.load import Load
from tests.support.store_servers import Cluster, SentinelGroup, Server, cluster, sentinel_group

pytestmark = pytest.mark.long
RUNS = 10
SENTINEL_RUNS = 3
FAULTS = 4
PARTITIONS = 64
PAUSE_ANSWERS = 200


def settings(url: str, replicas: int) -> dict[str, str]:
    return {
        "OCS_STORE__URL": url,
        "OCS_STORE__DURABILITY": "replicated",
        "OCS_STORE__REPLICAS": str(replicas),
        "OCS_CHARGING__WORKERS": "2",
    }


def kill_worker(system: System, draw: random.Random) -> None:
    before = wait_until(system.workers, "workers")
    os.kill(draw.choice(sorted(before)), signal.SIGKILL)
    wait_until(lambda: system.workers() - before, "another worker")


class ClusterFaults:
    """What happens to a cluster; after each fault it is well again."""

    def __init__(self, nodes: Cluster, system: System, draw: random.Random) -> None:
        self._nodes = nodes
        self._system = system
        self._draw = draw

    def kill_primary(self) -> None:
        """A primary dies; its replica is promoted by the others; the dead one comes back and follows."""
        victim = self._draw.choice(self._nodes.primaries)
        successor = self._nodes.replica_of(victim)
        victim.kill()
        wait_until(lambda: successor.is_primary, f"{successor} is promoted")
        self._come_back(victim)

    def kill_replica(self) -> None:
        victim = self._nodes.replica_of(self._draw.choice(self._nodes.primaries))
        victim.kill()
        self._come_back(victim)

    def promote_replica(self) -> None:
        """The operator changes roles, as before maintenance."""
        self._nodes.fail_over(self._nodes.replica_of(self._draw.choice(self._nodes.primaries)))

    def move_slots(self) -> None:
        """A tenth of the slots moves to another primary while sessions in them are charged."""
        source, target = self._draw.sample(self._nodes.primaries, 2)
        first = self._draw.randrange(0, 16_384 - 1_600)
        last = first + 1_600
        owned = [slot for slot in (first, last) if self._nodes.owner(slot) is source]
        if len(owned) == 2:
            self._nodes.migrate_slots(first, last, target)

    def kill_worker(self) -> None:
        kill_worker(self._system, self._draw)

    def _come_back(self, node: Server) -> None:
        node.start()
        node.wait_link()
        self._nodes.wait_ok()


@pytest.mark.parametrize("seed", range(RUNS))
def test_cluster_that_loses_nodes_and_moves_slots_loses_and_doubles_nothing(tmp_path, seed: int) -> None:
    draw = random.Random(seed)
    with (
        cluster(tmp_path / "cluster", primaries=3, replicas=1) as nodes,
        running(tmp_path / "data", **settings(nodes.url, replicas=1)) as system,
        Load(system) as load,
    ):
        faults = ClusterFaults(nodes, system, draw)
        choices: list[Callable[[], None]] = [
            faults.kill_primary,
            faults.kill_replica,
            faults.promote_replica,
            faults.move_slots,
            faults.kill_worker,
        ]
        for fault in [faults.kill_primary, *draw.choices(choices, k=FAULTS - 1)]:
            load.advance()
            fault()
        load.advance()
        load.settle_books()
        load.verify()


@pytest.mark.parametrize("seed", range(SENTINEL_RUNS))
def test_sentinel_group_that_loses_its_primary_loses_and_doubles_nothing(tmp_path, seed: int) -> None:
    draw = random.Random(seed)
    with (
        sentinel_group(tmp_path / "group", replicas=2) as group,
        running(tmp_path / "data", **settings(group.url, replicas=2)) as system,
        Load(system) as load,
    ):
        for _ in range(FAULTS // 2):
            load.advance()
            _kill_primary(group)
            load.advance()
            draw.choice([lambda: kill_worker(system, draw), group.fail_over])()
        load.advance()
        load.settle_books()
        load.verify()


def _kill_primary(group: SentinelGroup) -> None:
    """The primary dies, another is promoted, and the dead one comes back to follow whoever that is."""
    victim = group.primary
    victim.kill()
    group.wait_for_another(victim)
    victim.start()
    victim.wait_link()
