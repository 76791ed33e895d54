"""Notices between workers, over a real store: heard, acted on, acknowledged, and what happens when nobody can."""

import math
from functools import partial
from pathlib import Path

import hiredis
import msgspec
import pytest
import trio
import trio.testing

from ocs import peer_notices
from ocs.balance.embedded import EmbeddedStore
from ocs.peer_notices import (
    CHANNEL,
    DISCONNECT_PEER,
    Acknowledgement,
    Notice,
    NoticesUnavailableError,
    PeerNotices,
)

pytestmark = pytest.mark.bounded(60)

PEER = "pgw.example"


@pytest.fixture
async def store(tmp_path: Path):
    async with EmbeddedStore(tmp_path, durability="memory") as running:
        yield running


def opener(store: EmbeddedStore):
    return partial(trio.open_unix_socket, store.address.socket_path)


class Member:
    """A process that holds some connections of a peer."""

    def __init__(self, open_stream, name: str, connections: int = 0) -> None:
        self.heard: list[Notice] = []
        self.connections = connections
        self.notices = PeerNotices(open_stream, name, {DISCONNECT_PEER: self._act, "catalogue": self._act})

    def _act(self, notice: Notice) -> int:
        self.heard.append(notice)
        return self.connections


@pytest.fixture
def join(store: EmbeddedStore, nursery: trio.Nursery):
    """Makes members that listen."""

    async def _join(name: str, connections: int = 0) -> Member:
        member = Member(opener(store), name, connections)
        await nursery.start(member.notices.run)
        assert member.notices.is_listening
        return member

    return _join


def acted(acknowledgements: tuple[Acknowledgement, ...]) -> dict[str, int]:
    return {one.member.partition("@")[0]: one.acted for one in acknowledgements}


async def test_notice_finds_the_worker_that_holds_the_peer_and_the_publisher_learns_it(
    join, nursery: trio.Nursery
) -> None:
    holder, other, publisher = await join("worker-0", 2), await join("worker-1"), await join("cli")
    notice = Notice(DISCONNECT_PEER, PEER, msgspec.msgpack.encode(1))
    told = await publisher.notices.publish(notice, timeout_s=math.inf)
    assert acted(told) == {"worker-0": 2, "worker-1": 0, "cli": 0}
    assert holder.heard == other.heard == [notice]
    nursery.cancel_scope.cancel()


async def test_worker_hears_its_own_notice_too(join, nursery: trio.Nursery) -> None:
    alone = await join("worker-0", 1)
    assert acted(await alone.notices.publish(Notice(DISCONNECT_PEER, PEER), timeout_s=math.inf)) == {
        "worker-0": 1
    }
    nursery.cancel_scope.cancel()


async def test_notice_to_every_worker_is_done_when_all_have_acknowledged(join, nursery: trio.Nursery) -> None:
    members = [await join(f"worker-{number}") for number in range(3)]
    told = await members[0].notices.publish(Notice("catalogue"), timeout_s=math.inf)
    assert acted(told) == {"worker-0": 0, "worker-1": 0, "worker-2": 0}
    nursery.cancel_scope.cancel()


async def test_notice_for_a_peer_whom_nobody_holds_is_acknowledged_by_all_and_acted_on_by_none(
    join, nursery: trio.Nursery
) -> None:
    member = await join("worker-0")
    await join("worker-1")
    told = await member.notices.publish(Notice(DISCONNECT_PEER, "nobody.example"), timeout_s=0.2)
    assert acted(told) == {"worker-0": 0, "worker-1": 0}
    nursery.cancel_scope.cancel()


async def test_many_notices_at_once_get_their_own_acknowledgements(join, nursery: trio.Nursery) -> None:
    first, second = await join("worker-0", 1), await join("worker-1", 3)
    results: list[dict[str, int]] = []

    async def publish(member: Member) -> None:
        results.append(acted(await member.notices.publish(Notice(DISCONNECT_PEER, PEER), timeout_s=math.inf)))

    async with trio.open_nursery() as publishing:
        for number in range(100):
            publishing.start_soon(publish, (first, second)[number % 2])
    assert results == [{"worker-0": 1, "worker-1": 3}] * 100
    assert len(first.heard) == len(second.heard) == 100
    nursery.cancel_scope.cancel()


