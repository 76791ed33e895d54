"""Which servers make up the store now: who is primary, who owns which slots, who copies whom; asked by redis-py."""

from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Final

import msgspec
import redis
import trio
from redis.crc import key_slot

from ocs.balance.node_client import connect_node, connect_sentinel
from ocs.balance.store_address import StoreAddress
from ocs.limits import STORE_TOPOLOGY_ASKED_MAX, STORE_TOPOLOGY_TIMEOUT_S
from ocs.store_url import Endpoint

ALL_SLOTS: Final = ((0, 16_383),)


class TopologyError(ConnectionError):
    """Nobody says now which servers make up the store; ``str()`` is one line, the cause is the most telling error."""


class Node(msgspec.Struct, frozen=True):
    """A primary.

    Attributes:
        slots: first and last of each range that it owns, in order; empty for a cluster's primary that has none yet.
        replicas: all that the cluster or the Sentinels know of, also those that are away; not looked for on a single
            server.
    """

    endpoint: Endpoint
    slots: tuple[tuple[int, int], ...] = ALL_SLOTS
    replicas: tuple[Endpoint, ...] = ()


class Topology(msgspec.Struct, frozen=True):
    """All primaries of a store, those without slots included."""

    primaries: tuple[Node, ...]

    def owner_of(self, slot: int) -> Node | None:
        """The primary that owns a slot; None while nobody does."""
        for node in self.primaries:
            if any(first <= slot <= last for first, last in node.slots):
                return node
        return None


def idle_primaries(topology: Topology, partitions: int) -> tuple[Endpoint, ...]:
    """Primaries that hold none of the partitions, and so work for nobody."""
    slots = [key_slot(f"{{{partition}}}".encode()) for partition in range(partitions)]
    busy = {node for slot in slots if (node := topology.owner_of(slot)) is not None}
    return tuple(node.endpoint for node in topology.primaries if node not in busy)


async def find_topology(address: StoreAddress, known: Topology | None = None) -> Topology:
    """As :func:`find_topology_blocking`, for trio; cancelled, the question goes on in its thread and is forgotten."""
    return await trio.to_thread.run_sync(find_topology_blocking, address, known, abandon_on_cancel=True)


def find_topology_blocking(address: StoreAddress, known: Topology | None = None) -> Topology:
    """Ask which servers are primaries now.

    Args:
        address: a single server is its own topology and is not asked; Sentinels are asked one by one, and the server
            that one names must say itself that it is a primary; of a cluster any node will do.
        known: what stood last: a cluster's nodes that the address does not name are asked as well.

    Raises:
        TopologyError: nobody gives an answer that can be used.
    """
    if address.kind == "single":
        return Topology((Node(address.nodes[0]),))
    if address.kind == "sentinel":
        return _ask_sentinels(address)
    return _ask_cluster(address, known)


# --- Sentinel ----------------------------------------------------------------------------------------------------


def _ask_sentinels(address: StoreAddress) -> Topology:
    errors: dict[Endpoint, Exception] = {}
    for sentinel in address.nodes:
        try:
            return _ask_sentinel(address, sentinel)
        except (redis.RedisError, TopologyError) as error:
            errors[sentinel] = error
    raise _failure(f"no Sentinel names a primary for {address.name!r}", errors)


def _ask_sentinel(address: StoreAddress, sentinel: Endpoint) -> Topology:
    with connect_sentinel(address, sentinel, STORE_TOPOLOGY_TIMEOUT_S) as client:
        connection: Any = client
        named = connection.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", address.name)
        if named is None:
            raise redis.ResponseError(f"knows no {address.name!r}")
        primary = Endpoint(_word(named[0]), int(named[1]))
        listed = connection.execute_command("SENTINEL REPLICAS", address.name)
    replicas = tuple(sorted(Endpoint(about["ip"], int(about["port"])) for about in map(_pairs, listed)))
    # After a failover a Sentinel may still name the old primary: what the server says of itself counts.
    with connect_node(address, primary, STORE_TOPOLOGY_TIMEOUT_S) as client:
        connection = client
        role = _word(connection.execute_command("ROLE")[0])
    if role != "master":
        raise TopologyError(f"names {primary}, and that one says that it is {role}")
    return Topology((Node(primary, replicas=replicas),))


# --- Cluster -----------------------------------------------------------------------------------------------------


class _View(msgspec.Struct, frozen=True):
    """What one node says about the cluster."""

    topology: Topology
    is_ok: bool
    epoch: int


