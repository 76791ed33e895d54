"""Batches of transactions in SQL: canaries first, stopped when too many fail."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, case, func, insert, select

from ocs.provisioning.transactions.queue import BatchProgress
from ocs.provisioning.transactions.states import TransactionState
from ocs.provisioning.transactions.tables import BATCH, TRANSACTION

_FAILED: Final = (TransactionState.REFUSED.value, TransactionState.ROLLED_BACK.value)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Transactions that are rolled out together.

    Attributes:
        canaries: how many go first. failures_max: how many may fail before the rest is cancelled.
    """

    batch_id: str
    description: str
    requested_by: str
    canaries: int
    failures_max: int
    created_ms: int


def add_batch(connection: Connection, batch: Batch) -> None:
    """Write a batch down; its transactions are added beside it. One that is known is left as it is."""
    known = connection.execute(select(BATCH.c.batch_id).where(BATCH.c.batch_id == batch.batch_id))
    if known.one_or_none() is None:
        connection.execute(insert(BATCH).values(**msgspec.to_builtins(batch)))


def progress_of(connection: Connection, batch_ids: Iterable[str]) -> dict[str, BatchProgress]:
    """How far batches have come; those that are not known are left out."""
    wanted = [batch_id for batch_id in set(batch_ids) if batch_id]
    if not wanted:
        return {}
    is_canary = TRANSACTION.c.batch_place < BATCH.c.canaries
    is_done = TRANSACTION.c.state == TransactionState.DONE.value
    rows: Any = connection.execute(
        select(
            BATCH.c.batch_id,
            BATCH.c.canaries,
            BATCH.c.failures_max,
            func.count(TRANSACTION.c.transaction_id),
            func.sum(case((is_canary & is_done, 1), else_=0)),
            func.sum(case((TRANSACTION.c.state.in_(_FAILED), 1), else_=0)),
        )
        .join(TRANSACTION, TRANSACTION.c.batch_id == BATCH.c.batch_id)
        .where(BATCH.c.batch_id.in_(wanted))
        .group_by(BATCH.c.batch_id, BATCH.c.canaries, BATCH.c.failures_max)
    )
    return {
        batch_id: BatchProgress(min(canaries, members), failures_max, int(canaries_done), int(failures))
        for batch_id, canaries, failures_max, members, canaries_done, failures in rows
    }


def waiting_for_canaries(connection: Connection) -> list[str]:
    """Batches of which only the canaries may begin now."""
    known = connection.execute(
        select(TRANSACTION.c.batch_id)
        .where(TRANSACTION.c.state == TransactionState.QUEUED.value, TRANSACTION.c.batch_id != "")
        .distinct()
    ).scalars()
    return [
        batch_id
        for batch_id, progress in progress_of(connection, known).items()
        if progress.canaries_done < progress.canaries and progress.failures <= progress.failures_max
    ]
