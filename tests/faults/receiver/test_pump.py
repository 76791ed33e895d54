"""From notifications to durable alarms: what is acknowledged is stored, whatever the store does meanwhile."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from ocs.clock import ManualClock
from ocs.faults.alarm import Alarm, AlarmKey, AlarmSignal, EventType, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.book import room
from ocs.faults.book.book import AlarmBook
from ocs.faults.book.policy import BookPolicy
from ocs.faults.book.source_clock import Life, SourceClock
from ocs.faults.mibs import MibNames, open_mib_names
from ocs.faults.notification import LINK_DOWN, LINK_UP, Notification, SecurityLevel, Syntax, Varbind, Version
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.receiver.pump import Told, TrapPump
from ocs.faults.rules import RuleBook, load_rules
from ocs.faults.snmp.engine import Arrival
from ocs.faults.store.batch import AlarmBatch, LeaseLostError, StoreUnavailableError
from ocs.faults.store.memory import MemoryAlarmList, MemoryAlarmStore
from ocs.faults.topology.port import NoTopology
from ocs.limits import TRAPS_AHEAD_MIN, TRAPS_PER_COMMIT, TRAPS_WAITING_MAX
from ocs.metrics import REGISTRY

NOW_MS = 1_790_000_000_000
RULES = Path(__file__).parents[3] / "config" / "alarms"


@pytest.fixture(scope="module")
def names() -> MibNames:
    return open_mib_names(None)


@pytest.fixture(scope="module")
def rules(names: MibNames) -> RuleBook:
    return load_rules(RULES, names)


def arrival(
    index: int = 3,
    *,
    oid: str = LINK_DOWN,
    uptime_ticks: int = 100_000,
    acknowledgement: bytes | None = None,
    source: str = "10.0.0.1",
) -> Arrival:
    varbinds = tuple(
        Varbind(f"1.3.6.1.2.1.2.2.1.{column}.{index}", Syntax.INTEGER, value)
        for column, value in ((1, index), (7, 1), (8, 2 if oid == LINK_DOWN else 1))
    )
    notification = Notification(
        oid, uptime_ticks, varbinds, source, source, Version.V2C, "public", SecurityLevel.NO_AUTH_NO_PRIV, b"",
        acknowledgement is not None, NOW_MS,
    )  # fmt: skip
    return Arrival(notification, acknowledgement, source, 40_000, acknowledgement)


class Desk:
    """A pump over a list in memory, and what it acknowledged in which state of the list."""

    def __init__(self, rules: RuleBook, store: MemoryAlarmStore) -> None:
        self.store = store
        self.acknowledged: list[bytes] = []
        self.restarted: list[str] = []
        self.declined: list[Arrival] = []
        self.clock = ManualClock(NOW_MS)
        self.pump = TrapPump(
            rules=rules,
            book=AlarmBook(NoTopology(), BookPolicy()),
            sources=SourceClock(),
            store=store,
            clock=self.clock,
            told=Told(self._acknowledge, self.declined.append, self.restarted.append),
            keeps=lambda source: not source.startswith("192."),
        )

    def _acknowledge(self, arrival: Arrival) -> None:
        assert arrival.acknowledgement is not None
        self.acknowledged.append(arrival.acknowledgement)

    async def alarms(self) -> list[Alarm]:
        return (await self.store.open_as_owner()).alarms


@asynccontextmanager
async def running(
    rules: RuleBook, make: Callable[[MemoryAlarmList], MemoryAlarmStore] | None = None
) -> AsyncGenerator[Desk]:
    shared = MemoryAlarmList()
    store = shared.owner("node-a") if make is None else make(shared)
    await store.open_as_owner()
    desk = Desk(rules, store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.pump.run)
        yield desk
        nursery.cancel_scope.cancel()


def without_room() -> float:
    families = {family.name: family for family in REGISTRY.snapshot().families}
    return sum(sample.value for sample in families["ocs_alarms_without_room_total"].samples)


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_inform_is_acknowledged_when_its_alarm_is_in_the_store(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival(acknowledgement=b"ok")])
        await settled()
        assert desk.acknowledged == [b"ok"]
        (alarm,) = await desk.alarms()
        assert (alarm.key.alarm_type, alarm.is_cleared) == ("link-down", False)


async def test_what_waits_together_is_one_commit(rules: RuleBook) -> None:
    batches: list[AlarmBatch] = []

    class Watched(MemoryAlarmStore):
        async def commit(self, batch: AlarmBatch) -> None:
            batches.append(batch)
            await super().commit(batch)

    async with running(rules, lambda shared: Watched(shared, "node-a")) as desk:
        desk.pump.put([arrival(index) for index in range(1, 51)])
        desk.pump.put([arrival(7, uptime_ticks=100_001 + repeat) for repeat in range(50)])
        await settled()
    assert [len(batch.alarms) for batch in batches] == [50]
    assert next(one for one in batches[0].alarms if one.key.resource.endswith("/7")).occurrences == 51


async def test_raise_that_finds_the_list_full_is_counted(
    rules: RuleBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ALARMS_MAX", 2)
    before = without_room()
    async with running(rules) as desk:
        desk.pump.put([arrival(index) for index in range(1, 6)])
        await settled()
        assert len(await desk.alarms()) == 3, "and the one that says so"
    assert without_room() == before + 3


async def test_unconfirmed_batch_is_sent_again_and_acknowledged_once(rules: RuleBook) -> None:
    tokens: list[bytes] = []

    class Shaky(MemoryAlarmStore):
        async def commit(self, batch: AlarmBatch) -> None:
            tokens.append(batch.token)
            await super().commit(batch)
            if len(tokens) < 3:
                raise StoreUnavailableError("the answer was lost")

    async with running(rules, lambda shared: Shaky(shared, "node-a")) as desk:
        desk.pump.put([arrival(acknowledgement=b"ok")])
        await settled()
        assert desk.acknowledged == []
        while not desk.acknowledged:
            await trio.sleep(0.1)
        assert len(tokens) == 3
        assert len(set(tokens)) == 1
        (alarm,) = await desk.alarms()
        assert alarm.occurrences == 1


async def test_nothing_is_acknowledged_after_the_list_was_lost(rules: RuleBook) -> None:
    class Lost(MemoryAlarmStore):
        async def commit(self, batch: AlarmBatch) -> None:
            raise LeaseLostError("another has it")

    desks: list[Desk] = []
    with pytest.RaisesGroup(LeaseLostError, flatten_subgroups=True):
        async with running(rules, lambda shared: Lost(shared, "node-a")) as desk:
            desks.append(desk)
            desk.pump.put([arrival(acknowledgement=b"ok")])
            await trio.sleep(1)
    assert desks[0].acknowledged == []


async def test_clear_that_overtakes_its_raise_leaves_nothing_standing(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival(oid=LINK_UP, uptime_ticks=100_500)])
        await settled()
        desk.pump.put([arrival(oid=LINK_DOWN, uptime_ticks=100_000)])
        await settled()
        assert [alarm.is_cleared for alarm in await desk.alarms()] == [True]


async def test_own_signals_are_stored_too(rules: RuleBook) -> None:
    async with running(rules) as desk:
        key = AlarmKey("router7", "trap-storm")
        desk.pump.put_signals(
            [AlarmSignal(key, Severity.MAJOR, NOW_MS, EventType.OTHER, 1024, "too much", "router7")]
        )
        await settled()
        assert [alarm.key for alarm in await desk.alarms()] == [key]


async def test_rule_that_fails_ends_nothing(rules: RuleBook, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(rules) as desk:
        with monkeypatch.context() as patch:
            patch.setattr(RuleBook, "signals", lambda *_: 1 // 0)
            desk.pump.put([arrival(acknowledgement=b"first")])
            await settled()
        desk.pump.put([arrival(acknowledgement=b"second")])
        await settled()
        assert desk.acknowledged == [b"first", b"second"]
        assert [alarm.is_catch_all for alarm in await desk.alarms()] == [True, False]


async def test_restart_of_an_element_is_told(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival(uptime_ticks=100_000)])
        await settled()
        desk.pump.put([arrival(oid="1.3.6.1.6.3.1.1.5.1", uptime_ticks=10)])
        await settled()
        assert desk.restarted == ["10.0.0.1"]


async def test_what_an_operator_did_elsewhere_reaches_the_book(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival()])
        await settled()
        (alarm,) = await desk.alarms()
        record = OperatorRecord(alarm.alarm_id, OperatorState.ACK)
        desk.pump.put_desk(AlarmChange("c", ChangeKind.OPERATED, alarm.alarm_id, NOW_MS, alarm, record))
        await settled()
        assert desk.pump._book.operator(alarm.alarm_id) == record


async def test_reader_waits_while_too_much_waits(rules: RuleBook) -> None:
    gate = trio.Event()

    class Slow(MemoryAlarmStore):
        async def commit(self, batch: AlarmBatch) -> None:
            await gate.wait()
            await super().commit(batch)

    async with running(rules, lambda shared: Slow(shared, "node-a")) as desk:
        desk.pump.put([arrival()])
        await settled()
        # One commit's are understood ahead.
        desk.pump.put([arrival(n, uptime_ticks=n) for n in range(TRAPS_WAITING_MAX + TRAPS_PER_COMMIT)])
        with trio.move_on_after(1) as waiting:
            await desk.pump.wait_for_room()
        assert waiting.cancelled_caught
        gate.set()
        with trio.fail_after(60):
            await desk.pump.wait_for_room()


async def test_what_is_to_be_kept_of_sources_goes_with_the_next_batch(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.keep("~something", b"kept")
        await settled()
    assert (await desk.store.open_as_owner()).sources == {"~something": b"kept"}


async def test_agents_behind_one_address_are_each_placed_by_their_own_uptime(rules: RuleBook) -> None:
    month_ticks, day_ticks = 30 * 8_640_000, 8_640_000
    async with running(rules) as desk:
        for step, oid in enumerate((LINK_DOWN, LINK_UP, LINK_DOWN)):
            desk.pump.put([arrival(3, oid=LINK_DOWN, uptime_ticks=month_ticks + step)])
            desk.pump.put([arrival(4, oid=oid, uptime_ticks=day_ticks + step)])
            await settled()
        assert [alarm.is_cleared for alarm in await desk.alarms()] == [False, False]
        assert desk.restarted == []
        (kept,) = (await desk.store.open_as_owner()).sources.values()
        life = msgspec.msgpack.decode(kept, type=Life)
        assert [one.uptime_ms // 86_400_000 for one in (life, *life.others)] == [1, 30]


async def test_clocks_of_strangers_fill_no_store(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival(source="192.0.2.1"), arrival(source="10.0.0.1")])
        await settled()
        assert list((await desk.store.open_as_owner()).sources) == ["10.0.0.1"]


async def test_inform_that_found_no_room_is_not_acknowledged(
    rules: RuleBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ALARMS_MAX", 1)
    async with running(rules) as desk:
        desk.pump.put([arrival(1, acknowledgement=b"taken"), arrival(2, acknowledgement=b"not taken")])
        await settled()
        assert desk.acknowledged == [b"taken"]
        assert [one.acknowledgement for one in desk.declined] == [b"not taken"]


async def test_sources_that_were_heard_of_are_told_once(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival(), arrival(source="10.0.0.2")])
        await settled()
        assert desk.pump.take_heard() == {"10.0.0.1", "10.0.0.2"}
        assert desk.pump.take_heard() == set()


async def test_moment_of_an_uptime_lies_between_the_notifications_before_and_after_it(
    rules: RuleBook,
) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival(uptime_ticks=100_000)])
        await settled()
        desk.clock.advance_ms(1_000)
        # The answer took 400 ms, of which nobody knows where they went.
        source, at_ms = desk.pump.moment_of(("10.0.0.9", "10.0.0.1"), 100_080, desk.clock.now_ms() - 400)
        assert (source, at_ms) == ("10.0.0.1", NOW_MS + 800)


async def test_uptime_of_another_life_is_placed_by_our_clock(rules: RuleBook) -> None:
    async with running(rules) as desk:
        desk.pump.put([arrival(uptime_ticks=100_000)])
        await settled()
        desk.clock.advance_ms(1_000)
        asked_ms = desk.clock.now_ms() - 10
        assert desk.pump.moment_of(("10.0.0.1",), 50, asked_ms) == ("10.0.0.1", asked_ms)
        assert desk.pump.moment_of(("10.0.0.8",), 50, asked_ms) == ("10.0.0.8", asked_ms)
        assert desk.restarted == []


async def test_pump_is_stuck_while_the_store_does_not_confirm(
    rules: RuleBook, autojump_clock: trio.testing.MockClock
) -> None:
    is_well = False

    class Silent(MemoryAlarmStore):
        async def commit(self, batch: AlarmBatch) -> None:
            if not is_well:
                raise StoreUnavailableError("no answer")
            await super().commit(batch)

    async with running(rules, lambda shared: Silent(shared, "node-a")) as desk:
        desk.pump.put([arrival()])
        await trio.sleep(1)
        assert desk.pump.is_stuck
        is_well = True
        await trio.sleep(1)
        assert not desk.pump.is_stuck


class Gated(MemoryAlarmStore):
    """A store that writes each batch when it is let; what it was given, in order."""

    def __init__(self, shared: MemoryAlarmList) -> None:
        super().__init__(shared, "node-a")
        self.given: list[AlarmBatch] = []
        self._leave = trio.Semaphore(0)

    def let(self) -> None:
        self._leave.release()

    async def commit(self, batch: AlarmBatch) -> None:
        self.given.append(batch)
        await self._leave.acquire()
        await super().commit(batch)


async def test_much_that_waits_is_understood_while_a_batch_is_on_its_way_and_stored_behind_it(
    rules: RuleBook,
) -> None:
    async with running(rules, Gated) as desk:
        store = desk.store
        assert isinstance(store, Gated)
        desk.pump.put([arrival(1, acknowledgement=b"first")])
        await settled()
        desk.pump.put([arrival(n, acknowledgement=b"%d" % n) for n in range(2, 2 + TRAPS_AHEAD_MIN)])
        await settled()
        desk.pump.put([arrival(1, oid=LINK_UP, uptime_ticks=100_001, acknowledgement=b"last")])
        await settled()
        assert desk.pump._next is not None
        assert len(desk.pump._next.arrivals) == TRAPS_AHEAD_MIN  # what came after waits on
        assert len(store.given) == 1
        assert not desk.acknowledged
        store.let()
        await settled()
        assert desk.acknowledged == [b"first"]
        assert len(store.given) == 2
        store.let()
        await settled()
        assert len(desk.acknowledged) == 1 + TRAPS_AHEAD_MIN
        store.let()
        await settled()
        assert desk.acknowledged[-1] == b"last"
        ended = next(alarm for alarm in await desk.alarms() if alarm.key.resource.endswith("/1"))
        assert ended.is_cleared


async def test_little_that_waits_waits_for_the_batch_on_its_way_and_shares_the_next(rules: RuleBook) -> None:
    async with running(rules, Gated) as desk:
        store = desk.store
        assert isinstance(store, Gated)
        desk.pump.put([arrival(1)])
        await settled()
        for index in range(2, 10):
            desk.pump.put([arrival(index)])
            await settled()
        assert desk.pump._next is None
        store.let()
        await settled()
        assert [len(batch.alarms) for batch in store.given] == [1, 8]


async def test_inform_that_says_nothing_new_waits_for_what_said_it_first(rules: RuleBook) -> None:
    async with running(rules, Gated) as desk:
        store = desk.store
        assert isinstance(store, Gated)
        down = [arrival(1, acknowledgement=b"first")]
        down += [arrival(n) for n in range(2, 2 + TRAPS_AHEAD_MIN)]
        desk.pump.put(down[:1])
        await settled()
        # Older than the state: nothing of it changes but the list of changes.
        desk.pump.put([*down[1:], arrival(1, acknowledgement=b"again")])
        await settled()
        assert desk.acknowledged == []
        store.let()
        await settled()
        assert desk.acknowledged == [b"first"]
        store.let()
        await settled()
        assert desk.acknowledged == [b"first", b"again"]


async def test_stranger_that_has_proved_who_it_is_is_vouched_for(rules: RuleBook) -> None:
    async with running(rules) as desk:
        for level, expected in ((SecurityLevel.NO_AUTH_NO_PRIV, False), (SecurityLevel.AUTH_PRIV, True)):
            one = arrival(source="192.0.2.1")
            notification = msgspec.structs.replace(one.notification, security_level=level)
            (signal,) = desk.pump._signals_of(msgspec.structs.replace(one, notification=notification))
            assert signal.is_vouched is expected
