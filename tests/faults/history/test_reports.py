"""Mean times to acknowledge and repair, and availability."""

import itertools
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.alarm import Alarm, Severity
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.history.recording import record_changes
from ocs.faults.history.reports import (
    Availability,
    RepairTimes,
    ReportTooLongError,
    availability,
    merge_spans,
    repair_times,
)
from ocs.sql import Database
from tests.support.alarms import NOW_MS, acknowledged_by, alarm_of, change_of

END_MS = NOW_MS + 1_000
PORT = alarm_of("router1/if/1")
CARD = alarm_of("router1/card/1", "card-failed", affected_services=("voice", "data"))
OTHER = alarm_of("router2", severity=Severity.MINOR)
SYMPTOM = alarm_of("router3", root_cause=CARD.alarm_id, affected_services=("voice",))


def span(
    alarm: Alarm, begin: int, end: int | None = None, acknowledged: int | None = None
) -> list[AlarmChange]:
    """An episode, in ms from NOW_MS."""
    changes = [change_of(alarm, at_ms=NOW_MS + begin)]
    if acknowledged is not None:
        record = acknowledged_by(alarm, "kim")
        changes.append(change_of(alarm, ChangeKind.OPERATED, NOW_MS + acknowledged, operator=record))
    if end is not None:
        cleared = msgspec.structs.replace(alarm, is_cleared=True)
        changes.append(change_of(cleared, ChangeKind.CLEARED, NOW_MS + end))
    return changes


def record(database: Database, *spans: Sequence[AlarmChange]) -> None:
    for changes in spans:
        database.write_blocking(lambda connection, changes=changes: record_changes(connection, changes))


def times(database: Database, **more: Any) -> list[RepairTimes]:
    return database.read_blocking(
        lambda connection: repair_times(connection, since_ms=NOW_MS, until_ms=END_MS, **more)
    )


def available(database: Database, **more: Any) -> list[Availability]:
    return database.read_blocking(
        lambda connection: availability(connection, since_ms=NOW_MS, until_ms=END_MS, **more)
    )


# --- Seen to and repaired -----------------------------------------------------------------------------------------


def test_means_are_over_what_was_acknowledged_and_repaired(database: Database):
    record(
        database, span(PORT, 0, 100, acknowledged=11), span(PORT, 200, 401, acknowledged=230), span(PORT, 500)
    )
    assert times(database) == [RepairTimes("5", 3, 2, 2, 20, 150)]


def test_group_of_which_nothing_was_repaired_has_no_mean(database: Database):
    record(database, span(PORT, 0))
    assert times(database) == [RepairTimes("5", 1, 0, 0, None, None)]


def test_groups_are_what_is_asked_for(database: Database):
    record(database, span(PORT, 0, 10), span(CARD, 0, 30), span(OTHER, 0, 50))
    by_type = times(database, by="alarm_type")
    assert [(found.group, found.time_to_repair_ms) for found in by_type] == [
        ("card-failed", 30),
        ("link-down", 30),
    ]
    assert [found.group for found in times(database, by="severity")] == ["4", "5"]
    assert [found.group for found in times(database, by="resource", resource="router1")] == [
        "router1/card/1", "router1/if/1",
    ]  # fmt: skip


def test_only_what_was_raised_within_the_time_counts(database: Database):
    record(database, span(PORT, -1, 10), span(PORT, 1_000, 1_010), span(PORT, 999, 5_000))
    assert [(found.episodes, found.time_to_repair_ms) for found in times(database)] == [(1, 4_001)]


def test_symptoms_are_counted_when_they_are_asked_for(database: Database):
    record(database, span(CARD, 0, 10), span(SYMPTOM, 0, 10))
    assert [found.episodes for found in times(database)] == [1]
    assert [found.episodes for found in times(database, with_symptoms=True)] == [2]


def test_purged_alarm_was_not_repaired(database: Database):
    purged = AlarmChange("p", ChangeKind.PURGED, PORT.alarm_id, NOW_MS + 5, None)
    record(database, [*span(PORT, 0), purged])
    assert [(found.episodes, found.repaired) for found in times(database)] == [(1, 0)]


# --- Availability -------------------------------------------------------------------------------------------------


def test_alarms_of_one_element_that_overlap_are_one_outage(database: Database):
    record(database, span(PORT, 100, 300), span(CARD, 200, 400), span(PORT, 600, 700))
    assert available(database) == [Availability("router1", 2, 400, 600_000)]


def test_outage_is_cut_to_the_time_that_is_asked_for(database: Database):
    record(database, span(PORT, -500, 100), span(CARD, 950))
    assert available(database) == [Availability("router1", 2, 150, 850_000)]
    record(database, span(alarm_of("router9"), -500, 0))
    assert len(available(database)) == 1


def test_milder_alarms_are_no_outage(database: Database):
    record(database, span(OTHER, 0, 500))
    assert available(database) == []
    assert available(database, severity=Severity.MINOR) == [Availability("router2", 1, 500, 500_000)]


def test_services_are_down_with_what_affects_them(database: Database):
    record(database, span(CARD, 0, 200), span(SYMPTOM, 100, 300), span(PORT, 0, 900))
    assert available(database, of="services") == [
        Availability("data", 1, 200, 800_000),
        Availability("voice", 1, 300, 700_000),
    ]


def test_report_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch):
    record(database, span(PORT, 0, 1), span(PORT, 2, 3))
    monkeypatch.setattr("ocs.faults.history.reports.HISTORY_REPORT_EPISODES_MAX", 1)
    with pytest.raises(ReportTooLongError):
        available(database)


def test_time_that_is_empty_is_refused(database: Database):
    with pytest.raises(ValueError, match="ends after it begins"):
        database.read_blocking(lambda connection: availability(connection, since_ms=5, until_ms=5))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (min(pair), max(pair)))))
def test_merged_spans_cover_the_same_moments_and_do_not_touch(spans: list[tuple[int, int]]):
    merged = merge_spans(spans)
    moments = {moment for begin, end in spans for moment in range(begin, end)}
    assert {moment for begin, end in merged for moment in range(begin, end)} == moments
    assert all(first[1] < second[0] for first, second in itertools.pairwise(merged))
