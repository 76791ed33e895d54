"""The desk: operators' deeds, decided by the rules and written once."""

from typing import Any

import msgspec
import pytest
import trio

from ocs.faults.alarm import Alarm, Severity, StatusChange
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.operator_rules import OperatorRuleError
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.store.batch import StoreUnavailableError
from ocs.faults.store.desk import AlarmDesk, DeskBusyError, NoSuchAlarmError
from ocs.faults.store.desk_door import Deed
from ocs.faults.store.memory import MemoryAlarmList
from tests.support.alarms import NOW_MS, alarm_of, batch_of

A, B = alarm_of("router1"), alarm_of("router2")


@pytest.fixture
async def store() -> MemoryAlarmList:
    store = MemoryAlarmList(lambda: NOW_MS)
    await commit(store, A, B)
    return store


async def commit(store: MemoryAlarmList, *alarms: Alarm, kind: ChangeKind = ChangeKind.RAISED) -> None:
    owner = store.owner("north")
    await owner.open_as_owner()
    await owner.commit(batch_of(*alarms, kind=kind))


@pytest.fixture
async def desk(store: MemoryAlarmList) -> AlarmDesk:
    return AlarmDesk(store)


async def test_each_deed_is_written_and_told(store: MemoryAlarmList, desk: AlarmDesk):
    alarm_id = A.alarm_id
    steps = [
        desk.acknowledge(alarm_id, "kim", "on it", NOW_MS),
        desk.unacknowledge(alarm_id, "kim", "", NOW_MS),
        desk.assign(alarm_id, "kim", "", NOW_MS, to="field"),
        desk.comment(alarm_id, "kim", "a fan", NOW_MS),
        desk.shelve(alarm_id, "kim", "", NOW_MS, until_ms=NOW_MS + 1_000),
        desk.unshelve(alarm_id, "kim", "", NOW_MS),
        desk.close(alarm_id, "kim", "done", NOW_MS),
    ]
    told = [change for change in store.changes if change.kind is ChangeKind.OPERATED]
    assert [change.operator for change in told] == steps
    assert {change.alarm for change in told} == {A}
    last = steps[-1]
    assert (last.state, last.assigned_to, len(last.changes)) == (OperatorState.CLOSED, "field", 5)
    assert desk.look(alarm_id) == (A, last)


async def test_deed_that_the_rules_refuse_leaves_nothing(store: MemoryAlarmList, desk: AlarmDesk):
    with pytest.raises(OperatorRuleError):
        desk.unshelve(A.alarm_id, "kim", "", NOW_MS)
    assert store.operators == {}


async def test_deed_that_changes_nothing_tells_nobody(store: MemoryAlarmList, desk: AlarmDesk):
    for _ in range(2):
        desk.assign(A.alarm_id, "kim", "", NOW_MS, to="field")
    assert len(store.desk) == 1


async def test_alarm_that_is_not_there_is_named(desk: AlarmDesk):
    for deed in (desk.acknowledge, desk.close, desk.clear):
        with pytest.raises(NoSuchAlarmError, match="'nothing'"):
            deed("nothing", "kim", "", NOW_MS)


async def test_deed_is_decided_again_on_what_another_has_written_meanwhile(
    store: MemoryAlarmList, desk: AlarmDesk, monkeypatch: Any
):
    other = AlarmDesk(store)
    do = store.do
    waiting = ["lee"]

    def interrupted(deed: Deed) -> bool | None:
        if waiting:
            monkeypatch.setattr(store, "do", do)
            other.comment(A.alarm_id, waiting.pop(), "first", NOW_MS)
        return do(deed)

    monkeypatch.setattr(store, "do", interrupted)
    record = desk.comment(A.alarm_id, "kim", "second", NOW_MS)
    assert [comment.text for comment in record.comments] == ["first", "second"]


async def test_deed_that_always_loses_is_refused(store: MemoryAlarmList, desk: AlarmDesk, monkeypatch: Any):
    monkeypatch.setattr(store, "do", lambda deed: False)
    with pytest.raises(DeskBusyError):
        desk.acknowledge(A.alarm_id, "kim", "", NOW_MS)


