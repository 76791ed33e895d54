"""Who follows the list does so on the node that has it."""

from typing import Any

import pytest
import redis
import trio
import trio.testing

from ocs.faults.list_holder import follow_while_held
from ocs.faults.store.owner_identity import own_identity
from ocs.limits import ALARM_HOLDER_INTERVAL_S


class Holder:
    """A store that knows which node has the list, or does not answer."""

    def __init__(self, node: bytes | None) -> None:
        self.node = node
        self.is_away = False

    def hget(self, key: str, field: str) -> bytes | None:
        assert (key, field) == ("{alarms}owner", "node")
        if self.is_away:
            raise redis.ConnectionError("away")
        return self.node


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: Any) -> None:
    async def at_once(work: Any, *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)


async def test_list_is_followed_while_its_node_has_it(autojump_clock: trio.testing.MockClock):
    store: Any = Holder(None)
    told: list[str] = []

    async def follow() -> None:
        told.append("begun")
        try:
            await trio.sleep_forever()
        finally:
            told.append("ended")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow_while_held, store, "here", follow)
        for node, expected in (
            (b"there", []),
            (own_identity("here").encode(), ["begun"]),
            (b"there", ["begun", "ended"]),
            (b"here", ["begun", "ended", "begun"]),
        ):
            store.node = node
            await trio.sleep(2 * ALARM_HOLDER_INTERVAL_S)
            assert told == expected
        nursery.cancel_scope.cancel()


async def test_store_that_is_away_changes_nothing(autojump_clock: trio.testing.MockClock):
    store: Any = Holder(b"here")
    followed = 0

    async def follow() -> None:
        nonlocal followed
        followed += 1
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(follow_while_held, store, "here", follow)
        await trio.sleep(2 * ALARM_HOLDER_INTERVAL_S)
        store.is_away = True
        await trio.sleep(10 * ALARM_HOLDER_INTERVAL_S)
        store.is_away = False
        await trio.sleep(2 * ALARM_HOLDER_INTERVAL_S)
        assert followed == 1
        nursery.cancel_scope.cancel()
