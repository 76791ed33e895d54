"""Filters and orders of the alarm list."""

from typing import Any

import msgspec
import pytest

from ocs.faults.alarm import Severity
from ocs.faults.operator_axis import OperatorRecord, OperatorState
from ocs.faults.view.selection import SORT_KEYS, AlarmFilter, AlarmRow, Order, PageRequest, select_rows
from tests.support.alarms import NOW_MS, alarm_of

CARD = alarm_of("router1/card/1", "card-failed", severity=Severity.CRITICAL, affected_services=("voice",))
PORT = alarm_of("router1/if/1", source="192.0.2.7", root_cause=CARD.alarm_id, suppression="symptom")
OVER = alarm_of("router10", text="Power is back", is_cleared=True, last_changed_ms=NOW_MS + 5)
SEEN = alarm_of("router2", severity=Severity.WARNING)
SHELF = alarm_of("router3", "fan-failed", severity=Severity.MINOR)
RECORDS = {
    SEEN.alarm_id: OperatorRecord(SEEN.alarm_id, OperatorState.ACK, assigned_to="kim"),
    SHELF.alarm_id: OperatorRecord(SHELF.alarm_id, OperatorState.SHELVED, shelved_until_ms=NOW_MS + 10),
}
ROWS = [AlarmRow(alarm, RECORDS.get(alarm.alarm_id)) for alarm in (CARD, PORT, OVER, SEEN, SHELF)]


def found(**wanted: Any) -> set[str]:
    return {row.alarm.key.resource for row in select_rows(ROWS, AlarmFilter(**wanted), NOW_MS)}


ALL = {"router1/card/1", "router1/if/1", "router10", "router2", "router3"}


@pytest.mark.parametrize(
    ("wanted", "resources"),
    [
        ({}, ALL),
        ({"is_cleared": True}, {"router10"}),
        ({"is_cleared": False}, ALL - {"router10"}),
        ({"severities": frozenset({Severity.CRITICAL, Severity.MINOR})}, {"router1/card/1", "router3"}),
        ({"resource": "router1"}, {"router1/card/1", "router1/if/1"}),
        ({"resource": "router1/if/1"}, {"router1/if/1"}),
        ({"alarm_type": "fan-failed"}, {"router3"}),
        ({"source": "192.0.2.7"}, {"router1/if/1"}),
        ({"is_symptom": True}, {"router1/if/1"}),
        ({"is_symptom": False}, ALL - {"router1/if/1"}),
        ({"root_cause": CARD.alarm_id}, {"router1/if/1"}),
        ({"is_suppressed": True}, {"router1/if/1"}),
        ({"service": "voice"}, {"router1/card/1"}),
        ({"is_seen_to": True}, {"router2"}),
        ({"is_seen_to": False}, ALL - {"router2"}),
        ({"is_shelved": True}, {"router3"}),
        ({"is_shelved": False}, ALL - {"router3"}),
        ({"operator_states": frozenset({OperatorState.SHELVED, OperatorState.ACK})}, {"router2", "router3"}),
        ({"assigned_to": "kim"}, {"router2"}),
        ({"assigned_to": ""}, ALL - {"router2"}),
        ({"changed_since_ms": NOW_MS + 1}, {"router10"}),
        ({"changed_before_ms": NOW_MS + 5}, ALL - {"router10"}),
        ({"text": "POWER"}, {"router10"}),
        ({"text": "card-f"}, {"router1/card/1"}),
        ({"text": "down", "is_cleared": False, "resource": "router2"}, {"router2"}),
        ({"text": "nothing of the kind"}, set()),
    ],
)
def test_filter_keeps_what_it_says(wanted: dict[str, Any], resources: set[str]):
    assert found(**wanted) == resources


def test_shelf_whose_time_is_over_hides_nothing():
    (row,) = [row for row in ROWS if row.alarm is SHELF]
    assert row.is_shelved(NOW_MS + 9)
    assert not row.is_shelved(NOW_MS + 10)


def test_one_alarm_is_judged_as_the_list_is():
    wanted = AlarmFilter(is_seen_to=True, resource="router2")
    assert wanted.matches(AlarmRow(SEEN, RECORDS[SEEN.alarm_id]), NOW_MS)
    assert not wanted.matches(AlarmRow(SEEN, None), NOW_MS)


def test_severity_sorts_what_is_over_behind_everything_that_stands():
    worst_first = sorted(ROWS, key=SORT_KEYS[Order.SEVERITY], reverse=True)
    assert [row.alarm for row in worst_first] == [CARD, PORT, SHELF, SEEN, OVER]


def test_equal_severity_sorts_by_its_last_change():
    newer = msgspec.structs.replace(CARD, last_changed_ms=NOW_MS + 1)
    key = SORT_KEYS[Order.SEVERITY]
    assert key(AlarmRow(newer, None)) > key(AlarmRow(CARD, None))


@pytest.mark.parametrize("order", list(Order))
def test_every_order_sorts(order: Order):
    assert len(sorted(ROWS, key=SORT_KEYS[order])) == len(ROWS)


@pytest.mark.parametrize(
    ("offset", "limit", "end"), [(0, 10, 10), (5, 5, 10), (-3, 5, 5), (0, 10**9, 1_000), (2, -1, 2)]
)
def test_page_has_bounds(offset: int, limit: int, end: int):
    assert PageRequest(offset=offset, limit=limit).end == end
