"""The HTTP process on real sockets: where it listens, what it refuses, how it ends."""

import socket
from functools import partial

import httpx
import pytest
import structlog
import trio

from ocs.api.server import HttpAddressError, run_http
from ocs.metrics import Registry
from ocs.settings import HttpSettings, Settings


@pytest.fixture(autouse=True)
async def _bounded():
    with trio.fail_after(20):
        yield


async def start(nursery: trio.Nursery, reader, channels, http: HttpSettings, **arguments) -> str:
    """Serve in the background; returns HOST:PORT."""
    send, receive = trio.open_memory_channel[str](1)
    nursery.start_soon(
        partial(
            run_http,
            Settings(http=http),
            reader,
            channels,
            ready=send.send_nowait,
            registry=Registry(),
            **arguments,
        )
    )
    return await receive.receive()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_port_0_is_any_free_port_and_is_reported(nursery: trio.Nursery, reader, channels, host: str):
    address = await start(nursery, reader, channels, HttpSettings(host=host, port=0))
    assert not address.endswith(":0")
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.get("/readyz")).json()["ready"] is True
        response = await client.get("/metrics")
        assert 'ocs_worker_up{worker="worker-1"} 1.0' in response.text
        assert "server" not in response.headers


async def test_port_that_is_taken_is_one_line_with_the_remedy(reader):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HttpAddressError) as caught:
            await run_http(Settings(http=HttpSettings(port=port)), reader, (), ready=lambda _: None)
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_shutdown_ends_it_and_frees_the_port(reader):
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        address = await start(nursery, reader, (), HttpSettings(port=0), shutdown=stop.wait)
        async with httpx.AsyncClient(base_url=f"http://{address}") as client:
            assert (await client.get("/healthz")).status_code == 200
        stop.set()
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", int(address.rpartition(":")[2]))


async def test_cancellation_ends_it(reader):
    async with trio.open_nursery() as nursery:
        address = await start(nursery, reader, (), HttpSettings(port=0))
        nursery.cancel_scope.cancel()
    assert address


async def test_listening_beyond_loopback_is_warned_about(reader):
    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            await start(nursery, reader, (), HttpSettings(host="0.0.0.0", port=0))
            nursery.cancel_scope.cancel()
    assert [line["event"] for line in lines] == ["http_open_to_the_network"]


async def test_caller_that_talks_nonsense_harms_no_other(nursery: trio.Nursery, reader):
    address = await start(nursery, reader, (), HttpSettings(port=0))
    port = int(address.rpartition(":")[2])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"\x01\x00\x00\x14nonsense\r\n\r\n")
        assert b"400" in await stream.receive_some(4_096)
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.get("/healthz")).status_code == 200
