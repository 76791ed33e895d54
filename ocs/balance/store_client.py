"""One client of redis-py for the whole store: each command goes to the server that holds its key.

redis-py's own clients of Sentinels and clusters are not used: they keep a second map of the slots, leave connections to
servers that are gone, and raise errors outside of ``redis.RedisError``.
"""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final, cast

import redis
from redis.client import Pipeline
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from ocs.balance.node_client import connect_node, node_options
from ocs.balance.store_address import StoreAddress
from ocs.balance.topology import Topology, TopologyError, find_topology_blocking
from ocs.limits import STORE_REDIRECTS_MAX, STORE_RETRY_DELAY_S, STORE_TIMEOUT_S
from ocs.store_url import Endpoint

Command = tuple[str | bytes | int, ...]

# Where a command's first key stands, when not behind its name.
_KEY_INDEX: Final = {"FCALL": 3, "FCALL_RO": 3}
# Commands that concern a server and not a key.
_OF_A_SERVER: Final = frozenset(
    ("ACL", "CLIENT", "CLUSTER", "CONFIG", "DBSIZE", "FUNCTION", "INFO", "LASTSAVE", "PING", "ROLE", "SCAN", "WAIT")
)  # fmt: skip
# Answers after which the topology is asked for again and the command is sent again: it was not executed.
_NOT_NOW: Final = (TryAgainError, ClusterDownError, redis.ReadOnlyError)


