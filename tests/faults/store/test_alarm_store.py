"""One suite for the alarm list's store: in memory, one server, a cluster."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import pytest
import trio

from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store import TokenSource
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import connect, set_up_store
from ocs.balance.store_client import StoreClient
from ocs.faults.alarm import Alarm, AlarmSignal, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.book.tombstones import Tombstone
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.store import keys
from ocs.faults.store.alarm_store import AlarmStore
from ocs.faults.store.batch import (
    LeaseLostError,
    Snapshot,
    decode_change,
    encode_alarm,
    encode_record,
    frame_change,
)
from ocs.faults.store.desk_door import Compression, Deed, DeskDoor, RedisDeskDoor, Removal
from ocs.faults.store.memory import MemoryAlarmList
from ocs.faults.store.port import AlarmListStore
from ocs.store_setup import library_text
from tests.support.alarms import NOW_MS, Fact, alarm_of, batch_of
from tests.support.store_servers import cluster, debian_redis, single

PARTITIONS = 4
A, B = alarm_of("router1/if/1"), alarm_of("router1/if/2")
TOKENS = TokenSource()


class Lab:
    """A store with an alarm list: owners, and the desk's door."""

    def __init__(
        self,
        owner: Callable[[str], AlarmListStore],
        door: DeskDoor,
        changes: Callable[[], list[AlarmChange]],
        expire: Callable[[], None],
    ) -> None:
        self.owner = owner
        self.door = door
        self._changes = changes
        self._expire = expire

    async def changes(self) -> list[AlarmChange]:
        return await trio.to_thread.run_sync(self._changes)

    async def expire(self) -> None:
        """The owner's lease ends as if it had been silent."""
        await trio.to_thread.run_sync(self._expire)

    async def look(self, *alarms: Alarm) -> list[Any]:
        return await trio.to_thread.run_sync(self.door.look, [alarm.alarm_id for alarm in alarms])

    async def acknowledge(self, alarm: Alarm, expected: bytes = b"", token: bytes = b"") -> bool | None:
        deed = deed_of(alarm, expected, token or TOKENS.next())
        return await trio.to_thread.run_sync(self.door.do, deed)

    async def remove(self, *alarms: Alarm) -> list[str]:
        removals = [
            Removal(
                alarm.alarm_id,
                held.alarm_token,
                held.record_token,
                *frame_change(Fact(ChangeKind.PURGED, alarm.alarm_id), TOKENS.next(), 0),
            )
            for alarm, held in zip(alarms, await self.look(*alarms), strict=True)
        ]
        return await trio.to_thread.run_sync(self.door.remove, removals)

    async def compress(self, alarm: Alarm, token: bytes, expected: bytes) -> list[str]:
        fact = Fact(ChangeKind.COMPRESSED, alarm.alarm_id)
        item = Compression(
            alarm.alarm_id, expected, token, encode_alarm(alarm), *frame_change(fact, token, 0)
        )
        return await trio.to_thread.run_sync(self.door.compress, [item])


def record_of(alarm: Alarm) -> OperatorRecord:
    return OperatorRecord(alarm.alarm_id, OperatorState.ACK)


def deed_of(alarm: Alarm, expected: bytes, token: bytes) -> Deed:
    head, tail = frame_change(Fact(ChangeKind.OPERATED, alarm.alarm_id), token, 0)
    return Deed(alarm.alarm_id, expected, token, encode_record(record_of(alarm)), head, tail)


@pytest.fixture(scope="session")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The session's one store of a kind, started when it is first wanted."""
    found: dict[str, str] = {}
    with contextlib.ExitStack() as stack:

        def start(kind: str) -> str:
            folder = tmp_path_factory.mktemp(kind)
            if kind == "cluster":
                return stack.enter_context(cluster(folder, primaries=3)).url
            binary = debian_redis() if kind == "redis" else None
            if kind == "redis" and binary is None:
                pytest.skip("redis-server is not installed")
            return stack.enter_context(single(folder, binary=binary)).url

        def get(kind: str) -> str:
            if kind not in found:
                found[kind] = start(kind)
            return found[kind]

        yield get