async def test_alarm_that_goes_while_it_is_acted_on_is_gone(
    store: MemoryAlarmList, desk: AlarmDesk, monkeypatch: Any
):
    monkeypatch.setattr(store, "do", lambda deed: None)
    with pytest.raises(NoSuchAlarmError):
        desk.acknowledge(A.alarm_id, "kim", "", NOW_MS)


async def test_store_that_is_away_is_told(store: MemoryAlarmList, desk: AlarmDesk):
    store.is_away = True
    with pytest.raises(StoreUnavailableError):
        desk.acknowledge(A.alarm_id, "kim", "", NOW_MS)


async def test_clear_by_hand_is_an_order_to_the_owner(store: MemoryAlarmList, desk: AlarmDesk):
    with pytest.raises(OperatorRuleError):
        desk.clear(A.alarm_id, "kim", "", NOW_MS)
    stateless = alarm_of("router3", will_clear=False)
    await commit(store, stateless)
    desk.clear(stateless.alarm_id, "kim", "looked at it", NOW_MS)
    owner = store.owner("north")
    await owner.open_as_owner()
    ((order_id, signal),) = (await owner.orders()).items()
    assert (signal.key, signal.severity) == (stateless.key, Severity.CLEARED)
    await owner.commit(batch_of(orders=[order_id]))
    assert await owner.orders() == {}


# --- Purge --------------------------------------------------------------------------------------------------------


def is_cleared(alarm: Alarm, operator: OperatorRecord | None) -> bool:
    return alarm.is_cleared


async def test_purge_takes_what_the_filter_still_wants(store: MemoryAlarmList, desk: AlarmDesk):
    await commit(store, msgspec.structs.replace(A, is_cleared=True), kind=ChangeKind.CLEARED)
    gone = desk.purge([A.alarm_id, B.alarm_id, "nothing"], is_cleared, "kim", NOW_MS)
    assert gone == [A.alarm_id]
    assert list(store.alarms) == [B.alarm_id]
    assert store.changes[-1].kind is ChangeKind.PURGED


async def test_alarm_that_changes_while_it_is_purged_is_looked_at_again(
    store: MemoryAlarmList, desk: AlarmDesk, monkeypatch: Any
):
    remove = store.remove
    raised = [A]

    def interrupted(removals: Any) -> list[str]:
        if raised:
            store.alarms[A.alarm_id] = b"other token!" + msgspec.msgpack.encode(raised.pop())
        return remove(removals)

    await commit(store, *(msgspec.structs.replace(alarm, is_cleared=True) for alarm in (A, B)))
    monkeypatch.setattr(store, "remove", interrupted)
    assert desk.purge([A.alarm_id, B.alarm_id], is_cleared, "kim", NOW_MS) == [B.alarm_id]
    assert list(store.alarms) == [A.alarm_id]


async def test_purge_of_many_goes_page_by_page(store: MemoryAlarmList, desk: AlarmDesk):
    alarms = [alarm_of(f"router{number}", is_cleared=True) for number in range(2_500)]
    await commit(store, *alarms)
    gone = desk.purge([alarm.alarm_id for alarm in alarms], is_cleared, "kim", NOW_MS)
    assert len(gone) == 2_500


# --- Compress -----------------------------------------------------------------------------------------------------

LONG = alarm_of(
    "router4", changes=(StatusChange(1, Severity.MAJOR, "a"), StatusChange(2, Severity.MINOR, "b"))
)


def every(alarm: Alarm, operator: OperatorRecord | None) -> bool:
    return True


async def test_compress_keeps_the_last_status_change_of_what_the_filter_wants(
    store: MemoryAlarmList, desk: AlarmDesk
):
    await commit(store, LONG)
    desk.acknowledge(LONG.alarm_id, "kim", "", NOW_MS)
    assert desk.compress([LONG.alarm_id], is_cleared, "kim", NOW_MS) == []
    wanted = [A.alarm_id, LONG.alarm_id, "nothing"]
    assert desk.compress(wanted, every, "kim", NOW_MS) == [LONG.alarm_id]
    alarm, record = desk.look(LONG.alarm_id)
    assert alarm == msgspec.structs.replace(LONG, changes=LONG.changes[-1:])
    told = store.changes[-1]
    assert (told.kind, told.alarm, told.operator, told.is_notified) == (
        ChangeKind.COMPRESSED,
        alarm,
        record,
        False,
    )
    assert desk.compress(wanted, every, "kim", NOW_MS) == []


