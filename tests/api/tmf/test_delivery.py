"""Listeners are told: in order, again until they take it, signed; dead ones are given up."""

import hashlib
import hmac
import itertools

import msgspec
import pytest
import structlog
import trio

from ocs.api.threads import ReaderUnavailableError
from ocs.api.tmf import delivery as module
from ocs.api.tmf.callback import CallbackFailedError, CallbackPolicy
from ocs.api.tmf.delivery import Delivery, announce, make_event, signature
from ocs.api.tmf.hubs import Hub
from ocs.api.tmf.resources import ResourceType
from ocs.limits import HUB_RETRY_DELAY_MAX_S

GIVEN_UP_S = 3_600  # not a day: every second of it is lived through
KIND = ResourceType("TopupBalance", "topupBalance", "/base", "prepayBalance", frozenset())


class FakeHubs:
    """One registration and its queue, in memory."""

    def __init__(self, *events: bytes, secret: str = "") -> None:
        self.hub: Hub | None = Hub("h", "/base", "http://127.0.0.1:9000/", secret=secret)
        self.queue = list(events)
        self.is_ours = True
        self.is_away = False

    def all(self) -> list[Hub]:
        if self.is_away:
            raise ReaderUnavailableError("away")
        return [] if self.hub is None else [self.hub]

    def listening_to(self, base: str) -> list[Hub]:
        return [hub for hub in self.all() if hub.base == base]

    def get(self, hub_id: str) -> Hub | None:
        return self.hub

    def hold_lease(self, hub_id: str, holder: str, time_s: float) -> bool:
        return self.is_ours

    def first(self, hub_id: str) -> bytes | None:
        return self.queue[0] if self.queue else None

    def taken(self, hub_id: str, event: bytes) -> None:
        self.queue.remove(event)

    def enqueue(self, hub_ids: list[str], *events: bytes) -> None:
        self.queue += [*events] * len(hub_ids)

    def remove(self, hub_id: str) -> bool:
        self.hub = None
        return True