def empty(client: StoreClient) -> None:
    for server in client.primaries():
        server.flushall()
    set_up_store(client, partitions=PARTITIONS, now_s=1, library=library_text())


def stored_changes(client: Any) -> list[AlarmChange]:
    return [decode_change(fields[b"c"]) for _, fields in client.xrange(keys.CHANGES)]


@pytest.fixture(params=["memory", "valkey", "redis", "cluster"])
async def lab(request: pytest.FixtureRequest, urls: Callable[[str], str]) -> AsyncIterator[Lab]:
    if request.param == "memory":
        memory = MemoryAlarmList()
        yield Lab(memory.owner, memory, lambda: list(memory.changes), lambda: setattr(memory, "until_ms", 0))
        return
    address = plain_address(await trio.to_thread.run_sync(urls, request.param))
    client: Any = connect(address)
    await trio.to_thread.run_sync(empty, client)
    store = RedisStore(StoreServers(address), partitions=PARTITIONS)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(30):
            await nursery.start(store.run)
        with trio.fail_after(60):
            yield Lab(
                lambda node: AlarmStore(store, node),
                RedisDeskDoor(client),
                lambda: stored_changes(client),
                lambda: client.hset(keys.OWNER, "until", 0),
            )
        nursery.cancel_scope.cancel()
    client.close()


async def opened(lab: Lab, node: str = "north") -> tuple[AlarmListStore, Snapshot]:
    owner = lab.owner(node)
    return owner, await owner.open_as_owner()


async def reopened(lab: Lab, node: str = "north") -> Snapshot:
    return (await opened(lab, node))[1]


# --- Batches ------------------------------------------------------------------------------------------------------


async def test_new_list_is_empty(lab: Lab):
    snapshot = await reopened(lab)
    assert (snapshot.alarms, snapshot.operators, snapshot.sources, snapshot.tombstones) == ([], [], {}, [])


async def test_what_was_committed_is_there_when_the_list_is_opened_again(lab: Lab):
    owner, _ = await opened(lab)
    old, gone, newer = Tombstone("old", 1, 2), Tombstone("gone", 1, 2), Tombstone("gone", 3, 4)
    await owner.commit(batch_of(A, B, sources={"192.0.2.1": b"known"}, tombstones=[old, gone]))
    await owner.commit(batch_of(tombstones=[newer], forgotten=["old", "never"]))
    snapshot = await reopened(lab)
    assert sorted(snapshot.alarms, key=lambda alarm: alarm.key.resource) == [A, B]
    assert (snapshot.sources, snapshot.tombstones) == ({"192.0.2.1": b"known"}, [newer])


async def test_change_carries_the_alarm_as_the_batch_leaves_it(lab: Lab):
    owner, _ = await opened(lab)
    batch = batch_of(A)
    await owner.commit(batch)
    (change,) = await lab.changes()
    assert change == AlarmChange(
        f"{A.alarm_id}-{batch.token.hex()}-0", ChangeKind.RAISED, A.alarm_id, NOW_MS, A, None, True
    )


async def test_several_changes_of_one_alarm_keep_their_order_and_have_ids_of_their_own(lab: Lab):
    owner, _ = await opened(lab)
    kinds = (ChangeKind.RAISED, ChangeKind.CHANGED, ChangeKind.CLEARED)
    changes = [Fact(kind, A.alarm_id, NOW_MS, is_notified=kind is not ChangeKind.CHANGED) for kind in kinds]
    await owner.commit(batch_of(A, changes=changes))
    found = await lab.changes()
    assert [change.kind for change in found] == list(kinds)
    assert [change.is_notified for change in found] == [True, False, True]
    assert len({change.change_id for change in found}) == 3


