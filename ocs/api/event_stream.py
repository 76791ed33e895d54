"""Answers that go on: what happens is sent to a client as it happens (server-sent events, WHATWG HTML section 9.2)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec
import trio
from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response import Stream

from ocs.api.gate import STREAMS
from ocs.limits import HTTP_STREAM_PING_S, HTTP_STREAMS_MAX

# A comment, which clients step over: it keeps proxies from closing a quiet stream, and shows us whose client is gone.
_PING: Final = b":\n\n"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class StreamEvent(msgspec.Struct, frozen=True):
    """One event of a stream.

    Attributes:
        event_id: comes back as ``Last-Event-ID`` from a client that was cut off; without line breaks.
        kind: of the event, as clients listen for it; likewise.
        body: JSON, which has no line breaks as our encoder writes it.
    """

    event_id: str
    kind: str
    body: bytes


# Gives the next event; raises trio.EndOfChannel when there will be none. It may be cancelled without losing one.
NextEvent = Callable[[], Awaitable[StreamEvent]]


def _nothing_more() -> None:
    """Most streams leave nothing behind."""


class EventStreams:
    """Streams of one process to its clients, so many at most."""

    def __init__(self) -> None:
        self._open = 0

    def response(
        self,
        request: Request[Any, Any, Any],
        next_event: NextEvent,
        on_end: Callable[[], object] = _nothing_more,
    ) -> Stream:
        """Answer with events until they end or the client goes; one that does not read is cut off.

        Args:
            on_end: called once, however the answer ends; not when it is refused.

        Raises:
            HTTPException: 503, there are as many streams as there may be.
        """
        if self._open >= HTTP_STREAMS_MAX:
            raise HTTPException(status_code=503, detail="there are as many streams as there may be")
        self._open += 1

        def ended() -> None:
            self._open -= 1
            on_end()

        request.scope["state"][STREAMS] = ended
        return Stream(_Octets(next_event), media_type="text/event-stream", headers=_HEADERS)


class _Octets:
    """What is sent, piece by piece; an iterator that is no generator can be left at any time."""

    def __init__(self, next_event: NextEvent) -> None:
        self._next_event = next_event
        self._has_begun = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            return _PING  # the answer's head goes out with the first octets
        with trio.move_on_after(HTTP_STREAM_PING_S):
            try:
                return encode_stream_event(await self._next_event())
            except trio.EndOfChannel:
                raise StopAsyncIteration from None
        return _PING


def encode_stream_event(event: StreamEvent) -> bytes:
    """An event as it is sent."""
    return f"id: {event.event_id}\nevent: {event.kind}\ndata: ".encode() + event.body + b"\n\n"
