"""One connection: batches, the order of replies, silence, loss."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from ocs.balance.redis_connection import Batch, RedisConnection, Reply, StoreError
from ocs.balance.redis_stream import pack_command
from ocs.balance.store import Unavailable
from tests.support.fake_servers import FakeServer

PING = pack_command(("PING",))


class Asking:
    """An owner that keeps what it is told."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, Any]] = []
        self.told: list[tuple[int, Reply]] = []
        self.batches: list[int] = []
        self.news: list[str] = []
        self.count = 0

    def ask(self, packed: bytes = PING) -> None:
        number = self.count = self.count + 1
        self.waiting.append((packed, lambda reply: self.told.append((number, reply))))

    @property
    def has_calls(self) -> bool:
        return bool(self.waiting)

    def take(self) -> Batch | None:
        if not self.waiting:
            return None
        taken, self.waiting = self.waiting, []
        self.batches.append(len(taken))
        return [packed for packed, _ in taken], [done for _, done in taken]

    def connected(self) -> None:
        self.news.append("connected")

    def ended(self, reason: str) -> None:
        del reason
        self.news.append("ended")

    def lost(self, reason: str) -> None:
        self.news.append(f"lost: {reason}")

    def unreachable(self, reason: str, failures: int) -> None:
        self.news.append(f"unreachable {failures}: {reason}")


class Line:
    """A connection, who uses it, and the server at its other end."""

    def __init__(self, nursery: trio.Nursery, writes_in_flight_max: int = 2) -> None:
        self.owner = Asking()
        self.server = FakeServer(7, lambda _: b"+PONG\r\n")
        self._nursery = nursery
        self.connection = RedisConnection(self._open, self.owner, writes_in_flight_max=writes_in_flight_max)

    async def _open(self) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if not self.server.is_up:
            raise ConnectionRefusedError("nobody there")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.server.serve, theirs)
        return ours

    async def start(self) -> None:
        self._nursery.start_soon(self.connection.run)
        await trio.testing.wait_all_tasks_blocked()


@pytest.fixture
async def line(nursery: trio.Nursery) -> AsyncIterator[Line]:
    yield Line(nursery)
    nursery.cancel_scope.cancel()


async def settle() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_what_was_asked_for_meanwhile_is_one_write_and_replies_come_in_order(
    line: Line, autojump_clock: MockClock
):
    line.server.answers = lambda command: b":%s\r\n" % command[1]
    await line.start()
    for number in range(100):
        line.owner.ask(pack_command(("ECHO", number)))
    line.connection.wake()
    await settle()
    assert line.owner.told == [(number + 1, number) for number in range(100)]
    assert line.owner.batches == [100]


@pytest.mark.parametrize("in_flight_max", [1, 2])
async def test_so_many_writes_are_under_way_and_the_rest_waits_for_replies(
    nursery: trio.Nursery, autojump_clock: MockClock, in_flight_max: int
):
    line = Line(nursery, in_flight_max)
    line.server.answers = lambda _: None
    await line.start()
    for _ in range(5):
        line.owner.ask()
        line.connection.wake()
        await settle()
    assert len(line.server.asked) == in_flight_max
    assert not line.connection.can_write
    nursery.cancel_scope.cancel()


async def test_replies_let_what_waits_go_out(line: Line, autojump_clock: MockClock):
    await line.start()
    for _ in range(2):
        line.owner.ask()
    line.connection.wake()
    await settle()
    assert len(line.owner.told) == 2 and line.connection.can_write


async def test_error_reply_is_a_value(line: Line, autojump_clock: MockClock):
    line.server.answers = lambda _: b"-ERR no\r\n"
    await line.start()
    line.owner.ask()
    line.connection.wake()
    await settle()
    ((_, reply),) = line.owner.told
    assert isinstance(reply, StoreError) and str(reply) == "ERR no"


@pytest.mark.parametrize(
    ("answer", "reason"), [(b"", "closed by the store"), (b"HTTP/1.1 200\r\n", "does not speak RESP")]
)
async def test_connection_that_ends_answers_what_is_under_way_and_is_made_again(
    line: Line, autojump_clock: MockClock, answer: bytes, reason: str
):
    line.server.answers = lambda _: answer
    await line.start()
    line.owner.ask()
    line.owner.ask()
    line.connection.wake()
    await settle()
    assert all(isinstance(reply, Unavailable) and reason in reply.reason for _, reply in line.owner.told)
    assert len(line.owner.told) == 2
    await settle()
    assert line.owner.news == ["connected", "ended", line.owner.news[2], "connected"]
    assert line.owner.news[2].startswith("lost: ") and reason in line.owner.news[2]
    assert line.connection.is_connected


async def test_silent_server_is_given_up_after_its_time(line: Line, autojump_clock: MockClock):
    line.server.answers = lambda _: None
    await line.start()
    await trio.sleep(60)  # an idle connection is no silence
    assert line.owner.news == ["connected"]
    line.owner.ask()
    line.connection.wake()
    with trio.fail_after(3.0 * 1.5):
        while not line.owner.told:
            await trio.sleep(0.1)
    assert line.owner.told == [(1, Unavailable("no answer within 3.0 s"))]


async def test_dropped_connection_says_why(line: Line, autojump_clock: MockClock):
    line.server.answers = lambda _: None
    await line.start()
    line.owner.ask()
    line.connection.wake()
    await settle()
    line.connection.drop("it is a replica now")
    await settle()
    assert line.owner.told == [(1, Unavailable("it is a replica now"))]
    assert "lost: it is a replica now" in line.owner.news


async def test_server_that_is_away_is_tried_again_and_again(line: Line, autojump_clock: MockClock):
    line.server.is_up = False
    await line.start()
    await trio.sleep(10)
    assert line.owner.news[0] == "unreachable 0: nobody there" and len(line.owner.news) > 5
    line.server.is_up = True
    await trio.sleep(2)
    assert line.owner.news[-1] == "connected"


async def test_end_answers_what_is_under_way(nursery: trio.Nursery, autojump_clock: MockClock):
    line = Line(nursery)
    line.server.answers = lambda _: None
    async with trio.open_nursery() as inner:
        inner.start_soon(line.connection.run)
        await settle()
        line.owner.ask()
        line.connection.wake()
        await settle()
        inner.cancel_scope.cancel()
    assert line.owner.told == [(1, Unavailable("closed by us"))]
    assert line.owner.news == ["connected", "ended"]
    nursery.cancel_scope.cancel()
