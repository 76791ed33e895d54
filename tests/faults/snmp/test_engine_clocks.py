import pytest

from ocs.faults.snmp import engine_clocks
from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.faults.snmp.engine_clocks import BOOTS_LATCHED, EngineClock, EngineClocks

ENGINE = b"engine"
NOW_MS = 1_000_000


def refuses(clocks: EngineClocks, boots: int, time_s: int, now_ms: int) -> bool:
    try:
        clocks.accept(ENGINE, boots, time_s, now_ms)
    except SnmpError as error:
        return error.reason is DiscardReason.NOT_IN_TIME_WINDOW
    return False


def heard() -> EngineClocks:
    clocks = EngineClocks()
    clocks.accept(ENGINE, 5, 1_000, NOW_MS)
    return clocks


def test_first_message_of_an_engine_is_believed() -> None:
    assert heard().get(ENGINE) == EngineClock(5, 1_000, NOW_MS)
    assert heard().get(b"another") is None


@pytest.mark.parametrize(("age_s", "is_refused"), [(0, False), (150, False), (151, True), (999, True)])
def test_message_older_than_the_window_is_refused(age_s: int, is_refused: bool) -> None:
    assert refuses(heard(), 5, 1_000 - age_s, NOW_MS) is is_refused


def test_recorded_message_is_refused_when_the_window_has_passed() -> None:
    clocks = heard()
    assert not refuses(clocks, 5, 1_000, NOW_MS + 150_999)
    assert refuses(clocks, 5, 1_000, NOW_MS + 151_000)


def test_time_that_goes_on_is_followed_however_late_the_message_is() -> None:
    clocks = heard()
    assert not refuses(clocks, 5, 1_001, NOW_MS + 3_600_000)
    assert clocks.get(ENGINE) == EngineClock(5, 1_001, NOW_MS + 3_600_000)


def test_next_boot_is_followed_and_the_former_one_refused() -> None:
    clocks = heard()
    assert not refuses(clocks, 6, 3, NOW_MS)
    assert refuses(clocks, 5, 100_000, NOW_MS)
    assert clocks.get(ENGINE) == EngineClock(6, 3, NOW_MS)


def test_older_message_within_the_window_does_not_set_the_clock_back() -> None:
    clocks = heard()
    clocks.accept(ENGINE, 5, 900, NOW_MS)
    assert clocks.get(ENGINE) == EngineClock(5, 1_000, NOW_MS)


def test_our_own_clock_set_back_makes_nobody_a_replay() -> None:
    assert not refuses(heard(), 5, 1_000, NOW_MS - 3_600_000)


def test_engine_that_used_up_its_boots_is_refused() -> None:
    assert refuses(EngineClocks(), BOOTS_LATCHED, 1, NOW_MS)


def test_what_was_known_before_a_restart_of_ours_is_taken_up() -> None:
    clocks = EngineClocks([(ENGINE, EngineClock(5, 1_000, NOW_MS))])
    assert refuses(clocks, 4, 2_000, NOW_MS)


def test_engine_silent_for_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_clocks, "SNMP_ENGINES_REMEMBERED_MAX", 2)
    clocks = EngineClocks()
    clocks.accept(b"a", 1, 1, NOW_MS)
    clocks.accept(b"b", 1, 1, NOW_MS)
    clocks.accept(b"a", 1, 2, NOW_MS)
    clocks.accept(b"c", 1, 1, NOW_MS)
    assert clocks.get(b"b") is None
    assert clocks.get(b"a") == EngineClock(1, 2, NOW_MS)


def test_what_was_taken_is_refused_by_the_next_process_that_knows_what_was_kept() -> None:
    """A clock is not kept with each message, and none of those between two keepings may be replayed."""
    clocks, kept = EngineClocks(), {}
    for time_s in (1_000, 1_001, 1_029, 1_031, 1_060):
        clocks.accept(ENGINE, 5, time_s, NOW_MS + time_s * 1_000)
        kept |= clocks.take_changed()
        after = EngineClocks()
        after.take_up({"10.0.0.1": b"of a source", **kept})
        assert refuses(after, 5, time_s, NOW_MS + (time_s + 300) * 1_000)
        assert not refuses(after, 5, time_s + 300, NOW_MS + (time_s + 300) * 1_000)


def test_message_of_now_is_taken_after_a_restart_however_short() -> None:
    clocks = heard()
    after = EngineClocks()
    after.take_up(clocks.take_changed())
    assert not refuses(after, 5, 1_000, NOW_MS)
    assert not refuses(after, 5, 1_001, NOW_MS + 1_000)
    assert refuses(after, 4, 9_999, NOW_MS)


def test_clock_that_goes_on_is_kept_every_half_minute_and_each_boot_at_once() -> None:
    clocks = heard()
    assert len(clocks.take_changed()) == 1
    clocks.accept(ENGINE, 5, 1_030, NOW_MS)
    assert clocks.take_changed() == {}
    clocks.accept(ENGINE, 5, 1_031, NOW_MS)
    assert len(clocks.take_changed()) == 1
    clocks.accept(ENGINE, 6, 1_032, NOW_MS)
    assert len(clocks.take_changed()) == 1


def test_what_is_known_here_and_newer_than_what_was_kept_stays_and_is_kept() -> None:
    of_before = heard().take_changed()
    clocks = heard()
    clocks.accept(ENGINE, 7, 1, NOW_MS)
    clocks.take_changed()
    clocks.take_up(of_before)
    assert clocks.get(ENGINE) == EngineClock(7, 1, NOW_MS)
    after = EngineClocks()
    after.take_up(clocks.take_changed())
    assert refuses(after, 6, 9_999, NOW_MS)


def test_forgotten_engines_leave_what_is_kept_and_what_nobody_can_read_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_clocks, "SNMP_ENGINES_REMEMBERED_MAX", 2)
    monkeypatch.setattr(engine_clocks, "_SHARDS", 1)
    clocks = EngineClocks()
    for number, engine_id in enumerate((b"a", b"b", b"c")):
        clocks.accept(engine_id, 1, 1, NOW_MS + number)
    kept = clocks.take_changed()
    after = EngineClocks()
    after.take_up(kept)
    assert [engine_id for engine_id in (b"a", b"b", b"c") if after.get(engine_id)] == [b"b", b"c"]
    after.take_up(dict.fromkeys(kept, b"\xff"))
    assert after.get(b"b") is not None, "it is known here"
