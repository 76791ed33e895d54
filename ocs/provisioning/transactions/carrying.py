"""Bring one element from what it may have to what was decided, whatever happened to it meanwhile. Idempotent.

After a crash or a lost answer nobody knows what an element runs: the state before the change, the state after it, or
the one with a time-out running towards the other. So the element is asked, locked first: a request of ours that is
still under way holds its session's lock, and the lock is granted only when that session is over.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from ocs.limits import CONFIRMATIONS_MAX
from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    changed,
    outermost,
    paths_above,
    restricted,
)
from ocs.provisioning.credentials import SECRET_PREFIX
from ocs.provisioning.driver import ElementSession, ElementSessions
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.transactions.record import Participant
from ocs.provisioning.transactions.steps import Step

_ABSENT: Final = object()


class Way(NamedTuple):
    """What leads an element from one state to another.

    Attributes:
        diff: what to send. foreign: paths that have neither state's value: somebody else changed them since, and they
            are left alone.
    """

    diff: ConfigurationDiff
    foreign: tuple[str, ...]


def way(current: Configuration, *, origin: Configuration, goal: Configuration) -> Way:
    """What leads from what an element runs to the goal, as far as it still has what it began with."""
    to_set: dict[str, str | None] = {}
    to_remove: list[str] = []
    foreign: list[str] = []
    for path in sorted(origin.keys() | goal.keys()):
        has = current.get(path, _ABSENT)
        if has == goal.get(path, _ABSENT):
            continue
        if has != origin.get(path, _ABSENT):
            foreign.append(path)
        elif path in goal:
            to_set[path] = goal[path]
        else:
            to_remove.append(path)
    removed = outermost(to_remove)
    gone = set(removed)
    kept = {path: value for path, value in to_set.items() if gone.isdisjoint(paths_above(path))}
    return Way(ConfigurationDiff(kept, removed), tuple(foreign))


def verify(element: str, diff: ConfigurationDiff, running: Configuration) -> None:
    """Compare what an element runs with what it was told; an answer alone is no proof.

    Raises:
        ElementError: UNTRUE, naming the first path that differs.
    """
    for path, value in sorted(diff.set.items()):
        if running.get(path, _ABSENT) != value:
            raise _untrue(element, path, wanted=value, found=found_at(running, path, wanted=value))
    for path in diff.removed:
        if path in running or restricted(running, [path]):
            raise _untrue(element, path, wanted="nothing", found=found_at(running, path, wanted=None))


async def confirm_for_good(session: ElementSession, persist_id: str) -> bool:
    """Confirm a commit until the element has none left that waits; an answer alone is no proof.

    An element that only says that it confirmed would undo the change when its time is over, after everybody was told
    that it is done. What it runs does not tell; whether there is something left to be confirmed does.

    Returns:
        Whether one was waiting.

    Raises:
        ElementError: UNTRUE: it is confirmed again and again, and still waits.
    """
    for confirmed in range(CONFIRMATIONS_MAX):
        if not await session.confirm(persist_id):
            return confirmed > 0
    raise ElementError(
        element=session.element.name,
        operation="commit",
        fault=ElementFault.UNTRUE,
        reason=f"it said {CONFIRMATIONS_MAX} times that the commit is confirmed, and still waits for it",
    )


def found_at(running: Configuration, path: str, *, wanted: str | None) -> str:
    """What stands at a path, for people; where a secret is wanted, another one is nobody's business."""
    if path not in running:
        return "nothing"
    value = running[path]
    if wanted is not None and wanted.startswith(SECRET_PREFIX):
        return "another value"
    return "an entry" if value is None else value


def _untrue(element: str, path: str, *, wanted: str | None, found: str) -> ElementError:
    return ElementError(
        element=element,
        operation="read back",
        fault=ElementFault.UNTRUE,
        reason=f"it accepted the change, but has {found} where {'an entry' if wanted is None else wanted} was wanted",
        path=path,
    )


class Carrier:
    """Carries participants of transactions to what was decided, each by sessions of its own.

    Args:
        note_step: is told of each step just before it, with the element's name.
        check_lease: raises when somebody else works off the queue now.
    """

    def __init__(
        self,
        sessions: ElementSessions,
        note_step: Callable[[str, str, Step], None],
        check_lease: Callable[[], Awaitable[None]],
    ) -> None:
        self._sessions = sessions
        self._note_step = note_step
        self._check_lease = check_lease

    async def undo(self, transaction_id: str, element: Element, participant: Participant) -> tuple[str, ...]:
        """Have the element run what it ran before.

        Returns:
            Paths that somebody else changed since; they were left alone.

        Raises:
            ElementError: it may not be undone yet: try again.
        """
        if participant.before is None:
            return ()  # nothing was activated before that was written down
        self._note_step(transaction_id, element.name, Step.UNDO)
        before = participant.before
        after = changed(before, participant.forward)
        async with self._sessions.session(element) as session:
            if session.abilities.persistent:
                await session.cancel(transaction_id)
            return await self._carry(session, transaction_id, participant, origin=after, goal=before)

    async def settle(
        self, transaction_id: str, element: Element, participant: Participant
    ) -> tuple[str, ...]:
        """Have the element run the change for good; again, where a time-out undid it.

        Returns:
            As :meth:`undo`.

        Raises:
            ElementError: it may not be settled yet: try again.
        """
        self._note_step(transaction_id, element.name, Step.SETTLE)
        before: Mapping[str, str | None] = participant.before or {}
        after = changed(before, participant.forward)
        async with self._sessions.session(element) as session:
            if session.abilities.persistent and await confirm_for_good(session, transaction_id):
                return ()
            return await self._carry(session, transaction_id, participant, origin=before, goal=after)

    async def _carry(
        self,
        session: ElementSession,
        transaction_id: str,
        participant: Participant,
        *,
        origin: Configuration,
        goal: Configuration,
    ) -> tuple[str, ...]:
        await session.begin()
        try:
            # Under the lock: who has taken over meanwhile may have gone on to other changes, and the next one cannot.
            await self._check_lease()
            if session.abilities.persistent:
                # One that was still under way when we came: the lock says that it has been answered now.
                await session.cancel(transaction_id)
            current = await session.read(participant.forward.paths)
            diff, foreign = way(current, origin=origin, goal=goal)
            if diff:
                await session.stage(diff)
                await session.validate()
                await session.commit()
                verify(participant.element, diff, await session.read(diff.paths))
            elif session.abilities.startup:
                # It runs what it should; whether it starts with that, nobody knows who was not answered.
                await session.commit()
        except ElementError as error:
            if error.fault not in {ElementFault.UNREACHABLE, ElementFault.PROTOCOL}:
                await session.abandon()
            raise
        await session.release()
        return foreign
