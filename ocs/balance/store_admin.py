"""Checks a store before money is put into it, and sets it up: by redis-py, at start and from the command line.

Everything here is synchronous; under trio call it through ``trio.to_thread.run_sync``.
"""

import hashlib
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec
import redis
from redis.exceptions import ClusterDownError, NoPermissionError, TryAgainError

from ocs.balance.keys import META
from ocs.balance.store_address import StoreAddress, StoreAddressError, make_tls_context, plain_address
from ocs.balance.store_client import StoreClient
from ocs.balance.store_home import mark_partitions
from ocs.balance.topology import TopologyError, find_topology_blocking
from ocs.limits import COMMIT_ATTEMPTS_MAX, STORE_TOPOLOGY_TIMEOUT_S
from ocs.settings import StoreSettings
from ocs.store_url import Endpoint, StoreKind

SCHEMA_VERSION: Final = 1

# What of a server's configuration decides whether money is safe in it.
NEEDED_CONFIGURATION: Final = ("maxmemory-policy", "appendonly", "appendfsync", "no-appendfsync-on-rewrite")

LOST_IDENTITY: Final = (
    "the store does not say (any more) that it is ours: restore the newest backup,"
    " or start `ocs up` on one that is empty"
)  # Field of the store's description beside those of StoreMeta: the loss for which Origin-State-Id rose last.
_STATE_CAUSE: Final = "origin_state_cause"
# Likewise: which text of the functions was loaded last, so that two releases beside each other know the other's.
LIBRARY_FIELD: Final = "library"

_LOWEST: Final = {"redis": (7, 0), "valkey": (8, 0)}
# What servers say while they agree on who is primary.
_PASSING: Final = (ClusterDownError, TryAgainError, redis.ReadOnlyError)
# What a server says that is not of the kind that the address claims.
_ANOTHER_KIND: Final = re.compile(
    r"cluster support disabled|unknown command .?SENTINEL|MOVED|knows no ", re.IGNORECASE
)


class StoreRefusedError(Exception):
    """The store must not be used as it is; ``str()`` is one line with the remedy."""


class StoreUnreachableError(StoreRefusedError):
    """The store does not answer; it may do so later."""


class StoreMeta(msgspec.Struct, frozen=True):
    """What a store says about itself, fixed when it was created.

    Attributes:
        partitions: number of partitions; an account's partition follows from it.
        origin_state_id: Origin-State-Id of all workers (RFC 6733 section 8.16).
        created_s: seconds since 1970 UTC.
    """

    schema_version: int
    partitions: int
    origin_state_id: int
    created_s: int


def connect(address: StoreAddress | str) -> StoreClient:
    """Make a client for administration; it connects with its first command and answers in bytes.

    Args:
        address: from :func:`~ocs.balance.store_address.read_store_address`; a text is a URL that needs no settings.

    Raises:
        StoreRefusedError: the text is no address.
    """
    try:
        return StoreClient(plain_address(address) if isinstance(address, str) else address)
    except StoreAddressError as error:
        raise StoreRefusedError(str(error)) from None


def check_store(client: StoreClient, settings: StoreSettings) -> None:
    """Refuse a store of which one primary could lose what it acknowledged, or is not one we know.

    Raises:
        StoreUnreachableError: no answer.
        StoreRefusedError: with the remedy.
    """
    address = client.address
    try:
        if address.is_tls and address.kind == "single":  # of several servers one may well be away
            _greet(address)
        # Asked for itself: its errors say more than those of the commands that would need it.
        topology = find_topology_blocking(address)
        for node in topology.primaries:
            _check_primary(address, node.endpoint, client.server(node.endpoint), settings)
    except (TopologyError, redis.RedisError) as error:
        raise explain(address, error) from None


def _greet(address: StoreAddress) -> None:
    """See whether a port that should speak TLS does: one that does not is silent, and redis-py waits long for it.

    Raises:
        StoreUnreachableError: it is silent.
    """
    endpoint, context = address.nodes[0], make_tls_context(address)
    assert context is not None  # noqa: S101 - the address says TLS
    try:
        with socket.create_connection((endpoint.host, endpoint.port), STORE_TOPOLOGY_TIMEOUT_S) as plain:
            context.wrap_socket(plain, server_hostname=endpoint.host).close()
    except TimeoutError:
        raise StoreUnreachableError(
            f"{address}: no TLS handshake within {STORE_TOPOLOGY_TIMEOUT_S:g} s: start the store or correct [store] url"
            " (does this port speak TLS?)"
        ) from None
    except OSError:
        pass  # whatever else is wrong is told by redis-py's errors


def _check_primary(
    address: StoreAddress, endpoint: Endpoint, server: "redis.Redis", settings: StoreSettings
) -> None:
    where = str(address) if address.kind == "single" else f"{address}: {endpoint}"
    connection: Any = server
    information: dict[str, Any] = connection.info()
    _check_server(where, information, address.kind)
    check_configuration(where, read_configuration(server), fsync=settings.durability != "memory")


