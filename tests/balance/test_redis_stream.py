"""A connection to a store: its address, and what happens when it is not there or refuses us."""

from functools import partial
from pathlib import Path

import pytest
import trio

from ocs.balance import redis_stream
from ocs.balance.embedded import EmbeddedStore
from ocs.balance.redis_stream import StoreUrl, open_store_stream, pack_command, parse_store_url
from ocs.balance.store_admin import connect


@pytest.fixture(autouse=True)
async def _bounded():
    with trio.fail_after(60):
        yield


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", StoreUrl("h", 6379, "", False, "", "", 0)),
        ("redis://h:1/3", StoreUrl("h", 1, "", False, "", "", 3)),
        ("valkey://[::1]:7000", StoreUrl("::1", 7000, "", False, "", "", 0)),
        ("rediss://u@h", StoreUrl("h", 6379, "", True, "u", "", 0)),
        ("valkeys://u:p%40@h", StoreUrl("h", 6379, "", True, "u", "p@", 0)),
        ("unix:///run/a%20b.sock", StoreUrl("127.0.0.1", 6379, "/run/a b.sock", False, "", "", 0)),
    ],
)
async def test_address_is_read_in_every_form(url: str, expected: StoreUrl) -> None:
    assert parse_store_url(url) == expected


async def test_password_of_the_file_wins_over_one_in_the_address() -> None:
    assert parse_store_url("redis://u:old@h", "new").password == "new"


async def test_commands_are_packed_as_resp() -> None:
    assert (
        pack_command(("SET", "k", b"\x00", 7)) == b"*4\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n\x00\r\n$1\r\n7\r\n"
    )


async def test_stream_of_a_store_takes_commands(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as store:
        stream = await open_store_stream(parse_store_url(store.address.url))
        async with stream:
            await stream.send_all(pack_command(("ECHO", "here")))
            assert await stream.receive_some(100) == b"$4\r\nhere\r\n"


async def test_store_that_wants_another_password_refuses_without_repeating_ours(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as store:
        client = connect(store.address.url)
        await trio.to_thread.run_sync(client.config_set, "requirepass", "right")
        with pytest.raises(ConnectionError, match="the store refuses us") as refused:
            await open_store_stream(parse_store_url(store.address.url, "wrong-horse"))
        assert "wrong-horse" not in str(refused.value)
        stream = await open_store_stream(parse_store_url(store.address.url, "right"))
        await trio.aclose_forcefully(stream)
        await trio.to_thread.run_sync(client.config_set, "requirepass", "")
        client.close()


async def test_store_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"."):
        await open_store_stream(parse_store_url(f"unix://{tmp_path}/none.sock"))


async def test_store_that_hangs_up_or_says_nothing_is_an_os_error(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_stream.limits, "STORE_TIMEOUT_S", 0.1)

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some(100)
        await stream.aclose()

    async def say_nothing(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    for handler, error in ((hang_up, ConnectionError), (say_nothing, TimeoutError)):
        listeners = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(error):
            await open_store_stream(parse_store_url(f"redis://127.0.0.1:{port}"))
    nursery.cancel_scope.cancel()
