"""Network elements in memory, by trio's clock: what a transaction does to them when anything breaks at any moment.

An element has a running configuration, a candidate, a lock and at most one commit that waits for confirmation, with
the rules of RFC 6241 section 8.4. Faults are given by operation; a fault strikes once.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

import trio

from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    changed,
    diff_lines,
    restricted,
)
from ocs.provisioning.driver import ConfigurationChange
from ocs.provisioning.element import Abilities, Element
from ocs.provisioning.errors import ElementError, ElementFault

PERSISTENT: Final = Abilities(candidate=True, confirmed=True, persistent=True, validates=True, locks=True)
CONFIRMED: Final = Abilities(candidate=True, confirmed=True, validates=True, locks=True)
DIRECT: Final = Abilities()


class Pending(NamedTuple):
    """A commit that waits for confirmation; ``session`` is None when it outlives it."""

    persist_id: str
    session: "FakeSession | None"
    before: dict[str, str | None]
    until: float


class FakeElement:
    """One element.

    Attributes:
        running: what it runs. faults: operation -> ``before`` (the connection breaks and nothing was done), ``after``
            (it breaks when it was done), ``refuse``, ``busy``, or ``lie`` (it says that it did).
        away_until: trio time until which it cannot be reached.
    """

    def __init__(self, name: str, abilities: Abilities, running: Configuration) -> None:
        self.element = Element(name=name, type_name="fake", address="192.0.2.1", port=830, credential="lab")
        self.abilities = abilities
        self.faults: dict[str, str] = {}
        self.away_until = 0.0
        self.holder: FakeSession | None = None
        self.pending: Pending | None = None
        self._running = dict(running)
        self.candidate: dict[str, str | None] | None = None

    @property
    def running(self) -> dict[str, str | None]:
        """What it runs now."""
        self.expire()
        return self._running

    @running.setter
    def running(self, configuration: Configuration) -> None:
        self._running = dict(configuration)

    def go_away(self, for_s: float) -> None:
        """It cannot be reached for a while."""
        self.away_until = trio.current_time() + for_s

    def expire(self) -> None:
        """Undo a commit whose time is over."""
        if self.pending is not None and trio.current_time() >= self.pending.until:
            self.undo_pending()

    def undo_pending(self) -> None:
        """Undo the commit that waits."""
        if self.pending is not None:
            self._running = dict(self.pending.before)
            self.pending = None


class FakeSession:
    """One session; see :class:`~ocs.provisioning.driver.ElementSession`."""

    def __init__(self, of: FakeElement) -> None:
        self._of = of
        self._staged: list[ConfigurationDiff] = []
        self._is_open = True

    @property
    def element(self) -> Element:
        """Whose session it is."""
        return self._of.element

    @property
    def abilities(self) -> Abilities:
        """What the element can do."""
        return self._of.abilities

    def close(self) -> None:
        """End it, as a broken connection does."""
        if not self._is_open:
            return
        self._is_open = False
        of = self._of
        if of.holder is self:
            of.holder = None
            of.candidate = None
        if of.pending is not None and of.pending.session is self:
            of.undo_pending()

    async def read(self, paths: Sequence[str] = ()) -> Configuration:
        """The running configuration."""
        async with self._doing("read"):
            running = self._of.running
        return restricted(running, paths) if paths else dict(running)

    async def begin(self) -> None:
        """Lock, and discard."""
        async with self._doing("begin"):
            if self._of.holder not in {None, self}:
                raise self._error("begin", ElementFault.BUSY, "locked by somebody else")
            pending = self._of.pending
            if pending is not None and pending.session is not self:
                raise self._error("begin", ElementFault.BUSY, "a confirmed commit is under way")
            self._of.holder = self
            self._of.candidate = dict(self._of.running)
            self._staged = []

    async def stage(self, diff: ConfigurationDiff) -> None:
        """Put a change into the candidate."""
        async with self._doing("stage") as is_true:
            if is_true:
                self._staged.append(diff)

    async def validate(self) -> None:
        """All is well."""
        async with self._doing("validate"):
            pass

    async def commit(self) -> None:
        """Make it run."""
        async with self._doing("commit") as is_true:
            if is_true:
                self._apply()

    async def commit_confirmed(self, persist_id: str, timeout_s: int) -> None:
        """Make it run for a while."""
        assert self._of.abilities.confirmed
        async with self._doing("commit_confirmed") as is_true:
            if is_true:
                before = dict(self._of.running)
                self._apply()
                session = None if self._of.abilities.persistent else self
                self._of.pending = Pending(persist_id, session, before, trio.current_time() + timeout_s)

    async def confirm(self, persist_id: str) -> bool:
        """Make it last."""
        async with self._doing("confirm") as is_true:
            return self._end(persist_id, undo=False) if is_true else True

    async def cancel(self, persist_id: str) -> bool:
        """Undo it now."""
        async with self._doing("cancel"):
            return self._end(persist_id, undo=True)

    async def abandon(self) -> None:
        """Discard, and unlock."""
        async with self._doing("abandon"):
            self._unlock()

    async def release(self) -> None:
        """Unlock."""
        async with self._doing("release"):
            self._unlock()

    def native(self, diff: ConfigurationDiff) -> str:
        """What would be sent."""
        return "\n".join(diff_lines({}, diff))

    async def changes(self) -> AsyncGenerator[ConfigurationChange]:
        """None."""
        return
        yield

    # --- Inside -----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _doing(self, operation: str) -> AsyncGenerator[bool]:
        """One request and its answer; says whether it is really done."""
        await trio.lowlevel.checkpoint()
        if not self._is_open or trio.current_time() < self._of.away_until:
            self.close()
            raise self._error(operation, ElementFault.UNREACHABLE, "the connection is broken")
        self._of.expire()
        fault = self._of.faults.pop(operation, "")
        match fault:
            case "before":
                self.close()
                raise self._error(operation, ElementFault.UNREACHABLE, "the connection broke")
            case "refuse":
                raise self._error(operation, ElementFault.REQUEST, "it is refused")
            case "busy":
                raise self._error(operation, ElementFault.BUSY, "somebody else is at it")
            case _:
                yield fault != "lie"
        await trio.lowlevel.checkpoint()
        if fault == "after":
            self.close()
            raise self._error(operation, ElementFault.UNREACHABLE, "the connection broke")

    def _apply(self) -> None:
        running = self._of.running
        for diff in self._staged:
            running = changed(running, diff)
        self._of.running = running
        self._staged = []

    def _end(self, persist_id: str, *, undo: bool) -> bool:
        pending = self._of.pending
        if pending is None or pending.persist_id != persist_id or pending.session not in {None, self}:
            return False
        if undo:
            self._of.undo_pending()
        self._of.pending = None
        return True

    def _unlock(self) -> None:
        self._staged = []
        if self._of.holder is self:
            self._of.holder = None
            self._of.candidate = None

    def _error(self, operation: str, fault: ElementFault, reason: str) -> ElementError:
        return ElementError(element=self.element.name, operation=operation, fault=fault, reason=reason)


class FakeNetwork:
    """Elements by name; see :class:`~ocs.provisioning.driver.ElementSessions`.

    Attributes:
        before_session: happens before the next session is opened: its process is held up for so long.
    """

    before_session: Callable[[], Awaitable[None]] | None = None

    def __init__(self, *elements: FakeElement) -> None:
        self.elements = {one.element.name: one for one in elements}
        self._open: list[FakeSession] = []

    async def find(self, name: str) -> Element | None:
        """An element of the inventory."""
        await trio.lowlevel.checkpoint()
        found = self.elements.get(name)
        return found.element if found else None

    @asynccontextmanager
    async def session(self, element: Element) -> AsyncGenerator[FakeSession]:
        """Connect."""
        held_up, self.before_session = self.before_session, None
        if held_up is not None:
            await held_up()
        of = self.elements[element.name]
        session = FakeSession(of)
        self._open.append(session)
        try:
            async with session._doing("connect"):
                pass
            yield session
        finally:
            session.close()
            self._open.remove(session)

    def native(self, element: Element, diff: ConfigurationDiff) -> str:
        """What would be sent."""
        return FakeSession(self.elements[element.name]).native(diff)

    def break_all(self) -> None:
        """Our process is gone: every session with it, at once."""
        for session in list(self._open):
            session.close()
