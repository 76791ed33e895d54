"""The task that trims and measures: it goes on for ever, whatever the store does."""

from pathlib import Path

import pytest
import structlog
import trio

from ocs.balance import keys, stream_care
from ocs.balance.stream_care import care_for_streams
from ocs.clock import ManualClock
from ocs.events import BILLING_GROUP, LISTENERS_GROUP
from tests.support.charged_store import PARTITIONS, ChargedStore, started_server


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_care, "TRIM_INTERVAL_S", 0.001)


async def until(truth) -> None:
    with trio.fail_after(60):
        while not await trio.to_thread.run_sync(truth):
            await trio.sleep(0.01)


async def test_acknowledged_events_are_trimmed_while_it_runs(tmp_path: Path) -> None:
    with started_server(tmp_path) as url:
        store = ChargedStore(url)
        store.set_up()
        store.fill()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care, ChargedStore(url))
            for partition in range(PARTITIONS):
                name = keys.events_key(partition)
                store.admin.xgroup_create(name, BILLING_GROUP, "0", mkstream=True)
                for _, entries in store.admin.xreadgroup(BILLING_GROUP, "bss", {name: ">"}):
                    store.admin.xack(name, BILLING_GROUP, *(entry_id for entry_id, _ in entries))
            await until(lambda: not any(store.admin.xlen(keys.events_key(p)) for p in range(PARTITIONS)))
            nursery.cancel_scope.cancel()
        store.close()


async def test_listeners_that_lag_are_not_waited_for_while_events_fill_half_of_their_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started_server(tmp_path) as url:
        store = ChargedStore(url)
        store.set_up()
        store.fill()
        for partition in range(PARTITIONS):
            name = keys.events_key(partition)
            store.admin.xgroup_create(name, LISTENERS_GROUP, "0", mkstream=True)
            store.admin.xgroup_create(name, BILLING_GROUP, "$")
        kept = [store.admin.xlen(keys.events_key(partition)) for partition in range(PARTITIONS)]
        assert any(kept)
        seen: list[bool] = []
        trim_partition = stream_care.Trimmer.trim_partition

        def trim(trimmer, partition: int, *, waits_for_listeners: bool) -> int:
            seen.append(waits_for_listeners)
            return trim_partition(trimmer, partition, waits_for_listeners=waits_for_listeners)

        monkeypatch.setattr(stream_care.Trimmer, "trim_partition", trim)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care, ChargedStore(url))
            await until(lambda: len(seen) > 3 * PARTITIONS)
            assert all(seen)
            assert kept == [store.admin.xlen(keys.events_key(partition)) for partition in range(PARTITIONS)]
            monkeypatch.setattr(stream_care, "EVENTS_ROOM_ALARM", 0.0)
            await until(lambda: not any(store.admin.xlen(keys.events_key(p)) for p in range(PARTITIONS)))
            nursery.cancel_scope.cancel()
        store.close()


async def care(store: ChargedStore) -> None:
    await care_for_streams(store.admin, ManualClock(0), partitions=PARTITIONS, events_memory_mib=1)


async def test_store_that_is_away_is_told_once_and_waited_for(tmp_path: Path) -> None:
    store = ChargedStore(f"unix://{tmp_path}/s")
    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care, store)
            await until(lambda: lines)
            with started_server(tmp_path) as url:
                other = ChargedStore(url)
                other.set_up()
                other.fill()
                other.admin.config_set("maxmemory", 1_000)  # full: told as soon as it looks
                await until(lambda: len(lines) > 1)
                other.close()
            await until(lambda: len(lines) > 2)
            nursery.cancel_scope.cancel()
    assert [line["event"] for line in lines] == [
        "streams_not_cared_for", "events_pile_up", "streams_not_cared_for",
    ]  # fmt: skip
