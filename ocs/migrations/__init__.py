"""The schema of the SQL database, step by step; brought up to date when a process that uses it starts.

Each step is a module of :mod:`ocs.migrations.versions`, numbered, never changed once released. Two processes may start
at once: one migrates, the other waits and finds it done. Blocking.
"""

from importlib import resources
from typing import Final

import msgspec
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ocs.limits import SQL_MIGRATION_TIMEOUT_S
from ocs.sql import Database
from ocs.sql_error import SqlError

# Any number, the same in all releases: what PostgreSQL's advisory lock is taken under.
_LOCK: Final = 0x6F63_7362


class SchemaStatus(msgspec.Struct, frozen=True):
    """Where a database's schema stands.

    Attributes:
        current: its last step; None when it has none. newest: of this release.
    """

    current: str | None
    newest: str

    @property
    def is_current(self) -> bool:
        """Whether nothing is to be done."""
        return self.current == self.newest


def read_status(database: Database) -> SchemaStatus:
    """Say where a database's schema stands.

    Raises:
        SqlError: no answer.
    """
    return database.read_blocking(lambda connection: _status_of(connection, _configuration()))


def upgrade_schema(database: Database) -> SchemaStatus:
    """Bring a database's schema up to date; returns where it stood before.

    Raises:
        SqlError: no answer, or a later release has written it.
    """

    def work(connection: Connection) -> SchemaStatus:
        if not database.is_sqlite:  # SQLite's one writer is its lock
            connection.execute(text(f"SET LOCAL lock_timeout = '{SQL_MIGRATION_TIMEOUT_S:.0f}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        configuration = _configuration()
        before = _status_of(connection, configuration)
        if not before.is_current:
            steps = {step.revision for step in ScriptDirectory.from_config(configuration).walk_revisions()}
            if before.current is not None and before.current not in steps:
                raise SqlError(
                    f"{database}: a later release has written this database (step {before.current},"
                    f" and this one knows {before.newest}): run that release"
                )
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
        return before

    return database.write_blocking(work, patience_s=SQL_MIGRATION_TIMEOUT_S)


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option(
        "script_location", str(resources.files("ocs.migrations")).replace("%", "%%")
    )
    return configuration


def _status_of(connection: Connection, configuration: Config) -> SchemaStatus:
    newest = ScriptDirectory.from_config(configuration).get_current_head()
    assert newest is not None  # noqa: S101 - a release has steps
    return SchemaStatus(MigrationContext.configure(connection).get_current_revision(), newest)
