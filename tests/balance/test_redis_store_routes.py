"""Calls find the server that holds their keys: redirections, refusals, servers that come and go."""

from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from ocs import limits
from ocs.balance.keys import account_key
from ocs.balance.redis_store import RedisStore, slot_of
from ocs.balance.store import COMMITTED, Stored, Unavailable
from ocs.metrics import REGISTRY
from tests.support import store_servers
from tests.support.calls import PARTITIONS, ask, commit, load, look_of, until, write_of
from tests.support.fake_servers import Command, FakeServer, FakeServers, endpoint, topology_of

SLOT = slot_of("{3}")
OK, ONE, NIL = b"+OK\r\n", b":1\r\n", b"$-1\r\n"
HALVES = topology_of(n7=(0, 8_191), n8=(8_192, 16_383))


class Kept:
    """Commits succeed, reads find nothing; single commands may be answered otherwise."""

    def __init__(self, **otherwise: bytes | None) -> None:
        self.otherwise = otherwise

    def __call__(self, command: Command) -> bytes | None:
        name = command[0].decode()
        if name in self.otherwise:
            return self.otherwise[name]
        return {"FCALL": ONE, "MGET": b"*1\r\n$-1\r\n", "GET": NIL, "ZRANGE": b"*0\r\n"}.get(name, OK)


def store_of(servers: FakeServers, **more: Any) -> RedisStore:
    return RedisStore(servers, partitions=PARTITIONS, **more)


def counted(name: str, *labels: str) -> float:
    families = {family.name: family for family in REGISTRY.snapshot().families}
    return next((sample.value for sample in families[name].samples if sample.labels == labels), 0)


# --- Slots ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["{3}a:x", "clock", "d:e164:1", "l:a{b}c", "l:a{}b{c}", "l:}{x", "l:{", "l:{{x}}", "d:sip:é@x", ""],
)
def test_slot_is_what_a_cluster_makes_of_the_key(key: str):
    assert slot_of(key) == store_servers.slot_of(key)


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


# --- Redirections -----------------------------------------------------------------------------------------


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
        await until(lambda: store._owners[16_383] is store._nodes[endpoint(8)])
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


# --- Who is primary ---------------------------------------------------------------------------------------


async def test_demoted_primary_is_left_for_the_one_that_took_its_place(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    old, new = FakeServer(7, Kept()), FakeServer(8, Kept())
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), old, new)
    promotions: list[bool] = []
    store = store_of(servers, on_promotion=lambda _, is_lossy: promotions.append(is_lossy))
    with trio.fail_after(60):
        await nursery.start(store.run)
        old.replication |= {"role": "slave"}
        old.answers = Kept(FCALL=b"-READONLY You can't write against a read only replica.\r\n")
        new.replication |= {"master_replid2": old.replication["master_replid"], "second_repl_offset": "1"}
        servers.topology = topology_of(n8=(0, 16_383))
        assert isinstance(await commit(store, write_of(3, b"x")), Unavailable)
        await until(lambda: store._only is not None and store._only.endpoint == endpoint(8))
        await until(lambda: store.is_connected)
        assert await commit(store, write_of(3, b"x")) == COMMITTED
        await until(lambda: endpoint(7) not in store._nodes)
        assert promotions == [False]
    nursery.cancel_scope.cancel()


async def test_server_that_is_a_replica_now_is_not_connected_to(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    server = FakeServer(7, Kept())
    store = store_of(FakeServers(nursery, topology_of(n7=(0, 16_383)), server, fixed=True))
    with trio.fail_after(60), capture_logs() as lines:
        await nursery.start(store.run)
        server.replication |= {"role": "slave"}
        server.answers = Kept(FCALL=b"-READONLY You can't write against a read only replica.\r\n")
        result = await commit(store, write_of(3, b"x"))
        assert isinstance(result, Unavailable) and "READONLY" in result.reason
        await until(lambda: any("is a replica now" in str(line.get("reason")) for line in lines))
        await trio.sleep(1)
        assert not store.is_connected
        server.replication |= {"role": "master"}
        await until(lambda: store.is_connected)
    nursery.cancel_scope.cancel()


async def test_primary_that_was_replaced_while_it_still_answers_is_left_within_seconds(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), FakeServer(7, Kept()), FakeServer(8, Kept()))
    store = store_of(servers)
    with trio.fail_after(60):
        await nursery.start(store.run)
        servers.topology = topology_of(n8=(0, 16_383))
        with trio.fail_after(2 * limits.STORE_TOPOLOGY_INTERVAL_S):
            await until(lambda: set(store._nodes) == {endpoint(8)})
    nursery.cancel_scope.cancel()


