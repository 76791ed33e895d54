"""The alarm list while servers of its store are killed, replaced and moved: what was acknowledged is there, once, in order."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from ocs.balance.barrier import Barrier
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import connect, load_library, set_up_store
from ocs.faults.book.tombstones import Tombstone
from ocs.faults.store import keys
from ocs.faults.store.alarm_store import AlarmStore
from ocs.faults.store.batch import AlarmBatch, LeaseLostError, StoreUnavailableError, decode_change
from ocs.store_setup import library_text
from tests.support.alarms import alarm_of, batch_of
from tests.support.store_servers import cluster, sentinel_group, single, slot_of

ROOT = Path(__file__).parents[2]
PARTITIONS = 16
KILLS = 15
PATIENCE_S = 120
ALARMS = 50

pytestmark = pytest.mark.long


def set_up(url: str) -> None:
    client = connect(url)
    set_up_store(client, partitions=PARTITIONS, now_s=1, library=library_text())
    client.close()


def reload_library(url: str) -> None:
    client = connect(url)
    try:
        load_library(client, library_text())
    except Exception as error:
        raise OSError(str(error)) from error
    finally:
        client.close()


def stored_changes(url: str) -> list[str]:
    client: Any = connect(url)
    try:
        return [decode_change(fields[b"c"]).change_id for _, fields in client.xrange(keys.CHANGES)]
    finally:
        client.close()


@asynccontextmanager
async def owner_of(url: str, barrier: Barrier | None = None) -> AsyncGenerator[AlarmStore]:
    await trio.to_thread.run_sync(set_up, url)

    async with store_of(url, "north", barrier) as owner:
        yield owner


@asynccontextmanager
async def store_of(url: str, identity: str, barrier: Barrier | None = None) -> AsyncGenerator[AlarmStore]:
    async def reload_functions() -> None:
        await trio.to_thread.run_sync(reload_library, url)

    store = RedisStore(
        StoreServers(plain_address(url)),
        partitions=PARTITIONS,
        barrier=barrier,
        reload_library=reload_functions,
    )
    async with trio.open_nursery() as nursery:
        with trio.fail_after(PATIENCE_S):
            await nursery.start(store.run)
            yield AlarmStore(store, identity)
        nursery.cancel_scope.cancel()


class Writer:
    """Commits batch after batch, two under way, each again until it is known to stand.

    Attributes:
        acknowledged: ids of the changes of batches that stand, in the order in which they were begun.
    """

    def __init__(self, owner: AlarmStore) -> None:
        self._owner = owner
        self.acknowledged: list[str] = []
        self.is_done = False
        self._begun = 0

    def _next(self) -> AlarmBatch:
        self._begun += 1
        alarms = [
            alarm_of(f"router{(self._begun + number) % ALARMS}", occurrences=self._begun)
            for number in range(5)
        ]
        return batch_of(*alarms, tombstones=[Tombstone("last", self._begun, 0)])

    async def run(self) -> None:
        await self._owner.open_as_owner()
        under_way = trio.Semaphore(2)
        async with trio.open_nursery() as nursery:
            while not self.is_done:
                await under_way.acquire()
                await nursery.start(self._commit, self._next(), under_way)

    async def _commit(
        self, batch: AlarmBatch, under_way: trio.Semaphore, *, task_status: trio.TaskStatus[None]
    ) -> None:
        task_status.started()  # the next one begins when this one has
        while True:
            try:
                await self._owner.commit(batch)
                break
            except StoreUnavailableError:
                await trio.sleep(0.05)
        self.acknowledged += [
            f"{change.alarm_id}-{batch.token.hex()}-{ordinal}" for ordinal, change in enumerate(batch.changes)
        ]
        under_way.release()

    async def more(self, count: int = 20) -> None:
        """Wait until so many more changes were acknowledged."""
        wanted = len(self.acknowledged) + count
        while len(self.acknowledged) < wanted:
            await trio.sleep(0.01)


async def write_through(owner: AlarmStore, url: str, events: Iterator[Callable[[], Any]]) -> None:
    """Write while events happen; then everything that was acknowledged is there, once, and nothing is out of order."""
    writer = Writer(owner)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run)
        await writer.more()
        for event in events:
            await trio.to_thread.run_sync(event)
            await writer.more()
        writer.is_done = True
    found = await trio.to_thread.run_sync(stored_changes, url)
    assert len(set(found)) == len(found)
    assert set(writer.acknowledged) <= set(found)
    numbers = [int(change_id.split("-")[1], 16) for change_id in found]
    assert numbers == sorted(numbers)
    snapshot = await owner.open_as_owner()
    last = max(alarm.occurrences for alarm in snapshot.alarms)
    assert snapshot.tombstones == [Tombstone("last", last, 0)]


async def test_store_that_is_killed_again_and_again_loses_nothing(tmp_path: Path):
    with single(tmp_path) as server:
        async with owner_of(server.url) as owner:

            def kill() -> None:
                server.kill()
                server.start()

            await write_through(owner, server.url, iter([kill] * KILLS))


async def test_store_that_stands_still_for_longer_than_its_timeout_loses_nothing(tmp_path: Path):
    with single(tmp_path) as server:
        async with owner_of(server.url) as owner:

            def pause() -> None:
                server.pause()
                trio.from_thread.run(trio.sleep, 4)
                server.resume()

            await write_through(owner, server.url, iter([pause] * 3))


async def test_failover_of_a_replicated_store_loses_nothing(tmp_path: Path):
    with sentinel_group(tmp_path) as group:
        async with owner_of(group.url, Barrier(1, 1_000, is_required=True)) as owner:
            await write_through(owner, group.url, iter([group.fail_over] * 2))


async def test_slot_that_moves_to_another_node_takes_the_list_with_it(tmp_path: Path):
    with cluster(tmp_path, primaries=3) as nodes:
        slot = slot_of(keys.LIST)
        async with owner_of(nodes.url) as owner:

            def move() -> None:
                before = nodes.owner(slot)
                target = next(node for node in nodes.primaries if node is not before)
                nodes.migrate_slots(slot, slot, target)

            await write_through(owner, nodes.url, iter([move] * 3))


async def test_owner_that_is_dead_is_followed_by_another_that_knows_everything(tmp_path: Path):
    with single(tmp_path) as server:
        async with owner_of(server.url) as owner:
            await owner.open_as_owner()
            batch = batch_of(alarm_of("router1"))
            await owner.commit(batch)
            successor = AlarmStore(owner._calls, "south")
            snapshot = await successor.open_as_owner()
            assert [alarm.key.resource for alarm in snapshot.alarms] == ["router1"]
            with pytest.raises(LeaseLostError):
                await owner.commit(batch_of(alarm_of("router2")))


# An owner that commits without a pause until the list is another's; says when it begins, and why it ended.
OWNER = """
import sys, trio
from ocs.faults.store.batch import LeaseLostError, StoreUnavailableError
from ocs.faults.store.owner_identity import own_identity
from tests.long.test_alarm_store import store_of
from tests.support.alarms import alarm_of, batch_of

