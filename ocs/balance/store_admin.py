"""Checks a store before money is put into it, and sets it up: by redis-py, at start and from the command line.

Everything here is synchronous; under trio call it through ``trio.to_thread.run_sync``.
"""

import re
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ocs.balance.keys import META
from ocs.limits import STORE_TIMEOUT_S
from ocs.settings import StoreSettings
from ocs.settings_file import SecretFileError, read_secret_file

SCHEMA_VERSION: Final = 1

_LOWEST: Final = {"redis": (7, 0), "valkey": (8, 0)}
# redis-py knows Redis' own schemes; the protocol behind Valkey's is the same.
_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}


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


def connect(url: str, password_file: Path | None = None) -> "redis.Redis":
    """Make a client for administration; it connects with its first command and answers in bytes.

    Args:
        url: ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``.
        password_file: holds the password; None when the store asks for none.

    Raises:
        StoreRefusedError: the password file cannot be used.
    """
    scheme, separator, rest = url.partition("://")
    # One more try, at once: a pooled connection may have died with the store's last run. Waiting is the caller's.
    options: dict[str, Any] = {
        "socket_timeout": STORE_TIMEOUT_S,
        "socket_connect_timeout": STORE_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 1),
    }
    if scheme == "unix":
        del options["socket_connect_timeout"]
    if password_file is not None:
        try:
            options["password"] = read_secret_file(password_file)
        except SecretFileError as error:
            raise StoreRefusedError(str(error)) from None
    from_url: Any = cast("Any", redis.Redis).from_url
    return from_url(f"{_SCHEMES.get(scheme, scheme)}{separator}{rest}", **options)


def check_store(client: "redis.Redis", settings: StoreSettings) -> None:
    """Refuse a store that could lose what it acknowledged, or that is not one we know.

    Raises:
        StoreUnreachableError: no answer.
        StoreRefusedError: with the remedy.
    """
    where = _name_of(client)
    connection: Any = client
    try:
        information: dict[str, Any] = connection.info()
        wanted = ("maxmemory-policy", "appendonly", "appendfsync", "no-appendfsync-on-rewrite")
        found: dict[str, str] = {}
        for name in wanted:
            found |= connection.config_get(name)
    except redis.AuthenticationError as error:
        raise StoreRefusedError(
            f"{where}: {error}: name the password's file in [store] password_file"
        ) from None
    except redis.ResponseError as error:
        raise StoreRefusedError(f"{where}: {error}: allow this user INFO, CONFIG GET and FUNCTION") from None
    except redis.RedisError as error:
        raise StoreUnreachableError(f"{where}: {error}: start the store or correct [store] url") from None
    _check_server(where, information)
    _check_configuration(where, found, fsync=settings.durability != "memory")


def _check_server(where: str, information: dict[str, Any]) -> None:
    kind = "valkey" if "valkey_version" in information else "redis"
    text = str(information.get(f"{kind}_version", ""))
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if version < _LOWEST[kind]:
        raise StoreRefusedError(
            f"{where}: this is {kind} {text}: Redis 7.0 or Valkey 8.0 is the oldest that works"
        )
    if information.get("role") != "master":
        raise StoreRefusedError(f"{where}: this is a replica: name its primary in [store] url")
    if information.get("cluster_enabled"):
        raise StoreRefusedError(f"{where}: this is a cluster's node: name a server that is not part of one")


def _check_configuration(where: str, found: dict[str, str], *, fsync: bool) -> None:
    needed = {"maxmemory-policy": "noeviction", "appendonly": "yes"}
    if fsync:
        needed |= {"appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
    for name, value in needed.items():
        if found.get(name) != value:
            raise StoreRefusedError(
                f"{where}: {name} is {found.get(name, 'unknown')!r} and money needs {value!r}:"
                f" run `CONFIG SET {name} {value}` and write it into the store's configuration file"
            )


def set_up_store(client: "redis.Redis", *, partitions: int, now_s: int, library: str) -> StoreMeta:
    """Make an empty store ours, or check that it is; load the functions that commit.

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
    where = _name_of(client)
    try:
        meta = read_meta(client)
        if meta is None:
            _create(client, where, partitions=partitions, now_s=now_s)
            meta = read_meta(client)
        if meta is None:
            raise StoreRefusedError(f"{where}: somebody empties this store: give the OCS a store of its own")
        _check_meta(where, meta, partitions=partitions)
        load_library(client, library)
    except redis.ResponseError as error:
        raise StoreRefusedError(f"{where}: {error}: the store refused to be set up") from None
    except redis.RedisError as error:
        raise StoreUnreachableError(f"{where}: {error}: start the store or correct [store] url") from None
    return meta


def read_meta(client: "redis.Redis") -> StoreMeta | None:
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
            f"{_name_of(client)}: key {META!r} is not ours ({error}): give the OCS a store of its own"
        ) from None


def load_library(client: "redis.Redis", library: str) -> bool:
    """Load a function library unless the store has exactly this text; returns whether it was loaded."""
    name = re.match(r"#!lua name=(\w+)", library)
    if name is None:
        raise ValueError("a function library begins with '#!lua name=...'")
    connection: Any = client
    listed = connection.execute_command("FUNCTION LIST", "LIBRARYNAME", name[1], "WITHCODE")
    if _holds(listed, library.encode()):
        return False
    connection.function_load(library, replace=True)
    return True


def _holds(reply: Any, text: bytes) -> bool:
    """Whether a reply contains a text, whichever shape the protocol's version gives it."""
    if isinstance(reply, dict):
        reply = list(cast("dict[Any, Any]", reply).values())
    if isinstance(reply, list):
        return any(_holds(part, text) for part in cast("list[Any]", reply))
    return reply == text


def _create(client: "redis.Redis", where: str, *, partitions: int, now_s: int) -> None:
    connection: Any = client
    keys: int = connection.dbsize()
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


def _name_of(client: "redis.Redis") -> str:
    """How a user knows the store: its address, never its password."""
    connection: Any = client
    options: dict[str, Any] = connection.get_connection_kwargs()
    if "path" in options:
        return f"unix://{options['path']}"
    return f"redis://{options.get('host', 'localhost')}:{options.get('port', 6379)}"
