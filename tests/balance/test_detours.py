"""What becomes of calls that a server refused unexecuted: redirections, keys between two servers, refusals."""

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from ocs import limits
from ocs.balance.keys import account_key
from ocs.balance.store import COMMITTED, Stored, Unavailable
from tests.support.calls import ask, commit, load, until, write_of
from tests.support.fake_servers import (
    HALVES,
    ONE,
    SLOT,
    FakeServer,
    FakeServers,
    Kept,
    endpoint,
    store_of,
    topology_of,
)


async def test_moved_slot_is_followed_at_once_and_remembered(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    seven = FakeServer(7, Kept(FCALL=b"-MOVED %d 127.0.0.1:8\r\n" % SLOT))
    eight = FakeServer(8, Kept())
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), seven, eight)
    store = store_of(servers)
    with trio.fail_after(60):
        await nursery.start(store.run)
        servers.topology = topology_of(n7=(0, SLOT - 1), n8=(SLOT, 16_383))
        assert await commit(store, write_of(3, b"x")) == COMMITTED
        assert await commit(store, write_of(3, b"y")) == COMMITTED
        assert len([command for command in seven.asked if command[0] == b"FCALL"]) == 1
        await until(lambda: store._owners.by_slot[16_383] is store._owners._nodes[endpoint(8)])
    nursery.cancel_scope.cancel()


async def test_server_that_does_not_know_its_own_name_means_its_own_host(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    seven = FakeServer(7, Kept(MGET=b"-MOVED %d :8\r\n" % SLOT))
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), seven, FakeServer(8, Kept()))
    store = store_of(servers)
    with trio.fail_after(60):
        await nursery.start(store.run)
        assert await load(store, 3) == Stored(b"", b"")
    nursery.cancel_scope.cancel()


async def test_slot_that_is_being_imported_is_asked_for_and_not_remembered(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    seven = FakeServer(7, Kept(FCALL=b"-ASK %d 127.0.0.1:8\r\n" % SLOT))
    eight = FakeServer(8, Kept())
    store = store_of(FakeServers(nursery, HALVES, seven, eight))
    assert SLOT < 8_192
    with trio.fail_after(60):
        await nursery.start(store.run)
        for _ in range(2):
            assert await commit(store, write_of(3, b"x")) == COMMITTED
    assert [command[0] for command in eight.asked] == [b"ASKING", b"FCALL"] * 2
    assert [command[0] for command in seven.asked] == [b"FCALL"] * 2
    nursery.cancel_scope.cancel()


async def test_keys_between_two_servers_are_tried_again_then_given_up(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    replies = [b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n"] * 3 + [ONE]
    server = FakeServer(7, lambda _: replies.pop(0))
    store = store_of(FakeServers(nursery, topology_of(n7=(0, 16_383)), server))
    with trio.fail_after(60):
        await nursery.start(store.run)
        assert await commit(store, write_of(3, b"x")) == COMMITTED
        assert len(server.asked) == 4
        replies += [b"-TRYAGAIN still\r\n"] * 99
        result = await commit(store, write_of(3, b"x"))
        assert isinstance(result, Unavailable) and "TRYAGAIN" in result.reason
        assert len(server.asked) == 4 + 1 + limits.STORE_REDIRECTS_MAX
    nursery.cancel_scope.cancel()


async def test_servers_that_point_at_each_other_are_given_up(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    seven = FakeServer(7, Kept(FCALL=b"-MOVED %d 127.0.0.1:8\r\n" % SLOT))
    eight = FakeServer(8, Kept(FCALL=b"-MOVED %d 127.0.0.1:7\r\n" % SLOT))
    store = store_of(FakeServers(nursery, HALVES, seven, eight))
    with trio.fail_after(60):
        await nursery.start(store.run)
        assert isinstance(await commit(store, write_of(3, b"x")), Unavailable)
        assert len(seven.asked) + len(eight.asked) == 1 + limits.STORE_REDIRECTS_MAX
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "error",
    ["CLUSTERDOWN Hash slot not served", "MASTERDOWN Link is down", "LOADING", "NOREPLICAS", "UNKILLABLE"],
)
async def test_server_that_is_not_ready_is_unavailable_and_the_topology_is_asked_for(
    nursery: trio.Nursery, autojump_clock: MockClock, error: str
):
    server = FakeServer(7, Kept(FCALL=f"-{error}\r\n".encode()))
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), server)
    store = store_of(servers)
    with trio.fail_after(60):
        await nursery.start(store.run)
        result = await commit(store, write_of(3, b"x"))
        assert isinstance(result, Unavailable) and error in result.reason
        assert len(server.asked) == 1  # it may have been executed for all we know: never again by itself
        with trio.fail_after(limits.STORE_TOPOLOGY_INTERVAL_S / 2):
            await until(lambda: servers.questions > 1)
    nursery.cancel_scope.cancel()


async def test_refused_commits_are_told_once_in_a_while_and_reads_are_not(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    server = FakeServer(7, Kept(FCALL=b"-OOM command not allowed\r\n", MGET=b"-NOPERM no\r\n"))
    store = store_of(FakeServers(nursery, topology_of(n7=(0, 16_383)), server))
    with trio.fail_after(60), capture_logs() as lines:
        await nursery.start(store.run)
        for _ in range(20):
            result = await commit(store, write_of(3, b"x"))
            assert isinstance(result, Unavailable) and "OOM" in result.reason
        assert isinstance(await ask(store.load, (account_key(3, "a"),)), Unavailable)
        server.answers = Kept(FCALL=b"-NOPERM this user has no permissions\r\n")
        await commit(store, write_of(3, b"x"))
    told = [line for line in lines if line["event"] == "store_refused_commit"]
    assert [line["reason"].split()[0] for line in told] == ["OOM", "NOPERM"]
    assert all(line["remedy"] and line["server"] for line in told)
    nursery.cancel_scope.cancel()
