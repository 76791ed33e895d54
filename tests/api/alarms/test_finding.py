"""However a query is answered - by the view, by what it leaves out, attribute by attribute - it finds the same alarms."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.api.alarms.finding import find_ids, find_page, pattern_filters
from ocs.api.alarms.resources import ALARM
from ocs.api.alarms.views import AlarmResource, tmf_alarm
from ocs.api.tmf.query import parse_query
from ocs.faults.alarm import Severity
from ocs.faults.view.alarm_view import AlarmView
from tests.support.alarms import NOW_MS, acknowledged_by, alarm_of

ALARMS = [
    alarm_of(
        resource,
        alarm_type,
        qualifier=qualifier,
        severity=Severity.MAJOR if number % 2 else Severity.WARNING,
        is_cleared=number % 4 > 1,
        last_changed_ms=NOW_MS + number % 5,
        root_cause="root" if number % 7 == 0 else "",
        affected_services=("lte",) if number % 3 == 0 else (),
        source=f"192.0.2.{number % 4}",
    )
    for number, (resource, alarm_type, qualifier) in enumerate(
        itertools.product(
            ("router1", "router1/if/1", "router10", "a:b"),
            ("link-down", "fan"),
            ("", "x", "x:y"),
        )
    )
]
VIEW = AlarmView(ALARMS, [acknowledged_by(alarm, "anna") for alarm in ALARMS[::5]])
ROWS = [VIEW.get(alarm.alarm_id) for alarm in ALARMS]
SHOWN = [tmf_alarm(row.alarm, row.operator) for row in ROWS if row is not None]

CONDITIONS = st.sampled_from(
    [
        "perceivedSeverity=major",
        "perceivedSeverity=cleared",
        "perceivedSeverity=cleared,warning",
        "perceivedSeverity=warning,major",
        "state=cleared",
        "state=raised",
        "state=updated",
        "state=raised,cleared",
        "ackState=acknowledged",
        "ackState=unacknowledged",
        "alarmedObject.id=router1",
        "alarmedObject.id=router10,router1",
        "specificProblem=fan",
        "specificProblem=fan:x",
        'specificProblem="link-down:x:y"',
        "affectedService.id=lte",
        "parentAlarm.id=root",
        "sourceSystemId=192.0.2.1",
        "alarmChangedTime.gt=2027-01-15T08:00:00.002Z",
        "serviceAffecting=false",
        f"id={ALARMS[3].alarm_id},{ALARMS[20].alarm_id}",
        "ackUserId=anna",
    ]
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(CONDITIONS, max_size=4),
    st.sampled_from(["", "sort=-alarmedObject.id,id", "sort=alarmChangedTime"]),
)
async def test_query_finds_what_its_conditions_mean(conditions: list[str], sort: str):
    text = "&".join([*conditions, *([sort] if sort else []), "limit=500"])
    query = parse_query(text.encode(), ALARM.attributes, is_list=True)
    page = await find_page(VIEW, query, NOW_MS)
    meant = [alarm for alarm in SHOWN if query.matches(alarm)]
    assert {alarm["id"] for alarm in page.alarms} == {alarm["id"] for alarm in meant}
    assert page.total == len(meant)
    times = [alarm["alarmChangedTime"] for alarm in page.alarms]
    if not sort.startswith("sort=-"):
        assert times == sorted(times, reverse=not sort)


@pytest.mark.parametrize(
    "pattern",
    [
        {"alarmedObject": {"id": "router1"}, "perceivedSeverity": "major", "state": "updated"},
        {"affectedService": [{"id": "lte"}], "serviceAffecting": True},
        {"occurrences": 1, "ackState": "acknowledged"},
        {"id": ALARMS[7].alarm_id},
    ],
)
async def test_pattern_means_alarms_that_have_all_its_attributes(pattern: dict[str, Any]):
    def has(alarm: dict[str, Any]) -> bool:
        return all(alarm.get(name) == value for name, value in pattern.items())

    found = await find_ids(VIEW, [pattern_filters(pattern)], NOW_MS)
    assert found
    assert set(found) == {alarm["id"] for alarm in SHOWN if has(alarm)}


async def test_alarm_that_several_patterns_mean_is_found_once():
    patterns = [pattern_filters({"state": "cleared"}), pattern_filters({"perceivedSeverity": "cleared"})]
    found = await find_ids(VIEW, patterns, NOW_MS)
    assert len(found) == len(set(found)) == sum(alarm.is_cleared for alarm in ALARMS)


def test_resource_made_as_it_is_asked_for_is_the_whole_one():
    for row, shown in zip(ROWS, SHOWN, strict=True):
        assert row is not None
        lazy = AlarmResource(row.alarm, row.operator)
        assert dict(lazy) == shown
        assert len(lazy) == len(shown)
        assert all(name in lazy for name in shown) and "correlatedAlarm" not in lazy
