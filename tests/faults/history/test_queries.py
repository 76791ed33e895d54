"""Questions to the history."""

from typing import Any

import pytest

from ocs.faults.alarm_change import ChangeKind
from ocs.faults.history.queries import find_changes, find_ids
from ocs.faults.history.question import HistoryQuery
from ocs.faults.history.recording import record_changes
from ocs.sql import Database
from tests.support.alarms import NOW_MS, alarm_of, change_of

PORT, CARD, OTHER = alarm_of("router1/if/1"), alarm_of("router1/card_1", "card-failed"), alarm_of("router10")


@pytest.fixture
def history(database: Database) -> Database:
    changes = [
        change_of(PORT, at_ms=NOW_MS),
        change_of(CARD, at_ms=NOW_MS + 1),
        change_of(OTHER, at_ms=NOW_MS + 2),
        change_of(PORT, ChangeKind.CLEARED, at_ms=NOW_MS + 3),
    ]
    database.write_blocking(lambda connection: record_changes(connection, changes))
    return database


def find(database: Database, **wanted: Any) -> list[tuple[str, str]]:
    rows = database.read_blocking(lambda connection: find_changes(connection, HistoryQuery(**wanted)))
    return [(row.resource, row.kind) for row in rows]


ALL = [
    ("router1/if/1", "cleared"),
    ("router10", "raised"),
    ("router1/card_1", "raised"),
    ("router1/if/1", "raised"),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ALL),
        ({"alarm_id": PORT.alarm_id}, [ALL[0], ALL[3]]),
        ({"resource": "router1"}, [ALL[0], ALL[2], ALL[3]]),
        ({"resource": "router1/if/1"}, [ALL[0], ALL[3]]),
        ({"resource": "router_"}, []),
        ({"resource": "router1/%"}, []),
        ({"alarm_type": "card-failed"}, [ALL[2]]),
        ({"kinds": (ChangeKind.CLEARED, ChangeKind.PURGED)}, [ALL[0]]),
        ({"since_ms": NOW_MS + 1, "until_ms": NOW_MS + 3}, ALL[1:3]),
        ({"limit": 2}, ALL[:2]),
        ({"limit": 0}, ALL[:1]),
    ],
)
def test_question_finds_what_it_says_newest_first(
    history: Database, wanted: dict[str, Any], found: list[tuple[str, str]]
):
    assert find(history, **wanted) == found


def test_pages_follow_each_other(history: Database):
    seen: list[str] = []
    before = None
    while True:
        query = HistoryQuery(before_number=before, limit=3)
        page = history.read_blocking(lambda connection, query=query: find_changes(connection, query))
        if not page:
            break
        seen += [row.change_id for row in page]
        before = page[-1].change_number
    assert len(set(seen)) == len(seen) == 4


@pytest.mark.parametrize("letters", [4, 15, 16])
def test_alarm_is_known_by_the_first_letters_of_its_id(history: Database, letters: int):
    beginning = PORT.alarm_id[:letters]
    assert history.read_blocking(lambda connection: find_ids(connection, beginning, 2)) == [PORT.alarm_id]


def test_ids_are_told_once_and_no_more_than_are_wanted(history: Database):
    everything = history.read_blocking(lambda connection: find_ids(connection, "", 10))
    assert sorted(everything) == sorted({PORT.alarm_id, CARD.alarm_id, OTHER.alarm_id})
    assert len(history.read_blocking(lambda connection: find_ids(connection, "", 2))) == 2
    assert history.read_blocking(lambda connection: find_ids(connection, "%", 2)) == []
