"""The journal of transactions in SQL: functions over a connection, so that they compose with what others record.

Whoever writes says under which fence: the number of the lease that it works under. A writer whose lease was taken
over finds that nothing is its any more, and stops.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update

from ocs.provisioning.configuration import Configuration, ConfigurationDiff
from ocs.provisioning.transactions.record import Participant, Plan, Transaction, Work
from ocs.provisioning.transactions.states import (
    FINAL,
    HOLDS_ELEMENTS,
    TransactionEvent,
    TransactionState,
    next_state,
)
from ocs.provisioning.transactions.tables import BATCH, LEASE, PARTICIPANT, TRANSACTION

QUEUE: Final = "queue"  # the one lease so far

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_diff: Final = msgspec.msgpack.Decoder(ConfigurationDiff).decode
_decode_configuration: Final = msgspec.msgpack.Decoder(dict[str, str | None]).decode


class LeaseLostError(Exception):
    """Somebody else works off the queue now: stop, and touch nothing more."""


class UnknownTransactionError(Exception):
    """There is no transaction of that id."""


# --- The lease ----------------------------------------------------------------------------------------------------


def take_lease(connection: Connection, owner: str, *, now_ms: int, until_ms: int) -> int | None:
    """Become the one that works off the queue, or stay it.

    Returns:
        The fence to write under; None while another owner's lease runs.
    """
    row = connection.execute(select(LEASE).where(LEASE.c.name == QUEUE).with_for_update()).one_or_none()
    if row is None:
        connection.execute(insert(LEASE).values(name=QUEUE, owner=owner, until_ms=until_ms, fence=1))
        return 1
    # One that ends later than any lease does was written before the clock was set back: it would keep us all out for as
    # long as that was. Twice the time, since the clocks of two nodes differ a little.
    if row.owner != owner and now_ms < row.until_ms <= until_ms + (until_ms - now_ms):
        return None
    fence = row.fence if row.owner == owner else row.fence + 1
    connection.execute(
        update(LEASE).where(LEASE.c.name == QUEUE).values(owner=owner, until_ms=until_ms, fence=fence)
    )
    return fence


def give_lease_back(connection: Connection, owner: str) -> None:
    """Let another one take over at once; harmless for somebody who has no lease."""
    connection.execute(update(LEASE).where(LEASE.c.name == QUEUE, LEASE.c.owner == owner).values(until_ms=0))


def check_fence(connection: Connection, fence: int) -> None:
    """Make sure that nobody took over.

    Raises:
        LeaseLostError: somebody did.
    """
    row = connection.execute(select(LEASE.c.fence).where(LEASE.c.name == QUEUE).with_for_update(read=True))
    if row.scalar_one_or_none() != fence:
        raise LeaseLostError


def queue_owner(connection: Connection, now_ms: int) -> str:
    """Who works off the queue; empty when nobody does."""
    row = connection.execute(select(LEASE).where(LEASE.c.name == QUEUE)).one_or_none()
    return row.owner if row is not None and row.until_ms > now_ms else ""


def hold_queue(connection: Connection) -> None:
    """Let one transaction be begun at a time: none misses what another one is about to hold."""
    connection.execute(select(LEASE.c.fence).where(LEASE.c.name == QUEUE).with_for_update())


# --- Writing --------------------------------------------------------------------------------------------------------


def add_transaction(connection: Connection, transaction: Transaction) -> None:
    """Queue a transaction. An id that is known already is left as it is: a request that was repeated."""
    known = connection.execute(
        select(TRANSACTION.c.transaction_id).where(TRANSACTION.c.transaction_id == transaction.transaction_id)
    ).one_or_none()
    if known is not None:
        return
    connection.execute(
        insert(TRANSACTION).values(
            transaction_id=transaction.transaction_id,
            state=transaction.state.value,
            work_kind=transaction.work.kind,
            work_payload=transaction.work.payload,
            description=transaction.description,
            requested_by=transaction.requested_by,
            elements="\n".join(sorted(transaction.elements)),
            priority=transaction.priority,
            not_before_ms=transaction.not_before_ms,
            not_after_ms=transaction.not_after_ms,
            batch_id=transaction.batch_id,
            batch_place=transaction.batch_place,
            attempts=0,
            created_ms=transaction.created_ms,
            changed_ms=transaction.created_ms,
            reason="",
            effects=b"",
        )
    )


def move(
    connection: Connection,
    transaction_id: str,
    event: TransactionEvent,
    *,
    now_ms: int,
    reason: str = "",
    fence: int | None = None,
    not_before_ms: int | None = None,
) -> TransactionState:
    """Bring a transaction into its next state.

    Args:
        fence: of the lease; None only for what is done from outside: cancelling what is queued.
        not_before_ms: when it may be begun again.

    Raises:
        LeaseLostError: somebody else has taken over. UnknownTransactionError: there is none of that id.
        KeyError: the event does not happen in its state.
    """
    if fence is not None:
        check_fence(connection, fence)
    state = state_of(connection, transaction_id)
    following = next_state(state, event)
    values: dict[str, Any] = {"state": following.value, "changed_ms": now_ms, "reason": reason}
    if event is TransactionEvent.STARTED:
        values["attempts"] = TRANSACTION.c.attempts + 1
    if not_before_ms is not None:
        values["not_before_ms"] = not_before_ms
    connection.execute(
        update(TRANSACTION).where(TRANSACTION.c.transaction_id == transaction_id).values(**values)
    )
    return following


def write_plan(connection: Connection, transaction_id: str, plan: Plan) -> None:
    """Replace the participants by those of a plan."""
    connection.execute(delete(PARTICIPANT).where(PARTICIPANT.c.transaction_id == transaction_id))
    connection.execute(
        update(TRANSACTION)
        .where(TRANSACTION.c.transaction_id == transaction_id)
        .values(effects=plan.effects, elements="\n".join(sorted(one.element for one in plan.elements)))
    )
    for one in plan.elements:
        connection.execute(
            insert(PARTICIPANT).values(
                transaction_id=transaction_id,
                element=one.element,
                forward=_encode(one.forward),
                before=None,
                is_settled=not one.forward,  # it is only kept from others
                reason="",
            )
        )


def write_before(connection: Connection, transaction_id: str, before: Mapping[str, Configuration]) -> None:
    """Keep what stood at the touched paths of each element: what undoes the change is made of it."""
    for element, configuration in before.items():
        _update_participant(connection, transaction_id, element, before=_encode(dict(configuration)))


def note_settled(connection: Connection, transaction_id: str, element: str) -> None:
    """An element has what was decided, for good."""
    _update_participant(connection, transaction_id, element, is_settled=True, reason="")


def note_trouble(connection: Connection, transaction_id: str, element: str, reason: str) -> None:
    """Why an element has not what was decided yet."""
    _update_participant(connection, transaction_id, element, reason=reason)


def _update_participant(connection: Connection, transaction_id: str, element: str, **values: Any) -> None:
    connection.execute(
        update(PARTICIPANT)
        .where(PARTICIPANT.c.transaction_id == transaction_id, PARTICIPANT.c.element == element)
        .values(**values)
    )


# --- Reading --------------------------------------------------------------------------------------------------------


def state_of(connection: Connection, transaction_id: str) -> TransactionState:
    """A transaction's state.

    Raises:
        UnknownTransactionError: there is none of that id.
    """
    value = connection.execute(
        select(TRANSACTION.c.state).where(TRANSACTION.c.transaction_id == transaction_id).with_for_update()
    ).scalar_one_or_none()
    if value is None:
        raise UnknownTransactionError(transaction_id)
    return TransactionState(value)


def read_transaction(connection: Connection, transaction_id: str) -> Transaction:
    """A transaction with its participants, those by name.

    Raises:
        UnknownTransactionError: there is none of that id.
    """
    row = connection.execute(
        select(TRANSACTION).where(TRANSACTION.c.transaction_id == transaction_id)
    ).one_or_none()
    if row is None:
        raise UnknownTransactionError(transaction_id)
    participants = connection.execute(
        select(PARTICIPANT)
        .where(PARTICIPANT.c.transaction_id == transaction_id)
        .order_by(PARTICIPANT.c.element)
    )
    return _transaction(row, participants)


def list_transactions(
    connection: Connection, *, states: Iterable[TransactionState] = (), batch_id: str = "", limit: int
) -> list[Transaction]:
    """Transactions without participants, the youngest first."""
    query = select(TRANSACTION).order_by(TRANSACTION.c.created_ms.desc(), TRANSACTION.c.transaction_id)
    if wanted := [state.value for state in states]:
        query = query.where(TRANSACTION.c.state.in_(wanted))
    if batch_id:
        query = query.where(TRANSACTION.c.batch_id == batch_id)
    return [_transaction(row) for row in connection.execute(query.limit(limit))]


def unfinished(connection: Connection) -> list[Transaction]:
    """Transactions that hold elements, with their participants: what a crash left, or what is under way."""
    ids = connection.execute(
        select(TRANSACTION.c.transaction_id)
        .where(TRANSACTION.c.state.in_([state.value for state in HOLDS_ELEMENTS]))
        .order_by(TRANSACTION.c.created_ms, TRANSACTION.c.transaction_id)
    ).scalars()
    return [read_transaction(connection, transaction_id) for transaction_id in list(ids)]


def held_elements(connection: Connection, *, besides: str = "") -> set[str]:
    """Elements that transactions hold, all but one of them."""
    rows = connection.execute(
        select(PARTICIPANT.c.element)
        .join(TRANSACTION, TRANSACTION.c.transaction_id == PARTICIPANT.c.transaction_id)
        .where(
            TRANSACTION.c.state.in_([state.value for state in HOLDS_ELEMENTS]),
            TRANSACTION.c.transaction_id != besides,
        )
    )
    return set(rows.scalars())


def queued(
    connection: Connection, *, now_ms: int, limit: int, canaries_only: Sequence[str] = ()
) -> list[Transaction]:
    """What waits and has its time come, in the order in which it should be begun, without participants.

    What is scheduled for later, or waits for its batch's canaries, takes no place: thousands of them would keep out
    what can be done now.

    Args:
        canaries_only: batches of which only the canaries are wanted.
    """
    waits_for_canaries = exists().where(
        BATCH.c.batch_id == TRANSACTION.c.batch_id,
        BATCH.c.batch_id.in_(canaries_only),
        TRANSACTION.c.batch_place >= BATCH.c.canaries,
    )
    query = (
        select(TRANSACTION)
        .where(
            TRANSACTION.c.state == TransactionState.QUEUED.value,
            TRANSACTION.c.not_before_ms <= now_ms,
            ~waits_for_canaries,
        )
        .order_by(
            TRANSACTION.c.priority.desc(),
            TRANSACTION.c.created_ms,
            TRANSACTION.c.batch_place,
            TRANSACTION.c.transaction_id,
        )
        .limit(limit)
    )
    return [_transaction(row) for row in connection.execute(query)]


def count_queued(connection: Connection) -> int:
    """How many transactions wait."""
    waiting = select(func.count()).where(TRANSACTION.c.state == TransactionState.QUEUED.value)
    return int(connection.execute(waiting.select_from(TRANSACTION)).scalar_one())


class Doubt(NamedTuple):
    """An element that lacks what was decided, or still has what was not, although it was tried."""

    element: str
    transaction_id: str
    reason: str


def in_doubt(connection: Connection) -> list[Doubt]:
    """Elements that could not be brought to what was decided so far, by name."""
    rows = connection.execute(
        select(PARTICIPANT.c.element, PARTICIPANT.c.transaction_id, PARTICIPANT.c.reason)
        .join(TRANSACTION, TRANSACTION.c.transaction_id == PARTICIPANT.c.transaction_id)
        .where(
            TRANSACTION.c.state.in_([state.value for state in HOLDS_ELEMENTS]),
            PARTICIPANT.c.is_settled.is_(False),
            PARTICIPANT.c.reason != "",
        )
        .order_by(PARTICIPANT.c.element, PARTICIPANT.c.transaction_id)
    )
    return [Doubt(*row) for row in rows]


def is_final(state: TransactionState) -> bool:
    """Whether nothing more happens."""
    return state in FINAL


def _transaction(row: Row[Any], participants: Iterable[Row[Any]] = ()) -> Transaction:
    elements: Sequence[str] = row.elements.split("\n") if row.elements else ()
    return Transaction(
        transaction_id=row.transaction_id,
        state=TransactionState(row.state),
        work=Work(row.work_kind, bytes(row.work_payload)),
        description=row.description,
        requested_by=row.requested_by,
        elements=tuple(elements),
        priority=row.priority,
        not_before_ms=row.not_before_ms,
        not_after_ms=row.not_after_ms,
        batch_id=row.batch_id,
        batch_place=row.batch_place,
        attempts=row.attempts,
        created_ms=row.created_ms,
        changed_ms=row.changed_ms,
        reason=row.reason,
        effects=bytes(row.effects),
        participants=tuple(_participant(one) for one in participants),
    )


def _participant(row: Row[Any]) -> Participant:
    return Participant(
        element=row.element,
        forward=_decode_diff(row.forward),
        before=None if row.before is None else _decode_configuration(row.before),
        is_settled=row.is_settled,
        reason=row.reason,
    )
