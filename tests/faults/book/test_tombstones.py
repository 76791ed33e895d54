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
        stones.add(f"id{i}", 100, 1_000 + i)
    assert [stone.alarm_id for stone in stones.take_new()] == ["id2", "id3", "id4"]
    assert len(stones) == 3


def test_those_of_strangers_never_push_out_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "TOMBSTONES_MAX", 3)
    stones = Tombstones()
    stones.add("ours", 100, 1_000)
    for i in range(5):
        stones.add(f"id{i}", 100, 2_000, is_strangers=True)
    assert stones.get("ours")
    assert len(stones) == 4
    again = Tombstones(stones.take_new())
    again.add("another", 100, 3_000, is_strangers=True)
    assert again.get("id2") is None
    assert again.get("ours")


def test_an_older_clear_says_nothing_new() -> None:
    stones = Tombstones([Tombstone("a", 100, 10_000)])
    stones.add("a", 90, 50)
    assert stones.take_new() == ()
    stones.add("a", 110, 50)
    assert [stone.at_ms for stone in stones.take_new()] == [110]
    stones.discard("a")
    assert stones.get("a") is None
    assert stones.take_gone() == ("a",)
    stones.discard("a")
    assert stones.take_gone() == ()


def test_one_that_is_discarded_and_made_again_is_not_forgotten_by_the_store() -> None:
    stones = Tombstones()
    stones.add("a", 100, 1)
    stones.discard("a")
    stones.add("a", 200, 1)
    assert (len(stones.take_new()), stones.take_gone()) == (1, ())


def test_the_store_is_told_what_is_new_and_what_is_forgotten_and_nothing_else() -> None:
    office = Office()
    outcome = office.take(raised(at_ms=1))
    assert (outcome.tombstones, outcome.forgotten) == ((), ())
    for number in range(3):
        outcome = office.take(cleared(f"other{number}", at_ms=2))
        assert [stone.alarm_id for stone in outcome.tombstones] == [id_of(f"other{number}")]
    outcome = office.take(raised("other0", at_ms=3))
    assert outcome.forgotten == (id_of("other0"),)
    assert set(office.tombstones) == {id_of("other1"), id_of("other2")}


def test_the_store_forgets_what_is_past_its_time_when_nothing_else_happens() -> None:
    office = Office()
    office.take(cleared("a", at_ms=100), now_ms=100)
    office.take(cleared("b", at_ms=200), now_ms=100 + 2 * TOMBSTONE_MEMORY_MS)
    assert set(office.tombstones) == {id_of("a"), id_of("b")}
    assert office.book.due_ms() == 100 + 2 * TOMBSTONE_MEMORY_MS
    office.tick(100 + 2 * TOMBSTONE_MEMORY_MS)
    assert set(office.tombstones) == {id_of("b")}
    office.restart()
    office.tick(100 + 4 * TOMBSTONE_MEMORY_MS)
    assert office.tombstones == {}
    assert office.book.due_ms() is None


def test_a_step_forgets_no_more_than_a_commit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "TOMBSTONES_FORGOTTEN_PER_STEP", 2)
    stones = Tombstones(Tombstone(f"id{i}", 1, 1) for i in range(5))
    for left in (3, 1, 0):
        stones.forget(10)
        assert len(stones) == left
        assert len(stones.take_gone()) <= 2
