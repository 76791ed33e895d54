"""The history of alarms as the HTTP process reads it; SQLAlchemy is loaded by the first who asks."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ocs.faults.history.question import HistoryQuery, HistoryRow
from ocs.settings import Settings

if TYPE_CHECKING:
    from ocs.sql import Database


class SqlAlarmHistory:
    """An :class:`~ocs.api.alarms.history.AlarmHistory` in the SQL database; threads share it."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._database: Database | None = None

    def find(self, query: HistoryQuery) -> list[HistoryRow]:
        """The changes that are asked for, newest first.

        Raises:
            SqlError: no answer, or who writes the history has not made its tables yet.
        """
        from ocs.faults.history.queries import find_changes

        return self._open().read_blocking(lambda connection: find_changes(connection, query))

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            if self._database is not None:
                self._database.close()

    def _open(self) -> "Database":
        from ocs.sql import Database, database_url

        with self._lock:
            if self._database is None:
                self._database = Database(database_url(self._settings, self._data_dir))
            return self._database
