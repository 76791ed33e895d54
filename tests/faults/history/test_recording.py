"""Changes put into the history: each once, on both databases."""

import msgspec
import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import IntegrityError

from ocs.faults.alarm import AlarmKey, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.history.queries import find_changes
from ocs.faults.history.question import HistoryQuery, HistoryRow
from ocs.faults.history.recording import forget_before, record_changes
from ocs.faults.history.tables import ALARM_EPISODE
from ocs.faults.operator_axis import Comment
from ocs.sql import Database
from tests.support.alarms import NOW_MS, acknowledged_by, alarm_of, change_of

A, B = alarm_of("router1/if/1"), alarm_of("router2", severity=Severity.CRITICAL)
CLEARED = msgspec.structs.replace(A, is_cleared=True)


def record(database: Database, *changes: AlarmChange) -> int:
    return database.write_blocking(lambda connection: record_changes(connection, changes))


def rows(database: Database) -> list[HistoryRow]:
    """Oldest first."""
    return database.read_blocking(lambda connection: find_changes(connection, HistoryQuery()))[::-1]


def episodes(database: Database) -> list[tuple[str, int, int | None, int | None]]:
    def work(connection: Connection):
        columns = ALARM_EPISODE.c
        wanted = select(columns.resource, columns.raised_ms, columns.acknowledged_ms, columns.ended_ms)
        return [
            tuple(row) for row in connection.execute(wanted.order_by(columns.raised_ms, columns.resource))
        ]

    return database.read_blocking(work)


def test_change_is_kept_with_what_the_alarm_was_after_it(database: Database):
    change = change_of(A, is_notified=False)
    assert record(database, change) == 1
    (row,) = rows(database)
    assert (row.change_id, row.alarm_id, row.kind, row.at_ms) == (
        change.change_id,
        A.alarm_id,
        "raised",
        NOW_MS,
    )
    assert (row.resource, row.alarm_type, row.severity, row.text) == (
        "router1/if/1", "link-down", Severity.MAJOR, A.text,
    )  # fmt: skip
    assert (row.is_cleared, row.is_notified, row.operator, row.operator_state) == (False, False, "", 0)


def test_change_that_comes_again_is_written_once(database: Database):
    first, second = change_of(A), change_of(B)
    assert record(database, first, first) == 1
    assert record(database, first, second) == 1
    assert record(database, first, second) == 0
    assert [row.alarm_id for row in rows(database)] == [A.alarm_id, B.alarm_id]
    assert len(episodes(database)) == 2


def test_repeats_are_left_out(database: Database):
    assert record(database, change_of(A, ChangeKind.REPEATED), change_of(B)) == 1
    assert len(rows(database)) == 1


def test_raise_and_clear_of_one_batch_are_told_apart(database: Database):
    record(database, change_of(CLEARED), change_of(CLEARED, ChangeKind.CLEARED, NOW_MS + 1))
    assert [(row.kind, row.is_cleared) for row in rows(database)] == [("raised", False), ("cleared", True)]
    assert episodes(database) == [("router1/if/1", NOW_MS, None, NOW_MS + 1)]


def test_operators_deed_says_who_and_with_which_words(database: Database):
    record_of = acknowledged_by(A, "kim")
    record(database, change_of(A), change_of(A, ChangeKind.OPERATED, operator=record_of))
    assert [(row.operator, row.operator_text, row.operator_state) for row in rows(database)] == [
        ("", "", 0), ("kim", "on it", 2),
    ]  # fmt: skip


def test_newest_deed_may_be_a_comment(database: Database):
    commented = msgspec.structs.replace(
        acknowledged_by(A, "kim"), comments=(Comment(NOW_MS + 1, "lee", "fan"),), assigned_to="field"
    )
    record(database, change_of(A, ChangeKind.OPERATED, operator=commented))
    (row,) = rows(database)
    assert (row.operator, row.operator_text, row.assigned_to) == ("lee", "fan", "field")


def test_purged_alarm_of_which_nothing_is_known_is_told_all_the_same(database: Database):
    record(database, AlarmChange("c", ChangeKind.PURGED, A.alarm_id, NOW_MS, None))
    assert [(row.kind, row.resource) for row in rows(database)] == [("purged", "")]


def test_what_devices_send_finds_room(database: Database):
    key = AlarmKey("router\x001/if/" + "x" * 300, "odd", "\x00")
    odd = msgspec.structs.replace(
        A, key=key, text="\x00\u2603" * 500, source="\x00", probable_cause=2**40, occurrences=2**40
    )
    assert record(database, change_of(odd)) == 1
    (row,) = rows(database)
    assert row.text == "\ufffd\u2603" * 500
    assert (row.probable_cause, row.occurrences) == (2**31 - 1, 2**40)


def test_episode_goes_on_over_units_of_work(database: Database):
    record(database, change_of(A), change_of(B))
    record(database, change_of(A, ChangeKind.OPERATED, NOW_MS + 3, operator=acknowledged_by(A, "kim")))
    record(database, change_of(CLEARED, ChangeKind.CLEARED, NOW_MS + 9), change_of(A, at_ms=NOW_MS + 20))
    assert episodes(database) == [
        ("router1/if/1", NOW_MS, NOW_MS + 3, NOW_MS + 9),
        ("router2", NOW_MS, None, None),
        ("router1/if/1", NOW_MS + 20, None, None),
    ]


def test_change_that_another_wrote_between_the_look_and_the_insert_leaves_nothing(database: Database):
    change = change_of(A)
    record(database, change)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(IntegrityError):
        patch.setattr(Connection, "scalars", lambda *_: iter(()))
        record(database, change_of(B), change)
    assert len(rows(database)) == 1
    assert len(episodes(database)) == 1


def test_a_storm_is_written_with_as_many_statements_as_two_alarms(database: Database):
    def statements(count: int, kind: ChangeKind) -> int:
        alarms = [alarm_of(f"router{number}/if/{count}") for number in range(count)]
        told: list[object] = []

        def work(connection: Connection) -> None:
            event.listen(connection, "before_cursor_execute", lambda *told_of: told.append(told_of))
            is_cleared = kind is ChangeKind.CLEARED
            record_changes(
                connection,
                [change_of(msgspec.structs.replace(one, is_cleared=is_cleared), kind) for one in alarms],
            )

        database.write_blocking(work)
        return len(told)

    assert statements(2, ChangeKind.RAISED) == statements(100, ChangeKind.RAISED)
    assert statements(2, ChangeKind.CLEARED) == statements(100, ChangeKind.CLEARED)
    assert [ended for *_, ended in episodes(database)] == [NOW_MS] * 102


def test_what_is_old_is_forgotten_in_parts_and_what_stands_is_kept(database: Database):
    for number in range(5):
        record(database, change_of(A, at_ms=NOW_MS + 10 * number))
        record(database, change_of(CLEARED, ChangeKind.CLEARED, at_ms=NOW_MS + 10 * number + 5))
    record(database, change_of(B, at_ms=NOW_MS))
    forget = lambda: database.write_blocking(lambda c: forget_before(c, NOW_MS + 20, 3))  # noqa: E731
    gone = [forget() for _ in range(3)]
    assert gone == [5, 2, 0]
    assert min(row.at_ms for row in rows(database)) == NOW_MS + 20
    assert ("router2", NOW_MS, None, None) in episodes(database)
