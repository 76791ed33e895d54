"""The HTTP process on real sockets: where it listens, what it refuses, how it ends."""

import contextlib
import socket
from functools import partial

import httpx
import pytest
import structlog
import trio

from ocs.api.parts import Parts
from ocs.api.server import HttpAddressError, _held_back_logger, run_http
from ocs.api.workers import WorkerOverview
from ocs.clock import ManualClock
from ocs.log import RepeatLimiter
from ocs.metrics import Registry
from ocs.settings import HttpSettings, Settings

pytestmark = pytest.mark.bounded(20)


async def start(nursery: trio.Nursery, parts: Parts, http: HttpSettings, **arguments) -> str:
    """Serve in the background; returns HOST:PORT."""
    send, receive = trio.open_memory_channel[str](1)
    nursery.start_soon(partial(run_http, Settings(http=http), parts, ready=send.send_nowait, **arguments))
    return await receive.receive()


@pytest.fixture
def parts(make_parts, find, reader) -> Parts:
    workers = WorkerOverview(find(), reader, ManualClock(0), registry=Registry())
    return make_parts(reader, workers)


@pytest.fixture
def with_workers(make_parts, find, channels, reader) -> Parts:
    workers = WorkerOverview(find(*channels), reader, ManualClock(0), registry=Registry())
    return make_parts(reader, workers)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_port_0_is_any_free_port_and_is_reported(nursery: trio.Nursery, with_workers, host: str):
    address = await start(nursery, with_workers, HttpSettings(host=host, port=0))
    assert not address.endswith(":0")
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.get("/readyz")).json()["ready"] is True
        response = await client.get("/metrics")
        assert 'ocs_worker_up{worker="worker-1"} 1.0' in response.text
        assert "server" not in response.headers


async def test_port_that_is_taken_is_one_line_with_the_remedy(parts):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HttpAddressError) as caught:
            await run_http(Settings(http=HttpSettings(port=port)), parts, ready=lambda _: None)
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_shutdown_ends_it_and_frees_the_port(parts):
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        address = await start(nursery, parts, HttpSettings(port=0), shutdown=stop.wait)
        async with httpx.AsyncClient(base_url=f"http://{address}") as client:
            assert (await client.get("/healthz")).status_code == 200
        stop.set()
    with pytest.raises(OSError, match="all attempts to connect"):
        await trio.open_tcp_stream("127.0.0.1", int(address.rpartition(":")[2]))


async def test_cancellation_ends_it(parts):
    async with trio.open_nursery() as nursery:
        address = await start(nursery, parts, HttpSettings(port=0))
        nursery.cancel_scope.cancel()
    assert address


async def test_listening_beyond_loopback_is_warned_about(parts):
    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            await start(nursery, parts, HttpSettings(host="0.0.0.0", port=0))
            nursery.cancel_scope.cancel()
    assert [line["event"] for line in lines] == ["http_open_to_the_network"]


async def test_caller_that_talks_nonsense_harms_no_other(nursery: trio.Nursery, parts):
    address = await start(nursery, parts, HttpSettings(port=0))
    port = int(address.rpartition(":")[2])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"\x01\x00\x00\x14nonsense\r\n\r\n")
        assert b"400" in await stream.receive_some(4_096)
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.get("/healthz")).status_code == 200


def _chunked(size: bytes) -> bytes:
    return b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + size


HOSTILE = {
    "an HTTP/2 upgrade with settings that are none": (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n"
    ),
    "a WebSocket with a subprotocol that is no text": (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: \xa0\r\n\r\n"
    ),
    "a body broken off within a chunk": _chunked(b"0f\n\r\n"),
    "a chunk without a size": _chunked(b"zz\r\n"),
    "a body that was asked for and is short": (
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nabcd"
    ),
    "HTTP/2 from the first octet": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64),
}


@pytest.mark.parametrize("octets", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("reads", [True, False])
async def test_no_client_ends_the_process_or_the_connection_of_another(
    nursery: trio.Nursery, parts, octets: bytes, reads: bool
):
    address = await start(nursery, parts, HttpSettings(port=0))
    port = int(address.rpartition(":")[2])
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.get("/healthz")).status_code == 200
        for _ in range(12):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(octets)
                with contextlib.suppress(trio.BrokenResourceError):
                    if reads:
                        with trio.move_on_after(0.05):
                            await stream.receive_some(4_096)
                    await stream.send_eof()
                    while reads and await stream.receive_some(4_096):
                        pass
            assert (await client.get("/healthz")).status_code == 200


async def test_connections_that_fail_are_one_line_without_a_traceback(nursery: trio.Nursery, parts):
    with structlog.testing.capture_logs() as lines:
        address = await start(nursery, parts, HttpSettings(port=0))
        for _ in range(5):
            async with await trio.open_tcp_stream("127.0.0.1", int(address.rpartition(":")[2])) as stream:
                await stream.send_all(HOSTILE["an HTTP/2 upgrade with settings that are none"])
                with contextlib.suppress(trio.BrokenResourceError):
                    while await stream.receive_some(4_096):
                        pass
    (line,) = [line for line in lines if line["event"] == "http_connection_failed"]
    assert line["reason"].startswith("InvalidFrameError")
    assert "exc_info" not in line


async def test_tracebacks_of_broken_requests_are_held_back(caplog: pytest.LogCaptureFixture):
    logger = _held_back_logger(RepeatLimiter(ManualClock(0)))
    for _ in range(100):
        logger.error("Error in ASGI Framework")
    assert len(caplog.records) == 1
