"""Around the application: a deadline for each request, and a line in the log for each that writes.

An answer that goes on (:mod:`ocs.api.event_stream`) has the deadline for each part of it: its client must read.
"""

from typing import Any, Final

import trio

from ocs.api.problems import plain_problem
from ocs.api.tokens import Token
from ocs.clock import Clock
from ocs.limits import HTTP_REQUEST_TIMEOUT_S
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

LATE = Counter(
    "ocs_http_requests_late_total", "HTTP requests given up because body, store or client took too long."
)

# Where the guard notes in a request's state which token let it in.
CALLER: Final = "ocs_caller"
# Where a handler notes that its answer goes on: what is called when it has ended.
STREAMS: Final = "ocs_streams"
_READS: Final = frozenset(("GET", "HEAD", "OPTIONS"))


def _nothing() -> None:
    """Most answers end by themselves."""


class Gate:
    """An ASGI application around another.

    A write that is given up may have been done: the client repeats it with its reference. Cancellation by the deadline
    waits for what a thread has begun.
    """

    def __init__(self, app: Any, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request, or whatever else the server announces."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_ms = self._clock.steady_ms()
        status = 0

        async def send_noting(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)
            if scope.get("state", {}).get(STREAMS):
                deadline.deadline = trio.current_time() + HTTP_REQUEST_TIMEOUT_S

        try:
            with trio.move_on_after(HTTP_REQUEST_TIMEOUT_S) as deadline:
                await self._app(scope, receive, send_noting)
        finally:
            scope.get("state", {}).get(STREAMS, _nothing)()
        if deadline.cancelled_caught:
            LATE.inc()
            if not status:
                status = 503
                for message in plain_problem(scope["path"], status, "it took too long", {"Retry-After": "1"}):
                    await send(message)
        token: Token | None = scope.get("state", {}).get(CALLER)
        if token is not None and scope["method"] not in _READS:
            self._note_write(scope, token, status, self._clock.steady_ms() - began_ms)

    def _note_write(self, scope: dict[str, Any], token: Token, status: int, took_ms: int) -> None:
        """One line per write of a known caller, done or refused; strangers' are counted by the guard."""
        log.info(
            "http_write",
            method=scope["method"],
            route=scope.get("path_template", ""),
            status=status,
            caller=token.token_id,
            caller_name=token.name,
            source=scope["client"][0] if scope.get("client") else "",
            took_ms=took_ms,
        )
