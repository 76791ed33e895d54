"""Calls find the server that holds their keys: connections that end, missing functions."""

from typing import Any

import trio
import trio.testing
from trio.testing import MockClock

from ocs.balance.keys import account_key
from ocs.balance.redis_commands import slot_of
from ocs.balance.store import COMMITTED, Unavailable
from tests.support.calls import PARTITIONS, ask, commit, load, look_of, until, write_of
from tests.support.fake_servers import (
    HALVES,
    SLOT,
    FakeServer,
    FakeServers,
    Kept,
    store_of,
    topology_of,
)


async def test_calls_go_to_the_server_that_owns_their_slot(nursery: trio.Nursery, autojump_clock: MockClock):
    seven, eight = FakeServer(7, Kept()), FakeServer(8, Kept())
    store = store_of(FakeServers(nursery, HALVES, seven, eight))
    with trio.fail_after(60):
        await nursery.start(store.run)
        for partition in range(PARTITIONS):
            assert await commit(store, write_of(partition, b"x")) == COMMITTED
            await load(store, partition)
            await ask(store.due, partition, 1, 1)
        await ask(store.read_hint, "d:e164:1")
        store.write_hint("l:session{1}", b"", 5)
        await ask(store.heartbeat)
        await trio.testing.wait_all_tasks_blocked()
    for server in (seven, eight):
        assert len(server.asked) > PARTITIONS
        for command in server.asked:
            key = command[3] if command[0] == b"FCALL" else command[1]
            assert (slot_of(key.decode()) < 8_192) is (server is seven), command
    nursery.cancel_scope.cancel()


async def test_slot_that_nobody_owns_is_unavailable_and_asked_about(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    servers = FakeServers(nursery, topology_of(n7=(0, SLOT - 1)), FakeServer(7, Kept()))
    store = store_of(servers)
    with trio.fail_after(60):
        await nursery.start(store.run)
        assert not store.is_connected
        questions = servers.questions
        result = await commit(store, write_of(3, b"x"))
        assert isinstance(result, Unavailable) and f"slot {SLOT}" in result.reason
        await until(lambda: servers.questions > questions)
    nursery.cancel_scope.cancel()


async def test_connection_that_ends_answers_its_calls_and_nothing_is_sent_again(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    seven, eight = FakeServer(7, Kept(FCALL=b"")), FakeServer(8, Kept())
    servers = FakeServers(nursery, HALVES, seven, eight)
    store = store_of(servers)
    with trio.fail_after(60):
        await nursery.start(store.run)
        assert isinstance(await commit(store, write_of(3, b"x")), Unavailable)
        assert len(seven.asked) == 1
        # The other server's calls do not notice.
        partition = next(number for number in range(PARTITIONS) if slot_of(f"{{{number}}}") >= 8_192)
        assert await commit(store, write_of(partition, b"x")) == COMMITTED
        await until(lambda: store.is_connected)
        assert seven.connections == 2 and eight.connections == 1
    nursery.cancel_scope.cancel()


# --- Missing functions and the end ------------------------------------------------------------------------


async def test_functions_are_loaded_where_they_are_missing(nursery: trio.Nursery, autojump_clock: MockClock):
    server = FakeServer(7, Kept(FCALL=b"-ERR Function not found\r\n"))
    loads: list[int] = []

    async def reload_library() -> None:
        await trio.lowlevel.checkpoint()
        loads.append(1)
        if len(loads) == 1:
            raise ConnectionError("not now")
        server.answers = Kept()

    store = store_of(FakeServers(nursery, topology_of(n7=(0, 16_383)), server), reload_library=reload_library)
    with trio.fail_after(60):
        await nursery.start(store.run)
        while (result := await commit(store, write_of(3, b"x"))) != COMMITTED:
            assert isinstance(result, Unavailable) and "not found" in result.reason
            await trio.sleep(0.05)
    assert len(loads) == 2
    nursery.cancel_scope.cancel()


async def test_end_leaves_no_call_unanswered(nursery: trio.Nursery, autojump_clock: MockClock):
    silent = FakeServer(7, lambda command: b"-TRYAGAIN later\r\n" if command[0] == b"GET" else None)
    store = store_of(FakeServers(nursery, topology_of(n7=(0, 16_383)), silent))
    told: list[Any] = []
    async with trio.open_nursery() as running:
        await running.start(store.run)
        store.commit(look_of(3, b""), told.append)
        store.read_hint("d:x", told.append)
        await trio.testing.wait_all_tasks_blocked()
        store.load((account_key(3, "a"),), told.append)
        running.cancel_scope.cancel()
    store.read_hint("d:x", told.append)
    assert len(told) == 4 and all(isinstance(result, Unavailable) for result in told)
    nursery.cancel_scope.cancel()
