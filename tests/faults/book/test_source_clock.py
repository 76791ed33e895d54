import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.book import source_clock
from ocs.faults.book.source_clock import SourceClock

BOOT_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def sent(
    clock: SourceClock, true_ms: int, delay_ms: int = 0, boot_ms: int = BOOT_MS, **more
) -> tuple[int, bool]:
    """A notification that left at a moment and came later."""
    ticks = (true_ms - boot_ms) // 10 % (1 << 32)
    return clock.at_ms("10.0.0.7", ticks, true_ms + delay_ms, **more)


def test_what_was_overtaken_lies_before_what_overtook_it() -> None:
    clock = SourceClock()
    first, _ = sent(clock, BOOT_MS + HOUR_MS)
    third, _ = sent(clock, BOOT_MS + HOUR_MS + 200)
    second, _ = sent(clock, BOOT_MS + HOUR_MS + 100, delay_ms=4_000)
    assert first < second < third


def test_a_first_datagram_that_was_slow_does_not_bend_the_order_of_those_that_follow() -> None:
    clock = SourceClock()
    places = [sent(clock, BOOT_MS + HOUR_MS, delay_ms=30_000)[0]]
    places += [sent(clock, BOOT_MS + HOUR_MS + 30_000 + i * 10)[0] for i in range(1, 50)]
    assert places == sorted(set(places))
    late = sent(clock, BOOT_MS + HOUR_MS + 10, delay_ms=40_000)[0]
    assert places[0] < late < places[1]


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 30_000)), min_size=2, max_size=40))
def test_within_one_life_places_are_in_the_order_of_sending_whatever_the_network_does(pairs) -> None:
    clock = SourceClock()
    start_ms = BOOT_MS + 2 * HOUR_MS
    journeys = sorted(
        ((start_ms + 10 * step, delay_ms) for step, delay_ms in dict(pairs).items()),
        key=lambda journey: journey[0] + journey[1],
    )
    places = {true_ms: sent(clock, true_ms, delay_ms) for true_ms, delay_ms in journeys}
    assert not any(is_restarted for _, is_restarted in places.values())
    in_order = [places[true_ms][0] for true_ms in sorted(places)]
    assert in_order == sorted(set(in_order))


@pytest.mark.parametrize("wraps", [1, 1 << 31, (1 << 32) - 1])
def test_an_uptime_beyond_what_its_type_holds_counts_as_what_is_left_of_it(wraps: int) -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + HOUR_MS)
    true_ms = BOOT_MS + HOUR_MS + 1_000
    ticks = (true_ms - BOOT_MS) // 10 + (wraps << 32)
    assert clock.fits("10.0.0.7", ticks, true_ms)
    assert clock.at_ms("10.0.0.7", ticks, true_ms)[1] is False
    stranger, _ = clock.at_ms("10.0.0.8", ticks, true_ms)
    assert stranger == true_ms
    for source in ("10.0.0.7", "10.0.0.8"):
        msgspec.msgpack.encode(clock.life_of(source))


def test_a_restart_is_told_from_a_delay() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + HOUR_MS)
    assert sent(clock, BOOT_MS + HOUR_MS + 1_000, delay_ms=50_000)[1] is False
    at_ms, is_restarted = sent(clock, BOOT_MS + 2 * HOUR_MS, boot_ms=BOOT_MS + 2 * HOUR_MS - 20_000)
    assert is_restarted
    assert at_ms == BOOT_MS + 2 * HOUR_MS


def test_a_cold_start_is_believed_soon_and_only_once() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + 30_000)
    new_boot_ms = BOOT_MS + 40_000
    assert sent(clock, new_boot_ms, boot_ms=new_boot_ms, is_start=True)[1]
    assert not sent(clock, new_boot_ms + 500, boot_ms=new_boot_ms, is_start=True)[1]
    assert not sent(clock, new_boot_ms + 5_000, boot_ms=new_boot_ms)[1]


def test_after_a_restart_all_that_is_new_lies_after_all_that_was() -> None:
    clock = SourceClock()
    before, _ = sent(clock, BOOT_MS + HOUR_MS)
    new_boot_ms = BOOT_MS + HOUR_MS + 90_000
    after, is_restarted = sent(clock, new_boot_ms + 50, boot_ms=new_boot_ms)
    late, is_again = sent(clock, BOOT_MS + HOUR_MS + 5_000, delay_ms=90_000)
    assert (is_restarted, is_again) == (True, False)
    assert before < late < after
    assert not sent(clock, new_boot_ms + 2_000, boot_ms=new_boot_ms)[1]


def test_the_wrap_of_the_uptime_after_497_days_is_no_restart() -> None:
    clock = SourceClock()
    wrap_ms = BOOT_MS + (1 << 32) * 10
    before, _ = sent(clock, wrap_ms - 1_000)
    after, is_restarted = sent(clock, wrap_ms + 1_000)
    late, is_again = sent(clock, wrap_ms - 500, delay_ms=3_000)
    assert (is_restarted, is_again) == (False, False)
    assert before < late < after
    assert sent(clock, wrap_ms + 2_000) == (after + 1_000, False)


