"""Watches all elements: each is compared in turn, and at once when it tells that somebody else changed it.

A notification says no more than where to look: who changed it decides how soon, never whether. What was missed while
nobody listened is found by the comparison that follows each new subscription, and by the one in turn.
"""

import math
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

import trio

from ocs.limits import (
    DRIFT_ACTIVE_LOOK_S,
    DRIFT_ELEMENTS_LOOK_S,
    DRIFT_LOOKS_AT_ONCE,
    DRIFT_PATHS_MAX,
    DRIFT_RETRY_S,
    DRIFT_SETTLE_MAX_S,
    DRIFT_SETTLE_S,
)
from ocs.log import get_logger
from ocs.metrics import Counter, Gauge
from ocs.provisioning.compliance.examiner import Examiner
from ocs.provisioning.configuration import PathError, outermost, parse_path
from ocs.provisioning.driver import ConfigurationChange, ElementSessions
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import FINAL
from ocs.sql_error import SqlError

log = get_logger(__name__)

_LISTENING: Final = Gauge(
    "ocs_elements_listened_to", "Elements whose notifications of changes are listened to."
)
_CHANGES: Final = Counter(
    "ocs_element_changes_total",
    "Changes of configurations that elements told of, by whose they are.",
    ("whose",),
)


class _Agenda:
    """When an element is to be looked at, and where."""

    def __init__(self, whole_at: float, settle_s: float) -> None:
        self.whole_at = whole_at
        self._settle_s = settle_s
        self.cause = "in turn"
        self.paths: set[str] = set()
        self.who: dict[str, None] = {}
        self._first_change_at = math.inf
        self._news = trio.Event()

    def note_change(self, now: float, cause: str) -> None:
        """Something has changed: look at everything when it is quiet, or when it has not been for long."""
        self._first_change_at = min(self._first_change_at, now)
        self.whole_at = min(now + self._settle_s, self._first_change_at + DRIFT_SETTLE_MAX_S)
        self.cause = cause
        self._news.set()

    def note_paths(self, paths: Sequence[str], who: str) -> None:
        """Somebody else changed these: look there at once."""
        self.paths.update(paths)
        self.who[who] = None
        self._news.set()

    def note_whole(self, at: float) -> None:
        """Look at everything by then."""
        if at < self.whole_at:
            self.whole_at = at
            self._news.set()

    def take_paths(self) -> tuple[tuple[str, ...], str]:
        """Where to look now, and who was there."""
        paths, who = outermost(self.paths), ", ".join(self.who)
        self.paths.clear()
        self.who.clear()
        return paths, who

    def note_looked(self, next_at: float) -> None:
        """Everything was looked at, or could not be."""
        self._first_change_at = math.inf
        self.whole_at = next_at
        self.cause = "in turn"

    async def wait(self) -> None:
        """Return when there is something to look at."""
        while not self.paths and trio.current_time() < self.whole_at:
            self._news = trio.Event()
            with trio.move_on_at(self.whole_at):
                await self._news.wait()


class Pace(NamedTuple):
    """How often and how soon.

    Attributes:
        interval_s: each element is compared so often. listened_max: elements that are listened to, each on a session.
        settle_s: everything is compared after a change when it has been quiet for so long.
        chance: gives random numbers from 0 to 1, by which comparisons spread.
    """

    interval_s: float
    listened_max: int
    settle_s: float = DRIFT_SETTLE_S
    chance: Callable[[], float] = random.random


