"""The list follows what elements answer, and what they send in the meantime."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from ocs.faults.notification import LINK_DOWN, LINK_UP, Syntax, Varbind
from ocs.faults.resync.agent import Agent, Secrets
from ocs.faults.resync.alarm_tables import ACTIVE, LAST_CHANGED, MODEL_NOTIFICATIONS
from ocs.faults.resync.comparison import RESYNC_FAILED
from ocs.faults.resync.plan import Occasion
from ocs.faults.resync.polling import Poll
from ocs.faults.resync.resynchroniser import Resynchroniser
from ocs.faults.resync.walks import load_walks
from ocs.limits import RESYNC_RETRY_MAX_MS, RESYNC_TIMEOUT_S
from tests.support.looked_after import ADDRESS, CONFIG, SILENT, Desk, Element, names, rules

DOWN, UP = 2, 1


class Lab(Desk):
    def __init__(self) -> None:
        super().__init__()
        self.element = Element(self.clock)
        self.answers: list[bool] = []
        agent = Agent("router7", ADDRESS, 161, Secrets(community="c"), (ADDRESS,), ("alarms", "interfaces"))
        self.resync = Resynchroniser(
            {"router7": agent},
            load_walks(CONFIG / "walks", names()),
            rules=rules(),
            pump=self.pump,
            book=self.book,
            clock=self.clock,
            note_answer=lambda element, *, answers: self.answers.append(answers),
            converse=self.converse,
        )

    def converse(self, agent: Agent) -> AbstractAsyncContextManager[Poll]:
        return self.element.converse(agent)

    def interfaces(self) -> set[int]:
        """Those of which the list says that they are down."""
        return {int(resource.rpartition("/")[2]) for resource, kind in self.standing() if kind == "link-down"}

    def down(self, *indexes: int) -> None:
        for index in indexes:
            self.trap(index, self.element.uptime_ticks)


@asynccontextmanager
async def running() -> AsyncGenerator[Lab]:
    lab = Lab()
    await lab.store.open_as_owner()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lab.pump.run)
        nursery.start_soon(lab.resync.run)
        # The look at our start is over.
        await trio.sleep(60)
        yield lab
        nursery.cancel_scope.cancel()


async def settled() -> None:
    await trio.sleep(0.001)


async def test_list_is_brought_to_what_the_element_says(autojump_clock: MockClock) -> None:
    async with running() as lab:
        lab.down(1, 2)
        lab.element.oper_status = {1: UP, 2: DOWN, 3: DOWN}
        await trio.sleep(1)
        report = await lab.resync.ask("router7")
        await settled()
        assert lab.interfaces() == {2, 3}
        assert (report.raised, report.cleared, report.failure) == (1, 1, "")
        assert [(table.name, table.rows, table.is_told) for table in report.tables] == [
            ("alarms", 0, False),
            ("interfaces", 3, True),
        ]


async def test_at_our_start_everybody_is_asked(autojump_clock: MockClock) -> None:
    async with running() as lab:
        assert lab.element.conversations == 1


async def test_trap_that_comes_while_the_element_is_asked_is_not_overtaken(autojump_clock: MockClock) -> None:
    async with running() as lab:
        lab.down(1, 2)
        lab.element.oper_status = {1: UP, 2: DOWN, 4: UP}
        await trio.sleep(1)

        def meanwhile() -> None:
            # 1 fell again and 2 came up after their rows were read; so did 4, and its trap is late.
            lab.element.during = lambda: None
            lab.trap(1, lab.element.uptime_ticks + 1)
            lab.trap(2, lab.element.uptime_ticks + 1, oid=LINK_UP)

        lab.element.during = meanwhile
        await lab.resync.ask("router7")
        lab.trap(4, lab.element.uptime_ticks + 1)
        await settled()
        assert lab.interfaces() == {1, 4}


async def test_trap_from_before_the_element_was_asked_that_comes_after_says_nothing_new(
    autojump_clock: MockClock,
) -> None:
    async with running() as lab:
        lab.down(1)
        await trio.sleep(1)
        before = lab.element.uptime_ticks
        await trio.sleep(1)
        lab.element.oper_status = {1: UP}
        await lab.resync.ask("router7")
        lab.trap(1, before)
        await settled()
        assert lab.interfaces() == set()


async def test_element_that_has_restarted_unseen_is_asked_by_our_clock(autojump_clock: MockClock) -> None:
    async with running() as lab:
        lab.down(1, 2)
        await trio.sleep(5)
        lab.element.booted_ms = lab.clock.now_ms() - 3_000
        lab.element.oper_status = {1: UP, 2: DOWN}
        await lab.resync.ask("router7")
        await settled()
        assert lab.interfaces() == {2}
        lab.down(1)
        await settled()
        assert lab.interfaces() == {1, 2}, "what it sends in its new life is newer"


async def test_element_that_does_not_answer_is_told_once_and_asked_again(autojump_clock: MockClock) -> None:
    async with running() as lab:
        lab.down(1)
        lab.element.failures = [SILENT] * 4
        report = await lab.resync.ask("router7")
        assert report.failure == "it does not answer"
        await settled()
        failed = lab.standing()["router7", RESYNC_FAILED]
        assert failed.text.endswith("it does not answer")
        assert lab.interfaces() == {1}, "nobody knows better"
        await trio.sleep(RESYNC_RETRY_MAX_MS / 1000)
        assert ("router7", RESYNC_FAILED) not in lab.standing()
        alarm = lab.book.alarm(failed.alarm_id)
        assert alarm is not None
        assert alarm.occurrences == 1, "it was not said again for each try"
        assert lab.answers == [True, False, False, False, False, True]


async def test_element_that_never_ends_is_given_up_and_others_are_not_kept_waiting(
    autojump_clock: MockClock,
) -> None:
    async with running() as lab:

        @asynccontextmanager
        async def endless(agent: Agent) -> AsyncGenerator[Poll]:
            await trio.sleep_forever()
            async with Element(lab.clock).converse(agent) as poll:
                yield poll

        lab.element.converse = endless
        report = await lab.resync.ask("router7")
        assert report.failure == f"it did not say everything within {RESYNC_TIMEOUT_S:g} s"


async def test_surprise_ends_one_conversation_and_nothing_else(autojump_clock: MockClock) -> None:
    async with running() as lab:
        lab.element.failures = [ZeroDivisionError("in a library")]
        assert "the log says why" in (await lab.resync.ask("router7")).failure
        assert (await lab.resync.ask("router7")).failure == ""


async def test_element_without_an_uptime_makes_no_sense(autojump_clock: MockClock) -> None:
    async with running() as lab:
        lab.element.objects["1.3.6.1.2.1.1.3.0"] = Varbind("1.3.6.1.2.1.1.3.0", Syntax.OCTET_STRING, b"x")
        assert "how long it has been up" in (await lab.resync.ask("router7")).failure


async def test_stranger_cannot_be_asked(autojump_clock: MockClock) -> None:
    async with running() as lab:
        with pytest.raises(LookupError):
            await lab.resync.ask("core")
        lab.resync.want("core", Occasion.RESTART)


async def test_active_alarms_of_rfc_3877_are_taken_and_what_is_not_among_them_is_over(
    autojump_clock: MockClock,
) -> None:
    async with running() as lab:
        row = "0.8.7.234.11.22.13.30.0.0.1"
        lab.element.objects = {
            name: Varbind(name, syntax, value)
            for name, syntax, value in (
                (LAST_CHANGED, Syntax.TIME_TICKS, 5),
                (f"{ACTIVE}.10.{row}", Syntax.OBJECT_IDENTIFIER, "1.3.6.1.2.1.2.2.1.1.7"),
                (f"{ACTIVE}.13.{row}", Syntax.OBJECT_IDENTIFIER, "1.3.6.1.2.1.118.1.1.2.1.3.0.1.6"),
            )
        }
        assert (await lab.resync.ask("router7")).raised == 1
        await settled()
        ((resource, kind),) = lab.standing()
        assert resource.startswith("router7/")
        assert kind == "alarm-model"
        del lab.element.objects[f"{ACTIVE}.10.{row}"], lab.element.objects[f"{ACTIVE}.13.{row}"]
        assert (await lab.resync.ask("router7")).cleared == 1
        await settled()
        assert lab.standing() == {}


async def test_table_of_alarms_that_changes_is_read_again_and_not_for_ever(autojump_clock: MockClock) -> None:
    async with running() as lab:
        ticks = iter(range(1_000))

        def change() -> None:
            lab.element.objects[LAST_CHANGED] = Varbind(LAST_CHANGED, Syntax.TIME_TICKS, next(ticks))

        change()
        lab.element.during = change
        assert "changes faster" in (await lab.resync.ask("router7")).failure
        lab.element.during = lambda: None
        assert (await lab.resync.ask("router7")).failure == ""


async def test_alarm_that_a_trap_raised_is_the_one_that_the_table_of_alarms_has(
    autojump_clock: MockClock,
) -> None:
    async with running() as lab:
        lab.down(7)
        await trio.sleep(1)
        row, variables = "0.8.7.234.11.22.13.30.0.0.1", "1.3.6.1.2.1.118.1.2.3.1"
        oid, number = Syntax.OBJECT_IDENTIFIER, Syntax.INTEGER
        said = [(LAST_CHANGED, Syntax.TIME_TICKS, 5), (f"{ACTIVE}.9.{row}", oid, LINK_DOWN)]
        for place, (column, value) in enumerate(((1, 7), (7, 1), (8, 2)), 1):
            said += [
                (f"{variables}.2.0.1.{place}", oid, f"1.3.6.1.2.1.2.2.1.{column}.7"),
                (f"{variables}.3.0.1.{place}", number, 4),
                (f"{variables}.7.0.1.{place}", number, value),
            ]
        lab.element.objects = {name: Varbind(name, syntax, value) for name, syntax, value in said}
        report = await lab.resync.ask("router7")
        assert (report.raised, report.cleared) == (0, 0)
        lab.element.objects = {LAST_CHANGED: Varbind(LAST_CHANGED, Syntax.TIME_TICKS, 6)} | {
            name: Varbind(name, oid, LINK_DOWN) for name in (f"{MODEL_NOTIFICATIONS}.0.1.2",)
        }
        assert (await lab.resync.ask("router7")).cleared == 1, "it models linkDown, and has none"


async def test_more_alarms_than_one_commit_holds_are_taken(autojump_clock: MockClock) -> None:
    async with running() as lab:
        lab.element.oper_status = dict.fromkeys(range(1, 3_001), DOWN)
        assert (await lab.resync.ask("router7")).raised == 3_000
        await trio.sleep(1)
        assert len(lab.interfaces()) == 3_000


async def test_element_that_says_that_everything_is_broken_does_not_fill_the_list(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocs.faults.resync.resynchroniser.RESYNC_SIGNALS_MAX", 100)
    async with running() as lab:
        lab.element.oper_status = dict.fromkeys(range(1, 102), DOWN)
        assert "more at once than 100 alarms" in (await lab.resync.ask("router7")).failure
        await settled()
        assert set(lab.standing()) == {("router7", RESYNC_FAILED)}