async def test_notice_for_one_process_is_acted_on_by_it_alone(join, nursery: trio.Nursery) -> None:
    first, second = await join("worker-0", 1), await join("worker-1", 1)
    told = await first.notices.publish(Notice(DISCONNECT_PEER, PEER), timeout_s=math.inf)
    (channel,) = {one.channel for one in told if one.member.startswith("worker-1@")}
    first.heard.clear()
    second.heard.clear()
    told = await first.notices.publish(Notice(DISCONNECT_PEER, PEER, only=channel), timeout_s=math.inf)
    assert acted(told)["worker-1"] == 1
    assert (len(first.heard), len(second.heard)) == (0, 1)
    # It is done when that one has acknowledged, whatever it could do.
    second.connections = 0
    told = await first.notices.publish(Notice(DISCONNECT_PEER, PEER, only=channel), timeout_s=math.inf)
    assert acted(told)["worker-1"] == 0
    nursery.cancel_scope.cancel()


async def test_kind_of_a_later_release_is_acknowledged_without_acting(join, nursery: trio.Nursery) -> None:
    member = await join("worker-0", 1)
    assert acted(await member.notices.publish(Notice("re_authorise"), timeout_s=math.inf)) == {"worker-0": 0}
    assert member.heard == []
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("content", [b"", b"\xc1", msgspec.msgpack.encode([1, 2]), b"x" * 70_000])
async def test_nonsense_on_the_channel_harms_nobody(
    join, store: EmbeddedStore, nursery: trio.Nursery, content: bytes
) -> None:
    member = await join("worker-0", 1)
    async with await opener(store)() as stranger:
        for channel in (CHANNEL, member.notices._own_channel):
            await stranger.send_all(peer_notices.pack_command(("PUBLISH", channel, content)))
            assert await stranger.receive_some(100) == b":1\r\n"
    assert acted(await member.notices.publish(Notice(DISCONNECT_PEER, PEER), timeout_s=math.inf))
    assert len(member.heard) == 1
    nursery.cancel_scope.cancel()


async def test_lost_connection_is_made_again_and_the_publisher_is_told_that_nobody_knows(
    join, store: EmbeddedStore, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_notices, "_BACKOFF_S", (0.0,))
    member = await join("worker-0", 1)
    async with await opener(store)() as stranger:
        # The reply to PUBLISH never comes: the store closes the connection on which it was asked.
        await stranger.send_all(peer_notices.pack_command(("CLIENT", "PAUSE", "60000", "ALL")))
        async with trio.open_nursery() as publishing:

            async def publish() -> None:
                with pytest.raises(NoticesUnavailableError, match="the connection to the store was lost"):
                    await member.notices.publish(Notice(DISCONNECT_PEER, PEER), timeout_s=math.inf)

            publishing.start_soon(publish)
            await trio.testing.wait_all_tasks_blocked()
            store_process = store._process
            assert store_process is not None
            store_process.kill()
    with pytest.raises(NoticesUnavailableError, match="the store takes no notices"):
        await member.notices.publish(Notice(DISCONNECT_PEER, PEER))
    assert not member.notices.is_listening
    await store.wait()
    await store.restart()
    while not member.notices.is_listening:
        await trio.sleep(0.01)
    assert acted(await member.notices.publish(Notice(DISCONNECT_PEER, PEER), timeout_s=math.inf))
    nursery.cancel_scope.cancel()


async def test_store_that_is_away_at_the_start_holds_nobody_up(tmp_path: Path, nursery: trio.Nursery) -> None:
    member = Member(partial(trio.open_unix_socket, str(tmp_path / "none.sock")), "worker-0")
    await nursery.start(member.notices.run)
    assert not member.notices.is_listening
    with pytest.raises(NoticesUnavailableError, match="No such file"):
        await member.notices.publish(Notice(DISCONNECT_PEER, PEER))
    nursery.cancel_scope.cancel()


