"""An alarm list with its pump on a list in memory, and elements that answer what a test says."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import trio

from ocs.faults.alarm import Alarm
from ocs.faults.book.book import AlarmBook
from ocs.faults.book.policy import BookPolicy
from ocs.faults.book.source_clock import SourceClock
from ocs.faults.mibs import MibNames, open_mib_names
from ocs.faults.notification import LINK_DOWN, LINK_UP, Notification, SecurityLevel, Syntax, Varbind, Version
from ocs.faults.receiver.pump import Told, TrapPump
from ocs.faults.resync.agent import Agent
from ocs.faults.resync.polling import Poll, PollError
from ocs.faults.rules import RuleBook, load_rules
from ocs.faults.snmp.engine import Arrival
from ocs.faults.store.memory import MemoryAlarmList
from ocs.faults.topology.port import NoTopology

CONFIG = Path(__file__).parents[2] / "config"
NOW_MS = 1_790_000_000_000
ADDRESS = "10.0.0.7"
SYSTEM_UPTIME = "1.3.6.1.2.1.1.3.0"
IF_ENTRY = "1.3.6.1.2.1.2.2.1"


@cache
def names() -> MibNames:
    return open_mib_names(None)


@cache
def rules() -> RuleBook:
    return load_rules(CONFIG / "alarms", names(), element_of={ADDRESS: "router7"}.get)


class TrioClock:
    """Time as trio's own clock has it, which tests let jump."""

    def now_ms(self) -> int:
        return NOW_MS + self.steady_ms()

    def steady_ms(self) -> int:
        return round(trio.current_time() * 1000)


class Element:
    """A router as its agent shows it.

    Attributes:
        objects: by name, besides its uptime and interfaces. failures: what the next questions end with.
        during: called when its interfaces were read.
    """

    def __init__(self, clock: TrioClock) -> None:
        self._clock = clock
        self.booted_ms = clock.now_ms() - 1_000_000
        self.oper_status: dict[int, int] = {}
        self.objects: dict[str, Varbind] = {}
        self.failures: list[Exception] = []
        self.during: Callable[[], None] = lambda: None
        self.conversations = 0
        self.at_once = 0

    @property
    def uptime_ticks(self) -> int:
        return (self._clock.now_ms() - self.booted_ms) // 10

    @asynccontextmanager
    async def converse(self, agent: Agent) -> AsyncGenerator[Poll]:
        assert self.at_once == 0, f"{agent.element} is asked twice at a time"
        self.conversations += 1
        self.at_once += 1
        try:
            await trio.sleep(0.01)
            if self.failures:
                raise self.failures.pop(0)
            yield _ElementPoll(self)
        finally:
            self.at_once -= 1

    def told(self) -> dict[str, Varbind]:
        rows = self.oper_status.items()
        interfaces = {
            f"{IF_ENTRY}.{column}.{index}": value
            for index, status in rows
            for column, value in ((7, 1), (8, status))
        }
        numbers = {name: Varbind(name, Syntax.INTEGER, value) for name, value in interfaces.items()}
        uptime = Varbind(SYSTEM_UPTIME, Syntax.TIME_TICKS, self.uptime_ticks)
        return {SYSTEM_UPTIME: uptime, **numbers, **self.objects}


class _ElementPoll:
    def __init__(self, element: Element) -> None:
        self._element = element

    async def get(self, *names: str) -> dict[str, Varbind]:
        await trio.lowlevel.checkpoint()
        told = self._element.told()
        return {name: told[name] for name in names if name in told}

    async def walk(self, top: str) -> list[Varbind]:
        await trio.lowlevel.checkpoint()
        told = self._element.told()
        below = [name for name in told if name.startswith(f"{top}.")]
        found = [told[name] for name in sorted(below, key=lambda name: tuple(map(int, name.split("."))))]
        self._element.during()
        return found


class Desk:
    """A pump over a list in memory, in trio's time."""

    def __init__(self, on_restart: Callable[[str], None] = lambda source: None) -> None:
        self.clock = TrioClock()
        self.book = AlarmBook(NoTopology(), BookPolicy(settling_ms=0, escalations=(), cleared_kept_ms=0))
        self.list = MemoryAlarmList()
        self.store = self.list.owner("node-a")
        self.pump = TrapPump(
            rules=rules(),
            book=self.book,
            sources=SourceClock(),
            store=self.store,
            clock=self.clock,
            told=Told(lambda arrival: None, lambda arrival: None, on_restart),
            keeps=lambda source: True,
        )

    def standing(self) -> dict[tuple[str, str], Alarm]:
        return {
            (alarm.key.resource, alarm.key.alarm_type): alarm
            for alarm in self.book.alarms()
            if not alarm.is_cleared
        }

    def trap(self, index: int, uptime_ticks: int, *, oid: str = LINK_DOWN) -> None:
        """A linkDown or linkUp arrives now."""
        columns = ((1, index), (7, 1), (8, 2 if oid != LINK_UP else 1))
        said = tuple(
            Varbind(f"{IF_ENTRY}.{column}.{index}", Syntax.INTEGER, value) for column, value in columns
        )
        notification = Notification(
            oid, uptime_ticks, said, ADDRESS, ADDRESS, Version.V2C, "public", SecurityLevel.NO_AUTH_NO_PRIV, b"",
            is_inform=False, received_ms=self.clock.now_ms(),
        )  # fmt: skip
        self.pump.put([Arrival(notification, None, ADDRESS, 40_000, None)])


SILENT = PollError("it does not answer")
