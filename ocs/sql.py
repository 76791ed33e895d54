"""The one SQL database: SQLite in the data folder by default, PostgreSQL by ``[sql] url``.

SQLAlchemy's asynchronous mode does not run on trio, so a unit of work is one function over a connection, run in a
thread: one transaction, done as a whole or not at all. SQLite has one writer: writes say so when they begin, and wait
for each other instead of failing half-way.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import trio
from sqlalchemy import Connection, MetaData, create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ocs.limits import SQL_CONNECTIONS_MAX, SQL_LOCK_TIMEOUT_S
from ocs.secret_file import read_secret_file
from ocs.settings import Settings, resolve_path
from ocs.sql_error import SqlError, SqlUnavailableError

_T = TypeVar("_T")

# Every table of every room; their migrations are :mod:`ocs.migrations`. Names of constraints are part of the schema.
METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_FILE: Final = "ocs.db"
_FORMS: Final = "expected sqlite:///PATH or postgresql://USER@HOST:PORT/DATABASE"
# Execution options of ours, which the events below read.
_WRITES: Final = "ocs_writes"
_PATIENCE_S: Final = "ocs_patience_s"
_LOCK_POLL_S: Final = 0.005


def database_url(settings: Settings, data_dir: Path) -> URL:
    """The database that the settings mean.

    Raises:
        SqlError: the address cannot be used; names the key.
        SecretFileError: the password's file cannot be read.
    """
    text = settings.sql.url
    if not text:
        return URL.create("sqlite", database=str((data_dir / _FILE).absolute()))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a port that is no number
        raise SqlError(f"sql.url: {_FORMS}") from None
    match url.drivername:
        case "sqlite" | "sqlite+pysqlite":
            if url.database in {None, "", ":memory:"}:
                raise SqlError(f"sql.url: names no file: {_FORMS}")
            return URL.create("sqlite", database=str(resolve_path(settings, url.database or "").absolute()))
        case "postgresql" | "postgresql+psycopg":
            if not url.database:
                raise SqlError(f"sql.url: names no database: {_FORMS}")
        case _:
            raise SqlError(f"sql.url: {_FORMS}")
    if settings.sql.password_file:
        url = url.set(password=read_secret_file(resolve_path(settings, settings.sql.password_file)))
    return url.set(drivername="postgresql+psycopg")


class Database:
    """A database; threads share it. It connects when it is first used.

    Args:
        url: from :func:`database_url`.
    """

    def __init__(self, url: URL) -> None:
        self._url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = _make_engine(url, is_sqlite=self.is_sqlite)
        self._writer = threading.Lock()
        self._threads = trio.CapacityLimiter(SQL_CONNECTIONS_MAX)

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close every connection; the database may be used again."""
        self._engine.dispose()

    # --- From trio --------------------------------------------------------------------------------------

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        """Run a unit of work that writes nothing, in a thread; see :meth:`write`."""
        return await trio.to_thread.run_sync(self.read_blocking, work, limiter=self._threads)

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """Run a unit of work in a transaction of its own, in a thread.

        Cancellation waits for the unit: it is done as a whole or not at all, but the caller may not learn which.

        Raises:
            SqlUnavailableError: nothing was done; or, if the connection broke while it was committed, it is not known.
        """
        return await trio.to_thread.run_sync(self.write_blocking, work, limiter=self._threads)

    # --- From a thread, or the command line -------------------------------------------------------------

    def read_blocking(self, work: Callable[[Connection], _T]) -> _T:
        """Run a unit of work that writes nothing.

        Raises:
            SqlUnavailableError: no answer.
        """
        with self._explained(), self._engine.connect() as connection:
            connection.execution_options(postgresql_readonly=True)
            with connection.begin():
                return work(connection)

    def write_blocking(
        self, work: Callable[[Connection], _T], *, patience_s: float = SQL_LOCK_TIMEOUT_S
    ) -> _T:
        """Run a unit of work in a transaction of its own.

        Args:
            patience_s: how long it waits for another writer (SQLite).

        Raises:
            SqlUnavailableError: as :meth:`write`.
        """
        with self._explained(), self._one_writer(), self._engine.connect() as connection:
            connection.execution_options(**{_WRITES: True, _PATIENCE_S: patience_s})
            with connection.begin():
                return work(connection)

    @contextmanager
    def _one_writer(self) -> Generator[None]:
        """Let the threads of this process wait for each other fairly, not by SQLite's polling."""
        if not self.is_sqlite:
            yield
            return
        with self._writer:
            yield

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise SqlUnavailableError(f"{self}: {_first_line(error)}: see [sql] url") from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise  # a constraint, a statement: a fault of ours
            raise SqlError(f"{self}: {_first_line(error)}: see [sql] url") from error


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return next((line.strip() for line in str(cause).splitlines() if line.strip()), type(cause).__name__)


# --- Engines ------------------------------------------------------------------------------------------------------


def _make_engine(url: URL, *, is_sqlite: bool) -> Engine:
    timeout_s = SQL_LOCK_TIMEOUT_S
    if not is_sqlite:
        return create_engine(
            url,
            pool_size=SQL_CONNECTIONS_MAX,
            max_overflow=0,
            pool_timeout=timeout_s,
            pool_pre_ping=True,  # a server that was restarted is not met with a dead connection
            connect_args={"connect_timeout": int(timeout_s), "application_name": "ocs"},
        )
    engine = create_engine(
        url, pool_size=SQL_CONNECTIONS_MAX, max_overflow=0, pool_timeout=timeout_s,
        connect_args={"timeout": timeout_s, "check_same_thread": False},
    )  # fmt: skip
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Transactions are begun by _begin_sqlite: Python's own begin late, and not for DDL.
    connection.isolation_level = None
    _set_journal_mode(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _set_journal_mode(connection: Any) -> None:
    """Have a new file use a write-ahead log; SQLite does not wait for another process that does so just now."""
    give_up_at_s = time.monotonic() + SQL_LOCK_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at_s:
                raise
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(_WRITES):
        connection.exec_driver_sql("BEGIN")
        return
    # Said at once: a transaction that read first and then writes would be refused when another has written meanwhile.
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(options[_PATIENCE_S] * 1000)}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
