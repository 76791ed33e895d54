import msgspec

from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book import flapping
from ocs.faults.book.entry import thaw
from tests.support.signals import PLAIN, Office, cleared, id_of, kinds_of, raised

RAISED, CLEARED, CHANGED = ChangeKind.RAISED, ChangeKind.CLEARED, ChangeKind.CHANGED
POLICY = msgspec.structs.replace(
    PLAIN, flapping_raises=3, flapping_half_life_ms=60_000, flapping_ends_below=1.5
)


def flap(office: Office, times: int, from_ms: int = 1_000) -> int:
    for i in range(times):
        office.take(raised(at_ms=from_ms + 200 * i))
        office.take(cleared(at_ms=from_ms + 200 * i + 100))
    return from_ms + 200 * times


def test_one_notice_says_that_it_begins_and_one_how_it_ended() -> None:
    office = Office(policy=POLICY)
    now_ms = flap(office, 20)
    assert kinds_of(office.notices) == [RAISED, CLEARED, RAISED, CLEARED, RAISED]
    assert office.alarm().is_flapping
    office.tick(now_ms + 60_000)
    assert len(office.notices) == 5, "held down"
    office.tick(now_ms + 600_000)
    assert kinds_of(office.notices)[5:] == [CLEARED]
    assert not office.alarm().is_flapping
    assert office.alarm().suppression == ""


def test_the_state_beneath_stays_true() -> None:
    office = Office(policy=POLICY)
    flap(office, 10)
    assert office.alarm().is_cleared
    assert office.alarm().suppression == "flapping"
    assert office.alarm().occurrences == 10
    office.take(raised(at_ms=50_000))
    assert not office.alarm().is_cleared


def test_an_alarm_that_stands_when_flapping_ends_is_told_so_once() -> None:
    office = Office(policy=POLICY)
    now_ms = flap(office, 5)
    office.take(raised(at_ms=now_ms))
    office.notices.clear()
    office.tick(now_ms + 600_000)
    assert office.notices == [(ChangeKind.REGROUPED, id_of())]
    assert office.told == {id_of()}


def test_a_storm_of_one_alarm_is_one_line_a_batch() -> None:
    office = Office(policy=POLICY)
    now_ms = flap(office, 5)
    batch = [s for i in range(100) for s in (raised(at_ms=now_ms + 2 * i), cleared(at_ms=now_ms + 2 * i + 1))]
    outcome = office.take(*batch)
    assert [(change.kind, change.is_notified) for change in outcome.changes] == [(CLEARED, False)]
    assert office.alarm().occurrences == 105


def test_raises_far_apart_are_no_flapping() -> None:
    office = Office(policy=POLICY)
    for i in range(20):
        office.take(raised(at_ms=1_000 + 180_000 * i), cleared(at_ms=1_000 + 180_000 * i + 90_000))
    assert not office.alarm().is_flapping


def test_however_long_it_flapped_the_hold_down_has_an_end() -> None:
    office = Office(policy=POLICY)
    now_ms = flap(office, 2_000)
    office.tick(now_ms + 4 * POLICY.flapping_half_life_ms)
    assert not office.alarm().is_flapping


def test_after_a_restart_flapping_ends_as_it_would_have() -> None:
    office, other = Office(policy=POLICY), Office(policy=POLICY)
    now_ms = flap(office, 5)
    flap(other, 5)
    other.restart()
    for moment in range(now_ms, now_ms + 300_000, 10_000):
        office.tick(moment)
        other.tick(moment)
        assert other.alarm().is_flapping is office.alarm().is_flapping
    assert other.notices == office.notices


def test_a_recount_says_nothing_of_whether_it_flaps() -> None:
    office = Office(policy=POLICY)
    flap(office, 5)
    entry = thaw(msgspec.structs.replace(office.alarm(), is_flapping=False))
    flapping.recount(entry, POLICY)
    assert entry.score > 4
    assert not entry.is_flapping


def test_the_lines_of_a_batch_end_with_how_the_alarm_is() -> None:
    office = Office(policy=POLICY)
    batch = [s for i in range(4) for s in (raised(at_ms=1_000 + 2 * i), cleared(at_ms=1_001 + 2 * i))]
    outcome = office.take(*batch)
    assert [change.kind for change in outcome.changes] == [RAISED, CLEARED, RAISED, CLEARED, RAISED, CLEARED]
    assert office.alarm().is_flapping