async def test_change_of_an_alarm_that_the_batch_leaves_alone_carries_what_stands(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    await owner.commit(batch_of(changes=[Fact(ChangeKind.ESCALATED, A.alarm_id)]))
    assert (await lab.changes())[1].alarm == A


async def test_change_carries_the_operators_axis_as_it_stands_whatever_the_owner_knows_of_it(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    await lab.acknowledge(A)
    await owner.commit(batch_of(msgspec.structs.replace(A, occurrences=2), kind=ChangeKind.REPEATED))
    assert [change.operator for change in await lab.changes()] == [None, record_of(A), record_of(A)]


async def test_batch_of_thousands_is_written_in_one_step(lab: Lab):
    owner, _ = await opened(lab)
    alarms = [alarm_of(f"router{number}") for number in range(5_000)]
    await owner.commit(batch_of(*alarms, sources={str(number): b"x" for number in range(5_000)}))
    assert len((await reopened(lab)).alarms) == 5_000
    assert [change.alarm_id for change in await lab.changes()] == [alarm.alarm_id for alarm in alarms]


async def test_batch_of_more_than_the_bound_is_refused_before_it_is_sent(lab: Lab, monkeypatch: Any):
    owner, _ = await opened(lab)
    monkeypatch.setattr("ocs.faults.store.batch.ALARM_ITEMS_PER_COMMIT_MAX", 3)
    with pytest.raises(ValueError, match="at most 3"):
        await owner.commit(batch_of(A, B))
    await owner.commit(batch_of(A))


async def test_batch_sent_again_changes_nothing(lab: Lab):
    owner, _ = await opened(lab)
    batch = batch_of(A)
    await owner.commit(batch)
    await lab.expire()
    assert len(await lab.changes()) == 1


async def test_purged_alarm_leaves_with_its_operators_axis_and_its_change_tells_what_it_was(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A, B))
    await lab.acknowledge(A)
    purge = batch_of(changes=[Fact(ChangeKind.PURGED, A.alarm_id)], purged=[A.alarm_id])
    await owner.commit(purge)
    snapshot = await reopened(lab)
    assert (snapshot.alarms, snapshot.operators) == ([B], [])
    assert (await lab.changes())[-1].alarm == A


# --- The lease ----------------------------------------------------------------------------------------------------


async def test_node_takes_its_own_list_back_at_once_and_its_former_self_writes_nothing_more(lab: Lab):
    before, _ = await opened(lab)
    await before.commit(batch_of(A))
    after, _ = await opened(lab)
    with pytest.raises(LeaseLostError):
        await before.commit(batch_of(B))
    with pytest.raises(LeaseLostError):
        await before.renew()
    await after.commit(batch_of(B))
    assert len((await reopened(lab)).alarms) == 2


async def test_first_batch_of_a_former_owner_is_not_taken_for_the_first_of_the_next(lab: Lab):
    former, _ = await opened(lab)
    owner, _ = await opened(lab)
    with pytest.raises(LeaseLostError):
        await former.commit(batch_of(A))
    await owner.commit(batch_of(B))
    assert [change.alarm_id for change in await lab.changes()] == [B.alarm_id]


async def test_another_node_waits_until_the_owner_was_silent_for_the_leases_length(lab: Lab):
    owner, _ = await opened(lab, "north")
    waiting = lab.owner("south")
    async with trio.open_nursery() as nursery:
        taken = trio.Event()

        async def take() -> None:
            await waiting.open_as_owner()
            taken.set()

        nursery.start_soon(take)
        await owner.commit(batch_of(A))
        await owner.renew()
        while not waiting.holder:
            await trio.sleep(0.01)
        assert waiting.holder == "north"
        assert not taken.is_set()
        await lab.expire()
        await taken.wait()
    assert waiting.holder == ""
    with pytest.raises(LeaseLostError):
        await owner.commit(batch_of(B))


async def test_owner_that_ends_lets_another_node_have_the_list_at_once(lab: Lab):
    owner, _ = await opened(lab, "north")
    await owner.release()
    await opened(lab, "south")
    with pytest.raises(LeaseLostError):
        await owner.commit(batch_of(A))


async def test_former_owner_that_lets_go_takes_nothing_from_the_next(lab: Lab):
    former, _ = await opened(lab)
    owner, _ = await opened(lab)
    await former.release()
    await owner.renew()
    await owner.commit(batch_of(A))


async def test_owner_whom_nobody_followed_goes_on_after_its_lease_ended(lab: Lab):
    owner, _ = await opened(lab)
    await lab.expire()
    await owner.commit(batch_of(A))
    await owner.renew()


async def test_engine_has_one_id_and_counts_its_starts(lab: Lab):
    first = (await reopened(lab)).engine
    second = (await reopened(lab, "north")).engine
    assert 5 <= len(first.engine_id) <= 32
    assert first.engine_id[0] & 0x80
    assert (first.engine_id, first.boots, second.boots) == (second.engine_id, 1, 2)


async def test_engine_id_of_the_settings_is_used_and_starts_to_count_anew(lab: Lab):
    await opened(lab)
    mine = b"\x80\x00\x1f\x88\x04own"
    for boots in (1, 2):
        snapshot = await lab.owner("north").open_as_owner(engine_id=mine)
        assert (snapshot.engine.engine_id, snapshot.engine.boots) == (mine, boots)


# --- Operators ----------------------------------------------------------------------------------------------------


async def test_operators_record_is_there_when_the_list_is_opened_again(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    assert await lab.acknowledge(A)
    assert (await reopened(lab)).operators == [record_of(A)]


async def test_deed_carries_the_alarm_as_it_stands(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    newer = msgspec.structs.replace(A, severity=Severity.CRITICAL)
    await owner.commit(batch_of(newer, kind=ChangeKind.CHANGED))
    await lab.acknowledge(A)
    last = (await lab.changes())[-1]
    assert (last.kind, last.alarm, last.operator) == (ChangeKind.OPERATED, newer, record_of(A))


async def test_deed_on_another_record_than_was_read_is_not_done(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    await lab.acknowledge(A)
    assert await lab.acknowledge(A) is False
    (held,) = await lab.look(A)
    assert await lab.acknowledge(A, expected=held.record_token)


async def test_deed_sent_again_is_done_once(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    token = TOKENS.next()
    assert await lab.acknowledge(A, token=token)
    assert await lab.acknowledge(A, token=token)
    assert [change.kind for change in await lab.changes()] == [ChangeKind.RAISED, ChangeKind.OPERATED]


async def test_deed_on_an_alarm_that_is_gone_is_refused(lab: Lab):
    await opened(lab)
    assert await lab.acknowledge(A) is None
    assert await lab.changes() == []


async def test_alarm_that_changed_since_it_was_looked_at_is_not_removed(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A, B))
    (a, b) = await lab.look(A, B)
    await owner.commit(batch_of(A, kind=ChangeKind.REPEATED))
    removals = [
        Removal(alarm.alarm_id, held.alarm_token, held.record_token, *frame_change(
            Fact(ChangeKind.PURGED, alarm.alarm_id), TOKENS.next(), 0))
        for alarm, held in ((A, a), (B, b))
    ]  # fmt: skip
    assert await trio.to_thread.run_sync(lab.door.remove, removals) == [B.alarm_id]
    assert (await reopened(lab)).alarms == [A]
    last = (await lab.changes())[-1]
    assert (last.kind, last.alarm) == (ChangeKind.PURGED, B)


async def test_system_writes_a_record_that_follows_from_what_stands(lab: Lab):
    owner, _ = await opened(lab)
    shelved = OperatorRecord(A.alarm_id, OperatorState.SHELVED)
    ended = OperatorRecord(A.alarm_id, OperatorState.UN_SHELVED)
    await owner.commit(batch_of(A, operators=[(None, shelved)]))
    await owner.commit(batch_of(A, kind=ChangeKind.OPERATED, operators=[(shelved, ended)]))
    assert [change.operator for change in await lab.changes()] == [shelved, ended]
    assert (await reopened(lab)).operators == [ended]


async def test_record_that_an_operator_changed_meanwhile_stays_as_the_operator_made_it(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    await lab.acknowledge(A)
    ended = OperatorRecord(A.alarm_id, OperatorState.UN_SHELVED)
    await owner.commit(batch_of(A, kind=ChangeKind.OPERATED, operators=[(None, ended)]))
    assert (await lab.changes())[-1].operator == record_of(A)
    assert (await reopened(lab)).operators == [record_of(A)]


async def test_maintenance_windows_are_kept_beside_the_list(lab: Lab):
    await trio.to_thread.run_sync(lab.door.set_window, "w1", b"one")
    await trio.to_thread.run_sync(lab.door.set_window, "w2", b"two")
    await trio.to_thread.run_sync(lab.door.set_window, "w1", None)
    assert lab.door.windows() == (await reopened(lab)).windows == {"w2": b"two"}


# --- Following the desk -------------------------------------------------------------------------------------------


async def test_owner_hears_of_what_operators_do_and_of_nothing_else(lab: Lab):
    owner, snapshot = await opened(lab)
    await owner.commit(batch_of(A, B))
    await lab.acknowledge(A)
    await lab.remove(B)
    heard = [followed.change for followed in await owner.read_desk(snapshot.last_id)]
    kinds = [(change.kind, change.alarm_id) for change in heard]
    assert kinds == [(ChangeKind.OPERATED, A.alarm_id), (ChangeKind.PURGED, B.alarm_id)]


async def test_shorter_alarm_is_written_where_it_has_not_changed_and_its_owner_hears_of_it(lab: Lab):
    owner, snapshot = await opened(lab)
    await owner.commit(batch_of(A))
    (held,) = await lab.look(A)
    short = msgspec.structs.replace(A, text="short")
    token = TOKENS.next()
    assert await lab.compress(short, token, b"another one!") == []
    for _ in range(2):  # the answer may be lost
        assert await lab.compress(short, token, held.alarm_token) == [A.alarm_id]
    (now,) = await lab.look(A)
    assert (now.alarm, now.alarm_token) == (short, token)
    (followed,) = await owner.read_desk(snapshot.last_id)
    assert (followed.change.kind, followed.change.alarm) == (ChangeKind.COMPRESSED, short)
    assert (await lab.changes())[-1] == followed.change


async def test_owner_goes_on_where_it_was(lab: Lab):
    owner, _ = await opened(lab)
    await owner.commit(batch_of(A))
    await lab.acknowledge(A)
    owner, snapshot = await opened(lab)
    (held,) = await lab.look(A)
    await lab.acknowledge(A, expected=held.record_token)
    (followed,) = await owner.read_desk(snapshot.last_id)
    assert followed.change.kind is ChangeKind.OPERATED
    assert followed.entry_id != snapshot.last_id


async def test_owner_waits_while_operators_do_nothing(lab: Lab):
    owner, snapshot = await opened(lab)
    await owner.commit(batch_of(A))
    async with trio.open_nursery() as nursery:
        heard = trio.Event()

        async def read() -> None:
            await owner.read_desk(snapshot.last_id)
            heard.set()

        nursery.start_soon(read)
        await owner.renew()
        assert not heard.is_set()
        await lab.acknowledge(A)
        await heard.wait()


async def test_order_stands_until_a_batch_carries_it_out(lab: Lab):
    owner, _ = await opened(lab)
    signal = AlarmSignal(A.key, Severity.CLEARED, NOW_MS, A.event_type, 1024, "by hand", A.source)
    await trio.to_thread.run_sync(lab.door.order, "o1", signal)
    await trio.to_thread.run_sync(lab.door.order, "o2", signal)
    assert await owner.orders() == {"o1": signal, "o2": signal}
    await owner.commit(batch_of(A, orders=["o1"]))
    assert await owner.orders() == {"o2": signal}
