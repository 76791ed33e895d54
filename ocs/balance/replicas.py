"""Whether the replicas that may be promoted have everything that was acknowledged under ``replicated``.

``WAIT n`` is content with any n replicas. Each one that may be promoted is sure to be among them only when n is the
number of all replicas: one that is barred from promotion may answer in the place of one that is not.
"""

import re
from typing import Any, Final

import msgspec
import redis

from ocs.balance.node_client import connect_node
from ocs.balance.store_address import StoreAddress
from ocs.balance.store_admin import StoreRefusedError, check_configuration, read_configuration
from ocs.balance.store_client import StoreClient
from ocs.balance.topology import Node
from ocs.limits import STORE_TOPOLOGY_TIMEOUT_S
from ocs.settings import StoreSettings
from ocs.store_url import Endpoint

REMEDY_UNCOVERABLE: Final = (
    "set [store] replicas to the number of each primary's replicas, or bar all of them from promotion"
)
REMEDY_MISSING: Final = "start the missing replicas, and see why they do not follow"


class Replica(msgspec.Struct, frozen=True):
    """One replica as its primary and it itself tell.

    Attributes:
        is_connected: it has its copy and follows.
        is_promotable: Sentinel (``replica-priority``) or the cluster (``cluster-replica-no-failover``) may promote it;
            one that does not answer is taken for promotable.
        lag_octets: how far it is behind; None while it is not connected.
        fault: why money would not be safe in it, were it promoted; empty when it would be.
    """

    endpoint: Endpoint
    is_connected: bool
    is_promotable: bool
    lag_octets: int | None = None
    fault: str = ""


class Replication(msgspec.Struct, frozen=True):
    """A primary that owns slots, and its replicas."""

    primary: Endpoint
    replicas: tuple[Replica, ...]

    @property
    def connected(self) -> int:
        """How many replicas follow now."""
        return sum(replica.is_connected for replica in self.replicas)

    @property
    def has_promotable(self) -> bool:
        """Whether any of them may become the primary."""
        return any(replica.is_promotable for replica in self.replicas)


class ReplicaReport(msgspec.Struct, frozen=True):
    """What stands behind ``durability = "replicated"``.

    Attributes:
        wanted: ``[store] replicas``.
    """

    wanted: int
    replications: tuple[Replication, ...]

    @property
    def connected(self) -> int:
        """How many replicas follow the primary that has the fewest."""
        return min((replication.connected for replication in self.replications), default=0)

    @property
    def uncoverable(self) -> str:
        """Why one that lacks what was acknowledged may be promoted however well all are; empty when none may."""
        for replication in self.replications:
            count = len(replication.replicas)
            if replication.has_promotable and count > self.wanted:
                return (
                    f"{replication.primary} has {count} replicas and [store] replicas is {self.wanted}: one that lacks"
                    " what was acknowledged may be promoted"
                )
        return ""

    @property
    def missing(self) -> str:
        """Which primary has fewer replicas now than a write needs; empty when none has."""
        for replication in self.replications:
            if replication.connected < self.wanted:
                return (
                    f"{replication.connected} of {self.wanted} replicas follow {replication.primary}"
                    f" ({', '.join(_describe(replica) for replica in replication.replicas) or 'it knows none'})"
                )
        return ""

    @property
    def faults(self) -> tuple[str, ...]:
        """Why money would not be safe in replicas that may be promoted."""
        return tuple(
            replica.fault
            for replication in self.replications
            for replica in replication.replicas
            if replica.is_promotable and replica.fault
        )

    @property
    def is_covered(self) -> bool:
        """Whether nothing that is acknowledged now can be missing after a promotion."""
        return not self.uncoverable and not self.missing


def check_replicas(client: StoreClient, settings: StoreSettings) -> ReplicaReport:
    """Look at every primary's replicas; blocks.

    Raises:
        redis.RedisError: a primary gave no answer; a replica that gives none is part of the report.
    """
    return ReplicaReport(
        settings.replicas,
        tuple(
            _look_at(client, node, settings) for node in client.topology(fresh=True).primaries if node.slots
        ),
    )


def refuse_uncoverable(report: ReplicaReport) -> None:
    """Refuse to start where a promise of ``replicated`` can never be kept.

    Raises:
        StoreRefusedError: with the remedy.
    """
    if report.uncoverable:
        raise StoreRefusedError(f"{report.uncoverable}: {REMEDY_UNCOVERABLE}")


def _look_at(client: StoreClient, node: Node, settings: StoreSettings) -> Replication:
    primary: Any = client.server(node.endpoint)
    told: dict[str, Any] = primary.info("replication")
    end = int(told["master_repl_offset"])
    following: dict[Endpoint, int] = {}
    for name, replica in told.items():
        if re.fullmatch(r"slave[0-9]+", name):
            about: dict[str, Any] = replica
            if about["state"] == "online":
                following[Endpoint(str(about["ip"]), int(about["port"]))] = end - int(about["offset"])
    return Replication(
        node.endpoint,
        tuple(
            _ask(client.address, endpoint, following.get(endpoint), settings)
            for endpoint in sorted({*node.replicas, *following})
        ),
    )


def _ask(
    address: StoreAddress, endpoint: Endpoint, lag_octets: int | None, settings: StoreSettings
) -> Replica:
    fault = ""
    is_promotable = True
    try:
        with connect_node(address, endpoint, STORE_TOPOLOGY_TIMEOUT_S) as client:
            server: Any = client
            priority = int(server.info("replication").get("slave_priority", 100))
            barred: dict[str, str] = server.config_get("cluster-replica-no-failover")
            is_promotable = (
                barred.get("cluster-replica-no-failover") != "yes"
                if address.kind == "cluster"
                else priority > 0
            )
            check_configuration(
                str(endpoint), read_configuration(client), fsync=settings.durability != "memory"
            )
    except StoreRefusedError as error:
        fault = str(error)
    except redis.RedisError as error:
        fault = f"{endpoint}: {' '.join(str(error).split())}" if lag_octets is not None else ""
    return Replica(endpoint, lag_octets is not None, is_promotable, lag_octets, fault)


def _describe(replica: Replica) -> str:
    return f"{replica.endpoint} {'follows' if replica.is_connected else 'does not'}"
