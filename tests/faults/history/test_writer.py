"""From the stream (``change_group``) into the history: each change once, whatever is interrupted."""

from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy.engine import URL

from ocs.faults.alarm_change import ChangeKind
from ocs.faults.history.queries import find_changes
from ocs.faults.history.question import HistoryQuery
from ocs.faults.history.writer import GROUP, HistoryWriter
from ocs.faults.store import keys
from ocs.limits import HISTORY_BATCH
from ocs.sql import Database
from ocs.sql_error import SqlUnavailableError
from tests.support.alarm_lab import AlarmLab, alarm_server, lab
from tests.support.alarms import NOW_MS, alarm_of, batch_of

__all__ = ["alarm_server", "lab"]


def written(database: Database) -> list[str]:
    """Ids of what the history has, oldest first."""
    query = HistoryQuery(limit=1_000)
    rows = database.read_blocking(lambda connection: find_changes(connection, query))
    return [row.change_id for row in rows][::-1]


def in_stream(lab: AlarmLab) -> list[str]:
    return [change.change_id for change in lab.changes()]


def write_all(writer: HistoryWriter) -> None:
    while writer.write():
        pass


def pending(lab: AlarmLab) -> int:
    return lab.client.xpending(keys.CHANGES, GROUP)["pending"]


def test_changes_of_before_the_first_writer_are_written_too(lab: AlarmLab, database: Database):
    lab.commit(batch_of(*(alarm_of(f"router{number}") for number in range(HISTORY_BATCH + 10))))
    writer = HistoryWriter(lab.client, database)
    assert [writer.write() for _ in range(3)] == [HISTORY_BATCH, 10, 0]
    assert written(database) == in_stream(lab)
    assert pending(lab) == 0


def test_writer_waits_for_a_stream_that_is_not_there_yet(lab: AlarmLab, database: Database):
    writer = HistoryWriter(lab.client, database)
    assert writer.write() == 0
    lab.commit(batch_of(alarm_of("router1")))
    assert writer.write() == 1


def test_crash_between_writing_and_acknowledging_writes_nothing_twice(
    lab: AlarmLab, database: Database, monkeypatch: pytest.MonkeyPatch
):
    lab.commit(batch_of(alarm_of("router1")))
    writer = HistoryWriter(lab.client, database)

    def crash(*_arguments: Any) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(lab.client, "xack", crash)
        with pytest.raises(redis.ConnectionError):
            writer.write()
    assert pending(lab) == 1
    lab.commit(batch_of(alarm_of("router2")))
    write_all(HistoryWriter(lab.client, database))
    assert written(database) == in_stream(lab)
    assert pending(lab) == 0


@pytest.mark.parametrize("is_new", [True, False])
def test_crash_between_reading_and_writing_loses_nothing(
    lab: AlarmLab, database: Database, monkeypatch: pytest.MonkeyPatch, is_new: bool
):
    lab.commit(batch_of(alarm_of("router1")))
    writer = HistoryWriter(lab.client, database)

    def crash(_work: object) -> None:
        raise SqlUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(database, "write_blocking", crash)
        for _ in range(2):
            with pytest.raises(SqlUnavailableError):
                writer.write()
    write_all(HistoryWriter(lab.client, database) if is_new else writer)
    assert written(database) == in_stream(lab)


def test_two_writers_for_a_moment_write_each_change_once(lab: AlarmLab, database: Database):
    first, second = HistoryWriter(lab.client, database), HistoryWriter(lab.client, database)
    for number in range(10):
        lab.commit(batch_of(alarm_of(f"router{number}")))
        (first if number % 2 else second).write()
    write_all(first)
    write_all(second)
    assert sorted(written(database)) == sorted(in_stream(lab))


def test_change_that_cannot_be_read_is_left_out_and_the_others_are_written(lab: AlarmLab, database: Database):
    lab.client.xadd(keys.CHANGES, {"c": b"\xc1 nothing"})
    lab.client.xadd(keys.CHANGES, {"other": b"field"})
    lab.commit(batch_of(alarm_of("router1")))
    write_all(HistoryWriter(lab.client, database))
    assert len(written(database)) == 1
    assert pending(lab) == 0


def test_changes_that_were_given_and_then_trimmed_hold_nothing_up(
    lab: AlarmLab, database: Database, monkeypatch: pytest.MonkeyPatch
):
    lab.commit(batch_of(alarm_of("router1")))
    writer = HistoryWriter(lab.client, database)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_database", None)
        with pytest.raises(AttributeError):
            writer.write()
    lab.client.xtrim(keys.CHANGES, maxlen=0, approximate=False)
    lab.commit(batch_of(alarm_of("router2"), kind=ChangeKind.RAISED))
    write_all(writer)
    assert written(database) == in_stream(lab)


def test_store_that_lost_the_stream_is_read_from_its_beginning_again(lab: AlarmLab, database: Database):
    writer = HistoryWriter(lab.client, database)
    lab.commit(batch_of(alarm_of("router1")))
    write_all(writer)
    lab.empty()
    lab.commit(batch_of(alarm_of("router2")))
    with pytest.raises(redis.RedisError):
        writer.write()
    write_all(writer)
    assert len(written(database)) == 2


def test_what_is_old_is_forgotten(lab: AlarmLab, database: Database):
    writer = HistoryWriter(lab.client, database)
    lab.commit(batch_of(alarm_of("router1")))
    write_all(writer)
    assert writer.forget(NOW_MS) == 0
    assert writer.forget(NOW_MS + 1) == 1
    assert written(database) == []


def test_changes_wait_from_the_first_look_on_though_the_database_is_away(lab: AlarmLab, tmp_path: Path):
    away = Database(URL.create("sqlite", database=str(tmp_path / "missing" / "ocs.db")))
    with pytest.raises(SqlUnavailableError):
        HistoryWriter(lab.client, away).prepare()
    assert [group["name"] for group in lab.client.xinfo_groups(keys.CHANGES)] == [GROUP.encode()]


def test_tables_are_made_where_there_are_none(lab: AlarmLab, empty_database: Database):
    lab.commit(batch_of(alarm_of("router1")))
    writer = HistoryWriter(lab.client, empty_database)
    writer.prepare()
    assert writer.write() == 1
