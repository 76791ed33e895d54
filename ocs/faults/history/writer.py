"""Carries changes from the stream into the history, each once: written first, acknowledged then, recognised by its id.

Run on the node that has the alarm list; a second one beside it, for a moment, does no harm. Blocking.
"""

from typing import Final

from sqlalchemy.exc import IntegrityError

from ocs.balance.store_client import StoreClient
from ocs.faults.history.recording import forget_before, record_changes
from ocs.faults.store.change_group import ChangeGroup
from ocs.limits import HISTORY_BATCH, HISTORY_FORGET_BATCH
from ocs.metrics import Counter
from ocs.migrations import upgrade_schema
from ocs.sql import Database

GROUP: Final = "history"

_WRITTEN: Final = Counter("ocs_alarm_history_changes_total", "Changes of alarms written into the history.")


class HistoryWriter:
    """Writes the history of alarms.

    Args:
        database: its tables are there once :meth:`prepare` was done.
    """

    def __init__(self, client: StoreClient, database: Database) -> None:
        self._group = ChangeGroup(client, GROUP, from_beginning=True)
        self._database = database

    def prepare(self) -> None:
        """Have changes kept for us from now on, and the tables made or brought up to date.

        Raises:
            redis.RedisError, SqlError: do it again. What changed since the first has been done waits.
        """
        self._group.open()
        upgrade_schema(self._database)

    def write(self) -> int:
        """Carry over the next changes; returns how many there were, 0 when there is nothing to do.

        Raises:
            redis.RedisError, SqlError: nothing is lost; do it again.
        """
        self._group.open()
        found = self._group.read(HISTORY_BATCH)
        if not found:
            return 0
        changes = [followed.change for followed in found]
        try:
            _WRITTEN.inc(
                by=self._database.write_blocking(lambda connection: record_changes(connection, changes))
            )
        except IntegrityError:
            return len(found)  # another writer was faster: they are looked at again
        self._group.done(found)
        return len(found)

    def forget(self, before_ms: int) -> int:
        """Forget some of what happened before a moment; returns how many rows went, 0 when none is left.

        Raises:
            SqlError: no answer.
        """
        return self._database.write_blocking(
            lambda connection: forget_before(connection, before_ms, HISTORY_FORGET_BATCH)
        )