async def test_user_who_may_not_subscribe_is_told_what_the_rule_lacks(
    store: EmbeddedStore, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
) -> None:
    async def open_restricted() -> trio.SocketStream:
        stream = await opener(store)()
        for command in (
            ("ACL", "SETUSER", "poor", "on", "nopass", "~*", "+@all", "resetchannels"),
            ("AUTH", "poor", ""),
        ):
            await stream.send_all(peer_notices.pack_command(command))
            assert await stream.receive_some(100) == b"+OK\r\n"
        return stream

    member = Member(open_restricted, "worker-0")
    await nursery.start(member.notices.run)
    with pytest.raises(NoticesUnavailableError, match="the store refuses notices: NOPERM"):
        await member.notices.publish(Notice(DISCONNECT_PEER, PEER))
    nursery.cancel_scope.cancel()


# --- a store that misbehaves, without a socket ----------------------------------------------------------------------


class FakeStore:
    """The far end of a connection for notices: confirms subscriptions, and is silent from then on."""

    def __init__(self) -> None:
        self.opened = 0
        self.said: list[object] = []

    async def open(self) -> trio.abc.Stream:
        near, self.far = trio.testing.memory_stream_pair()
        self.opened += 1
        confirmation = b">3\r\n+subscribe\r\n+%s\r\n:1\r\n"
        await self.far.send_all(b"%0\r\n" + confirmation % b"a" + confirmation % b"b")
        return near

    async def hear(self) -> None:
        reader = hiredis.Reader()
        while True:
            reader.feed(await self.far.receive_some(65_536))  # type: ignore[arg-type]
            while (said := reader.gets()) is not False:
                self.said.append(said)


async def test_store_that_falls_silent_is_noticed_and_connected_to_again(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    store = FakeStore()
    member = Member(store.open, "worker-0")
    await nursery.start(member.notices.run)
    await trio.sleep(peer_notices.STORE_TIMEOUT_S + 1)
    assert (store.opened, member.notices.is_listening) == (2, True)
    nursery.cancel_scope.cancel()


async def test_store_that_answers_pings_is_kept(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    store = FakeStore()
    member = Member(store.open, "worker-0")
    await nursery.start(member.notices.run)

    async def answer() -> None:
        while True:
            await store.far.receive_some(65_536)
            await store.far.send_all(b"+PONG\r\n")

    nursery.start_soon(answer)
    await trio.sleep(3 * peer_notices.NOTICES_PING_INTERVAL_S)
    assert store.opened == 1
    nursery.cancel_scope.cancel()


async def test_store_that_neither_counts_nor_forwards_is_given_up(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    store = FakeStore()
    member = Member(store.open, "worker-0")
    await nursery.start(member.notices.run)
    assert await member.notices.publish(Notice(DISCONNECT_PEER, PEER)) == ()
    assert trio.current_time() >= peer_notices.NOTICE_TIMEOUT_S
    nursery.cancel_scope.cancel()


async def test_acknowledgement_that_the_store_did_not_count_is_waited_for(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """The holder listens at another node of the cluster: the count of our node does not have it."""
    store = FakeStore()
    member = Member(store.open, "worker-0")
    await nursery.start(member.notices.run)

    async def answer_late() -> None:
        await store.far.receive_some(65_536)
        await store.far.send_all(b":0\r\n")
        await trio.sleep(0.5)
        own = member.notices._own_channel.encode()
        content = msgspec.msgpack.encode([1, ["worker-9@elsewhere", 2]])
        await store.far.send_all(
            b">3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(own), own, len(content), content)
        )

    nursery.start_soon(answer_late)
    assert acted(await member.notices.publish(Notice(DISCONNECT_PEER, PEER))) == {"worker-9": 2}
    nursery.cancel_scope.cancel()


async def test_store_without_RESP3_is_named(nursery: trio.Nursery) -> None:
    async def open_old() -> trio.abc.Stream:
        near, far = trio.testing.memory_stream_pair()
        await far.send_all(b"-ERR unknown command 'HELLO'\r\n")
        return near

    member = Member(open_old, "worker-0")
    await nursery.start(member.notices.run)
    with pytest.raises(NoticesUnavailableError, match="the store refuses notices: ERR unknown command"):
        await member.notices.publish(Notice(DISCONNECT_PEER, PEER))
    nursery.cancel_scope.cancel()
