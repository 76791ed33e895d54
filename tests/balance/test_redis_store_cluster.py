"""Charging's store on a real cluster: slots move and servers fail while calls are under way."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import trio

from ocs.balance.barrier import Barrier
from ocs.balance.keys import events_key
from ocs.balance.redis_store import RedisStore
from ocs.balance.store import ABSENT, COMMITTED, Commit, Conflict, Unavailable, Write
from ocs.balance.store_admin import connect, load_library
from tests.support.calls import (
    LIBRARY,
    PARTITIONS,
    commit,
    load,
    look_of,
    open_store,
    set_up,
    until,
    write_of,
)
from tests.support.store_servers import Cluster, Server, cluster, slot_of

PARTITION = 3
SLOT = slot_of(events_key(PARTITION))
REPLICATED = Barrier(1, 2_000, is_required=True)


async def blocking(call: Callable[..., Any], *arguments: Any) -> Any:
    return await trio.to_thread.run_sync(partial(call, *arguments))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), primaries=3, replicas=1) as nodes:
        set_up(nodes.url)
        yield nodes


@pytest.fixture(params=[None, REPLICATED], ids=["fsync", "replicated"])
async def store(nodes: Cluster, nursery: trio.Nursery, request: pytest.FixtureRequest):
    for node in nodes.primaries:
        node.admin.flushall()
    set_up(nodes.url)
    store = open_store(nodes.url, barrier=request.param)
    with trio.fail_after(60):
        await nursery.start(store.run)
    yield store
    nursery.cancel_scope.cancel()


def another(nodes: Cluster, than: Server) -> Server:
    return next(node for node in nodes.primaries if node is not than)


async def keep_writing(store: RedisStore, until_set: trio.Event) -> int:
    """Write one account over and over as charging does: after an unknown outcome, look. Returns how often."""
    token, count = ABSENT, 0
    while not until_set.is_set():
        change = write_of(PARTITION, b"%d" % count, token)
        result = await commit(store, change)
        if isinstance(result, Conflict):
            # Only our own write can stand there: the one whose outcome was unknown.
            assert result.current[0].content == b"%d" % count
            token, count = result.current[0].token, count + 1
        elif result == COMMITTED:
            token, count = change.token, count + 1
        else:
            assert isinstance(result, Unavailable)
            await trio.sleep(0.02)
    return count


async def during(store: RedisStore, what: Callable[[], Any]) -> int:
    """Have an account written while something happens; returns how often, when nothing got lost."""
    over = trio.Event()
    counts: list[int] = []

    async def write() -> None:
        counts.append(await keep_writing(store, over))

    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await blocking(what)
            over.set()
    stored = await load(store, PARTITION)
    assert stored.content == b"%d" % (counts[0] - 1)
    return counts[0]


async def test_slot_that_moved_is_found(store: RedisStore, nodes: Cluster):
    assert await commit(store, write_of(PARTITION, b"one")) == COMMITTED
    source = nodes.owner(SLOT)
    target = another(nodes, source)
    await blocking(nodes.migrate_slots, SLOT, SLOT, target)
    assert (await load(store, PARTITION)).content == b"one"
    assert store._owners.by_slot[SLOT] is store._owners._nodes[target.endpoint]


async def test_slots_move_at_once_while_they_are_written(store: RedisStore, nodes: Cluster):
    target = another(nodes, nodes.owner(SLOT))
    assert await during(store, partial(nodes.migrate_slots, SLOT, SLOT, target)) > 0
    assert nodes.owner(SLOT) is target


async def test_slot_moves_key_by_key_while_it_is_written(store: RedisStore, nodes: Cluster):
    source = nodes.owner(SLOT)
    target = another(nodes, source)

    def move() -> None:
        nodes.begin_migration(SLOT, target)
        nodes.move_keys(SLOT, source, target)
        nodes.finish_migration(SLOT, source, target)

    assert await during(store, move) > 0
    assert nodes.owner(SLOT) is target


async def test_keys_on_both_sides_are_tried_again_and_then_unavailable(store: RedisStore, nodes: Cluster):
    first, second = write_of(PARTITION, b"one"), write_of(PARTITION, b"two", name="b")
    assert await commit(store, first) == await commit(store, second) == COMMITTED
    source = nodes.owner(SLOT)
    target = another(nodes, source)
    await blocking(nodes.begin_migration, SLOT, target)
    await blocking(nodes.move_keys, SLOT, source, target, *first.keys)
    token = b"t" * 12
    both = Commit(
        PARTITION, first.keys + second.keys, (first.token, second.token), token, (Write(0, b"three"),)
    )
    result = await commit(store, both)
    assert isinstance(result, Unavailable) and "TRYAGAIN" in result.reason
    await blocking(nodes.move_keys, SLOT, source, target)
    await blocking(nodes.finish_migration, SLOT, source, target)
    assert await commit(store, both) == COMMITTED


async def test_key_that_is_on_the_importing_side_is_asked_for_there(store: RedisStore, nodes: Cluster):
    assert await commit(store, write_of(PARTITION, b"one")) == COMMITTED
    source = nodes.owner(SLOT)
    target = another(nodes, source)
    await blocking(nodes.begin_migration, SLOT, target)
    await blocking(nodes.move_keys, SLOT, source, target)
    assert (await load(store, PARTITION)).content == b"one"
    assert store._owners.by_slot[SLOT] is store._owners._nodes[source.endpoint]
    await blocking(nodes.finish_migration, SLOT, source, target)


async def test_planned_failover_loses_nothing(store: RedisStore, nodes: Cluster):
    replica = nodes.replica_of(nodes.owner(SLOT))
    assert await during(store, partial(nodes.fail_over, replica)) > 0
    await until(
        lambda: store.is_connected and store._owners.by_slot[SLOT] is store._owners._nodes[replica.endpoint]
    )


async def test_dead_servers_calls_alone_fail_and_its_replica_takes_over(
    nodes: Cluster, nursery: trio.Nursery
):
    """Under ``replicated``, so that nothing acknowledged may be missing."""
    store = open_store(nodes.url, barrier=REPLICATED)
    with trio.fail_after(120):
        await nursery.start(store.run)
        dead = nodes.owner(SLOT)
        partitions = range(PARTITIONS)
        hit = [number for number in partitions if nodes.owner(slot_of(f"{{{number}}}")) is dead]
        others = sorted(set(partitions) - set(hit))
        written = {number: write_of(number, b"before", name="k") for number in (*hit[:5], others[0])}
        for change in written.values():
            assert await commit(store, change) == COMMITTED
        await blocking(dead.kill)
        await until(lambda: not store.is_connected)
        assert isinstance(await commit(store, look_of(hit[0], ABSENT, "k")), Unavailable)
        assert await commit(store, look_of(others[0], written[others[0]].token, "k")) == COMMITTED
        await until(lambda: store.is_connected)  # a replica was promoted
        for number in hit[:5]:
            assert (await load(store, number, "k")).token == written[number].token
        await blocking(dead.start)
        await blocking(dead.wait_link)
        await blocking(nodes.wait_ok)
        while await commit(store, look_of(hit[0], written[hit[0]].token, "k")) != COMMITTED:
            await trio.sleep(0.05)  # until the new primary has its replica
    nursery.cancel_scope.cancel()


async def test_server_that_joined_without_the_functions_gets_them(nodes: Cluster, nursery: trio.Nursery):
    async def reload_library() -> None:
        client = connect(nodes.url)
        await blocking(load_library, client, LIBRARY)
        client.close()

    store = open_store(nodes.url, reload_library=reload_library)
    with trio.fail_after(60):
        await nursery.start(store.run)
        nodes.owner(SLOT).admin.execute_command("FUNCTION", "FLUSH")
        result = await commit(store, look_of(PARTITION, ABSENT, "nobody"))
        assert isinstance(result, Unavailable) and "not found" in result.reason
        while await commit(store, look_of(PARTITION, ABSENT, "nobody")) != COMMITTED:
            await trio.sleep(0.02)
    nursery.cancel_scope.cancel()
