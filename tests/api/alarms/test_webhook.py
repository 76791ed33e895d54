"""Notices posted to an address: signed, together, refused or tried again by the status."""

import msgspec
import pytest
import trio

from ocs.api.alarms.webhook import WebhookSender
from ocs.api.tmf.callback import CallbackError, CallbackPolicy
from ocs.api.tmf.delivery import signature
from ocs.faults.notices.sender import NoticeFailedError, NoticeRefusedError
from tests.support.alarms import alarm_of, change_of

pytestmark = pytest.mark.bounded(60)

CHANGES = [change_of(alarm_of(f"router{number}")) for number in range(2)]


class Listener:
    """Answers posts with a status."""

    def __init__(self) -> None:
        self.status = 204
        self.posts: list[tuple[bytes, bytes]] = []
        self.origin = ""

    async def start(self, nursery: trio.Nursery) -> None:
        listeners = await nursery.start(self._listen)
        self.origin = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

    async def _listen(self, task_status: trio.TaskStatus[list[trio.SocketListener]]) -> None:
        await trio.serve_tcp(self._serve, 0, host="127.0.0.1", task_status=task_status)

    async def _serve(self, stream: trio.SocketStream) -> None:
        octets = b""
        async with stream:
            while not octets.endswith(b"]}"):
                octets += await stream.receive_some(65_536)
            head, _, body = octets.partition(b"\r\n\r\n")
            self.posts.append((head, body))
            await stream.send_all(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % self.status)


@pytest.fixture
async def listener(nursery: trio.Nursery) -> Listener:
    listener = Listener()
    await listener.start(nursery)
    return listener


def sender(listener: Listener, secret: str = "") -> WebhookSender:
    policy = CallbackPolicy((listener.origin,))
    return WebhookSender(policy, f"{listener.origin}/alarms", name="chat", secret=secret)


async def test_changes_are_posted_together_and_signed(listener):
    await sender(listener, "s3cret").send(CHANGES)
    ((head, body),) = listener.posts
    assert head.startswith(b"POST /alarms ")
    assert f"X-Hub-Signature: {signature('s3cret', body)}".encode() in head
    told = msgspec.json.decode(body)
    assert told["recipient"] == "chat"
    assert [one["change_id"] for one in told["changes"]] == [change.change_id for change in CHANGES]
    assert told["changes"][0]["alarm"]["resource"] == "router0"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, NoticeRefusedError),
        (410, NoticeRefusedError),
        (429, NoticeFailedError),
        (503, NoticeFailedError),
    ],
)
async def test_status_says_whether_it_is_tried_again(listener, status, error):
    listener.status = status
    with pytest.raises(error, match=str(status)):
        await sender(listener).send(CHANGES)


async def test_listener_that_is_away_is_a_failure(listener):
    listener.origin = "http://127.0.0.1:1"
    with pytest.raises(NoticeFailedError):
        await sender(listener).send(CHANGES)


@pytest.mark.parametrize("address", ["http://crm.example/", "https://127.0.0.1/", "ftp://crm.example/", "x"])
def test_address_that_we_may_not_call_is_refused(address):
    with pytest.raises(CallbackError):
        WebhookSender(CallbackPolicy(), address, name="chat")