async def test_server_that_one_answer_does_not_name_is_kept_until_the_next(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    """Who was asked may not have heard of it yet."""
    seven, eight = FakeServer(7, Kept()), FakeServer(8, Kept())
    servers = FakeServers(nursery, HALVES, seven, eight)
    store = store_of(servers)
    with trio.fail_after(60):
        await nursery.start(store.run)
        store._apply(topology_of(n7=(0, 16_383)))
        store._apply(HALVES)
        await trio.testing.wait_all_tasks_blocked()
        assert set(store._nodes) == {endpoint(7), endpoint(8)} and eight.connections == 1
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("continued_to", "is_lossy", "event"), [(100, False, "store_promoted"), (99, True, "store_lost_writes")]
)
async def test_promotion_is_recognised_and_so_is_what_it_lost(
    nursery: trio.Nursery, autojump_clock: MockClock, continued_to: int, is_lossy: bool, event: str
):
    server = FakeServer(7, Kept())
    server.replication["master_repl_offset"] = "100"
    promotions: list[bool] = []
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), server, fixed=True)
    store = store_of(servers, on_promotion=lambda _, is_lossy: promotions.append(is_lossy))
    before = counted("ocs_store_promotions_total", "yes" if is_lossy else "no")
    with trio.fail_after(60), capture_logs() as lines:
        await nursery.start(store.run)
        await trio.sleep(2 * limits.STORE_OFFSET_INTERVAL_S)  # it is noted what is durable
        server.replication |= {
            "master_replid": "9" * 40,
            "master_replid2": server.replication["master_replid"],
            "second_repl_offset": str(continued_to + 1),
        }
        server.answers = Kept(FCALL=b"")
        await commit(store, write_of(3, b"x"))
        await until(lambda: store.is_connected)
    assert promotions == [is_lossy]
    (line,) = [line for line in lines if line["event"].startswith(("store_promoted", "store_lost"))]
    assert line["event"] == event and (not is_lossy or (line["remedy"] and "1 octets" in line["reason"]))
    assert counted("ocs_store_promotions_total", "yes" if is_lossy else "no") == before + 1
    nursery.cancel_scope.cancel()


async def test_change_of_the_topology_is_told_once_and_the_first_one_is_none(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), FakeServer(7, Kept()), FakeServer(8, Kept()))
    changes: list[int] = []
    store = store_of(servers, on_topology=lambda: changes.append(1))
    with trio.fail_after(60):
        await nursery.start(store.run)
        await trio.sleep(3 * limits.STORE_TOPOLOGY_INTERVAL_S)
        assert changes == []
        servers.topology = HALVES
        await trio.sleep(3 * limits.STORE_TOPOLOGY_INTERVAL_S)
        assert changes == [1]
    nursery.cancel_scope.cancel()


async def test_slots_that_move_to_a_server_that_we_never_met_are_no_promotion(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    seven, eight = FakeServer(7, Kept()), FakeServer(8, Kept())
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), seven, eight)
    promotions: list[bool] = []
    store = store_of(servers, on_promotion=lambda _, is_lossy: promotions.append(is_lossy))
    with trio.fail_after(60):
        await nursery.start(store.run)
        servers.topology = HALVES
        await until(lambda: eight.connections)
        await until(lambda: store.is_connected)
    assert promotions == []
    nursery.cancel_scope.cancel()


async def test_server_in_a_lost_ones_place_that_continues_nothing_is_lossy(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    servers = FakeServers(nursery, topology_of(n7=(0, 16_383)), FakeServer(7, Kept()), FakeServer(8, Kept()))
    promotions: list[bool] = []
    store = store_of(servers, on_promotion=lambda _, is_lossy: promotions.append(is_lossy))
    with trio.fail_after(60):
        await nursery.start(store.run)
        servers.topology = topology_of(n8=(0, 16_383))
        await until(lambda: promotions)
    assert promotions == [True]
    nursery.cancel_scope.cancel()


# --- Starting and missing functions -----------------------------------------------------------------------


async def test_store_is_waited_for_at_the_start(nursery: trio.Nursery, autojump_clock: MockClock):
    server = FakeServer(7, Kept())
    server.is_up = False
    servers = FakeServers(nursery, ConnectionError("no node answers"), server)
    store = store_of(servers)
    started = trio.Event()

    async def start() -> None:
        await nursery.start(store.run)
        started.set()

    with trio.fail_after(60), capture_logs() as lines:
        nursery.start_soon(start)
        await trio.sleep(1)
        servers.topology = topology_of(n7=(0, 16_383))
        await trio.sleep(1)
        assert not started.is_set() and not store.is_connected
        server.is_up = True
        await started.wait()
        assert store.is_connected
    assert {"store_topology_unknown", "store_unreachable"} <= {line["event"] for line in lines}
    assert all(line["remedy"] for line in lines)
    nursery.cancel_scope.cancel()


async def test_cluster_of_which_one_server_is_away_starts_with_the_others(
    nursery: trio.Nursery, autojump_clock: MockClock
):
    seven, eight = FakeServer(7, Kept()), FakeServer(8, Kept())
    eight.is_up = False
    store = store_of(FakeServers(nursery, HALVES, seven, eight))
    with trio.fail_after(60):
        await nursery.start(store.run)
        assert not store.is_connected
        assert await commit(store, write_of(3, b"x")) == COMMITTED
    nursery.cancel_scope.cancel()


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
