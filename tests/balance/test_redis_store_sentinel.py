"""Charging's store on a primary that Sentinels choose: it follows, and nothing that was waited for is missing."""

from pathlib import Path

import trio

from ocs.balance.barrier import Barrier
from ocs.balance.store import ABSENT, COMMITTED, Unavailable
from tests.support.calls import commit, load, look_of, open_store, set_up, until, write_of
from tests.support.store_servers import sentinel_group

BARRIER = Barrier(1, 500, is_required=True)


async def test_successor_is_found_while_the_old_primary_still_answers(tmp_path: Path, nursery: trio.Nursery):
    """The Sentinels demote it seconds later; meanwhile its replica has left it, and nothing it says counts."""
    promotions: list[bool] = []
    with sentinel_group(tmp_path, replicas=1) as group, trio.fail_after(120):
        set_up(group.url)
        store = open_store(
            group.url, barrier=BARRIER, on_promotion=lambda _, is_lossy: promotions.append(is_lossy)
        )
        await nursery.start(store.run)
        change = write_of(3, b"before")
        assert await commit(store, change) == COMMITTED
        new = await trio.to_thread.run_sync(group.fail_over)
        result = await commit(store, look_of(3, change.token))
        assert isinstance(result, Unavailable)
        await until(
            lambda: store._owners.only is store._owners._nodes.get(new.endpoint) and store.is_connected
        )
        assert (await load(store, 3)).token == change.token
        assert promotions == [False]
        nursery.cancel_scope.cancel()


async def test_lost_primary_is_replaced_and_nothing_acknowledged_is_missing(
    tmp_path: Path, nursery: trio.Nursery
):
    promotions: list[bool] = []
    with sentinel_group(tmp_path, replicas=1) as group, trio.fail_after(120):
        set_up(group.url)
        store = open_store(
            group.url, barrier=BARRIER, on_promotion=lambda _, is_lossy: promotions.append(is_lossy)
        )
        await nursery.start(store.run)
        token, last = ABSENT, b""
        for number in range(20):
            change = write_of(4, b"%d" % number, token)
            assert await commit(store, change) == COMMITTED
            token, last = change.token, b"%d" % number
        group.primary.kill()
        assert isinstance(await commit(store, write_of(4, b"lost", token)), Unavailable)
        await until(lambda: store.is_connected)
        stored = await load(store, 4)
        assert (stored.token, stored.content) == (token, last)
        assert promotions == [False]
        nursery.cancel_scope.cancel()
