"""The reader: loading page by page, following, noticing what was missed; and a view that follows a real store."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_address import plain_address
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.store import keys
from ocs.faults.store.batch import StoreUnavailableError
from ocs.faults.store.reader import AlarmReader
from ocs.faults.store.trimming import ChangeTrimmer
from ocs.faults.view.follower import AlarmFollower
from tests.support.alarm_lab import AlarmLab, lab
from tests.support.alarms import Fact, alarm_of, batch_of

__all__ = ["lab"]


@pytest.fixture
async def reader(lab: AlarmLab) -> AsyncIterator[AlarmReader]:
    reader = AlarmReader(StoreServers(plain_address(lab.url)))
    with trio.fail_after(60):
        yield reader
    await reader.aclose()


def commit(lab: AlarmLab, *resources: str) -> None:
    lab.commit(batch_of(*map(alarm_of, resources)))


def entries(lab: AlarmLab) -> list[str]:
    return [entry_id.decode() for entry_id, _ in lab.client.xrange(keys.CHANGES)]


async def test_list_is_loaded_page_by_page(lab: AlarmLab, reader: AlarmReader):
    commit(lab, *(f"router{number}" for number in range(3_500)))
    lab.client.hset(keys.SOURCES, "192.0.2.1", b"known")
    snapshot = await reader.load()
    assert len({alarm.alarm_id for alarm in snapshot.alarms}) == 3_500
    assert snapshot.last_id == entries(lab)[-1]
    assert snapshot.sources == {"192.0.2.1": b"known"}


async def test_value_that_cannot_be_read_is_left_out(lab: AlarmLab, reader: AlarmReader):
    commit(lab, "router1")
    lab.client.hset(keys.LIST, "broken", b"twelve octets and nothing")
    assert [alarm.key.resource for alarm in (await reader.load()).alarms] == ["router1"]


async def test_changes_behind_an_entry_are_read_in_order(lab: AlarmLab, reader: AlarmReader):
    commit(lab, "a")
    after = (await reader.load()).last_id
    commit(lab, "b", "c")
    found = await reader.read(after)
    assert [followed.entry_id for followed in found or []] == entries(lab)[1:]
    assert [followed.change.kind for followed in found or []] == [ChangeKind.RAISED] * 2


async def test_list_without_changes_is_followed_from_its_beginning(lab: AlarmLab, reader: AlarmReader):
    after = (await reader.load()).last_id
    commit(lab, "a")
    assert len(await reader.read(after) or []) == 1


async def test_change_that_comes_while_the_reader_waits_wakes_it(lab: AlarmLab, reader: AlarmReader):
    commit(lab, "a")
    after = (await reader.load()).last_id

    async def commit_when_it_waits() -> None:
        while True:
            clients = await trio.to_thread.run_sync(lab.client.client_list)
            if any("xread" in client["cmd"] and "b" in client["flags"] for client in clients):
                break
            await trio.sleep(0.01)
        await trio.to_thread.run_sync(commit, lab, "b")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit_when_it_waits)
        while not (found := await reader.read(after)):
            pass
    assert len(found) == 1


async def test_reader_whom_trimming_overtook_must_load_again(lab: AlarmLab, reader: AlarmReader):
    commit(lab, "a")
    after = (await reader.load()).last_id
    commit(lab, "b")
    commit(lab, "c")
    lab.client.xtrim(keys.CHANGES, maxlen=1, approximate=False)
    assert await reader.read(after) is None
    after = (await reader.load()).last_id
    commit(lab, "d")
    assert len(await reader.read(after) or []) == 1


async def test_trimming_of_what_was_read_is_no_loss(lab: AlarmLab, reader: AlarmReader):
    commit(lab, *(f"router{number}" for number in range(1_000)))
    after = (await reader.load()).last_id
    ChangeTrimmer(lab.client).trim(int(after.partition("-")[0]) * 2)
    assert lab.client.xlen(keys.CHANGES) < 1_000
    commit(lab, "b")
    assert len(await reader.read(after) or []) == 1


async def test_list_whose_changes_were_all_forgotten_is_followed_all_the_same(
    lab: AlarmLab, reader: AlarmReader
):
    commit(lab, "a")
    lab.client.xtrim(keys.CHANGES, maxlen=0, approximate=False)
    after = (await reader.load()).last_id
    commit(lab, "b")
    assert await reader.read(after) is None
    after = (await reader.load()).last_id
    commit(lab, "c")
    assert len(await reader.read(after) or []) == 1


async def test_another_stream_under_the_same_name_is_noticed(lab: AlarmLab, reader: AlarmReader):
    commit(lab, "a")
    after = (await reader.load()).last_id
    lab.client.delete(keys.CHANGES)
    assert await reader.read(after) is None


async def test_broken_connection_is_told_and_made_again(lab: AlarmLab, reader: AlarmReader):
    commit(lab, "a")
    after = (await reader.load()).last_id
    lab.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    with pytest.raises(StoreUnavailableError):
        await reader.read(after)
    commit(lab, "b")
    assert len(await reader.read(after) or []) == 1


async def test_cancelled_wait_leaves_no_reply_behind(lab: AlarmLab, reader: AlarmReader):
    commit(lab, "a")
    after = (await reader.load()).last_id
    with trio.move_on_after(0.05):
        await reader.read(after)
    commit(lab, "b")
    assert len(await reader.read(after) or []) == 1
    assert len((await reader.load()).alarms) == 2


async def test_server_that_is_not_there_is_told(tmp_path: Any):
    reader = AlarmReader(StoreServers(plain_address(f"unix://{tmp_path}/nothing")))
    with pytest.raises(StoreUnavailableError):
        await reader.load()


async def test_view_that_follows_is_the_list_after_any_story(lab: AlarmLab, reader: AlarmReader):
    commit(lab, *(f"router{number}" for number in range(20)))
    follower = AlarmFollower(reader)
    async with trio.open_nursery() as nursery:
        await nursery.start(follower.run)
        for number in range(10, 40):
            commit(lab, f"router{number}")
        alarm_id = alarm_of("router0").alarm_id
        lab.commit(batch_of(changes=[Fact(ChangeKind.PURGED, alarm_id)], purged=[alarm_id]))
        commit(lab, "last")
        while follower.view.get(alarm_of("last").alarm_id) is None:
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert len(follower.view) == lab.client.hlen(keys.LIST) == 40
