import pytest

from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book import maintenance
from ocs.faults.book.maintenance import Maintenance, MaintenanceWindow
from tests.support.signals import Office, chain, cleared, id_of, kinds_of, raised

RAISED, CLEARED, REGROUPED = ChangeKind.RAISED, ChangeKind.CLEARED, ChangeKind.REGROUPED


def window(resource: str = "router7", from_ms: int = 1_000, until_ms: int = 2_000) -> MaintenanceWindow:
    return MaintenanceWindow("w1", resource, from_ms, until_ms, "ann", "new card")


def office_with(*windows: MaintenanceWindow, topology=None) -> Office:
    office = Office(topology)
    office.keep(office.book.set_windows(windows, 0))
    return office


def test_within_a_window_alarms_are_kept_and_nobody_is_told() -> None:
    office = office_with(window())
    office.take(raised("router7/if/3", at_ms=1_000))
    assert office.notices == []
    assert office.alarm("router7/if/3").suppression == "maintenance"
    office.take(cleared("router7/if/3", at_ms=1_500))
    office.tick(5_000)
    assert office.notices == []


def test_what_still_stands_at_the_end_is_told_then() -> None:
    office = office_with(window())
    office.take(raised("router7/if/3", at_ms=1_500))
    office.tick(1_999)
    assert office.notices == []
    assert office.book.due_ms() == 2_000
    office.tick(2_000)
    assert office.notices == [(REGROUPED, id_of("router7/if/3"))]
    assert office.alarm("router7/if/3").suppression == ""


def test_an_alarm_told_before_the_window_is_told_to_be_over_within_it() -> None:
    office = office_with(window())
    office.take(raised(at_ms=500))
    office.take(cleared(at_ms=1_500))
    office.take(raised(at_ms=1_600))
    assert kinds_of(office.notices) == [RAISED, CLEARED]


def test_a_window_covers_what_is_below_its_resource_and_nothing_beside_it() -> None:
    office = office_with(window())
    for resource in ("router7", "router7/card/1/port/2", "router70", "router"):
        office.take(raised(resource, at_ms=1_100))
    held = {a.key.resource for a in office.alarms.values() if a.suppression}
    assert held == {"router7", "router7/card/1/port/2"}


def test_the_window_of_a_site_covers_what_stands_in_it() -> None:
    office = office_with(window("hill"), topology=chain())
    office.take(raised("agg/if/up", at_ms=1_100), raised("core", "other", at_ms=1_100))
    held = {a.key.resource: a.suppression for a in office.alarms.values()}
    assert held == {"agg/if/up": "maintenance", "core": ""}


def test_a_window_taken_back_lets_its_alarms_be_told() -> None:
    office = office_with(window())
    office.take(raised(at_ms=1_100))
    office.keep(office.book.set_windows([], 1_200))
    office.tick(1_200)
    assert kinds_of(office.notices) == [REGROUPED]


def test_a_change_in_a_window_that_opened_after_the_raise_is_not_told() -> None:
    office = office_with(window())
    office.take(raised(at_ms=500))
    office.take(raised(at_ms=1_500, text="worse"))
    assert kinds_of(office.notices) == [RAISED]
    office.tick(2_000)
    assert kinds_of(office.notices) == [RAISED, REGROUPED]


def test_a_window_must_end_after_it_begins_and_there_are_only_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows = Maintenance()
    with pytest.raises(ValueError, match="w1: expected an end"):
        windows.replace([window(from_ms=5, until_ms=5)])
    monkeypatch.setattr(maintenance, "MAINTENANCE_WINDOWS_MAX", 1)
    with pytest.raises(ValueError, match="at most 1"):
        windows.replace([window(), window()])
