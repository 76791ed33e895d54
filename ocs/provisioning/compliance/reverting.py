"""Reverts of drift as transactions of the queue: one at a time for an element, and not for ever."""

import hashlib
from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, select

from ocs.limits import DRIFT_REVERTS_PER_HOUR_MAX
from ocs.provisioning.compliance.drift import Finding, expected, repair
from ocs.provisioning.configuration_work import ConfigurationWork
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.states import FINAL, TransactionState
from ocs.provisioning.transactions.tables import TRANSACTION

_HOUR_MS: Final = 3_600_000
_FINAL: Final = [state.value for state in FINAL]
BY_POLICY: Final = "drift policy"


class TooManyRevertsError(Exception):
    """Somebody changes the element again and again; people must look."""


def queue_revert(
    connection: Connection, element: str, findings: Iterable[Finding], *, requested_by: str, now_ms: int
) -> str:
    """Queue what has an element run again what services want, unless that waits or is under way already.

    The change is refused when the element has other values by then than the findings say: somebody judges those first.

    Returns:
        The transaction's id.

    Raises:
        TooManyRevertsError: by policy alone it was done too often within an hour.
    """
    wanted = list(findings)
    mine = _of(element)
    waiting = connection.execute(
        select(TRANSACTION.c.transaction_id).where(mine, TRANSACTION.c.state.not_in(_FINAL)).limit(1)
    ).scalar_one_or_none()
    if waiting is not None:
        return waiting
    lately = connection.execute(
        select(func.count()).where(mine, TRANSACTION.c.created_ms > now_ms - _HOUR_MS)
    ).scalar_one()
    if requested_by == BY_POLICY and lately >= DRIFT_REVERTS_PER_HOUR_MAX:
        raise TooManyRevertsError(f"reverted {lately} times within an hour, and changed again")
    transaction = Transaction(
        transaction_id=f"{_prefix(element)}{now_ms:x}",
        state=TransactionState.QUEUED,
        work=ConfigurationWork({element: repair(wanted)}, {element: expected(wanted)}).work(),
        description=f"revert drift of {element}",
        requested_by=requested_by,
        elements=(element,),
        created_ms=now_ms,
    )
    journal.add_transaction(connection, transaction)
    return transaction.transaction_id


def _prefix(element: str) -> str:
    return f"revert-{hashlib.blake2b(element.encode(), digest_size=5).hexdigest()}-"


def _of(element: str) -> ColumnElement[bool]:
    return TRANSACTION.c.transaction_id.startswith(_prefix(element))
