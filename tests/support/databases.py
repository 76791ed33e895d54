"""Empty databases of both kinds, for fixtures."""

import contextlib
import functools
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from sqlalchemy import text

from ocs.migrations import upgrade_schema
from ocs.settings import Settings, SqlSettings
from ocs.sql import Database, database_url
from tests.support.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Generator[Callable[[], Postgres]]:
    """The session's one PostgreSQL, started when it is first wanted."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda: stack.enter_context(postgres()))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(
    request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Callable[[], Postgres]
) -> Generator[Database]:
    """A database without any schema."""
    url = postgres_server().url if request.param == "postgresql" else ""
    database = Database(database_url(Settings(sql=SqlSettings(url=url)), tmp_path))
    if not database.is_sqlite:
        database.write_blocking(
            lambda connection: [
                connection.execute(text(line))
                for line in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
            ]
        )
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database with our schema."""
    upgrade_schema(empty_database)
    return empty_database
