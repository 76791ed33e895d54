import pytest

from ocs.faults.book import tombstones
from ocs.faults.book.administration import PurgeFilter
from ocs.faults.book.tombstones import Tombstone, Tombstones
from ocs.limits import TOMBSTONE_MEMORY_MS
from tests.support.signals import Office, cleared, id_of, raised


def test_a_clear_that_overtakes_its_raise_leaves_the_alarm_cleared_and_tells_nobody() -> None:
    office = Office()
    office.take(cleared(at_ms=200), now_ms=300)
    office.take(raised(at_ms=100), now_ms=400)
    alarm = office.alarm()
    assert alarm.is_cleared
    assert (alarm.last_raised_ms, alarm.last_changed_ms) == (100, 200)
    assert office.notices == []


def test_the_memory_of_it_outlives_a_restart() -> None:
    office = Office()
    office.take(cleared(at_ms=200), now_ms=300)
    office.restart()
    office.take(raised(at_ms=100), now_ms=400)
    assert office.alarm().is_cleared


def test_a_raise_after_the_clear_stands() -> None:
    office = Office()
    office.take(cleared(at_ms=200), raised(at_ms=201))
    assert not office.alarm().is_cleared


def test_it_is_forgotten_after_a_while() -> None:
    office = Office()
    office.take(cleared(at_ms=200), now_ms=300)
    office.take(raised(at_ms=100), now_ms=300 + TOMBSTONE_MEMORY_MS)
    assert not office.alarm().is_cleared


def test_a_purged_alarm_does_not_come_back_with_a_late_copy_but_with_its_next_raise() -> None:
    office = Office()
    office.take(raised(at_ms=100))
    office.keep(office.book.purge(PurgeFilter(), 200))
    assert office.alarms == {}
    office.take(raised(at_ms=100), now_ms=300)
    assert office.alarms == {}
    office.restart()
    office.take(raised(at_ms=90), now_ms=300)
    assert office.alarms == {}
    office.take(raised(at_ms=400))
    assert office.alarm().created_ms == 400


def test_there_are_only_so_many_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "TOMBSTONES_MAX", 3)
    stones = Tombstones()
    for i in range(5):
        assert stones.add(f"id{i}", 100, 1_000 + i)
    assert [stone.alarm_id for stone in stones.all()] == ["id2", "id3", "id4"]


def test_an_older_clear_says_nothing_new() -> None:
    stones = Tombstones([Tombstone("a", 100, 10_000)])
    assert not stones.add("a", 90, 50)
    assert stones.add("a", 110, 50)
    stones.discard("a")
    assert stones.get("a") is None


def test_a_batch_that_leaves_none_says_nothing_of_the_rest() -> None:
    office = Office()
    assert office.take(raised(at_ms=1)).rest is None
    rest = office.take(cleared("other", at_ms=2)).rest
    assert rest is not None
    assert [stone.alarm_id for stone in rest.tombstones] == [id_of("other")]
