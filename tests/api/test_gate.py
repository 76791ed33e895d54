"""Around the application: no request takes for ever, and every write of a known caller is a line in the log."""

from typing import Any

import structlog
import trio

from ocs.api.gate import CALLER, Gate
from ocs.api.tokens import make_token
from ocs.clock import ManualClock
from ocs.limits import HTTP_REQUEST_TIMEOUT_S

TOKEN, TEXT = make_token("crm", ("balance:topup",), now_ms=0)


class App:
    """Answers, late where asked; notes the caller as the guard does."""

    def __init__(self, *, takes_s: float = 0, answers_first: bool = False, token: Any = TOKEN) -> None:
        self.takes_s = takes_s
        self.answers_first = answers_first
        self.token = token

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        scope["path_template"] = "/api/v1/topups"
        if self.token is not None:
            scope["state"][CALLER] = self.token
        if self.answers_first:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await trio.sleep(self.takes_s)
        if not self.answers_first:
            await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def ask(
    app: App, *, method: str = "POST", path: str = "/api/v1/topups", kind: str = "http"
) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    scope = {"type": kind, "method": method, "path": path, "state": {}, "client": ("127.0.0.1", 5)}
    await Gate(app, ManualClock(0))(scope, None, send)
    return sent


async def test_request_that_takes_too_long_is_a_503_that_may_be_repeated(autojump_clock):
    head, body = await ask(App(takes_s=HTTP_REQUEST_TIMEOUT_S + 1))
    assert head["status"] == 503
    assert (b"retry-after", b"1") in head["headers"]
    assert b"it took too long" in body["body"]


async def test_below_tmf_api_that_is_the_tm_forums_body(autojump_clock):
    _, body = await ask(App(takes_s=HTTP_REQUEST_TIMEOUT_S + 1), path="/tmf-api/x")
    assert b'"code":"503"' in body["body"]


async def test_answer_that_has_begun_is_not_begun_again(autojump_clock):
    sent = await ask(App(takes_s=HTTP_REQUEST_TIMEOUT_S + 1, answers_first=True))
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_request_in_time_is_answered(autojump_clock):
    head, _ = await ask(App(takes_s=HTTP_REQUEST_TIMEOUT_S - 1))
    assert head["status"] == 201


async def test_write_is_a_line_with_its_caller_and_result():
    with structlog.testing.capture_logs() as lines:
        await ask(App())
        await ask(App(), method="GET")
        await ask(App(token=None))
    (line,) = lines
    assert (line["caller"], line["caller_name"], line["status"]) == (TOKEN.token_id, "crm", 201)
    assert (line["route"], line["method"], line["source"]) == ("/api/v1/topups", "POST", "127.0.0.1")
    assert TEXT not in str(line)


async def test_what_is_no_request_passes():
    assert await ask(App(), kind="lifespan") == []
