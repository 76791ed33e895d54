"""Answers that go on: events as they happen, a sign of life between them, and an end for who does not read."""

from typing import Any

import httpx
import pytest
import trio
from litestar import Litestar, Request, get
from litestar.response import Stream

from ocs.api.event_stream import EventStreams, StreamEvent, encode_stream_event
from ocs.api.gate import Gate
from ocs.clock import ManualClock
from ocs.limits import HTTP_REQUEST_TIMEOUT_S, HTTP_STREAM_PING_S

pytestmark = pytest.mark.bounded(600)


def event(number: int) -> StreamEvent:
    return StreamEvent(str(number), "ThingCreateEvent", b'{"n":%d}' % number)


def app_of(streams: EventStreams, receive: Any) -> Any:
    @get("/stream")
    async def stream(request: Request[Any, Any, Any]) -> Stream:
        return streams.response(request, receive)

    return Gate(Litestar([stream], logging_config=None), ManualClock(5))


def test_event_is_written_as_clients_read_it():
    assert encode_stream_event(event(7)) == b'id: 7\nevent: ThingCreateEvent\ndata: {"n":7}\n\n'


async def test_events_are_sent_as_they_happen_with_a_sign_of_life_between(autojump_clock):
    send, receive = trio.open_memory_channel[StreamEvent](1)

    async def happen() -> None:
        async with send:
            await send.send(event(1))
            await trio.sleep(HTTP_STREAM_PING_S * 20.5)  # far longer than a request may take
            await send.send(event(2))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(happen)
        transport = httpx.ASGITransport(app_of(EventStreams(), receive.receive))
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            answer = await client.get("/stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, *quiet, last, end = answer.text.split("\n\n")[1:]
    assert (first, last, end) == (*(encode_stream_event(event(n)).decode().strip() for n in (1, 2)), "")
    assert quiet == [":"] * 20


async def test_client_that_does_not_read_is_cut_off(autojump_clock):
    streams = EventStreams()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            await trio.sleep_forever()  # its buffers are full

    async def receive() -> Any:
        await trio.sleep_forever()

    scope = {
        "type": "http", "method": "GET", "path": "/stream", "raw_path": b"/stream", "query_string": b"",
        "headers": [], "client": None, "server": None, "scheme": "http", "root_path": "", "http_version": "1.1",
        "state": {},
    }  # fmt: skip
    began_s = trio.current_time()
    await app_of(streams, trio.sleep_forever)(scope, receive, send)
    assert trio.current_time() - began_s == HTTP_REQUEST_TIMEOUT_S
    assert streams._open == 0


async def test_streams_have_a_bound_and_make_room_when_they_end(autojump_clock, monkeypatch):
    monkeypatch.setattr("ocs.api.event_stream.HTTP_STREAMS_MAX", 1)
    streams = EventStreams()
    send, receive = trio.open_memory_channel[StreamEvent](0)
    transport = httpx.ASGITransport(app_of(streams, receive.receive))
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, "/stream")
            await trio.testing.wait_all_tasks_blocked()
            assert (await client.get("/stream")).status_code == 503
            send.close()
        assert (await client.get("/stream")).status_code == 200
