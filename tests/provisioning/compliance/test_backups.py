"""Versions of configurations, in either database."""

import pytest
from sqlalchemy import func, select

from ocs.limits import BACKUPS_PER_ELEMENT_MAX
from ocs.provisioning.compliance.backups import (
    BackupContent,
    find_backup,
    get_backup,
    list_backups,
    newest_backups,
    read_content,
    store_backup,
)
from ocs.provisioning.compliance.errors import NoSuchBackupError
from ocs.provisioning.compliance.tables import BACKUP_CONTENT
from ocs.sql import Database
from tests.support.elements import ethernet

ONE, TWO = ethernet("a", "one"), ethernet("a", "two")


def store(database: Database, element: str, configuration: dict[str, str | None], now_ms: int) -> int:
    return database.write_blocking(
        lambda connection: store_backup(
            connection, element, configuration, f"<{len(configuration)}>", cause="a test", now_ms=now_ms
        )
    )


def contents(database: Database) -> int:
    return database.read_blocking(
        lambda connection: connection.execute(select(func.count()).select_from(BACKUP_CONTENT)).scalar_one()
    )


def test_a_version_is_kept_for_each_change_and_the_content_once(database: Database) -> None:
    assert [store(database, "pe1", one, at) for at, one in enumerate((ONE, ONE, TWO, ONE), 1)] == [1, 0, 2, 3]
    assert store(database, "pe2", dict(reversed(ONE.items())), 9) == 1
    assert contents(database) == 2
    kept = database.read_blocking(lambda connection: list_backups(connection, "pe1"))
    assert [(one.version, one.taken_ms, one.seen_ms) for one in kept] == [(3, 4, 4), (2, 3, 3), (1, 1, 2)]
    newest = database.read_blocking(newest_backups)
    assert {name: one.version for name, one in newest.items()} == {"pe1": 3, "pe2": 1}
    assert newest["pe1"].content_hash == newest["pe2"].content_hash


def test_what_an_element_ran_at_a_time_is_found(database: Database) -> None:
    for at, one in ((10, ONE), (20, TWO)):
        store(database, "pe1", one, at)

    def content(at_ms: int) -> BackupContent:
        return database.read_blocking(
            lambda connection: read_content(connection, get_backup(connection, "pe1", at_ms=at_ms))
        )

    assert content(15) == BackupContent(ONE, "<3>")
    assert content(20).configuration == TWO
    with pytest.raises(NoSuchBackupError, match="of then"):
        content(9)
    with pytest.raises(NoSuchBackupError, match="backup 7"):
        database.read_blocking(lambda connection: get_backup(connection, "pe1", version=7))
    assert database.read_blocking(lambda connection: find_backup(connection, "pe9")) is None


def test_the_oldest_versions_go_and_contents_that_nobody_has_with_them(database: Database) -> None:
    store(database, "pe2", ethernet("a", "0"), 1)
    for number in range(BACKUPS_PER_ELEMENT_MAX + 3):
        store(database, "pe1", ethernet("a", str(number)), number)
    kept = database.read_blocking(lambda connection: list_backups(connection, "pe1"))
    assert len(kept) == BACKUPS_PER_ELEMENT_MAX
    assert kept[-1].version == 4
    assert contents(database) == BACKUPS_PER_ELEMENT_MAX + 1, "and the one that another element still has"
