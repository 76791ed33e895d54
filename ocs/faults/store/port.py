"""What the network process asks of the store of alarms; Redis and the in-memory twin are held to one suite."""

from collections.abc import Awaitable
from typing import Protocol

from ocs.faults.alarm import AlarmSignal
from ocs.faults.store.batch import AlarmBatch, FollowedChange, Snapshot


class AlarmListStore(Protocol):
    """The alarm list as its owner sees it. One process owns it at a time."""

    @property
    def holder(self) -> str:
        """The identity of another that has the list, while we wait for it; else empty."""
        ...

    def open_as_owner(self, *, engine_id: bytes = b"") -> Awaitable[Snapshot]:
        """Wait until the list is ours, and load it.

        A process takes its own list back at once, and that of one on this machine that has ended; that of any other
        when it was silent for the lease's length. Each opening
        counts our engine's boots. Cancelled, it may leave the list ours until the lease ends.

        Args:
            engine_id: of our SNMP engine; empty: the one that the store has, made when it has none.

        Raises:
            StoreUnavailableError: no answer. Try again.
        """
        ...

    def commit(self, batch: AlarmBatch) -> Awaitable[None]:
        """Write a batch; it is durable when this returns. Commits take effect in the order in which they began.

        Cancelled, it may have been written: send the same batch again, or open again.

        Raises:
            StoreUnavailableError: the outcome is unknown: send the same batch again, before any that follows it.
            LeaseLostError: open again; the batch was not written.
            ValueError: more than one step may write.
        """
        ...

    def renew(self) -> Awaitable[None]:
        """Say that we are still here, when nothing is committed.

        Raises:
            StoreUnavailableError: no answer.
            LeaseLostError: another node has the list.
        """
        ...

    def release(self) -> Awaitable[None]:
        """Let another node have the list at once. Cancelled or without an answer, it waits for the lease's end."""
        ...

    def read_desk(self, after_id: str) -> Awaitable[list[FollowedChange]]:
        """What operators did to the list behind an entry, oldest first; waits until there is something.

        A PURGED one carries the alarm as it was: an owner whose alarm is another by now has changed it since, and it
        stands again with the owner's next batch.

        Raises:
            StoreUnavailableError: no answer: read again.
            LeaseLostError: so much was missed that the list must be opened again.
        """
        ...

    def orders(self) -> Awaitable[dict[str, AlarmSignal]]:
        """What operators ask the owner to take, by id (a clear by hand); there until a batch names it.

        Raises:
            StoreUnavailableError: no answer.
        """
        ...

    def windows(self) -> Awaitable[dict[str, bytes]]:
        """Maintenance windows, encoded, by id.

        Raises:
            StoreUnavailableError: no answer.
        """
        ...
