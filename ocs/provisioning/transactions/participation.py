"""One element's part in a transaction while all goes well: a task that holds its session through every phase."""

import enum
from typing import Final

import trio

from ocs.provisioning.configuration import Configuration, changed, difference
from ocs.provisioning.driver import ElementSession, ElementSessions
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.transactions.carrying import confirm_for_good, found_at, verify
from ocs.provisioning.transactions.record import ElementPlan
from ocs.provisioning.transactions.steps import NoteStep, Step


class Order(enum.Enum):
    """What the coordinator asks of all elements, one phase after the other."""

    PREPARE = "prepare"
    ACTIVATE = "activate"
    CONFIRM = "confirm"


class Participation:
    """Runs one element through the phases. When one fails, the session is given up and :attr:`error` says why.

    Leaving, or being cancelled, unlocks the element and drops what was staged; what it runs by then is for
    :class:`~ocs.provisioning.transactions.carrying.Carrier`.

    Attributes:
        before: what stood at the touched paths; set when prepared. error: why it failed.
        is_revocable: what it activates is undone by itself unless it is confirmed.
        is_proven: what it confirmed is known to last. Where a commit waits for its own session only, no question tells
            whether it still does: only the end of the session shows.
    """

    def __init__(
        self,
        transaction_id: str,
        plan: ElementPlan,
        element: Element,
        *,
        confirm_timeout_s: int,
        note_step: NoteStep,
    ) -> None:
        self.plan: Final = plan
        self.before: Configuration | None = None
        self.error: ElementError | None = None
        self.is_revocable = False
        self.is_proven = False
        self._transaction_id = transaction_id
        self._element = element
        self._confirm_timeout_s = confirm_timeout_s
        self._note_step = note_step
        # One order at a time: asking waits for its end.
        self._orders_in, self._orders = trio.open_memory_channel[Order](0)
        self._done_in, self._done = trio.open_memory_channel[None](1)

    async def ask(self, order: Order) -> bool:
        """Have a phase done; returns whether it succeeded. One that has failed stays failed."""
        if self.error is None:
            try:
                await self._orders_in.send(order)
                await self._done.receive()
            except (trio.BrokenResourceError, trio.EndOfChannel):
                pass  # it has ended, and said why
        return self.error is None

    def leave(self) -> None:
        """There are no further orders."""
        self._orders_in.close()

    async def serve(self, sessions: ElementSessions) -> None:
        """Do what is asked, until :meth:`leave` or a failure."""
        with self._orders, self._done_in:
            try:
                self._note(Step.CONNECT)
                async with sessions.session(self._element) as session:
                    await self._serve(session)
            except ElementError as error:
                self.error = error

    async def _serve(self, session: ElementSession) -> None:
        self.is_revocable = session.abilities.confirmed
        self.is_proven = session.abilities.persistent or not session.abilities.confirmed
        has_begun = False
        try:
            async for order in self._orders:
                match order:
                    case Order.PREPARE:
                        has_begun = True
                        await self._prepare(session)
                    case Order.ACTIVATE:
                        await self._activate(session)
                    case Order.CONFIRM:
                        await self._confirm(session)
                        has_begun = False
                self._done_in.send_nowait(None)
        except ElementError as error:
            if has_begun and error.fault not in {ElementFault.UNREACHABLE, ElementFault.PROTOCOL}:
                await session.abandon()
            raise
        if has_begun:
            await session.abandon()

    async def _prepare(self, session: ElementSession) -> None:
        self._note(Step.BEGIN)
        await session.begin()
        self._note(Step.READ)
        self.before = await session.read(self.plan.forward.paths)
        self._check_expected(self.before)
        self._note(Step.STAGE)
        await session.stage(self.plan.forward)
        self._note(Step.VALIDATE)
        await session.validate()

    async def _activate(self, session: ElementSession) -> None:
        self._note(Step.ACTIVATE)
        if session.abilities.confirmed:
            await session.commit_confirmed(self._transaction_id, self._confirm_timeout_s)
        else:
            await session.commit()
        self._note(Step.VERIFY)
        running = await session.read(self.plan.forward.paths)
        try:
            verify(self._element.name, self.plan.forward, running)
        except ElementError:
            if not session.abilities.confirmed:
                await self._take_back(session, running)
            raise

    async def _take_back(self, session: ElementSession, running: Configuration) -> None:
        """Undo what an element made of a change by itself, such as a text cut short.

        It is neither what was there nor what was wanted, so whoever undoes the transaction takes it for somebody
        else's. Here it is known to be ours: nobody else was let in since the commit.
        """
        self._note(Step.UNDO)
        await session.stage(difference(running, self.before or {}))
        await session.commit()

    async def _confirm(self, session: ElementSession) -> None:
        self._note(Step.CONFIRM)
        if session.abilities.persistent:
            was_waiting = await confirm_for_good(session, self._transaction_id)
        else:
            was_waiting = not session.abilities.confirmed or await session.confirm(self._transaction_id)
        if not was_waiting:
            raise ElementError(
                element=self._element.name,
                operation="commit",
                fault=ElementFault.UNTRUE,
                reason="the confirmed commit was undone before it was confirmed",
            )
        self._note(Step.RELEASE)
        await session.release()

    def _check_expected(self, before: Configuration) -> None:
        for path, value in sorted(self.plan.expected.items()):
            if path not in before or before[path] != value:
                found = found_at(before, path, wanted=value)
                raise ElementError(
                    element=self._element.name,
                    operation="check before writing",
                    fault=ElementFault.REQUEST,
                    reason=f"somebody changed it: expected {value or 'an entry'}, found {found};"
                    f" see `ocs config drift {self._element.name}`, then --revert or --accept",
                    path=path,
                )

    @property
    def after(self) -> Configuration:
        """What should stand at the touched paths afterwards."""
        return changed(self.before or {}, self.plan.forward)

    def _note(self, step: Step) -> None:
        self._note_step(self._transaction_id, self._element.name, step)