class StoreClient(redis.Redis):
    """A ``redis.Redis`` for one server, a Sentinel group or a cluster; threads may share it.

    Commands of one server (``INFO``, ``FUNCTION LOAD``, ``SCAN``) go to the clients of :meth:`primaries`. A pipeline
    takes keys of one partition; :meth:`ask` takes any. A command whose connection broke is sent again and may then have
    happened twice: commits recognise it by their token, everything else that is sent here may be repeated.
    """

    def __init__(self, address: StoreAddress) -> None:
        base: Any = super()  # partly untyped
        base.__init__(**node_options(address, address.nodes[0], STORE_TIMEOUT_S))
        self.address = address
        self._is_single = address.kind == "single"
        self._lock = threading.Lock()
        self._topology: Topology | None = None
        self._servers: dict[Endpoint, redis.Redis] = {}

    def close(self) -> None:
        """Close every connection; the client may be used again."""
        super().close()
        with self._lock:
            servers, self._servers = list(self._servers.values()), {}
        for server in servers:
            server.close()

    # --- Servers ----------------------------------------------------------------------------------------

    def topology(self, *, fresh: bool = False) -> Topology:
        """The servers as last seen, or as they are now.

        Raises:
            redis.ConnectionError: nobody knows.
        """
        with self._lock:
            known = self._topology
        if known is not None and not fresh:
            return known
        try:
            found = find_topology_blocking(self.address, known)
        except TopologyError as error:
            raise redis.ConnectionError(str(error)) from error
        with self._lock:
            self._topology = found
        return found

    def primaries(self) -> tuple["redis.Redis", ...]:
        """A client of each primary, as they are now."""
        return tuple(self.server(node.endpoint) for node in self.topology(fresh=True).primaries)

    def server(self, endpoint: Endpoint) -> "redis.Redis":
        """The client of one server; closed with this one."""
        if self._is_single:
            return self
        with self._lock:
            if endpoint not in self._servers:
                self._servers[endpoint] = connect_node(self.address, endpoint, STORE_TIMEOUT_S)
            return self._servers[endpoint]

    def holder(self, key: str | bytes) -> "redis.Redis":
        """The client of the primary that holds a key.

        Raises:
            redis.ConnectionError: none does.
        """
        if self._is_single:
            return self
        slot = key_slot(key.encode() if isinstance(key, str) else key)
        node = self.topology().owner_of(slot) or self.topology(fresh=True).owner_of(slot)
        if node is None:
            raise redis.ConnectionError(f"no server of the store holds slot {slot} now")
        return self.server(node.endpoint)

    # --- Commands ---------------------------------------------------------------------------------------

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command to the server that holds its key; what redis-py's own methods end in."""
        if self._is_single:
            base: Any = super()
            return base.execute_command(*args, **options)
        (reply,) = self._converse(key_of(args), [(args, options)])
        if isinstance(reply, Exception):
            raise reply
        return reply

    def send(self, key: str | bytes, commands: Sequence[Command]) -> list[Any]:
        """Send commands to the server that holds ``key``, in order and on one connection.

        Returns:
            The replies; an error among them is returned, not raised.

        Raises:
            redis.RedisError: the server gave no answer, or none holds the key.
        """
        return self._converse(key, [(command, {}) for command in commands])

    def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands whose keys lie anywhere: one batch to each server.

        Returns:
            The replies in the order of the commands.

        Raises:
            redis.RedisError: the first error.
        """
        batches: dict[redis.Redis, list[int]] = {}
        for index, command in enumerate(commands):
            batches.setdefault(self.holder(key_of(command)), []).append(index)
        replies: list[Any] = [None] * len(commands)
        for server, indexes in batches.items():
            batch = [(commands[index], dict[str, Any]()) for index in indexes]
            answered = self._try(server, batch, asking=False)
            if len(answered) < len(indexes):  # the connection broke
                answered *= len(indexes)
            for index, reply in zip(indexes, answered, strict=True):
                # What moved meanwhile is found one by one.
                is_reply = not isinstance(reply, redis.RedisError)
                replies[index] = reply if is_reply else self.execute_command(*commands[index])
        return replies

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:  # noqa: FBT001, FBT002 - redis-py's
        """A pipeline of redis-py for keys of one partition."""
        if self._is_single:
            base: Any = super()
            return base.pipeline(transaction, shard_hint)
        return _PartitionPipeline(self, transaction=transaction)

    def _converse(self, key: str | bytes, commands: list[tuple[Any, dict[str, Any]]]) -> list[Any]:
        """Send commands to the holder of a key, looking for it again as long as they were not executed."""
        if self._is_single:
            return _pipe(self, commands, asking=False)
        server, asking = self.holder(key), False
        failure: Exception = redis.ConnectionError("redirected too often")
        for attempt in range(STORE_REDIRECTS_MAX):
            replies = self._try(server, commands, asking=asking)
            match replies[0]:
                case AskError() as redirection:  # MOVED is a kind of it
                    asking = not isinstance(redirection, MovedError)
                    server = self._redirected(server, redirection)
                    continue
                case redis.ConnectionError() as failure:
                    pass
                case reply if isinstance(reply, _NOT_NOW):
                    failure = reply
                case _:
                    return replies
            time.sleep(STORE_RETRY_DELAY_S * attempt)
            self.topology(fresh=True)
            server, asking = self.holder(key), False
        raise failure

    def _try(
        self, server: "redis.Redis", commands: list[tuple[Any, dict[str, Any]]], *, asking: bool
    ) -> list[Any]:
        """Send once; a broken connection is a reply like others, silence and a refused password are raised."""
        try:
            return _pipe(server, commands, asking=asking)
        except redis.AuthenticationError:
            raise
        except redis.TimeoutError:
            with self._lock:
                self._topology = None  # the next call shall look whether another server has taken over
            raise
        except redis.ConnectionError as error:
            return [error]

    def _redirected(self, server: "redis.Redis", redirection: Any) -> "redis.Redis":
        """The server that another one names; without a host it means its own."""
        self.topology(fresh=True)
        connection: Any = server
        host: str = redirection.host or connection.get_connection_kwargs()["host"]
        return self.server(Endpoint(host.strip("[]"), redirection.port))


class _PartitionPipeline(Pipeline):
    """Goes, when it is executed, to the server that holds the key of its first command."""

    def __init__(self, client: StoreClient, *, transaction: bool) -> None:
        self._client = client
        base: Any = super()
        base.__init__(client.connection_pool, client.response_callbacks, transaction, None)

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - redis-py's
        """Send what was collected."""
        stack: list[tuple[Any, Any]] = cast("Any", self).command_stack
        if not stack:
            return []
        self.connection_pool = self._client.holder(key_of(stack[0][0])).connection_pool
        try:
            return super().execute(raise_on_error)
        except redis.RedisError:
            self._client.topology(fresh=True)
            raise


def key_of(command: Sequence[Any]) -> str | bytes:
    """The key by which a command finds its server.

    Raises:
        ValueError: it concerns a server, and which one is not said.
    """
    name = str(command[0]).partition(" ")[0].upper()
    if name in _OF_A_SERVER:
        raise ValueError(f"{name} concerns one server: send it to each of primaries()")
    return command[_KEY_INDEX.get(name, 1)]


def _pipe(server: "redis.Redis", commands: list[tuple[Any, dict[str, Any]]], *, asking: bool) -> list[Any]:
    """Send commands in one write; errors stand among the replies."""
    make = cast("Any", redis.Redis).pipeline  # not a StoreClient's own: the server is chosen
    with make(server, transaction=False) as pipeline:
        collect = pipeline.execute_command
        for command, options in commands:
            if asking:
                collect("ASKING")
            collect(*command, **options)
        replies: list[Any] = pipeline.execute(raise_on_error=False)
    return replies[1::2] if asking else replies
