"""The history over HTTP, from a database that its writer made; with it ocs.alarm_history."""

import pytest

from ocs.faults.alarm_change import ChangeKind
from ocs.faults.history.recording import record_changes
from ocs.faults.operator_axis import OperatorRecord
from ocs.migrations import upgrade_schema
from ocs.settings import Settings
from ocs.sql import Database, database_url
from tests.support.alarms import NOW_MS, acknowledged_by, alarm_of, change_of

pytestmark = pytest.mark.bounded(60)

HISTORY = "/api/v1/alarms/history"
A, B = alarm_of("router1/if/1"), alarm_of("router2", "card-failed")
CHANGES = [
    change_of(A, at_ms=NOW_MS),
    change_of(B, at_ms=NOW_MS + 1_000),
    change_of(B, ChangeKind.OPERATED, NOW_MS + 2_000, operator=acknowledged_by(B, "anna")),
    change_of(A, ChangeKind.PURGED, NOW_MS + 3_000, operator=OperatorRecord(A.alarm_id)),
]


@pytest.fixture
def written(tmp_path) -> None:
    database = Database(database_url(Settings(), tmp_path))
    upgrade_schema(database)
    database.write_blocking(lambda connection: record_changes(connection, CHANGES))
    database.close()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [3, 2, 1, 0]),
        (f"alarm_id={A.alarm_id}", [3, 0]),
        ("resource=router2", [2, 1]),
        ("alarm_type=card-failed&kind=raised", [1]),
        ("kind=operated,purged", [3, 2]),
        ("since=2027-01-15T08:00:01Z&until=2027-01-15T08:00:03Z", [2, 1]),
        ("resource=router", []),
    ],
)
async def test_history_is_searched(client, written, query, found):
    answer = await client.get(f"{HISTORY}?{query}")
    assert answer.status_code == 200, answer.text
    shown = [(one["alarm_id"], one["kind"]) for one in answer.json()["items"]]
    assert shown == [(CHANGES[index].alarm_id, str(CHANGES[index].kind)) for index in found]
    assert answer.json()["next_before"] is None


async def test_history_is_read_page_by_page_to_its_end(client, written):
    kinds: list[str] = []
    query = "limit=3"
    while True:
        page = (await client.get(f"{HISTORY}?{query}")).json()
        kinds += [one["kind"] for one in page["items"]]
        if page["next_before"] is None:
            break
        query = f"limit=3&before_number={page['next_before']}"
    assert kinds == ["purged", "operated", "raised", "raised"]


async def test_change_tells_the_alarm_after_it_and_who_acted(client, written):
    shown = (await client.get(f"{HISTORY}?kind=operated")).json()["items"][0]
    assert (shown["at"], shown["severity"]) == ("2027-01-15T08:00:02.000Z", "major")
    assert (shown["operator"], shown["operator_state"], shown["operator_text"]) == ("anna", "ack", "on it")


@pytest.mark.parametrize(
    "query", ["colour=red", "kind=odd", "since=soon", "limit=0", "limit=5000", "before_number=x"]
)
async def test_condition_that_is_none_is_refused(client, query):
    answer = await client.get(f"{HISTORY}?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(query.partition("=")[0])


async def test_history_that_nobody_has_written_yet_is_not_there_for_a_while(client):
    answer = await client.get(HISTORY)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