class DriftWatch:
    """Has every element looked at; see the module.

    Args:
        elements: those of the inventory that we manage. is_ours: whether a session of an element, by its number, is one
            of this process. is_active: whether it is for us to watch: one process of several does.
    """

    def __init__(
        self,
        examiner: Examiner,
        sessions: ElementSessions,
        elements: Callable[[], Awaitable[Collection[Element]]],
        pace: Pace,
        *,
        is_ours: Callable[[str, int], bool],
        is_active: Callable[[], bool] = lambda: True,
    ) -> None:
        self._examiner = examiner
        self._sessions = sessions
        self._elements = elements
        self._is_ours = is_ours
        self._is_active = is_active
        self._pace = pace
        self._listeners = trio.Semaphore(pace.listened_max)
        self._in_turn = trio.Semaphore(DRIFT_LOOKS_AT_ONCE)
        self._at_once = trio.Semaphore(DRIFT_LOOKS_AT_ONCE)
        self._agendas: dict[str, _Agenda] = {}
        self._known: dict[Element, trio.CancelScope] = {}

    def note_standing(self, transaction: Transaction) -> None:
        """A transaction pauses or has ended: its elements are compared, and backed up, soon after the end."""
        if transaction.state not in FINAL:
            return
        for element in transaction.elements:
            if element in self._agendas:
                cause = f"transaction {transaction.transaction_id}"
                self._agendas[element].note_change(trio.current_time(), cause)

    async def run(self) -> None:
        """Watch, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._refresh(nursery)
                await trio.sleep(DRIFT_ELEMENTS_LOOK_S if self._is_active() else DRIFT_ACTIVE_LOOK_S)

    async def _refresh(self, nursery: trio.Nursery) -> None:
        """Begin with elements that are new, or reached in another way, and leave those that are gone."""
        try:
            wanted = set(await self._elements()) if self._is_active() else set[Element]()
            outdated = await self._examiner.outdated() if wanted else []
        except SqlError as error:
            log.warning("drift_watch_late", reason=str(error))
            return
        for name in outdated:
            if name in self._agendas:
                self._agendas[name].note_whole(trio.current_time())
        for element in self._known.keys() - wanted:
            self._known.pop(element).cancel()
        for element in wanted - self._known.keys():
            scope = self._known[element] = trio.CancelScope()
            nursery.start_soon(self._care_for, element, scope)

    async def _care_for(self, element: Element, scope: trio.CancelScope) -> None:
        agenda = self._agendas[element.name] = _Agenda(
            trio.current_time() + self._pace.chance() * self._pace.interval_s, self._pace.settle_s
        )
        try:
            with scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._listen, element, agenda)
                    await self._look_again_and_again(element, agenda)
        finally:
            if self._agendas.get(element.name) is agenda:
                del self._agendas[element.name]

    # --- Looking ----------------------------------------------------------------------------------------

    async def _look_again_and_again(self, element: Element, agenda: _Agenda) -> None:
        while True:
            await agenda.wait()
            paths, who = agenda.take_paths()
            try:
                if paths and len(paths) <= DRIFT_PATHS_MAX:
                    async with self._at_once:
                        look = await self._examiner.look(element, paths, who=who)
                    if not look.was_put_off:
                        continue
                async with self._at_once if paths else self._in_turn:
                    look = await self._examiner.look(element, who=who, cause=agenda.cause)
                agenda.note_looked(self._next_s(DRIFT_RETRY_S if look.was_put_off else self._pace.interval_s))
            except ElementError as error:
                log.info("element_not_compared", element=element.name, reason=str(error))
                agenda.note_looked(self._next_s(DRIFT_RETRY_S))
            except SqlError as error:
                log.warning("drift_not_recorded", element=element.name, reason=str(error))
                agenda.note_looked(self._next_s(DRIFT_RETRY_S))

    def _next_s(self, pause_s: float) -> float:
        """When it is looked at again: not all at one time."""
        return trio.current_time() + pause_s * (0.75 + 0.5 * self._pace.chance())

    # --- Listening --------------------------------------------------------------------------------------

    async def _listen(self, element: Element, agenda: _Agenda) -> None:
        """Listen to what an element tells, as long as it can; there are only so many places."""
        try:
            self._listeners.acquire_nowait()
        except trio.WouldBlock:
            return
        try:
            is_able = True
            while is_able:
                is_able = await self._listen_once(element, agenda)
                await trio.sleep(DRIFT_RETRY_S * (0.75 + 0.5 * self._pace.chance()))
        finally:
            self._listeners.release()

    async def _listen_once(self, element: Element, agenda: _Agenda) -> bool:
        """One subscription to its end; says whether another may come about."""
        try:
            async with self._sessions.session(element) as session:
                if not session.abilities.notifies:
                    return False
                # What changed before is found by comparing; soon after, so that the subscription is there by then.
                agenda.note_whole(trio.current_time() + self._pace.settle_s * (1 + self._pace.chance()))
                _LISTENING.add(1)
                try:
                    async with aclosing(session.changes()) as changes:
                        async for change in changes:
                            self._note(element, agenda, change)
                finally:
                    _LISTENING.add(-1)
        except ElementError as error:
            log.info("element_not_listened_to", element=element.name, reason=str(error))
        return True

    def _note(self, element: Element, agenda: _Agenda, change: ConfigurationChange) -> None:
        is_ours = self._is_ours(element.name, change.session_id)
        _CHANGES.inc("ours" if is_ours else "foreign")
        if is_ours:
            agenda.note_change(trio.current_time(), "our own change")
            return
        who = (
            f"{change.user or 'somebody'} (session {change.session_id})" if change.session_id else change.user
        )
        agenda.note_change(trio.current_time(), f"changed by {who}" if who else "changed")
        if change.paths and all(map(_is_path, change.paths)):
            agenda.note_paths(change.paths, who)
        else:
            agenda.note_whole(trio.current_time())


def _is_path(text: str) -> bool:
    try:
        parse_path(text)
    except PathError:
        return False
    return True
