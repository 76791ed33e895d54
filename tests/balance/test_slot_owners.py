"""Who is primary: servers that come and go, are promoted, demoted or replaced."""

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from ocs import limits
from ocs.balance.store import COMMITTED, Unavailable
from ocs.metrics import REGISTRY
from tests.support.calls import commit, until, write_of
from tests.support.fake_servers import HALVES, FakeServer, FakeServers, Kept, endpoint, store_of, topology_of


def counted(name: str, *labels: str) -> float:
    families = {family.name: family for family in REGISTRY.snapshot().families}
    return next((sample.value for sample in families[name].samples if sample.labels == labels), 0)


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
        await until(lambda: store._owners.only is not None and store._owners.only.endpoint == endpoint(8))
        await until(lambda: store.is_connected)
        assert await commit(store, write_of(3, b"x")) == COMMITTED
        await until(lambda: endpoint(7) not in store._owners._nodes)
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
            await until(lambda: set(store._owners._nodes) == {endpoint(8)})
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
        store._owners._apply(topology_of(n7=(0, 16_383)))
        store._owners._apply(HALVES)
        await trio.testing.wait_all_tasks_blocked()
        assert set(store._owners._nodes) == {endpoint(7), endpoint(8)} and eight.connections == 1
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
    # One line for each change, however long it takes.
    assert [line["event"] for line in lines] == [
        "store_topology_unknown",
        "store_topology_known",
        "store_unreachable",
        "store_connected",
    ]
    assert all(line["remedy"] for line in lines if line["log_level"] != "info")
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
