"""``durability = "replicated"`` on real servers: what is answered when replicas have it, lag, or are promoted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from ocs.balance.barrier import Barrier
from ocs.balance.keys import barrier_key
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store import ABSENT, COMMITTED, Conflict, Unavailable
from ocs.balance.store_address import plain_address
from ocs.store_url import Endpoint
from tests.support.calls import PARTITIONS, commit, load, look_of, open_store, set_up, until, write_of
from tests.support.store_servers import Replicated, Server, free_port, replicated

REFUSE = Barrier(1, 300, is_required=True)
FSYNC = Barrier(1, 300, is_required=False)
PATIENT = Barrier(1, 20_000, is_required=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    with replicated(tmp_path_factory.mktemp("pair")) as group:
        set_up(group.primary.url)
        yield group


async def opened(pair: Replicated, nursery: trio.Nursery, barrier: Barrier | None, **more: Any) -> RedisStore:
    pair.primary.admin.flushall()
    set_up(pair.primary.url)
    store = open_store(pair.primary.url, barrier=barrier, **more)
    await nursery.start(store.run)
    return store


@pytest.fixture(autouse=True)
def _resumed(pair: Replicated) -> Iterator[None]:
    yield
    for replica in pair.replicas:
        replica.resume()


async def test_commit_is_told_when_the_replica_has_it(pair: Replicated, nursery: trio.Nursery):
    with trio.fail_after(60):
        store = await opened(pair, nursery, PATIENT)
        change = write_of(3, b"one")
        assert await commit(store, change) == COMMITTED
        (replica,) = pair.replicas
        assert replica.admin.get(change.keys[0]) == change.token + b"one"
    nursery.cancel_scope.cancel()


async def test_repeat_that_writes_nothing_waits_for_the_replica_too(pair: Replicated, nursery: trio.Nursery):
    """The first answer may have been lost before the replica had what it rests on."""
    with trio.fail_after(60):
        store = await opened(pair, nursery, PATIENT)
        change = write_of(3, b"one")
        assert await commit(store, change) == COMMITTED
        (replica,) = pair.replicas
        replica.pause()
        token = b"t" * 12
        pair.primary.admin.set(change.keys[0], token + b"by another worker")  # and nobody has waited for it
        told: list[Any] = []
        store.commit(look_of(3, token), told.append)
        store.commit(look_of(3, change.token), told.append)
        loaded = await load(store, 3)
        assert loaded.token == token and told == []
        replica.resume()
        await until(lambda: len(told) == 2)
        assert told[0] == COMMITTED and isinstance(told[1], Conflict)
        assert replica.admin.get(change.keys[0]) == token + b"by another worker"
    nursery.cancel_scope.cancel()


async def test_without_the_replica_commits_are_refused_until_it_is_back(
    pair: Replicated, nursery: trio.Nursery
):
    with trio.fail_after(60):
        store = await opened(pair, nursery, REFUSE)
        (replica,) = pair.replicas
        replica.pause()
        change = write_of(3, b"one")
        result = await commit(store, change)
        assert isinstance(result, Unavailable) and "0 of 1 replicas" in result.reason
        # Refused at once from then on, and not written.
        refused = await commit(store, write_of(4, b"two"))
        assert isinstance(refused, Unavailable) and "missing" in refused.reason
        assert (await load(store, 4)).token == ABSENT
        replica.resume()
        # It was written, although nobody was told: what stands is found, under a barrier of its own.
        while isinstance(found := await commit(store, look_of(3, change.token)), Unavailable):
            await trio.sleep(0.02)
        assert found == COMMITTED
    nursery.cancel_scope.cancel()


async def test_store_that_starts_without_its_replica_is_not_ready_until_it_follows(
    pair: Replicated, nursery: trio.Nursery
):
    (replica,) = pair.replicas
    with trio.fail_after(60):
        set_up(pair.primary.url)
        replica.pause()
        store = open_store(pair.primary.url, barrier=REFUSE)
        await nursery.start(store.run)
        assert "have not answered yet" in store.trouble
        await until(lambda: "are missing" in store.trouble)
        refused = await commit(store, write_of(3, b"one"))
        assert isinstance(refused, Unavailable) and refused.is_unsent
        replica.resume()
        await until(lambda: not store.trouble)
        assert store.is_connected
    nursery.cancel_scope.cancel()


async def test_on_degraded_fsync_answers_without_the_replica_and_waits_again_when_it_is_back(
    pair: Replicated, nursery: trio.Nursery
):
    with trio.fail_after(60):
        store = await opened(pair, nursery, FSYNC)
        (replica,) = pair.replicas
        replica.pause()
        token = ABSENT
        for number in range(20):
            change = write_of(3, b"%d" % number, token)
            assert await commit(store, change) == COMMITTED
            token = change.token
        (node,) = store._owners._nodes.values()
        assert node._barrier is not None and node._barrier.is_degraded
        replica.resume()
        await until(lambda: node._barrier is not None and not node._barrier.is_degraded)
        last = write_of(3, b"last", token)
        assert await commit(store, last) == COMMITTED
        assert replica.admin.get(last.keys[0]) == last.token + b"last"
    nursery.cancel_scope.cancel()


async def test_small_writes_go_into_a_partition_that_the_server_holds(
    pair: Replicated, nursery: trio.Nursery
):
    with trio.fail_after(60):
        store = await opened(pair, nursery, PATIENT)
        assert await commit(store, look_of(3, ABSENT)) == COMMITTED
        assert pair.primary.admin.keys("*barrier") == [barrier_key(0).encode()]
    nursery.cancel_scope.cancel()


class MovingName(StoreServers):
    """One name, behind which another server may stand."""

    def __init__(self, server: Server) -> None:
        super().__init__(plain_address("redis://store.example"))
        self.server = server

    async def connect(self, endpoint: Endpoint) -> trio.abc.Stream:
        return await super().connect(self.server.endpoint)


@pytest.mark.parametrize("is_lossy", [False, True])
async def test_promoted_replica_is_recognised_and_so_is_what_it_lacks(
    tmp_path: Path, nursery: trio.Nursery, is_lossy: bool
):
    promotions: list[bool] = []
    with replicated(tmp_path) as group, trio.fail_after(60):
        set_up(group.primary.url)
        old, (new,) = group.primary, group.replicas
        name = MovingName(old)
        store = RedisStore(
            name,
            partitions=PARTITIONS,
            barrier=FSYNC,
            on_promotion=lambda _, is_lossy: promotions.append(is_lossy),
        )
        await nursery.start(store.run)
        change = write_of(3, b"one")
        assert await commit(store, change) == COMMITTED
        if is_lossy:
            new.admin.replicaof("127.0.0.1", free_port())
            before = sum(store._owners._history._acknowledged.values())
            assert await commit(store, write_of(4, b"on the primary alone")) == COMMITTED
            # What is answered by the primary alone is noted as well, within a second.
            await until(lambda: sum(store._owners._history._acknowledged.values()) > before + 50)
        old.kill()
        new.admin.replicaof("NO", "ONE")
        name.server = new
        await until(lambda: promotions)
        assert promotions == [is_lossy]
        await until(lambda: store.is_connected)
        assert (await load(store, 3)).token == change.token
        nursery.cancel_scope.cancel()
