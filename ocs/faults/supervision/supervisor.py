"""What is done beside taking notifications while the alarm list is ours: who is silent, and what stands at whom."""

from collections.abc import Callable
from typing import Protocol

import trio

from ocs.clock import Clock
from ocs.faults.book.book import AlarmBook
from ocs.faults.resync.plan import Occasion
from ocs.faults.resync.report import ResyncReport
from ocs.faults.resync.resynchroniser import ListOwner, Resynchroniser
from ocs.faults.rules import RuleBook
from ocs.faults.supervision.silence import SILENT_ELEMENT
from ocs.faults.supervision.supervised import Supervised
from ocs.faults.supervision.watch import Heard, SilenceWatch


class Pump(ListOwner, Heard, Protocol):
    """All that is asked of the pump of notifications."""


class Supervisor:
    """One for each time that the list is ours.

    Args:
        book: the list. element_of: the element of a source. kept: what was kept of silences.
    """

    def __init__(
        self,
        supervised: Supervised,
        book: AlarmBook,
        *,
        rules: RuleBook,
        pump: Pump,
        clock: Clock,
        element_of: Callable[[str], str],
        kept: bytes | None,
    ) -> None:
        self._element_of = element_of
        silent = [
            alarm.key.resource
            for alarm in book.alarms()
            if alarm.key.alarm_type == SILENT_ELEMENT and not alarm.is_cleared
        ]
        self._watch = SilenceWatch(
            supervised.heartbeats_ms,
            kept,
            silent,
            pump=pump,
            clock=clock,
            element_of=element_of,
            on_silent=lambda element: self._resync.want(element, Occasion.SILENCE),
        )
        self._resync = Resynchroniser(
            supervised.agents,
            supervised.walks,
            rules=rules,
            pump=pump,
            book=book,
            clock=clock,
            note_answer=self._watch.note_answer,
        )

    async def run(self) -> None:
        """Look after all elements until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch.run)
            nursery.start_soon(self._resync.run)

    def note_restart(self, source: str) -> None:
        """A source has restarted: what stood there may be over, and more may stand."""
        self._resync.want(self._element_of(source), Occasion.RESTART)

    def note_loss(self, element: str) -> None:
        """Notifications of an element were dropped."""
        self._resync.want(element, Occasion.STORM)

    async def ask(self, element: str) -> ResyncReport:
        """Ask an element now (:meth:`~ocs.faults.resync.resynchroniser.Resynchroniser.ask`)."""
        return await self._resync.ask(element)
