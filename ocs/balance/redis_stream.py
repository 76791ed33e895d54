"""Connections to the servers of a store as trio streams: TCP, TLS or Unix socket, authenticated."""

import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import hiredis
import trio

from ocs import limits
from ocs.balance.store_address import StoreAddress, make_tls_context
from ocs.balance.topology import Topology, find_topology
from ocs.store_url import Endpoint

Command = tuple[str | bytes | int, ...]

# hiredis' own annotation takes commands of one word only.
pack_command: Final = cast("Callable[[Command], bytes]", cast("Any", hiredis).pack_command)

_RECEIVE_OCTETS: Final = 16_384


class StoreServers:
    """The servers at an address: which of them are primaries now, and connections to them.

    Raises:
        StoreAddressError: a file of ``[store] tls_...`` cannot be used.
    """

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._tls = make_tls_context(address)

    @property
    def is_fixed(self) -> bool:
        """Whether there is one server and nobody to ask for another."""
        return self._address.kind == "single"

    async def find_topology(self, known: Topology | None) -> Topology:
        """Which servers are primaries, and of what.

        Raises:
            TopologyError: nobody says.
        """
        return await find_topology(self._address, known)

    async def connect(self, endpoint: Endpoint) -> trio.abc.Stream:
        """Connect to a server, authenticate, choose the database. Cancelled, it leaves no connection.

        Raises:
            OSError: it cannot be reached within the store's time limit, or it refuses us.
        """
        try:
            with trio.fail_after(limits.STORE_TIMEOUT_S):
                stream = await self._open(endpoint)
                try:
                    await self._introduce(stream)
                except BaseException:
                    await trio.aclose_forcefully(stream)
                    raise
                return stream
        except trio.TooSlowError:
            raise TimeoutError(f"no answer within {limits.STORE_TIMEOUT_S} s") from None
        except (trio.BrokenResourceError, ssl.SSLError) as error:
            raise ConnectionError(
                f"connection broke while it was made: {error.__cause__ or error}"
            ) from error

    async def _open(self, endpoint: Endpoint) -> trio.abc.Stream:
        if endpoint.path:
            return await trio.open_unix_socket(endpoint.path)
        stream = await trio.open_tcp_stream(endpoint.host, endpoint.port)
        if self._tls is None:
            return stream
        tls = trio.SSLStream(stream, self._tls, server_hostname=endpoint.host)
        try:
            await tls.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return tls

    async def _introduce(self, stream: trio.abc.Stream) -> None:
        address = self._address
        commands: list[Command] = []
        if address.password:
            user = (address.username,) if address.username else ()
            commands.append(("AUTH", *user, address.password))
        if address.database:
            commands.append(("SELECT", address.database))
        commands.append(("PING",))
        await ask(stream, commands)


async def ask(stream: trio.abc.Stream, commands: Sequence[Command]) -> list[Any]:
    """Send commands on a connection that nobody else uses now, and return their replies.

    Raises:
        OSError: it ended, one was refused, or the other side does not speak RESP.
    """
    try:
        await stream.send_all(b"".join(map(pack_command, commands)))
        reader: Any = hiredis.Reader()  # feeds on every buffer, and says str and bytes
        replies: list[Any] = []
        while len(replies) < len(commands):
            data = await stream.receive_some(_RECEIVE_OCTETS)
            if not data:
                raise ConnectionError("closed while it was made")
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise ConnectionError(f"the store refuses us: {reply}")
                replies.append(reply)
    except trio.BrokenResourceError as error:
        raise ConnectionError(f"connection broke: {error.__cause__ or error}") from error
    except hiredis.ProtocolError as error:
        raise ConnectionError(f"the store does not speak RESP: {error}") from error
    return replies
