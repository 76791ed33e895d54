"""What the transaction engine wants of an element, whatever language the element speaks."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from ocs.provisioning.configuration import Configuration, ConfigurationDiff
from ocs.provisioning.element import Abilities, Element


class ElementSession(Protocol):
    """One session with one element; used by one task at a time.

    Every method raises :class:`~ocs.provisioning.errors.ElementError` and nothing else for what the element or the way
    to it does. Cancellation leaves the session unusable; leaving its context ends it, and what it had staged or locked
    is gone with it, except a commit that waits for confirmation under a persist-id.

    The order of a change: ``begin``, ``stage``, ``validate``, ``commit`` or ``commit_confirmed``, then ``release``;
    ``abandon`` at any point before the commit.
    """

    @property
    def element(self) -> Element:
        """Whose session it is."""
        ...

    @property
    def abilities(self) -> Abilities:
        """What the element can do; without ``candidate``, ``stage`` only collects and ``commit`` sends."""
        ...

    async def read(self, paths: Sequence[str] = ()) -> Configuration:
        """The running configuration: what lies at or below some paths; everything without any."""
        ...

    async def begin(self) -> None:
        """Lock what is about to be changed, and discard what somebody left in the candidate."""
        ...

    async def stage(self, diff: ConfigurationDiff) -> None:
        """Put a change where ``commit`` takes it from. Several add up."""
        ...

    async def validate(self) -> None:
        """Have the element check what is staged; does nothing where it cannot."""
        ...

    async def commit(self) -> None:
        """Make what is staged run, for good (and start with, where that is apart)."""
        ...

    async def commit_confirmed(self, persist_id: str, timeout_s: int) -> None:
        """Make what is staged run until the time-out, unless :meth:`confirm` comes first.

        Only where ``abilities.confirmed``; without ``abilities.persistent`` the end of this session undoes it at once.
        """
        ...

    async def confirm(self, persist_id: str) -> bool:
        """Make a confirmed commit last; from any session where ``abilities.persistent``.

        Returns:
            Whether one was pending under that id; False: it was confirmed already or was undone: reading tells.
        """
        ...

    async def cancel(self, persist_id: str) -> bool:
        """Undo a confirmed commit now.

        Returns:
            Whether one was pending under that id.
        """
        ...

    async def abandon(self) -> None:
        """Discard what is staged and let others in again. Harmless when nothing was begun."""
        ...

    async def release(self) -> None:
        """Let others in again after a commit. Harmless when nothing was begun."""
        ...

    def native(self, diff: ConfigurationDiff) -> str:
        """What would be sent for a change, in the element's own language, for people; secrets are not shown."""
        ...

    def changes(self) -> AsyncGenerator["ConfigurationChange"]:
        """Changes of the running configuration as the element tells of them; only where ``abilities.notifies``.

        The session is used for nothing else meanwhile. Close the generator when done.
        """
        ...


class ConfigurationChange(NamedTuple):
    """Somebody changed an element's running configuration (RFC 6470 section 2.2, netconf-config-change).

    Attributes:
        session_id: whose session; 0 when the element does not tell or it was none of NETCONF's.
        user: who; empty when the element does not tell. paths: what was touched, as far as told.
        at: the element's own time of the event, RFC 3339, as it wrote it.
    """

    session_id: int
    user: str
    paths: tuple[str, ...]
    at: str


class ElementSessions(Protocol):
    """Opens sessions: by type of element over NETCONF or over a command line."""

    def session(self, element: Element) -> AbstractAsyncContextManager[ElementSession]:
        """Connect, check the host key, say who we are; bounded in time.

        Raises:
            ElementError: UNREACHABLE, ACCESS or PROTOCOL; at once while the element's circuit breaker is open.
        """
        ...

    def native(self, element: Element, diff: ConfigurationDiff) -> str:
        """As :meth:`ElementSession.native`, by the element's type alone, without a connection."""
        ...