async def test_alarm_that_changes_while_it_is_compressed_is_looked_at_again(
    store: MemoryAlarmList, desk: AlarmDesk, monkeypatch: Any
):
    await commit(store, LONG)
    newer = msgspec.structs.replace(LONG, changes=(*LONG.changes, StatusChange(3, Severity.MAJOR, "c")))
    compress, raised = store.compress, [newer]

    def interrupted(compressions: Any) -> list[str]:
        if raised:
            store.alarms[LONG.alarm_id] = b"other token!" + msgspec.msgpack.encode(raised.pop())
        return compress(compressions)

    monkeypatch.setattr(store, "compress", interrupted)
    assert desk.compress([LONG.alarm_id], every, "kim", NOW_MS) == [LONG.alarm_id]
    assert desk.look(LONG.alarm_id)[0].changes == newer.changes[-1:]


# --- Groups by hand -----------------------------------------------------------------------------------------------


async def test_operators_group_an_alarm_under_another_and_take_it_out_again(
    store: MemoryAlarmList, desk: AlarmDesk
):
    record = desk.group(B.alarm_id, "kim", "same fan", NOW_MS, parent=A.alarm_id)
    assert (record.grouped_under, record.comments[0].text) == (A.alarm_id, "same fan")
    assert desk.group(B.alarm_id, "kim", "", NOW_MS, parent=A.alarm_id) == record
    assert len(store.desk) == 1
    with pytest.raises(OperatorRuleError, match="not grouped under"):
        desk.ungroup(B.alarm_id, "kim", "", NOW_MS, parent="another")
    assert desk.ungroup(B.alarm_id, "kim", "", NOW_MS, parent=A.alarm_id).grouped_under == ""
    with pytest.raises(OperatorRuleError, match="not grouped under"):
        desk.ungroup(A.alarm_id, "kim", "", NOW_MS, parent=B.alarm_id)


async def test_groups_by_hand_make_no_ring_and_need_a_parent_that_is_there(
    store: MemoryAlarmList, desk: AlarmDesk
):
    third = alarm_of("router3")
    await commit(store, third)
    desk.group(B.alarm_id, "kim", "", NOW_MS, parent=A.alarm_id)
    desk.group(third.alarm_id, "kim", "", NOW_MS, parent=B.alarm_id)
    for parent in (A, B, third):
        with pytest.raises(OperatorRuleError, match="under itself"):
            desk.group(A.alarm_id, "kim", "", NOW_MS, parent=parent.alarm_id)
    with pytest.raises(NoSuchAlarmError, match="'nothing'"):
        desk.group(A.alarm_id, "kim", "", NOW_MS, parent="nothing")


async def test_chain_of_groups_has_a_bound(store: MemoryAlarmList, desk: AlarmDesk, monkeypatch: Any):
    monkeypatch.setattr("ocs.faults.store.desk.ALARM_GROUP_DEPTH_MAX", 1)
    alarms = [alarm_of(f"router{number}") for number in range(3, 6)]
    await commit(store, *alarms)
    desk.group(alarms[1].alarm_id, "kim", "", NOW_MS, parent=alarms[0].alarm_id)
    desk.group(alarms[2].alarm_id, "kim", "", NOW_MS, parent=alarms[1].alarm_id)
    with pytest.raises(OperatorRuleError, match="too many"):
        desk.group(A.alarm_id, "kim", "", NOW_MS, parent=alarms[2].alarm_id)


async def test_maintenance_windows_are_written_and_removed(desk: AlarmDesk):
    desk.set_window("w1", b"one")
    assert desk.windows() == {"w1": b"one"}
    desk.remove_window("w1")
    assert desk.windows() == {}
    await trio.lowlevel.checkpoint()
