"""Who knows what a piece of work means: plans it, and records what was decided."""

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ocs.log import get_logger
from ocs.provisioning.configuration import Configuration
from ocs.provisioning.transactions.record import Plan, Transaction

log = get_logger(__name__)


class WorkRefusedError(Exception):
    """The work cannot be done as things stand; says why. Nothing was changed."""


class Planner(Protocol):
    """Plans one kind of work. Both are units of work in the database, without any other I/O."""

    def plan(self, connection: Connection, payload: bytes) -> Plan:
        """What the work means for the elements now. A plan without anything to send is decided at once.

        Raises:
            WorkRefusedError: it cannot be done.
        """
        ...

    def record(
        self, connection: Connection, effects: bytes, before: Mapping[str, Configuration], now_ms: int
    ) -> None:
        """Write what was decided; in the transaction that decides.

        Args:
            before: element -> what stood at the touched paths.

        Raises:
            WorkRefusedError: things are not as they were when it was planned; all is undone.
        """
        ...

    def refuse(self, connection: Connection, payload: bytes, reason: str, now_ms: int) -> None:
        """Write that it was refused, cancelled or rolled back; in the transaction that says so."""
        ...


def tell_refused(
    planners: Mapping[str, Planner],
    connection: Connection,
    transaction: Transaction,
    reason: str,
    now_ms: int,
) -> None:
    """Have the planner know that its work will not be done; work that nobody can read left nothing behind."""
    planner = planners.get(transaction.work.kind)
    if planner is None:
        return
    try:
        with connection.begin_nested():
            planner.refuse(connection, transaction.work.payload, reason, now_ms)
    except SQLAlchemyError:
        raise
    except Exception:  # around a request: one piece of work fails alone
        log.exception("refusal_not_told", transaction=transaction.transaction_id)