async def main():
    async with store_of(sys.argv[1], own_identity("north")) as owner:
        await owner.open_as_owner()
        number = 0
        try:
            while True:
                number += 1
                batch = batch_of(alarm_of("router1", occurrences=number))
                while True:
                    try:
                        await owner.commit(batch)
                        break
                    except StoreUnavailableError:  # it slept for longer than the store is waited for
                        pass
                if number == 20:
                    print("writing", flush=True)
        except LeaseLostError:
            print("lost", flush=True)

trio.run(main)
"""


@asynccontextmanager
async def other_owner(url: str) -> AsyncGenerator[tuple[trio.Process, Callable[[str], Awaitable[None]]]]:
    """An owner in another process that writes, and what waits until it says a word."""
    async with trio.open_nursery() as nursery:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", OWNER, url]
        start = partial(trio.run_process, command, stdout=subprocess.PIPE, check=False, env=environment)
        process: trio.Process = await nursery.start(start)
        out = process.stdout
        assert out is not None

        async def says(word: str) -> None:
            text = b""
            while word.encode() not in text:  # its log goes there too
                part = await out.receive_some()
                assert part, f"it ended before it said {word}"
                text += part

        await says("writing\n")
        yield process, says
        process.send_signal(signal.SIGCONT)
        process.kill()
        nursery.cancel_scope.cancel()


async def test_owner_that_was_stopped_and_goes_on_writes_nothing_more(tmp_path: Path):
    with single(tmp_path) as server:
        async with owner_of(server.url) as successor, other_owner(server.url) as (process, says):
            process.send_signal(signal.SIGSTOP)
            await successor.open_as_owner()
            await successor.commit(batch_of(alarm_of("router2")))
            before = await trio.to_thread.run_sync(stored_changes, server.url)
            process.send_signal(signal.SIGCONT)
            await says("lost\n")
            assert await trio.to_thread.run_sync(stored_changes, server.url) == before
            await successor.commit(batch_of(alarm_of("router3")))


async def test_owner_that_was_killed_is_followed_without_waiting_for_its_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with single(tmp_path) as server:
        async with owner_of(server.url) as successor, other_owner(server.url) as (process, _):
            process.kill()
            await process.wait()
            waits: list[str] = []
            monkeypatch.setattr(successor, "_stand_by", waits.append)
            await successor.open_as_owner()
            assert waits == []