def _ask_cluster(address: StoreAddress, known: Topology | None) -> Topology:
    asked = dict.fromkeys(address.nodes)
    for node in known.primaries if known is not None else ():
        asked |= dict.fromkeys((node.endpoint, *node.replicas))
    best: _View | None = None
    errors: dict[Endpoint, Exception] = {}
    # All at once, for one that hangs must not keep the others waiting; its thread ends by its own timeout.
    pool = ThreadPoolExecutor(STORE_TOPOLOGY_ASKED_MAX)
    try:
        answers = {
            pool.submit(_ask_node, address, endpoint): endpoint
            for endpoint in list(asked)[:STORE_TOPOLOGY_ASKED_MAX]
        }
        for answer in as_completed(answers):
            try:
                view = answer.result()
            except (redis.RedisError, TopologyError) as error:
                errors[answers[answer]] = error
                continue
            if view.is_ok:
                return view.topology
            if best is None or view.epoch > best.epoch:
                best = view
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if best is None:
        raise _failure("no node of the cluster answers", errors)
    return best.topology


def _ask_node(address: StoreAddress, endpoint: Endpoint) -> _View:
    with connect_node(address, endpoint, STORE_TOPOLOGY_TIMEOUT_S) as client:
        # As they come: redis-py's own reading of these replies differs between its releases.
        information = _raw(client, "CLUSTER", "INFO")
        slots = _raw(client, "CLUSTER", "SLOTS")
        shards = _raw(client, "CLUSTER", "SHARDS")
    state = dict(line.partition(":")[::2] for line in information.decode().splitlines())
    return _View(
        Topology(read_cluster(slots, shards, endpoint)),
        state.get("cluster_state") == "ok",
        int(state.get("cluster_current_epoch", 0)),
    )


def read_cluster(slots: list[Any], shards: list[Any], asked: Endpoint) -> tuple[Node, ...]:
    """Make primaries of what ``CLUSTER SLOTS`` and ``CLUSTER SHARDS`` answered.

    Args:
        slots: says who owns what; it is what every cluster client goes by.
        shards: names also the primaries that own nothing yet, and the replicas that are away.
        asked: stands for a node that does not know its own address.
    """
    owned: dict[Endpoint, list[tuple[int, int]]] = {}
    copies: dict[Endpoint, set[Endpoint]] = {}
    for first, last, primary, *replicas in slots:
        endpoint = _endpoint_of(primary[0], primary[1], asked)
        owned.setdefault(endpoint, []).append((int(first), int(last)))
        copies.setdefault(endpoint, set()).update(_endpoint_of(copy[0], copy[1], asked) for copy in replicas)
    for shard in map(_pairs_raw, shards):
        members = {
            _endpoint_of(node.get("endpoint"), node.get("tls-port") or node.get("port"), asked): node
            for node in map(_pairs_raw, shard["nodes"])
        }
        replicas = {endpoint for endpoint, node in members.items() if _word(node["role"]) == "replica"}
        for endpoint, node in members.items():
            if _word(node["role"]) == "master" and _word(node["health"]) == "online":
                if not shard["slots"]:
                    owned.setdefault(endpoint, [])
                copies.setdefault(endpoint, set()).update(replicas)
    return tuple(
        Node(endpoint, tuple(sorted(owned[endpoint])), tuple(sorted(copies.get(endpoint, ()))))
        for endpoint in sorted(owned)
    )


def _endpoint_of(host: Any, port: Any, asked: Endpoint) -> Endpoint:
    """An endpoint as a node tells it; without a host ("?" likewise) it is where we asked."""
    name = _word(host) if host else ""
    return Endpoint(asked.host if name in {"", "?"} else name, int(port))


def _failure(what: str, errors: dict[Endpoint, Exception]) -> TopologyError:
    """What all of them said; the cause is the first that says more than that it cannot be reached."""
    failure = TopologyError(f"{what}: {'; '.join(f'{asked}: {error}' for asked, error in errors.items())}")
    failure.__cause__ = min(errors.values(), key=lambda error: isinstance(error, redis.TimeoutError))
    for error in errors.values():
        if isinstance(error, redis.AuthenticationError | redis.ResponseError):
            failure.__cause__ = error
    return failure


# --- Replies -----------------------------------------------------------------------------------------------------


def _raw(client: "redis.Redis", *words: str) -> Any:
    """A reply that redis-py has not touched."""
    pool: Any = client.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_command(*words)
        return connection.read_response()
    finally:
        pool.release(connection)


def _word(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _pairs_raw(flat: list[Any]) -> dict[str, Any]:
    return {_word(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _pairs(flat: list[Any]) -> dict[str, str]:
    return {name: _word(value) for name, value in _pairs_raw(flat).items()}
