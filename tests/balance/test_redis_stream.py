"""Connections to a store's servers: authenticated, over TLS where the address says so, before anything is asked."""

import ssl
from functools import partial
from pathlib import Path

import hiredis
import pytest
import trio

from ocs import limits
from ocs.balance.redis_stream import StoreServers, ask
from ocs.balance.store_address import StoreAddress, plain_address
from ocs.balance.topology import Node, Topology
from ocs.store_url import parse_store_url
from tests.support.store_servers import Server, secured


async def connect(address: StoreAddress | str) -> trio.abc.Stream:
    if isinstance(address, str):
        address = plain_address(address)
    return await StoreServers(address).connect(address.nodes[0])


class Peer:
    """Answers a connection with given octets and remembers what it was asked."""

    def __init__(self, reply: bytes | None) -> None:
        self._reply = reply
        self.asked: list[list[bytes]] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        reader = hiredis.Reader()
        async with stream:
            while data := await stream.receive_some(4096):
                reader.feed(data)
                while (command := reader.gets()) is not False:
                    self.asked.append(command)
                    if self._reply is None:
                        continue
                    await stream.send_all(self._reply)
                    if not self._reply:
                        return

    async def start(self, nursery: trio.Nursery) -> str:
        listeners = await nursery.start(partial(trio.serve_tcp, self.serve, 0, host="127.0.0.1"))
        return f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"


async def test_connection_says_who_it_is_and_which_database_it_wants(nursery: trio.Nursery):
    with trio.fail_after(10):
        peer = Peer(b"+OK\r\n")
        address = await peer.start(nursery)
        stream = await connect(f"redis://ann:secret@{address}/2")
        await stream.aclose()
        stream = await connect(f"redis://:secret@{address}")
        await stream.aclose()
    assert peer.asked == [
        [b"AUTH", b"ann", b"secret"], [b"SELECT", b"2"], [b"PING"], [b"AUTH", b"secret"], [b"PING"],
    ]  # fmt: skip
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "reply",
    [b"-WRONGPASS invalid password\r\n", b"-NOAUTH needed\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""],
)
async def test_peer_that_refuses_or_is_no_store_is_a_connection_error(nursery: trio.Nursery, reply: bytes):
    with trio.fail_after(10):
        address = await Peer(reply).start(nursery)
        with pytest.raises(OSError, match=r"refuses us|does not speak RESP|closed"):
            await connect(f"redis://:x@{address}")
    nursery.cancel_scope.cancel()


async def test_nobody_there_is_an_os_error(tmp_path: Path):
    with trio.fail_after(10), pytest.raises(OSError):
        await connect(f"unix://{tmp_path}/none")


async def test_peer_that_says_nothing_is_given_up(nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "STORE_TIMEOUT_S", 0.05)
    with trio.fail_after(10):
        address = await Peer(None).start(nursery)
        with pytest.raises(TimeoutError, match="no answer within"):
            await connect(f"redis://{address}")
    nursery.cancel_scope.cancel()


async def test_single_server_is_its_own_topology_and_nobody_is_asked():
    address = plain_address("redis://store.example:7000")
    servers = StoreServers(address)
    with trio.fail_after(10):
        assert await servers.find_topology(None) == Topology((Node(address.nodes[0]),))
    assert servers.is_fixed
    assert not StoreServers(plain_address("redis+cluster://store.example")).is_fixed


# --- TLS and users ------------------------------------------------------------------------------------------------


def address_of(
    server: Server, *, user: str = "ocs:secret", ca: str = "ca.pem", key: str = "client.pem"
) -> StoreAddress:
    return StoreAddress(
        parse_store_url(f"rediss://{user}@127.0.0.1:{server.port}"),
        tls_ca_file=server.folder / ca,
        tls_certificate_file=server.folder / key if key else None,
    )


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory):
    with secured(tmp_path_factory.mktemp("tls"), ["user ocs on >secret ~* &* +@all"]) as server:
        yield server


async def test_store_is_spoken_to_in_tls_as_the_user_that_the_address_names(tls_server: Server):
    with trio.fail_after(20):
        stream = await connect(address_of(tls_server))
        assert isinstance(stream, trio.SSLStream)
        assert await ask(stream, (("ACL", "WHOAMI"), ("SET", "a", "1"))) == [b"ocs", b"OK"]
        await trio.aclose_forcefully(stream)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"ca": "stranger.pem"}, "certificate verify failed"),
        ({"user": "ocs:guessed"}, "WRONGPASS"),
        ({"user": ":secret"}, "WRONGPASS"),
    ],
)
async def test_wrong_authority_or_secret_is_one_clear_line(
    tls_server: Server, wrong: dict[str, str], expected: str
):
    with trio.fail_after(20), pytest.raises(OSError, match=expected) as caught:
        await connect(address_of(tls_server, **wrong))
    assert "\n" not in str(caught.value) and "guessed" not in str(caught.value)


async def test_server_that_wants_our_certificate_and_gets_none_is_a_connection_error(tls_server: Server):
    with trio.fail_after(20), pytest.raises(OSError):
        await connect(address_of(tls_server, key=""))


async def test_server_that_is_named_otherwise_than_in_its_certificate_is_refused(tls_server: Server):
    address = address_of(tls_server)
    endpoint = type(address.nodes[0])("localhost", tls_server.port)
    with trio.fail_after(20), pytest.raises(OSError, match="certificate verify failed"):
        await StoreServers(address).connect(endpoint)


def test_old_versions_of_tls_are_not_spoken(tls_server: Server):
    context = StoreServers(address_of(tls_server))._tls
    assert context is not None and context.minimum_version >= ssl.TLSVersion.TLSv1_2
