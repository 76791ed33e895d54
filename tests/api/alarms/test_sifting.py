"""The work of a search is bounded, and what is remembered is right. Counted, not timed."""

from typing import Any

import msgspec
import pytest
import trio

from ocs.api.alarms.finding import find_page
from ocs.api.alarms.resources import ALARM
from ocs.api.alarms.sifting import KEYS, SearchWork, Turns, sift
from ocs.api.alarms.views import AlarmResource
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.query import Filter, parse_query
from ocs.faults.alarm import EventType, Severity
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.selection import AlarmRow
from ocs.limits import ALARM_SEARCH_STEPS_MAX, ALARM_SEARCHES_WAITING_MAX
from tests.support.alarms import NOW_MS, acknowledged_by, alarm_of

MANY = 5_000
ALARMS = [
    alarm_of(
        f"router{number}",
        severity=Severity.MAJOR if number % 2 else Severity.MINOR,
        event_type=EventType(1 + number % 11),
        probable_cause=number % 50,
        text=f"down {number}",
        last_changed_ms=NOW_MS + number,
        source=f"2001:db8::{number}",
    )
    for number in range(MANY)
]
ROWS = [AlarmRow(alarm, None) for alarm in ALARMS]


async def steps_of(*conditions: Filter) -> tuple[int, int]:
    work = SearchWork()
    found = await sift(ROWS, conditions, work)
    return len(found), work.steps


async def test_condition_on_an_attribute_of_few_values_costs_hardly_more_than_a_look_at_each():
    found, steps = await steps_of(Filter(("alarmType",), ("communicationsAlarm",)))
    assert found == sum(alarm.event_type is EventType.COMMUNICATIONS_ALARM for alarm in ALARMS)
    assert steps < 1.2 * MANY


@pytest.mark.parametrize(
    "condition",
    [
        Filter(("alarmedObject", "id"), ("router7", "router8")),
        Filter(("sourceSystemId",), ("2001:db8::7", "2001:db8::8")),
        Filter(("alarmDetails",), ("down 7", "down 8")),
        Filter(("alarmChangedTime",), ("2027-01-15T08:00:00.007Z", "2027-01-15T09:00:00.008+01:00", "soon")),
        Filter(("alarmChangedTime",), ("2027-01-15T08:00:04.997500Z",), "gt"),
    ],
    ids=lambda condition: condition.path[0] + condition.comparison,
)
async def test_names_and_times_are_compared_without_being_shown(condition: Filter):
    found, steps = await steps_of(condition)
    assert found == 2
    assert steps <= 2 * MANY


async def test_search_that_costs_too_much_is_refused_before_it_is_done():
    by_text = Filter(("alarmDetails",), ("1",), "gt")  # of each text anew
    work = SearchWork(MANY)
    with pytest.raises(TmfError, match=r"alarmDetails.*narrow") as refused:
        await sift(ROWS, [by_text], work)
    assert refused.value.status == 400
    assert work.steps < 2 * MANY


@pytest.mark.parametrize("sort", ["alarmType", "alarmDetails"])
async def test_sorting_by_what_must_be_shown_is_for_short_lists(sort: str):
    view = AlarmView(ALARMS)
    query = parse_query(f"sort={sort}".encode(), ALARM.attributes, is_list=True)
    page = await find_page(view, query, NOW_MS, SearchWork())
    assert page.total == MANY
    with pytest.raises(TmfError, match="sort"):
        await find_page(view, query, NOW_MS, SearchWork(ALARM_SEARCH_STEPS_MAX // 4))


async def test_ten_conditions_are_asked_of_the_longest_list():
    work = SearchWork()
    await sift(ROWS, [Filter(("alarmType",), ("communicationsAlarm",))] * 10, work)
    assert work.steps * (200_000 / MANY) < ALARM_SEARCH_STEPS_MAX


async def test_others_are_served_while_a_search_goes_on():
    served = 0

    async def serve() -> None:
        nonlocal served
        while True:
            await trio.lowlevel.checkpoint()
            served += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await steps_of(Filter(("alarmType",), ("x",)))
        nursery.cancel_scope.cancel()
    assert served >= MANY // 250 // 2


@pytest.mark.parametrize("name", sorted(ALARM.attributes))
def test_attribute_follows_from_what_its_answers_are_remembered_by(name: str):
    parent = OperatorRecord("x", grouped_under="parent")
    varied: list[Any] = [
        {"severity": Severity.MINOR}, {"is_cleared": True}, {"event_type": EventType.OTHER}, {"probable_cause": 1},
        {"text": "other"}, {"repair": "replace it"}, {"source": "192.0.2.9"}, {"created_ms": 1}, {"last_raised_ms": 1},
        {"last_changed_ms": NOW_MS + 1}, {"occurrences": 7}, {"root_cause": "root"}, {"symptoms": 3}, {"escalation": 1},
        {"suppression": "maintenance"}, {"affected_services": ("lte",)}, {"affected_subscribers": 9},
        {"details": (("a", "b"),)}, {},
    ]  # fmt: skip
    rows = [AlarmRow(alarm_of("router1", qualifier=q, **more), None) for q in ("", "x") for more in varied]
    rows += [
        AlarmRow(alarm_of("router1/if/2"), None),
        AlarmRow(ALARMS[1], acknowledged_by(ALARMS[1], "anna")),
    ]
    rows += [AlarmRow(row.alarm, parent) for row in rows]
    shown: dict[object, object] = {}
    key_of = KEYS.get(name, lambda row: None)
    for row in rows:
        value = msgspec.json.encode(AlarmResource(row.alarm, row.operator).get(name))
        assert shown.setdefault(key_of(row), value) == value


async def test_caller_searches_once_at_a_time_and_holds_up_nobody_else(autojump_clock):
    turns = Turns()
    running: list[str] = []

    async def search(caller: str) -> None:
        async with turns.turn_of(caller):
            running.append(caller)
            await trio.sleep(1)
            running.remove(caller)

    async with trio.open_nursery() as nursery:
        for caller in ["greedy"] * (1 + ALARM_SEARCHES_WAITING_MAX):
            nursery.start_soon(search, caller)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(TmfError) as refused:
            await search("greedy")
        assert refused.value.status == 429
        nursery.start_soon(search, "other")
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(running) == ["greedy", "other"]
    await search("greedy")  # all are done
