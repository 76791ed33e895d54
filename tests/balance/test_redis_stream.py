"""Store URLs, and connections that are authenticated before anything is asked."""

from functools import partial

import hiredis
import pytest
import trio

from ocs import limits
from ocs.balance.redis_stream import StoreUrl, open_store_stream, parse_store_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:7000/3", StoreUrl("h", 7000, "", False, "", "", 3)),
        ("redis://h", StoreUrl("h", 6379, "", False, "", "", 0)),
        ("valkey://user:p%40ss@h/", StoreUrl("h", 6379, "", False, "user", "p@ss", 0)),
        ("rediss://:secret@[::1]:1", StoreUrl("::1", 1, "", True, "", "secret", 0)),
        ("valkeys://h", StoreUrl("h", 6379, "", True, "", "", 0)),
        ("unix:///run/my%20store.sock", StoreUrl("127.0.0.1", 6379, "/run/my store.sock", False, "", "", 0)),
    ],
)
def test_url_is_read(url: str, expected: StoreUrl):
    assert parse_store_url(url) == expected


def test_password_from_its_file_wins_over_one_in_the_url():
    assert parse_store_url("redis://u:one@h", "two").password == "two"


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
                    if self._reply is not None:
                        await stream.send_all(self._reply)

    async def start(self, nursery: trio.Nursery) -> str:
        listeners = await nursery.start(partial(trio.serve_tcp, self.serve, 0, host="127.0.0.1"))
        return f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"


async def test_connection_says_who_it_is_and_which_database_it_wants(nursery: trio.Nursery):
    with trio.fail_after(10):
        peer = Peer(b"+OK\r\n")
        address = await peer.start(nursery)
        stream = await open_store_stream(parse_store_url(f"redis://ann:secret@{address}/2"))
        await stream.aclose()
        stream = await open_store_stream(parse_store_url(f"redis://:secret@{address}"))
        await stream.aclose()
    assert peer.asked == [
        [b"AUTH", b"ann", b"secret"], [b"SELECT", b"2"], [b"PING"], [b"AUTH", b"secret"], [b"PING"],
    ]  # fmt: skip
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "reply", [b"-WRONGPASS invalid password\r\n", b"-NOAUTH needed\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_peer_that_refuses_or_is_no_store_is_a_connection_error(nursery: trio.Nursery, reply: bytes):
    with trio.fail_after(10):
        address = await Peer(reply).start(nursery)
        with pytest.raises(OSError, match=r"refuses us|Protocol"):
            await open_store_stream(parse_store_url(f"redis://:x@{address}"))
    nursery.cancel_scope.cancel()


async def test_nobody_there_is_an_os_error(tmp_path):
    with trio.fail_after(10), pytest.raises(OSError):
        await open_store_stream(parse_store_url(f"unix://{tmp_path}/none"))


async def test_peer_that_says_nothing_is_given_up(nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "STORE_TIMEOUT_S", 0.05)
    with trio.fail_after(10):
        address = await Peer(None).start(nursery)
        with pytest.raises(TimeoutError, match="no answer within"):
            await open_store_stream(parse_store_url(f"redis://{address}"))
    nursery.cancel_scope.cancel()
