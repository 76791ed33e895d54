"""Asks elements what stands, and has the alarm list brought to it, while the list is ours."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol

import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.clock import Clock
from ocs.faults.alarm import AlarmKey, AlarmSignal, Severity
from ocs.faults.book.book import AlarmBook
from ocs.faults.notification import Varbind
from ocs.faults.resync import alarm_tables
from ocs.faults.resync.agent import Agent
from ocs.faults.resync.comparison import RESYNC_FAILED, failure_signals, missing_signals
from ocs.faults.resync.looked_up import Table
from ocs.faults.resync.plan import Occasion, ResyncPlan
from ocs.faults.resync.polling import Poll, PollError, polling
from ocs.faults.resync.report import ResyncReport, TableReport
from ocs.faults.resync.walks import ALARMS, Walk, as_columns, as_notification
from ocs.faults.rules import RuleBook
from ocs.limits import ALARM_TABLE_READINGS_MAX, RESYNC_SIGNALS_MAX, RESYNC_TIMEOUT_S
from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

_RESYNCS: Final = Counter(
    "ocs_resyncs_total",
    "Elements that were asked what stands, by why and by what came of it.",
    ("occasion", "outcome"),
)
# Some milliseconds' work.
_ROWS_PER_TURN: Final = 200
_SYSTEM_UPTIME: Final = "1.3.6.1.2.1.1.3.0"


class ListOwner(Protocol):
    """What the pump of notifications tells and takes."""

    def moment_of(self, sources: Sequence[str], uptime_ticks: int, asked_ms: int) -> tuple[str, int]:
        """From which address an element sends, and when it had an uptime, in the time of its notifications."""
        ...

    def put_signals(self, signals: Sequence[AlarmSignal]) -> None:
        """Take signals."""
        ...


class Resynchroniser:
    """One for each time that the list is ours.

    Args:
        agents: by element. walks: tables by name.
        book: the alarm list.
        note_answer: told an element, and whether it answers.
    """

    def __init__(
        self,
        agents: Mapping[str, Agent],
        walks: Mapping[str, Walk],
        *,
        rules: RuleBook,
        pump: ListOwner,
        book: AlarmBook,
        clock: Clock,
        note_answer: Callable[..., None],
        converse: Callable[[Agent], AbstractAsyncContextManager[Poll]] = polling,
    ) -> None:
        self._agents = agents
        self._walks = walks
        self._rules = rules
        self._pump = pump
        self._book = book
        self._clock = clock
        self._note_answer = note_answer
        self._converse = converse
        self._plan = ResyncPlan(((name, agent.resync_ms) for name, agent in agents.items()), random.random)
        self._changed = trio.Event()
        self._waiting: dict[str, list[_Ticket]] = {}

    def want(self, element: str, occasion: Occasion) -> None:
        """Have an element asked when its turn comes; nothing for one that cannot be asked."""
        self._plan.want(element, occasion, self._clock.steady_ms())
        self._changed.set()

    async def ask(self, element: str) -> ResyncReport:
        """Have an element asked now, and wait for what comes of it; cancelled, it is asked all the same.

        Raises:
            LookupError: it cannot be asked.
        """
        if element not in self._plan:
            raise LookupError(f"{element} has no agent that can be asked")
        ticket = _Ticket()
        self._waiting.setdefault(element, []).append(ticket)
        self.want(element, Occasion.OPERATOR)
        await ticket.settled.wait()
        return ticket.report or ResyncReport(element, "nobody asked")

    async def run(self) -> None:
        """Ask whoever has its turn, until cancelled; at first everybody."""
        if not self._agents:
            return
        for element in self._agents:
            self.want(element, Occasion.START)
        async with asyncio_loop(), trio.open_nursery() as nursery:
            while True:
                self._changed = trio.Event()
                for element, occasion in self._plan.begin(self._clock.steady_ms()):
                    tickets = self._waiting.pop(element, [])
                    nursery.start_soon(self._serve, element, occasion, tickets)
                await self._wait()

    async def _wait(self) -> None:
        next_ms = self._plan.next_ms()
        if next_ms is None:
            await self._changed.wait()
            return
        with trio.move_on_after(max(0, next_ms - self._clock.steady_ms()) / 1000):
            await self._changed.wait()

    async def _serve(self, element: str, occasion: Occasion, tickets: "Sequence[_Ticket]") -> None:
        try:
            report = await self._resynchronise(self._agents[element])
        except Exception:
            # Whatever an agent makes of us: it is this one's trouble, and the traps go on.
            log.exception("resync_raised", element=element)
            report = ResyncReport(element, "asking it failed; the log says why")
            self._tell_failure(report)
        _RESYNCS.inc(occasion, "failed" if report.failure else "done")
        if report.failure or report.raised or report.cleared or occasion is Occasion.OPERATOR:
            log.info(
                "element_asked",
                element=element,
                occasion=occasion,
                failure=report.failure,
                raised=report.raised,
                cleared=report.cleared,
            )
        for ticket in tickets:
            ticket.report = report
            ticket.settled.set()
        self._plan.end(element, self._clock.steady_ms(), is_success=not report.failure)
        self._changed.set()

    async def _resynchronise(self, agent: Agent) -> ResyncReport:
        try:
            with trio.fail_after(RESYNC_TIMEOUT_S):
                async with self._converse(agent) as poll:
                    report = await self._compare(agent, poll)
        except PollError as error:
            report = ResyncReport(agent.element, str(error))
        except trio.TooSlowError:
            report = ResyncReport(agent.element, f"it did not say everything within {RESYNC_TIMEOUT_S:g} s")
        self._tell_failure(report)
        return report

    def _tell_failure(self, report: ResyncReport) -> None:
        """Keep the alarm of an element that cannot be asked as it is."""
        element = report.element
        self._note_answer(element, answers=not report.failure)
        known = self._book.alarm(AlarmKey(element, RESYNC_FAILED).alarm_id)
        signals = failure_signals(element, report.failure, known, self._clock.now_ms())
        if signals:
            self._pump.put_signals(signals)

    async def _compare(self, agent: Agent, poll: Poll) -> ResyncReport:
        """Read all tables of an element, and put what the list lacks.

        All of it counts as of the moment before the first table was read, by the element's own clock.
        """
        asked_ms = self._clock.now_ms()
        uptime = (await poll.get(_SYSTEM_UPTIME)).get(_SYSTEM_UPTIME)
        if uptime is None or not isinstance(uptime.value, int):
            raise PollError("it does not say how long it has been up")
        source, moment_ms = self._pump.moment_of(agent.sources, uptime.value, asked_ms)
        # What happened within the same tick and was sent as a notification comes after.
        at_ms = moment_ms - 1
        tables = [await self._read(name, poll) for name in agent.walks]
        said = await self._understand(tables, source, at_ms)
        covers = frozenset[str]().union(*(table.covers or () for table in tables))
        signals = missing_signals(self._book.active_of(agent.element), said, covers, at_ms=at_ms)
        if len(signals) > RESYNC_SIGNALS_MAX:
            raise PollError(f"it says more at once than {RESYNC_SIGNALS_MAX} alarms")
        if signals:
            self._pump.put_signals(signals)
        cleared = sum(signal.severity is Severity.CLEARED for signal in signals)
        return ResyncReport(
            agent.element,
            tables=tuple(TableReport(table.name, table.rows, table.covers is not None) for table in tables),
            raised=len(signals) - cleared,
            cleared=cleared,
        )

    async def _understand(self, tables: Sequence[Table], source: str, at_ms: int) -> list[AlarmSignal]:
        """What the rows mean, by the rules; traps have their turn in between."""
        said: list[AlarmSignal] = []
        for table in tables:
            for number, found in enumerate(table.found):
                if number % _ROWS_PER_TURN == 0:
                    await trio.lowlevel.checkpoint()
                notification = as_notification(found, source=source, at_ms=at_ms)
                said += self._rules.signals(notification, at_ms)
        return said

    async def _read(self, name: str, poll: Poll) -> Table:
        if name == ALARMS:
            return await self._read_alarms(poll)
        walk = self._walks[name]
        columns: dict[str, list[Varbind]] = {}
        for column in walk.columns:
            columns[column] = await poll.walk(column)
            if not columns[walk.columns[0]]:
                break
        return walk.read(as_columns(columns))

    async def _read_alarms(self, poll: Poll) -> Table:
        """RFC 3877's tables; once more when they changed meanwhile."""
        ask = partial(poll.get, alarm_tables.LAST_CHANGED, alarm_tables.OVERFLOW)
        scalars = await ask()
        for _ in range(ALARM_TABLE_READINGS_MAX):
            active = await poll.walk(alarm_tables.ACTIVE)
            if not active and alarm_tables.LAST_CHANGED not in scalars:
                break
            variables = await poll.walk(alarm_tables.VARIABLES) if active else []
            models = await poll.walk(alarm_tables.MODEL_NOTIFICATIONS)
            before, scalars = scalars, await ask()
            if scalars.get(alarm_tables.LAST_CHANGED) == before.get(alarm_tables.LAST_CHANGED):
                readings = alarm_tables.Readings(scalars, active, variables, models)
                return alarm_tables.read_alarm_tables(readings, self._rules.alarm_types)
        else:
            raise PollError("its table of alarms changes faster than it can be read")
        return Table(ALARMS, (), None, 0)


class _Ticket:
    """Somebody who waits for what comes of asking an element."""

    def __init__(self) -> None:
        self.settled = trio.Event()
        self.report: ResyncReport | None = None
