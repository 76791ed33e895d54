"""Works off the queue of transactions: one process at a time, by a lease; what a crash left comes first."""

import contextlib
from collections.abc import Callable, Generator
from typing import Final

import trio
from sqlalchemy import Connection

from ocs.limits import (
    CARRYING_RETRY_MAX_S,
    CARRYING_RETRY_S,
    QUEUE_LEASE_RENEWAL_S,
    QUEUE_LEASE_S,
    QUEUE_LOOK_S,
    TRANSACTIONS_LOOKED_AT,
    TRANSACTIONS_UNDER_WAY_MAX,
)
from ocs.log import get_logger
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.batches import progress_of, waiting_for_canaries
from ocs.provisioning.transactions.coordinator import Coordinator
from ocs.provisioning.transactions.journal import LeaseLostError
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.planner import tell_refused
from ocs.provisioning.transactions.queue import Choice, choose
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import TransactionEvent
from ocs.sql_error import SqlError

log = get_logger(__name__)

_LATE: Final = "its change window has passed"
_STOPPED: Final = "too many of its batch have failed"


class Engine:
    """Begins what may begin, and brings to its end what was begun.

    Args:
        means: what it works with. owner: who takes the lease: unique for each process that ever runs.
        note_standing: is told how a transaction stands each time that work on it pauses or ends.
    """

    def __init__(
        self, means: Means, *, owner: str, note_standing: Callable[[Transaction], None] = lambda _: None
    ) -> None:
        self._means = means
        self._database = means.database
        self._owner = owner
        self._note_standing = note_standing
        self._under_way: dict[str, tuple[str, ...]] = {}
        # Those whose elements are being talked to just now; the others wait until an element is there again.
        self._at_work: set[str] = set()
        self._is_ending = False
        self._owns = False
        self._something_new = trio.Event()

    def wake(self) -> None:
        """There is something new in the queue."""
        self._something_new.set()

    def end(self) -> None:
        """Begin nothing more, and have :meth:`run` return when nothing is at work."""
        self._is_ending = True
        self.wake()

    @property
    def is_owner(self) -> bool:
        """Whether the queue is ours."""
        return self._owns

    @property
    def under_way(self) -> tuple[str, ...]:
        """Ids of the transactions that were begun and have not ended."""
        return tuple(self._under_way)

    async def run(self) -> None:
        """Work until :meth:`end`. Cancelled, it leaves what is under way as a crash would. The lease is given back."""
        while not self._is_ending:
            try:
                fence = await self._take_lease()
                if fence is not None:
                    await self._work(fence)
            except* LeaseLostError:
                log.warning("provisioning_queue_lost", owner=self._owner)
            except* SqlError as error:
                log.warning("provisioning_database_away", error=str(error.exceptions[0]))
            self._under_way.clear()
            self._at_work.clear()
            await self._wait_for_news()

    async def _wait_for_news(self) -> None:
        with trio.move_on_after(0 if self._is_ending else QUEUE_LOOK_S):
            await self._something_new.wait()

    async def _take_lease(self) -> int | None:
        self._something_new = trio.Event()
        fence = await self._database.write(self._lease)
        if fence is not None:
            log.info("provisioning_queue_owned", owner=self._owner, fence=fence)
        return fence

    def _lease(self, connection: Connection) -> int | None:
        now_ms = self._means.clock.now_ms()
        until_ms = now_ms + int(QUEUE_LEASE_S * 1000)
        return journal.take_lease(connection, self._owner, now_ms=now_ms, until_ms=until_ms)

    async def _work(self, fence: int) -> None:
        coordinator = Coordinator(self._means, fence=fence)
        self._owns = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_lease, fence)
                for left in await self._database.read(journal.unfinished):
                    self._under_way[left.transaction_id] = left.elements
                    nursery.start_soon(self._finish, coordinator, left.transaction_id)
                while not self._is_ending:
                    self._something_new = trio.Event()
                    choice = await self._database.write(lambda connection: self._choose(connection, fence))
                    for one in choice.begin:
                        self._under_way[one.transaction_id] = one.elements
                        nursery.start_soon(self._run_one, coordinator, one.transaction_id)
                    await self._wait_for_news()
                while self._at_work:
                    self._something_new = trio.Event()
                    await self._something_new.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._owns = False
            with trio.CancelScope(shield=True), trio.move_on_after(QUEUE_LOOK_S):
                await self._give_lease_back()

    async def _give_lease_back(self) -> None:
        with contextlib.suppress(SqlError):  # it runs out by itself
            await self._database.write(lambda connection: journal.give_lease_back(connection, self._owner))

    async def _keep_lease(self, fence: int) -> None:
        while True:
            await trio.sleep(QUEUE_LEASE_RENEWAL_S)
            if await self._database.write(self._lease) != fence:
                raise LeaseLostError

    def _choose(self, connection: Connection, fence: int) -> Choice:
        now_ms = self._means.clock.now_ms()
        waiting = journal.queued(
            connection,
            now_ms=now_ms,
            limit=TRANSACTIONS_LOOKED_AT,
            canaries_only=waiting_for_canaries(connection),
        )
        waiting = [one for one in waiting if one.transaction_id not in self._under_way]
        # What was begun may not have its plan yet; what has one may hold more than it was queued with.
        begun = {element for elements in self._under_way.values() for element in elements}
        choice = choose(
            waiting,
            busy=begun | journal.held_elements(connection),
            batches=progress_of(connection, (one.batch_id for one in waiting)),
            now_ms=now_ms,
            free_places=TRANSACTIONS_UNDER_WAY_MAX - len(self._under_way),
        )
        for gone, reason in ((choice.late, _LATE), (choice.stopped, _STOPPED)):
            for one in gone:
                self._cancel(connection, one, reason, fence)
        return choice

    def _cancel(self, connection: Connection, transaction: Transaction, reason: str, fence: int) -> None:
        now_ms = self._means.clock.now_ms()
        journal.move(
            connection,
            transaction.transaction_id,
            TransactionEvent.CANCELLED,
            now_ms=now_ms,
            reason=reason,
            fence=fence,
        )
        tell_refused(self._means.planners, connection, transaction, reason, now_ms)

    # --- One transaction ----------------------------------------------------------------------------------

    async def _run_one(self, coordinator: Coordinator, transaction_id: str) -> None:
        with self._working(transaction_id):
            transaction = await coordinator.run(transaction_id)
        await self._see_through(coordinator, transaction)

    async def _finish(self, coordinator: Coordinator, transaction_id: str) -> None:
        with self._working(transaction_id):
            transaction = await coordinator.finish(transaction_id)
        await self._see_through(coordinator, transaction)

    @contextlib.contextmanager
    def _working(self, transaction_id: str) -> Generator[None]:
        self._at_work.add(transaction_id)
        try:
            yield
        finally:
            self._at_work.discard(transaction_id)
            self.wake()

    async def _see_through(self, coordinator: Coordinator, transaction: Transaction) -> None:
        """Try again, ever more seldom, until no element is left in doubt."""
        wait_s = CARRYING_RETRY_S
        self._note_standing(transaction)
        while transaction.state in journal.HOLDS_ELEMENTS:
            await trio.sleep(wait_s)
            wait_s = min(2 * wait_s, CARRYING_RETRY_MAX_S)
            with self._working(transaction.transaction_id):
                transaction = await coordinator.finish(transaction.transaction_id)
            self._note_standing(transaction)
        del self._under_way[transaction.transaction_id]
        self.wake()