def explain(address: StoreAddress, error: Exception) -> StoreRefusedError:
    """Turn an error of redis-py or of the topology into one line with the remedy."""
    chain = list(_causes(error))
    line = f"{address}: {' '.join(str(error).split())}"
    if any(isinstance(cause, redis.AuthenticationError) for cause in chain):
        secret = "sentinel_password_file or password_file" if address.kind == "sentinel" else "password_file"
        return StoreRefusedError(
            f"{line}: name the user in [store] url and the password's file in [store] {secret}"
        )
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in chain):
        return StoreRefusedError(
            f"{line}: name in [store] tls_ca_file who issued the store's certificate,"
            " and in [store] url the server as its certificate does"
        )
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return StoreRefusedError(
            f"{line}: TLS failed: check that this port speaks it, and name in [store] tls_certificate_file who we are"
        )
    if any(isinstance(cause, NoPermissionError) for cause in chain):
        return StoreRefusedError(f"{line}: give this user the rights that the runbook lists")
    if any("DB index is out of range" in str(cause) for cause in chain):
        return StoreRefusedError(f"{line}: name in [store] url a database that the server has, such as /0")
    if any(_ANOTHER_KIND.search(str(cause)) for cause in chain):
        return StoreRefusedError(
            f"{line}: name one server as redis://HOST:PORT, a cluster as redis+cluster://HOST:PORT, Sentinels as"
            " redis+sentinel://HOST:PORT/NAME with their name for the primary"
        )
    if any(isinstance(cause, _PASSING) for cause in chain):
        return StoreUnreachableError(f"{line}: wait until the store has found its primary")
    if any(isinstance(cause, redis.ResponseError) for cause in chain):
        return StoreRefusedError(f"{line}: the store refuses to be used")
    hint = " (does this port speak TLS?)" if address.is_tls else ""
    return StoreUnreachableError(f"{line}: start the store or correct [store] url{hint}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def read_configuration(server: "redis.Redis") -> dict[str, str]:
    """The :data:`NEEDED_CONFIGURATION` of a server.

    Raises:
        redis.RedisError: no answer, or no right to ask.
    """
    connection: Any = server
    found: dict[str, str] = {}
    for name in NEEDED_CONFIGURATION:
        found |= connection.config_get(name)
    return found


def _check_server(where: str, information: dict[str, Any], kind: StoreKind) -> None:
    product = "valkey" if "valkey_version" in information else "redis"
    text = str(information.get(f"{product}_version", ""))
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if version < _LOWEST[product]:
        raise StoreRefusedError(
            f"{where}: this is {product} {text}: Redis 7.0 or Valkey 8.0 is the oldest that works"
        )
    if "sentinel" in {information.get("redis_mode"), information.get("server_mode")}:
        raise StoreRefusedError(f"{where}: this is a Sentinel: name it as redis+sentinel://HOST:PORT/NAME")
    if information.get("cluster_enabled") and kind != "cluster":
        raise StoreRefusedError(
            f"{where}: this is a cluster's node: name the cluster as redis+cluster://HOST:PORT"
        )
    if information.get("role") != "master":
        if kind != "single":
            raise StoreUnreachableError(
                f"{where}: this is a replica now: wait until the store has found its primary"
            )
        raise StoreRefusedError(f"{where}: this is a replica: name its primary in [store] url")


def check_configuration(where: str, found: dict[str, str], *, fsync: bool) -> None:
    """Check a server's configuration, as :func:`read_configuration` gives it.

    Raises:
        StoreRefusedError: with the command that mends it.
    """
    needed = {"maxmemory-policy": "noeviction", "appendonly": "yes"}
    if fsync:
        needed |= {"appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
    for name, value in needed.items():
        if found.get(name) != value:
            raise StoreRefusedError(
                f"{where}: {name} is {found.get(name, 'unknown')!r} and money needs {value!r}:"
                f" run `CONFIG SET {name} {value}` and write it into the store's configuration file"
            )


def set_up_store(client: StoreClient, *, partitions: int, now_s: int, library: str) -> StoreMeta:
    """Make an empty store ours, or check that it is; load the functions that commit into every primary.

    Workers may call this at once: the first decides, all get the same answer.

    Args:
        client: a store that :func:`check_store` accepted.
        partitions: what the configuration wants; fixed when the store is created.
        now_s: seconds since 1970 UTC; becomes Origin-State-Id when the store is new.
        library: text of the function library, with its ``#!lua name=...`` line.

    Raises:
        StoreUnreachableError: no answer.
        StoreRefusedError: another program's data, another schema, or another number of partitions.
    """
    where = str(client.address)
    try:
        meta = read_meta(client)
        if meta is None:
            _create(client, where, partitions=partitions, now_s=now_s)
            meta = read_meta(client)
        if meta is None:
            raise StoreRefusedError(f"{where}: somebody empties this store: give the OCS a store of its own")
        _check_meta(where, meta, partitions=partitions)
        mark_partitions(client, partitions=partitions, created_s=meta.created_s)
        note_library(client, library)
        load_library(client, library)
    except redis.RedisError as error:
        raise explain(client.address, error) from None
    return meta


def read_meta(client: StoreClient) -> StoreMeta | None:
    """What the store says about itself; None when it was never set up.

    Raises:
        StoreRefusedError: the key ``meta`` holds something else.
    """
    connection: Any = client
    fields: dict[bytes, bytes] = connection.hgetall(META)
    if not fields:
        return None
    texts = {name.decode(): value.decode() for name, value in fields.items()}
    try:
        return msgspec.convert(texts, StoreMeta, strict=False)
    except msgspec.ValidationError as error:
        raise StoreRefusedError(
            f"{client.address}: key {META!r} is not ours ({error}): give the OCS a store of its own"
        ) from None


def advance_origin_state_id(client: StoreClient, *, known: int, history: str, now_s: int) -> int:
    """Raise Origin-State-Id because sessions were lost, once for each loss (RFC 6733 section 8.16); blocks.

    Workers notice a loss one after the other: the first raises it, the others find what it wrote. Should that be lost
    as well, the next one who notices raises it above what it knows.

    Args:
        known: what this worker has told gateways so far.
        history: the replication history of the server that lacks something: it names the loss.
        now_s: seconds since 1970 UTC.

    Returns:
        What every worker is to tell gateways from now on.

    Raises:
        StoreUnreachableError: no answer, or others are always faster.
        StoreRefusedError: the store is not set up (any more).
    """
    try:
        connection: Any = client.holder(META)
        for _ in range(COMMIT_ATTEMPTS_MAX):
            with connection.pipeline(transaction=True) as transaction:
                transaction.watch(META)
                found, cause = transaction.hmget(META, "origin_state_id", _STATE_CAUSE)
                if found is None:
                    raise StoreRefusedError(f"{client.address}: {LOST_IDENTITY}")
                if int(found) > known or (int(found) == known and cause == history.encode()):
                    return int(found)
                state_id = max(now_s, known + 1)
                transaction.multi()
                transaction.hset(META, mapping={"origin_state_id": state_id, _STATE_CAUSE: history})
                try:
                    transaction.execute()
                except redis.WatchError:
                    continue
                return state_id
    except redis.RedisError as error:
        raise explain(client.address, error) from None
    raise StoreUnreachableError(f"{client.address}: Origin-State-Id changes all the time: try again")


def load_library(client: StoreClient, library: str) -> int:
    """Load a function library into every primary that has not exactly this text.

    Replicas get it from their primaries; a node that joins a cluster has none, nor has one that was promoted before it
    had it.

    Returns:
        How many primaries needed it.

    Raises:
        redis.RedisError: one of them gave no answer, or refused.
    """
    name = re.match(r"#!lua name=(\w+)", library)
    if name is None:
        raise ValueError("a function library begins with '#!lua name=...'")
    loaded = 0
    for server in client.primaries():
        connection: Any = server
        listed = connection.execute_command("FUNCTION LIST", "LIBRARYNAME", name[1], "WITHCODE")
        if not _holds(listed, library.encode()):
            connection.function_load(library, replace=True)
            loaded += 1
    return loaded


def note_library(client: StoreClient, library: str) -> None:
    """Have the store's description say which function library is about to be loaded.

    Raises:
        redis.RedisError: no answer.
    """
    connection: Any = client
    connection.hset(META, LIBRARY_FIELD, library_digest(library.encode()))


def library_digest(text: bytes) -> str:
    """How the store's description names a function library."""
    return hashlib.sha256(text).hexdigest()


def _holds(reply: Any, text: bytes) -> bool:
    """Whether a reply contains a text, whichever shape the protocol's version gives it."""
    if isinstance(reply, dict):
        reply = list(cast("dict[Any, Any]", reply).values())
    if isinstance(reply, list):
        return any(_holds(part, text) for part in cast("list[Any]", reply))
    return reply == text


def _create(client: StoreClient, where: str, *, partitions: int, now_s: int) -> None:
    connection: Any = client
    keys: int = sum(cast("Any", server).dbsize() for server in client.primaries())
    if keys and not connection.exists(META):  # asked last: another worker may just have created it
        raise StoreRefusedError(
            f"{where}: holds {keys} keys that are not ours: give the OCS a store of its own"
        )
    with connection.pipeline(transaction=True) as transaction:
        for field, value in msgspec.to_builtins(StoreMeta(SCHEMA_VERSION, partitions, now_s, now_s)).items():
            transaction.hsetnx(META, field, value)
        transaction.execute()


def _check_meta(where: str, meta: StoreMeta, *, partitions: int) -> None:
    if meta.schema_version != SCHEMA_VERSION:
        raise StoreRefusedError(
            f"{where}: written by schema {meta.schema_version}, and this program reads {SCHEMA_VERSION}:"
            " run the release that wrote it"
        )
    if meta.partitions != partitions:
        raise StoreRefusedError(
            f"{where}: created with {meta.partitions} partitions, and [store] partitions says {partitions}:"
            f" set it to {meta.partitions}"
        )
