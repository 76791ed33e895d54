"""Runs one transaction: all elements or none, whatever fails, and whatever crashes.

Prepare everywhere (lock, read, stage, validate); write down what stood there; activate everywhere, where possible by a
commit that undoes itself; read back everywhere; decide in the database, together with what the decision means; confirm.
Before the decision everything that fails leads back, after it everything leads forward.
"""

from collections.abc import Mapping
from typing import Final

import trio
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ocs.limits import TRANSACTION_ATTEMPTS_MAX, TRANSACTION_POSTPONED_S
from ocs.log import get_logger
from ocs.provisioning.configuration import Configuration
from ocs.provisioning.element import Element
from ocs.provisioning.errors import ElementError
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.carrying import Carrier
from ocs.provisioning.transactions.journal import LeaseLostError
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.participation import Order, Participation
from ocs.provisioning.transactions.planner import Planner, WorkRefusedError, tell_refused
from ocs.provisioning.transactions.record import ElementPlan, Participant, Plan, Transaction
from ocs.provisioning.transactions.states import TransactionEvent, TransactionState
from ocs.provisioning.transactions.steps import Step
from ocs.sql_error import SqlError

log = get_logger(__name__)

_JOURNAL: Final = ""  # whose steps are not an element's


class Coordinator:
    """Runs transactions under one lease of the queue.

    Args:
        means: what it works with. fence: of the lease; what is written under an older one is refused.
    """

    def __init__(self, means: Means, *, fence: int) -> None:
        self._database = means.database
        self._means = means
        self._fence = fence
        self._carrier = Carrier(means.sessions, means.note_step, self._check_lease)

    # --- A transaction whose turn has come --------------------------------------------------------------

    async def run(self, transaction_id: str) -> Transaction:
        """Run what is queued as far as it goes now; when its plan needs what others hold, it waits.

        Returns:
            How it stands: final, queued again, or DECIDED or ROLLING_BACK while an element is away.

        Raises:
            LeaseLostError: somebody else works off the queue now.
            SqlError: the database is away; :meth:`finish` goes on from what it says later.
        """
        plan = await self._begin(transaction_id)
        if plan is None:
            return await self._read(transaction_id)
        elements = await self._find_all(plan.elements)
        if isinstance(elements, str):
            reason = elements
            await self._database.write(
                lambda connection: self._refuse(
                    connection, journal.read_transaction(connection, transaction_id), reason
                )
            )
            return await self._read(transaction_id)
        parts = [
            Participation(
                transaction_id,
                one,
                elements[one.element],
                confirm_timeout_s=self._means.confirm_timeout_s,
                note_step=self._means.note_step,
            )
            for one in plan.elements
            if one.forward
        ]
        trouble: LeaseLostError | SqlError | None = None
        async with trio.open_nursery() as nursery:
            for part in parts:
                nursery.start_soon(part.serve, self._means.sessions)
            try:
                await self._run_phases(transaction_id, parts)
            except (LeaseLostError, SqlError) as error:
                trouble = error
            finally:
                for part in parts:
                    part.leave()
        if trouble is not None:
            raise trouble
        return await self.finish(transaction_id)

    async def _begin(self, transaction_id: str) -> Plan | None:
        """Plan it; None when there is nothing to do with elements (now)."""

        def begin(connection: Connection) -> Plan | None:
            journal.hold_queue(connection)
            transaction = journal.read_transaction(connection, transaction_id)
            if transaction.state is not TransactionState.QUEUED:
                return None  # somebody has cancelled it since it was chosen
            self._write(connection, transaction_id, TransactionEvent.STARTED)
            planner = self._means.planners.get(transaction.work.kind)
            try:
                if planner is None:
                    raise WorkRefusedError(f"nobody knows work of the kind {transaction.work.kind}")
                with connection.begin_nested():
                    plan = planner.plan(connection, transaction.work.payload)
            except WorkRefusedError as error:
                self._refuse(connection, transaction, str(error))
                return None
            except SQLAlchemyError:
                raise
            except Exception as error:
                log.exception("work_not_understood", transaction=transaction_id)
                self._refuse(connection, transaction, f"it cannot be understood: {error!r}")
                return None
            journal.write_plan(connection, transaction_id, plan)
            held = journal.held_elements(connection, besides=transaction_id)
            if taken := sorted(held.intersection(one.element for one in plan.elements)):
                self._write(
                    connection, transaction_id, TransactionEvent.POSTPONED, f"waits for {', '.join(taken)}"
                )
                return None
            if not any(one.forward for one in plan.elements):
                self._decide_at_once(connection, transaction, planner, plan)
                return None
            return plan

        self._means.note_step(transaction_id, _JOURNAL, Step.START)
        return await self._database.write(begin)

    def _decide_at_once(
        self, connection: Connection, transaction: Transaction, planner: Planner, plan: Plan
    ) -> None:
        """Decide what no element need be told of."""
        try:
            with connection.begin_nested():
                planner.record(connection, plan.effects, {}, self._means.clock.now_ms())
        except WorkRefusedError as error:
            self._refuse(connection, transaction, str(error))
            return
        for event in (TransactionEvent.PREPARED, TransactionEvent.VERIFIED, TransactionEvent.CONFIRMED):
            self._write(connection, transaction.transaction_id, event)

    async def _find_all(self, plans: tuple[ElementPlan, ...]) -> dict[str, Element] | str:
        found: dict[str, Element] = {}
        for plan in plans:
            element = await self._means.find_element(plan.element)
            if element is None:
                return f"{plan.element}: the inventory has no such element"
            found[plan.element] = element
        return found

    async def _run_phases(self, transaction_id: str, parts: list[Participation]) -> None:
        """From locking to confirming; what is left over when it returns is for :meth:`finish`."""
        await _ask_all(parts, Order.PREPARE)
        if failed := _failed(parts):
            await self._give_up(transaction_id, failed)
            return
        before = {part.plan.element: part.before or {} for part in parts}
        self._means.note_step(transaction_id, _JOURNAL, Step.JOURNAL)
        await self._database.write(
            lambda connection: self._write_prepared(connection, transaction_id, before)
        )
        await _ask_all([part for part in parts if part.is_revocable], Order.ACTIVATE)
        for part in parts:
            # One after the other, and only while all is well: each of these must be undone by hand.
            if not part.is_revocable and not _failed(parts):
                await self._check_lease()
                await part.ask(Order.ACTIVATE)
        if failed := _failed(parts):
            await self._move(transaction_id, TransactionEvent.FAILED, str(failed))
            return
        self._means.note_step(transaction_id, _JOURNAL, Step.DECIDE)
        try:
            await self._database.write(lambda connection: self._decide(connection, transaction_id, before))
        except WorkRefusedError as error:  # the inventory is not any more as it was when this was planned
            await self._move(transaction_id, TransactionEvent.FAILED, str(error))
            return
        await _ask_all(parts, Order.CONFIRM)
        for part in parts:
            if part.error is None and part.is_proven:
                await self._note_settled(transaction_id, part.plan.element)

    async def _give_up(self, transaction_id: str, error: ElementError) -> None:
        """Nothing was changed: later again, or never."""

        def give_up(connection: Connection) -> None:
            transaction = journal.read_transaction(connection, transaction_id)
            if error.is_retryable and transaction.attempts < TRANSACTION_ATTEMPTS_MAX:
                wait_s = TRANSACTION_POSTPONED_S * 2 ** (transaction.attempts - 1)
                not_before_ms = self._means.clock.now_ms() + int(wait_s * 1000)
                self._write(connection, transaction_id, TransactionEvent.POSTPONED, str(error), not_before_ms)
                return
            self._refuse(connection, transaction, str(error))

        await self._database.write(give_up)

    # --- What a crash, or an element that was away, has left --------------------------------------------

    async def finish(self, transaction_id: str) -> Transaction:
        """Bring a transaction as near to its end as its elements allow. Idempotent; also after a crash.

        Raises:
            As :meth:`run`.
        """
        transaction = await self._read(transaction_id)
        match transaction.state:
            case TransactionState.PREPARING:
                await self._move(transaction_id, TransactionEvent.POSTPONED, "it was interrupted")
            case TransactionState.ACTIVATING:
                await self._move(transaction_id, TransactionEvent.FAILED, "it was interrupted")
                await self._carry_all(await self._read(transaction_id))
            case TransactionState.DECIDED | TransactionState.ROLLING_BACK:
                await self._carry_all(transaction)
            case _:
                pass
        return await self._read(transaction_id)

    async def _carry_all(self, transaction: Transaction) -> None:
        left = [one for one in transaction.participants if not one.is_settled]
        settled: list[str] = []
        async with trio.open_nursery() as nursery:
            for participant in left:
                nursery.start_soon(self._carry, transaction, participant, settled)
        if len(settled) == len(left):
            self._means.note_step(transaction.transaction_id, _JOURNAL, Step.FINISH)
            await self._database.write(lambda connection: self._end(connection, transaction))

    async def _carry(self, transaction: Transaction, participant: Participant, settled: list[str]) -> None:
        transaction_id = transaction.transaction_id
        element = await self._means.find_element(participant.element)
        if element is None:
            await self._note_trouble(transaction_id, participant.element, "the inventory has no such element")
            return
        forward = transaction.state is TransactionState.DECIDED
        carry = self._carrier.settle if forward else self._carrier.undo
        try:
            foreign = await carry(transaction_id, element, participant)
        except ElementError as error:
            log.warning("element_in_doubt", transaction=transaction_id, error=str(error))
            await self._note_trouble(transaction_id, participant.element, str(error))
            return
        for path in foreign:
            log.warning(
                "foreign_change_left", transaction=transaction_id, element=participant.element, path=path
            )
        await self._note_settled(transaction_id, participant.element)
        settled.append(participant.element)

    def _end(self, connection: Connection, transaction: Transaction) -> None:
        if transaction.state is TransactionState.DECIDED:
            self._write(connection, transaction.transaction_id, TransactionEvent.CONFIRMED)
            return
        self._write(connection, transaction.transaction_id, TransactionEvent.RESTORED, transaction.reason)
        tell_refused(
            self._means.planners, connection, transaction, transaction.reason, self._means.clock.now_ms()
        )

    # --- The journal ------------------------------------------------------------------------------------

    async def _check_lease(self) -> None:
        await self._database.write(lambda connection: journal.check_fence(connection, self._fence))

    def _write_prepared(
        self, connection: Connection, transaction_id: str, before: Mapping[str, Configuration]
    ) -> None:
        self._write(connection, transaction_id, TransactionEvent.PREPARED)
        journal.write_before(connection, transaction_id, before)

    def _decide(
        self, connection: Connection, transaction_id: str, before: Mapping[str, Configuration]
    ) -> None:
        self._write(connection, transaction_id, TransactionEvent.VERIFIED)
        transaction = journal.read_transaction(connection, transaction_id)
        planner = self._means.planners[transaction.work.kind]
        planner.record(connection, transaction.effects, before, self._means.clock.now_ms())

    def _refuse(self, connection: Connection, transaction: Transaction, reason: str) -> None:
        self._write(connection, transaction.transaction_id, TransactionEvent.REFUSED, reason)
        tell_refused(self._means.planners, connection, transaction, reason, self._means.clock.now_ms())

    def _write(
        self,
        connection: Connection,
        transaction_id: str,
        event: TransactionEvent,
        reason: str = "",
        not_before_ms: int | None = None,
    ) -> None:
        journal.move(
            connection,
            transaction_id,
            event,
            now_ms=self._means.clock.now_ms(),
            reason=reason,
            fence=self._fence,
            not_before_ms=not_before_ms,
        )

    async def _move(self, transaction_id: str, event: TransactionEvent, reason: str) -> None:
        await self._database.write(lambda connection: self._write(connection, transaction_id, event, reason))

    async def _note_settled(self, transaction_id: str, element: str) -> None:
        await self._database.write(
            lambda connection: journal.note_settled(connection, transaction_id, element)
        )

    async def _note_trouble(self, transaction_id: str, element: str, reason: str) -> None:
        await self._database.write(
            lambda connection: journal.note_trouble(connection, transaction_id, element, reason)
        )

    async def _read(self, transaction_id: str) -> Transaction:
        return await self._database.read(
            lambda connection: journal.read_transaction(connection, transaction_id)
        )


async def _ask_all(parts: list[Participation], order: Order) -> None:
    async with trio.open_nursery() as nursery:
        for part in parts:
            nursery.start_soon(part.ask, order)


def _failed(parts: list[Participation]) -> ElementError | None:
    return next((part.error for part in parts if part.error is not None), None)
