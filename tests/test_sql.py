"""The one SQL engine: addresses, units of work, the schema; SQLite and PostgreSQL alike.

The steps of the schema (``v0001_alarm_history``, ``v0002_inventory``, ``v0003_provisioning``), which alembic runs by
``env.py``, must give what the tables say.

Covers ``v0004_compliance``, ``v0005_changed_transactions`` and ``v0006_service_orders`` too.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from ocs.api.service_ordering import tables as ordering_tables
from ocs.faults.history import tables as history_tables
from ocs.inventory import tables as inventory_tables
from ocs.migrations import read_status, upgrade_schema
from ocs.provisioning.compliance import tables as compliance_tables
from ocs.provisioning.transactions import tables as provisioning_tables
from ocs.settings import Settings, SqlSettings
from ocs.sql import METADATA, Database, database_url
from ocs.sql_error import SqlError, SqlUnavailableError
from tests.support.databases import database, empty_database, postgres_server
from tests.support.postgres import Postgres

__all__ = ["database", "empty_database", "postgres_server"]

ROOMS = (history_tables, inventory_tables, provisioning_tables, compliance_tables, ordering_tables)
LATEST = "0006"


def settings_of(url: str, directory: Path = Path(), **more: Any) -> Settings:
    return Settings(sql=SqlSettings(url=url, **more), directory=directory)


def count(connection: Connection, table: str = "probe") -> int:
    return connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0


def make_probe(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE probe (number INTEGER PRIMARY KEY)"))


def put(number: int) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text("INSERT INTO probe VALUES (:n)"), {"n": number})


# --- Addresses ----------------------------------------------------------------------------------------------------


def test_database_is_a_file_of_the_data_folder_unless_another_is_named(tmp_path: Path):
    url = database_url(Settings(), tmp_path)
    assert (url.drivername, url.database) == ("sqlite", str(tmp_path / "ocs.db"))


def test_relative_path_starts_at_the_configuration(tmp_path: Path):
    url = database_url(settings_of("sqlite:///sub/my.db", tmp_path), Path("elsewhere"))
    assert url.database == str(tmp_path / "sub" / "my.db")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("postgresql://u@h:5432", "names no database"),
        ("postgresql+asyncpg://u@h/d", "expected sqlite"),
        ("postgresql://u@h:port/d", "expected sqlite"),
        ("mysql://u@h/d", "expected sqlite"),
        ("nonsense", "expected sqlite"),
    ],
)
def test_address_that_cannot_be_used_is_one_line_naming_the_key(text: str, named: str):
    with pytest.raises(SqlError, match=named) as caught:
        database_url(settings_of(text), Path())
    assert str(caught.value).startswith("sql.url: ")
    assert "\n" not in str(caught.value)


def test_password_comes_from_its_file_and_is_never_shown(tmp_path: Path):
    file = tmp_path / "secret"
    file.write_text("correct horse\n")
    file.chmod(0o600)
    url = database_url(settings_of("postgresql://u@h/d", password_file=str(file)), tmp_path)
    assert url.password == "correct horse"
    assert "correct" not in str(Database(url))


def test_server_that_does_not_answer_is_one_line_without_the_password(tmp_path: Path):
    url = database_url(settings_of(f"postgresql://u:hush@/d?host={tmp_path}"), tmp_path)
    database = Database(url)
    with pytest.raises(SqlUnavailableError) as caught:
        database.read_blocking(lambda connection: None)
    assert "[sql] url" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_is_no_database_is_refused(tmp_path: Path):
    (tmp_path / "ocs.db").write_bytes(b"something else" * 100)
    database = Database(database_url(Settings(), tmp_path))
    with pytest.raises(SqlError, match="not a database"):
        database.read_blocking(lambda connection: connection.execute(text("SELECT 1")))


# --- Units of work ------------------------------------------------------------------------------------------------


async def test_unit_of_work_is_done_as_a_whole(empty_database: Database):
    await empty_database.write(make_probe)
    await empty_database.write(put(1))
    assert await empty_database.read(count) == 1


async def test_unit_of_work_that_fails_leaves_nothing(empty_database: Database):
    await empty_database.write(make_probe)

    def fail(connection: Connection) -> None:
        put(1)(connection)
        raise KeyError

    with pytest.raises(KeyError):
        await empty_database.write(fail)
    assert await empty_database.read(count) == 0


async def test_constraint_that_is_broken_is_told_as_what_it_is(empty_database: Database):
    await empty_database.write(make_probe)
    await empty_database.write(put(1))
    with pytest.raises(IntegrityError):
        await empty_database.write(put(1))


async def test_cancelled_unit_of_work_is_whole(empty_database: Database):
    await empty_database.write(make_probe)
    began = threading.Event()

    def work(connection: Connection) -> None:
        began.set()
        for number in range(50):
            put(number)(connection)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(empty_database.write, work)
        await trio.to_thread.run_sync(began.wait)
        nursery.cancel_scope.cancel()
    assert await empty_database.read(count) == 50


async def test_sqlites_writers_wait_for_each_other_and_lose_nothing(tmp_path: Path):
    database = Database(database_url(Settings(), tmp_path))
    await database.write(make_probe)

    def next_number(connection: Connection) -> None:
        connection.execute(text("INSERT INTO probe SELECT coalesce(max(number), 0) + 1 FROM probe"))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(database.write, next_number)
    assert await database.read(count) == 20


async def test_writer_of_another_process_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("ocs.sql.SQL_LOCK_TIMEOUT_S", 0.01)
    url = database_url(Settings(), tmp_path)
    ours, theirs = Database(url), Database(url)
    await ours.write(make_probe)

    def meanwhile(connection: Connection) -> None:
        with pytest.raises(SqlUnavailableError, match="locked"):
            theirs.write_blocking(put(2), patience_s=0.01)
        put(1)(connection)

    await ours.write(meanwhile)
    assert await theirs.read(count) == 1


async def test_sqlite_syncs_each_commit_and_lets_readers_read_beside_a_writer(tmp_path: Path):
    database = Database(database_url(Settings(), tmp_path))
    await database.write(make_probe)
    pragmas = ("journal_mode", "synchronous", "foreign_keys")
    values = await database.read(
        lambda connection: [connection.scalar(text(f"PRAGMA {pragma}")) for pragma in pragmas]
    )
    assert values == ["wal", 2, 1]

    def write(connection: Connection) -> int:
        put(1)(connection)
        return database.read_blocking(count)

    assert await database.write(write) == 0


# --- The schema ---------------------------------------------------------------------------------------------------


def test_schema_is_brought_up_to_date_once(empty_database: Database):
    before = read_status(empty_database)
    assert before.current is None
    assert not before.is_current
    assert upgrade_schema(empty_database).current is None
    assert upgrade_schema(empty_database).is_current
    assert read_status(empty_database).is_current


def test_steps_make_what_the_tables_say(database: Database):
    assert all(room.METADATA is METADATA for room in ROOMS)
    differences = database.read_blocking(
        lambda connection: compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), METADATA
        )
    )
    assert differences == []


def test_two_processes_that_start_at_once_migrate_once(empty_database: Database, tmp_path: Path):
    other = Database(empty_database._url)
    results: list[Any] = []
    both = threading.Barrier(2)

    def start(database: Database) -> None:
        both.wait()
        try:
            results.append(upgrade_schema(database).current)
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=start, args=(database,)) for database in (empty_database, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(map(str, results)) == [LATEST, "None"]


def test_schema_of_a_later_release_is_refused(database: Database):
    database.write_blocking(
        lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    )
    with pytest.raises(SqlError, match="later release"):
        upgrade_schema(database)


def test_migration_that_fails_leaves_nothing(empty_database: Database, monkeypatch: Any):
    def fail(connection: Connection) -> None:
        upgrade_schema_step(connection)
        raise RuntimeError

    from ocs import migrations

    original = migrations.command.upgrade

    def upgrade_schema_step(connection: Connection) -> None:
        configuration = migrations._configuration()
        configuration.attributes["connection"] = connection
        original(configuration, "head")

    with pytest.raises(RuntimeError):
        empty_database.write_blocking(fail)
    assert read_status(empty_database).current is None
    assert upgrade_schema(empty_database).current is None


async def test_server_that_was_restarted_is_met_with_a_new_connection(
    postgres_server: Callable[[], Postgres], tmp_path: Path
):
    server = postgres_server()
    database = Database(database_url(settings_of(server.url), tmp_path))
    assert await database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    await trio.to_thread.run_sync(server.stop)
    with pytest.raises(SqlUnavailableError):
        await database.read(lambda connection: connection.scalar(text("SELECT 1")))
    await trio.to_thread.run_sync(server.start)
    assert await database.read(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    database.close()