def test_engine_boots_tell_a_restart_whatever_the_uptime_says() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + 5_000, boots=3)
    assert sent(clock, BOOT_MS + 6_000, boot_ms=BOOT_MS + 5_990, boots=4)[1]
    assert not sent(clock, BOOT_MS + 5_500, delay_ms=2_000, boots=3)[1]
    assert not sent(clock, BOOT_MS + 9_000, boot_ms=BOOT_MS + 5_990, boots=4)[1]


def test_a_copy_of_the_newest_datagram_has_its_place_however_late_it_comes() -> None:
    clock = SourceClock()
    place = sent(clock, BOOT_MS + HOUR_MS)
    assert sent(clock, BOOT_MS + HOUR_MS, delay_ms=30_000) == place
    assert sent(clock, BOOT_MS + HOUR_MS + 3_000, delay_ms=28_000) == (place[0] + 3_000, False)


# For a minute an uptime that is not zero may be that of copies.
@pytest.mark.parametrize(("ticks", "first"), [(0, 0), (4_711, 9)])
def test_an_uptime_that_stands_still_is_no_clock_and_the_arrival_counts(ticks: int, first: int) -> None:
    clock = SourceClock()
    answers = [clock.at_ms("10.0.0.7", ticks, BOOT_MS + i * 7_000) for i in range(40)]
    assert not any(is_restarted for _, is_restarted in answers)
    places = [at_ms for at_ms, _ in answers[first:]]
    assert places == sorted(set(places))
    assert places[-1] == BOOT_MS + 39 * 7_000


def test_one_trap_without_uptime_among_good_ones_is_no_restart() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + HOUR_MS)
    assert clock.at_ms("10.0.0.7", 0, BOOT_MS + HOUR_MS + 10_000) == (BOOT_MS + HOUR_MS + 10_000, False)
    assert sent(clock, BOOT_MS + HOUR_MS + 20_000) == (BOOT_MS + HOUR_MS + 20_000, False)


def test_a_slow_clock_of_an_element_is_followed_and_is_no_restart() -> None:
    clock, order = SourceClock(), random.Random(7)
    uptime_ms, true_ms, last_ms = 0.0, float(BOOT_MS), 0
    for _ in range(3_000):
        step_ms = order.uniform(0, 120_000)
        true_ms += step_ms
        uptime_ms += step_ms * (1 - 100e-6)
        received_ms = int(true_ms + order.uniform(1, 30))
        at_ms, is_restarted = clock.at_ms("10.0.0.7", int(uptime_ms / 10), received_ms)
        assert not is_restarted
        assert last_ms < at_ms <= received_ms + 20
        last_ms = at_ms
    assert true_ms - last_ms < 1_000


def test_a_fast_clock_of_an_element_is_followed_too() -> None:
    clock, last_ms = SourceClock(), 0
    for i in range(1, 3_000):
        true_ms = BOOT_MS + i * 60_000
        at_ms, is_restarted = clock.at_ms("10.0.0.7", int(i * 6_000 * 1.0001), true_ms)
        assert not is_restarted
        assert last_ms < at_ms <= true_ms
        last_ms = at_ms


def test_when_our_own_clock_goes_back_the_source_has_not_restarted() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + HOUR_MS)
    for i in range(1, 5):
        at_ms, is_restarted = clock.at_ms("10.0.0.7", (HOUR_MS + i * 60_000) // 10, BOOT_MS + i * 60_000)
        assert not is_restarted
        assert at_ms >= BOOT_MS + i * 60_000


def test_sources_do_not_touch_each_other_and_what_is_known_can_be_kept() -> None:
    clock = SourceClock()
    clock.at_ms("10.0.0.1", 100, BOOT_MS)
    clock.at_ms("10.0.0.2", 900_000, BOOT_MS)
    life = clock.life_of("10.0.0.1")
    assert life is not None
    assert clock.life_of("10.0.0.3") is None
    assert SourceClock({"10.0.0.1": life}).at_ms("10.0.0.1", 200, BOOT_MS + 9_000) == (BOOT_MS + 1_000, False)


def test_the_longest_silent_source_is_forgotten_when_there_are_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source_clock, "CLOCK_SOURCES_MAX", 2)
    clock = SourceClock()
    for source in ("a", "b", "a", "c"):
        clock.at_ms(source, 100, BOOT_MS)
    assert clock.life_of("b") is None
    assert clock.life_of("a") is not None


def test_uptime_that_was_asked_for_fits_the_life_that_notifications_tell_of() -> None:
    clock = SourceClock()
    assert not clock.fits("10.0.0.7", 0, BOOT_MS)
    sent(clock, BOOT_MS + HOUR_MS)
    now_ms = BOOT_MS + 2 * HOUR_MS
    assert clock.fits("10.0.0.7", 2 * HOUR_MS // 10, now_ms)
    assert not clock.fits("10.0.0.7", 100, now_ms), "it has restarted"
    assert not clock.fits("10.0.0.7", 4 * HOUR_MS // 10, now_ms), "another program sends the notifications"