class Listener:
    """Answers with the statuses it is given, the last one for ever; a text is a failure to reach it."""

    def __init__(self, *answers: int | str) -> None:
        self.answers = list(answers)
        self.got: list[tuple[float, bytes, dict[str, str]]] = []
        self.told = trio.Event()

    async def post(self, policy: object, target: object, body: bytes, headers: dict[str, str]) -> int:
        await trio.lowlevel.checkpoint()
        self.got.append((trio.current_time(), body, headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            raise CallbackFailedError(answer)
        return answer


@pytest.fixture
def serve(monkeypatch, nursery):
    def start(hubs: FakeHubs, listener: Listener) -> Delivery:
        monkeypatch.setattr(module, "post", listener.post)
        # Threads would let the clock jump while they work.
        monkeypatch.setattr(module, "read_in_thread", inline)
        monkeypatch.setattr(module, "write_in_thread", inline)
        monkeypatch.setattr(module, "HUB_GIVEN_UP_S", GIVEN_UP_S)
        delivery = Delivery(hubs, CallbackPolicy(("http://127.0.0.1:9000",)))  # type: ignore[arg-type]
        nursery.start_soon(delivery.run)
        return delivery

    return start


async def inline(function, *arguments):
    await trio.lowlevel.checkpoint()
    return function(*arguments)


async def until(truth) -> None:
    for _ in range(2_000):
        if truth():
            return
        await trio.sleep(100)
    raise AssertionError("it never came")


async def test_events_are_posted_in_order_and_taken(autojump_clock, serve):
    hubs, listener = FakeHubs(b"1", b"2"), Listener(204)
    serve(hubs, listener)
    await until(lambda: not hubs.queue)
    assert [body for _, body, _ in listener.got] == [b"1", b"2"]
    hubs.queue.append(b"3")
    await until(lambda: not hubs.queue)
    assert len(listener.got) == 3


@pytest.mark.parametrize("answer", [500, 302, 404, "it was not reached"])
async def test_event_that_is_not_taken_is_posted_again_before_the_next(autojump_clock, serve, answer):
    hubs, listener = FakeHubs(b"1", b"2"), Listener(answer, answer, 200)
    serve(hubs, listener)
    await until(lambda: not hubs.queue)
    assert [body for _, body, _ in listener.got] == [b"1", b"1", b"1", b"2"]


async def test_waits_grow_up_to_their_bound(autojump_clock, serve):
    hubs, listener = FakeHubs(b"1"), Listener(500)
    serve(hubs, listener)
    await until(lambda: len(listener.got) > 12)
    times = [at for at, _, _ in listener.got]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits[:3] == pytest.approx([1, 2, 4])
    assert max(waits) == pytest.approx(HUB_RETRY_DELAY_MAX_S)


async def test_listener_that_takes_nothing_for_long_is_given_up(autojump_clock, serve):
    hubs, listener = FakeHubs(b"1"), Listener(500)
    with structlog.testing.capture_logs() as lines:
        serve(hubs, listener)
        await until(lambda: hubs.hub is None)
        assert trio.current_time() > GIVEN_UP_S
        tried = len(listener.got)
        await trio.sleep(HUB_RETRY_DELAY_MAX_S * 3)
    assert len(listener.got) == tried
    assert lines[-1]["event"] == "hub_listener_given_up"
    assert tried < GIVEN_UP_S / HUB_RETRY_DELAY_MAX_S + 10


async def test_listener_that_takes_something_in_between_is_kept(autojump_clock, serve):
    hubs, listener = FakeHubs(b"1", b"2"), Listener(*[500] * 15, 200, *[500] * 15, 200)
    serve(hubs, listener)
    await until(lambda: not hubs.queue)
    assert hubs.hub is not None


async def test_another_processs_listener_is_left_alone(autojump_clock, serve):
    hubs, listener = FakeHubs(b"1"), Listener(200)
    hubs.is_ours = False
    serve(hubs, listener)
    await trio.sleep(100)
    assert listener.got == []
    hubs.is_ours = True
    await until(lambda: not hubs.queue)


async def test_store_that_is_away_is_waited_for(autojump_clock, serve):
    hubs, listener = FakeHubs(b"1"), Listener(200)
    hubs.is_away = True
    serve(hubs, listener)
    await trio.sleep(10)
    hubs.is_away = False
    await until(lambda: not hubs.queue)


async def test_address_that_is_not_allowed_any_more_is_not_called(autojump_clock, serve):
    hubs, listener = FakeHubs(b"1"), Listener(200)
    hubs.hub = Hub("h", "/base", "http://127.0.0.1:9001/")
    serve(hubs, listener)
    await trio.sleep(10)
    assert listener.got == [] and hubs.queue


async def test_event_is_signed_with_the_listeners_secret(autojump_clock, serve):
    hubs, listener = FakeHubs(b"body", secret="s3cret"), Listener(200)
    serve(hubs, listener)
    await until(lambda: not hubs.queue)
    expected = "sha256=" + hmac.new(b"s3cret", b"body", hashlib.sha256).hexdigest()
    assert (
        listener.got[0][2]
        == {"X-Hub-Signature": expected}
        == {"X-Hub-Signature": signature("s3cret", b"body")}
    )


def test_event_is_queued_for_those_who_want_it():
    hubs = FakeHubs()
    event = make_event(KIND, "Create", {"id": "t", "status": "completed"}, event_id="e", now_ms=0)
    announce(hubs, "/other", event)  # type: ignore[arg-type]
    assert hubs.queue == []
    announce(hubs, "/base", event)  # type: ignore[arg-type]
    assert len(hubs.queue) == 1
    assert event["eventType"] == "TopupBalanceCreateEvent"
    assert event["event"] == {"topupBalance": {"id": "t", "status": "completed"}}


def test_events_are_queued_in_order_and_only_those_that_are_wanted():
    hubs = FakeHubs()
    hubs.hub = Hub("h", "/base", "http://127.0.0.1:9000/", "topupBalance.status=completed")
    events = [
        make_event(KIND, "StateChange", {"id": str(n), "status": status}, event_id=str(n), now_ms=0)
        for n, status in enumerate(("completed", "failed", "completed"))
    ]
    announce(hubs, "/base", *events)  # type: ignore[arg-type]
    assert [msgspec.json.decode(octets)["eventId"] for octets in hubs.queue] == ["0", "2"]


def test_event_tells_when_it_happened_beside_when_it_is_told():
    event = make_event(
        KIND, "Create", {"id": "t"}, event_id="e", now_ms=1_000, occurred="2026-01-01T00:00:00.000Z"
    )
    assert (event["timeOcurred"], event["eventTime"]) == (
        "2026-01-01T00:00:00.000Z",
        "1970-01-01T00:00:01.000Z",
    )
