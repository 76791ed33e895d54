"""Open a connection to Redis or Valkey as a trio stream: TCP, TLS or Unix socket, authenticated."""

import ssl
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit

import hiredis
import msgspec
import trio

from ocs import limits

DEFAULT_PORT: Final = 6379
# hiredis' own annotation takes commands of one word only.
pack_command: Final = cast(
    "Callable[[tuple[str | bytes | int, ...]], bytes]", cast("Any", hiredis).pack_command
)


class StoreUrl(msgspec.Struct, frozen=True):
    """Where a store is: ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user and database if any."""

    host: str
    port: int
    path: str
    is_tls: bool
    username: str
    password: str
    database: int


def parse_store_url(url: str, password: str = "") -> StoreUrl:
    """Read a store URL; a password given apart (from ``password_file``) wins over one inside it."""
    parts = urlsplit(url)
    is_unix = parts.scheme == "unix"
    path = unquote(parts.path)
    database = 0 if is_unix or not path.strip("/") else int(path.strip("/"))
    return StoreUrl(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or DEFAULT_PORT,
        path=path if is_unix else "",
        is_tls=parts.scheme in {"rediss", "valkeys"},
        username=unquote(parts.username or ""),
        password=password or unquote(parts.password or ""),
        database=database,
    )


async def open_store_stream(url: StoreUrl) -> trio.abc.Stream:
    """Connect, authenticate, choose the database.

    Raises:
        OSError: it cannot be reached within the store's time limit, or it refuses us.
    """
    try:
        with trio.fail_after(limits.STORE_TIMEOUT_S):
            stream = await _connect(url)
            try:
                await _introduce(stream, url)
            except BaseException:
                await trio.aclose_forcefully(stream)
                raise
            return stream
    except trio.TooSlowError:
        raise TimeoutError(f"no answer within {limits.STORE_TIMEOUT_S} s") from None
    except (trio.BrokenResourceError, ssl.SSLError, hiredis.ProtocolError) as error:
        raise ConnectionError(f"connection broke while it was made: {error}") from error


async def _connect(url: StoreUrl) -> trio.abc.Stream:
    if url.path:
        return await trio.open_unix_socket(url.path)
    if url.is_tls:
        stream = await trio.open_ssl_over_tcp_stream(url.host, url.port)
        await stream.do_handshake()
        return stream
    return await trio.open_tcp_stream(url.host, url.port)


async def _introduce(stream: trio.abc.Stream, url: StoreUrl) -> None:
    commands: list[tuple[str, ...]] = []
    if url.password:
        commands.append(("AUTH", url.username, url.password) if url.username else ("AUTH", url.password))
    if url.database:
        commands.append(("SELECT", str(url.database)))
    commands.append(("PING",))
    await stream.send_all(b"".join(pack_command(command) for command in commands))
    reader: Any = hiredis.Reader()  # feeds on every buffer, and says str and bytes
    answered = 0
    while answered < len(commands):
        data = await stream.receive_some(4096)
        if not data:
            raise ConnectionError("closed while it was made")
        reader.feed(data)
        while (reply := reader.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                raise ConnectionError(f"the store refuses us: {reply}")
            answered += 1
