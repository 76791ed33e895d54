import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.book import source_clock
from ocs.faults.book.source_clock import Life, SourceClock

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
    places = [sent(clock, BOOT_MS + HOUR_MS, delay_ms=30_000, is_inform=True)[0]]
    places += [sent(clock, BOOT_MS + HOUR_MS + 30_000 + i * 10, is_inform=True)[0] for i in range(1, 50)]
    assert places == sorted(set(places))
    late = sent(clock, BOOT_MS + HOUR_MS + 10, delay_ms=40_000, is_inform=True)[0]
    assert places[0] < late < places[1]


# What a network holds a datagram for, and how long informs are repeated: in thirds of the bounds.
@pytest.mark.parametrize(("third_ms", "is_inform"), [(3_333, False), (10_000, True)])
@given(pairs=st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3)), min_size=2, max_size=40))
def test_within_one_life_places_are_in_the_order_of_sending_whatever_the_network_does(
    pairs, third_ms: int, is_inform: bool
) -> None:
    clock = SourceClock()
    start_ms = BOOT_MS + 2 * HOUR_MS
    journeys = sorted(
        ((start_ms + 10 * step, thirds * third_ms) for step, thirds in dict(pairs).items()),
        key=lambda journey: journey[0] + journey[1],
    )
    places = {true_ms: sent(clock, true_ms, delay_ms, is_inform=is_inform) for true_ms, delay_ms in journeys}
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
    late, is_again = sent(clock, BOOT_MS + HOUR_MS + 5_000, delay_ms=90_000, is_inform=True)
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


DAY_MS = 86_400_000
# Two agents behind one address: one runs for a month, the other for a day.
OLD_BOOT_MS = BOOT_MS - 30 * DAY_MS
YOUNG_BOOT_MS = BOOT_MS - DAY_MS


@pytest.mark.parametrize("boots_ms", [(OLD_BOOT_MS, YOUNG_BOOT_MS), (YOUNG_BOOT_MS, OLD_BOOT_MS)])
def test_two_agents_behind_one_address_are_both_placed_at_their_time_and_none_has_restarted(boots_ms) -> None:
    clock = SourceClock()
    for i in range(200):
        true_ms = BOOT_MS + i * 1_000
        assert sent(clock, true_ms, boot_ms=boots_ms[i % 2]) == (true_ms, False)


def test_what_was_overtaken_has_its_place_among_what_its_own_agent_sent() -> None:
    clock = SourceClock()
    for true_ms in (BOOT_MS, BOOT_MS + 20_000):
        for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
            sent(clock, true_ms, boot_ms=boot_ms)
    for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
        at_ms, is_restarted = sent(clock, BOOT_MS + 10_000, delay_ms=40_000, boot_ms=boot_ms, is_inform=True)
        assert not is_restarted
        assert abs(at_ms - (BOOT_MS + 10_000)) <= 1


def test_restart_of_one_agent_leaves_the_other_its_life() -> None:
    clock = SourceClock()
    for i in range(10):
        for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
            sent(clock, BOOT_MS + i * 30_000, boot_ms=boot_ms)
    new_boot_ms = BOOT_MS + 300_000
    assert sent(clock, new_boot_ms + 10, boot_ms=new_boot_ms, is_start=True)[1]
    for i in range(1, 20):
        true_ms = new_boot_ms + i * 15_000
        for boot_ms in (OLD_BOOT_MS, new_boot_ms):
            at_ms, is_restarted = sent(clock, true_ms, boot_ms=boot_ms)
            assert not is_restarted
            assert true_ms <= at_ms <= true_ms + 2


def test_agent_that_was_taken_for_the_restart_of_a_silent_one_lives_on_beside_it() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS - 2 * DAY_MS, boot_ms=OLD_BOOT_MS)
    assert sent(clock, BOOT_MS, boot_ms=YOUNG_BOOT_MS)[1], "it may be a restart: the element is asked"
    for i in range(1, 300):
        for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
            true_ms = BOOT_MS + i * 1_000
            assert sent(clock, true_ms, boot_ms=boot_ms) == (true_ms, False)
    life = clock.life_of("10.0.0.7")
    assert life is not None
    assert [one.is_replaced for one in (life, *life.others)] == [False, False]


def test_what_would_have_been_sent_after_the_restart_is_not_of_the_life_before_it() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS - 2 * DAY_MS, boot_ms=OLD_BOOT_MS)
    sent(clock, BOOT_MS, boot_ms=YOUNG_BOOT_MS)
    at_ms, _ = sent(clock, BOOT_MS, delay_ms=110_000, boot_ms=OLD_BOOT_MS)
    assert at_ms == BOOT_MS + 110_000


def test_late_datagram_is_not_taken_for_an_early_one_of_the_agent_that_started_a_little_later() -> None:
    clock = SourceClock()
    later_boot_ms = BOOT_MS + 70_000
    for boot_ms in (BOOT_MS, later_boot_ms):
        sent(clock, BOOT_MS + HOUR_MS, boot_ms=boot_ms)
    at_ms, _ = sent(clock, BOOT_MS + HOUR_MS + 1_000, delay_ms=50_000)
    assert at_ms == BOOT_MS + HOUR_MS + 1_000


def test_order_is_kept_by_one_map_when_our_own_clock_goes_back() -> None:
    clock = SourceClock()
    last_ms, _ = sent(clock, BOOT_MS + HOUR_MS)
    for i in range(1, 50):
        at_ms, _ = sent(clock, BOOT_MS + HOUR_MS + i * 10_000, delay_ms=-HOUR_MS)
        assert at_ms > last_ms
        last_ms = at_ms
    life = clock.life_of("10.0.0.7")
    assert life is not None
    assert len(life.others) == 1


def test_engines_are_told_apart_however_near_their_uptimes_are() -> None:
    clock = SourceClock()
    near_boot_ms = BOOT_MS + 5_000
    for i in range(1, 50):
        true_ms = BOOT_MS + HOUR_MS + i * 1_000
        assert sent(clock, true_ms, boots=7, engine_id=b"first") == (true_ms, False)
        at_ms, is_restarted = sent(clock, true_ms, boot_ms=near_boot_ms, boots=2, engine_id=b"second")
        assert not is_restarted
        assert true_ms <= at_ms <= true_ms + 1
    restart_ms = BOOT_MS + 2 * HOUR_MS
    assert sent(clock, restart_ms + 10, boot_ms=restart_ms, boots=3, engine_id=b"second")[1]
    assert sent(clock, restart_ms + 900, boots=7, engine_id=b"first") == (restart_ms + 900, False)


def test_agent_is_the_same_whether_it_speaks_version_2c_or_3() -> None:
    clock = SourceClock()
    for i in range(10):
        true_ms = BOOT_MS + HOUR_MS + i * 1_000
        is_v3 = i % 2
        placed = sent(clock, true_ms, boots=4, engine_id=b"engine") if is_v3 else sent(clock, true_ms)
        assert placed == (true_ms, False)
    life = clock.life_of("10.0.0.7")
    assert life is not None
    assert (life.engine_id, life.boots, life.others) == (b"engine", 4, [])


def test_crash_loop_of_one_agent_does_not_take_the_life_of_another() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS, boot_ms=OLD_BOOT_MS)
    sent(clock, BOOT_MS, boot_ms=YOUNG_BOOT_MS)
    for i in range(1, 40):
        boot_ms = BOOT_MS + i * 200_000
        for after_ms in (100, 1_000, 30_000):
            sent(clock, boot_ms + after_ms, boot_ms=boot_ms)
        life = clock.life_of("10.0.0.7")
        assert life is not None
        assert len(life.others) < source_clock.CLOCK_LIVES_PER_SOURCE_MAX
        if i == 1:
            sent(clock, boot_ms + 190_000, boot_ms=OLD_BOOT_MS)
            sent(clock, boot_ms + 190_000, boot_ms=boot_ms)
            continue
        assert OLD_BOOT_MS in [one.boot_ms for one in life.others]


def test_uptime_that_was_asked_for_fits_any_of_the_lives_behind_the_address() -> None:
    clock = SourceClock()
    for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
        sent(clock, BOOT_MS, boot_ms=boot_ms)
    for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
        assert clock.fits("10.0.0.7", (BOOT_MS + 9_000 - boot_ms) // 10, BOOT_MS + 9_000)
    assert not clock.fits("10.0.0.7", 100, BOOT_MS + 9_000)


def test_first_word_after_a_long_silence_is_of_now_however_slow_the_clock_was() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + HOUR_MS)
    now_ms = BOOT_MS + 60 * DAY_MS
    uptime_ms = (now_ms - BOOT_MS) * (1 - 100e-6)
    at_ms, is_restarted = clock.at_ms("10.0.0.7", int(uptime_ms / 10), now_ms)
    assert not is_restarted
    assert now_ms - 10 <= at_ms <= now_ms


def test_clocks_that_changed_are_told_once_and_all_lives_are_kept() -> None:
    clock = SourceClock()
    for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
        sent(clock, BOOT_MS, boot_ms=boot_ms)
    kept = msgspec.msgpack.encode(clock.take_changed())
    assert clock.take_changed() == {}
    sent(clock, BOOT_MS + 1_000, boot_ms=OLD_BOOT_MS)
    assert clock.take_changed() == {}, "its map is as it was"
    again = SourceClock(msgspec.msgpack.decode(kept, type=dict[str, Life]))
    for boot_ms in (OLD_BOOT_MS, YOUNG_BOOT_MS):
        assert sent(again, BOOT_MS + 60_000, boot_ms=boot_ms) == (BOOT_MS + 60_000, False)


def test_what_was_kept_before_there_were_several_lives_is_still_read() -> None:
    kept = [
        [(HOUR_MS, BOOT_MS + HOUR_MS)],
        HOUR_MS,
        BOOT_MS + HOUR_MS,
        BOOT_MS + HOUR_MS,
        0,
        0,
        None,
        0,
        0,
        BOOT_MS,
    ]
    life = msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Life)
    true_ms = BOOT_MS + 2 * HOUR_MS
    assert sent(SourceClock({"10.0.0.7": life}), true_ms) == (true_ms, False)


# Delays are at most half of what tells a life from another, so that every datagram has one life that it is of.
DELAY_MAX_MS = 20_000
TRAP_DELAY_MAX_MS = 10_000
APART_MS = 120_000
RESTART_MS = 90_000


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 6_000), st.integers(0, DELAY_MAX_MS), st.integers(0, 12)),
        min_size=2,
        max_size=120,
    ),
    st.sampled_from(["traps", "informs", "version 3"]),
)
def test_two_agents_interleaved_each_keep_their_order_whatever_the_network_does_and_when_they_restart(
    steps, kind
) -> None:
    has_engines, is_inform = kind == "version 3", kind == "informs"
    delay_max_ms = TRAP_DELAY_MAX_MS if kind == "traps" else DELAY_MAX_MS
    boots_ms, boots, true_ms = [OLD_BOOT_MS, YOUNG_BOOT_MS], [1, 1], BOOT_MS
    journeys = []
    for number, (agent, gap_ticks, delay_ms, event) in enumerate(steps):
        true_ms += 10 * gap_ticks
        if event == 0 and true_ms + RESTART_MS - boots_ms[1 - agent] > APART_MS:
            # What it sends first is not what arrives first; at the uptime of before it would be a clock that stands.
            true_ms += RESTART_MS
            boots_ms[agent], boots[agent] = true_ms - 10 - 10 * number, boots[agent] + 1
        journeys.append(
            (true_ms + min(delay_ms, delay_max_ms), number, agent, true_ms, boots_ms[agent], boots[agent])
        )
    clock = SourceClock()
    places: tuple[dict[int, int], dict[int, int]] = {}, {}
    for received_ms, _, agent, left_ms, boot_ms, engine_boots in sorted(journeys):
        more = {"boots": engine_boots, "engine_id": b"ab"[agent : agent + 1]} if has_engines else {}
        at_ms, _ = sent(clock, left_ms, received_ms - left_ms, boot_ms, is_inform=is_inform, **more)
        assert -DELAY_MAX_MS <= at_ms - left_ms <= DELAY_MAX_MS + 2 * len(steps)
        places[agent][left_ms] = at_ms
    for of_agent in places:
        in_order = [of_agent[left_ms] for left_ms in sorted(of_agent)]
        assert in_order == sorted(set(in_order))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 4_711, 8_640_000, 259_200_000, (1 << 32) - 1])
            | st.integers(0, (1 << 32) - 1),
            st.integers(0, 200_000) | st.integers(0, 90 * DAY_MS),
            st.booleans(),
            st.integers(0, 3),
            st.sampled_from([b"", b"a", b"b"]),
        ),
        max_size=60,
    )
)
def test_nothing_is_placed_further_back_than_the_network_can_have_held_it(said) -> None:
    clock, now_ms = SourceClock(), BOOT_MS
    for uptime_ticks, gap_ms, is_start, boots, engine_id in said:
        now_ms += gap_ms
        at_ms, _ = clock.at_ms(
            "10.0.0.7", uptime_ticks, now_ms, is_start=is_start, boots=boots, engine_id=engine_id
        )
        assert at_ms >= now_ms - 120_000
        life = clock.life_of("10.0.0.7")
        assert life is not None
        assert len(life.others) < source_clock.CLOCK_LIVES_PER_SOURCE_MAX
        assert all(other.others == [] for other in life.others)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(life), type=Life) == life


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 500, 90_000, 8_640_000, (1 << 32) - 50]) | st.integers(0, 20_000),
            st.integers(-90_000, 200_000),
            st.booleans(),
            st.sampled_from([0, 0, 0, 1, 2]),
            st.sampled_from([b"", b"", b"engine-a", b"engine-b"]),
        ),
        max_size=30,
    )
)
def test_short_way_of_plain_notifications_leads_where_the_long_way_does(steps) -> None:
    short, long = SourceClock(), SourceClock()
    received_ms = BOOT_MS + 3 * HOUR_MS
    for ticks, passed_ms, is_start, boots, engine_id in steps:
        received_ms += passed_ms
        said = {"is_start": is_start, "boots": boots, "engine_id": engine_id}
        found = short.at_ms("10.0.0.7", ticks, received_ms, **said)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source_clock, "_is_plainly_of", lambda *_: False)
            assert long.at_ms("10.0.0.7", ticks, received_ms, **said) == found
        assert msgspec.msgpack.encode(short.life_of("10.0.0.7")) == msgspec.msgpack.encode(
            long.life_of("10.0.0.7")
        )
        assert short.take_changed().keys() == long.take_changed().keys()


def test_strangers_never_push_out_the_clocks_of_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_clock, "CLOCK_SOURCES_MAX", 2)
    clock = SourceClock(is_stranger=lambda source: source.startswith("192."))
    for source in ("10.0.0.1", "10.0.0.2", *(f"192.0.2.{number}" for number in range(9))):
        clock.at_ms(source, 100, BOOT_MS)
    assert clock.life_of("10.0.0.1") is not None and clock.life_of("10.0.0.2") is not None
    assert clock.life_of("192.0.2.6") is None and clock.life_of("192.0.2.8") is not None
    assert clock.at_ms("192.0.2.8", 200, BOOT_MS + 9_000) == (BOOT_MS + 1_000, False), (
        "it is followed all the same"
    )
    assert set(clock.take_changed()) == {"10.0.0.1", "10.0.0.2", "192.0.2.7", "192.0.2.8"}


def test_restart_without_a_word_soon_after_the_start_is_told_from_a_trap_that_was_overtaken() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + 30_000)
    new_boot_ms = BOOT_MS + 35_000
    assert sent(clock, new_boot_ms + 2_000, boot_ms=new_boot_ms) == (new_boot_ms + 2_000, True)
    overtaken, is_restarted = sent(clock, BOOT_MS + 29_000, delay_ms=9_000)
    assert (overtaken, is_restarted) == (BOOT_MS + 29_000, False)


def test_what_may_be_a_restart_or_not_counts_as_overtaken_and_the_element_is_to_be_asked() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + 5_000)
    assert sent(clock, BOOT_MS + 8_000, boot_ms=BOOT_MS + 7_000) == (BOOT_MS + 1_000, True)


def test_cold_start_that_was_overtaken_by_what_its_agent_sent_next_is_no_second_start() -> None:
    clock = SourceClock()
    sent(clock, BOOT_MS + 40)
    place, _ = sent(clock, BOOT_MS, delay_ms=5_000, is_start=True)
    assert place == BOOT_MS
    life = clock.life_of("10.0.0.7")
    assert life is not None and life.others == []
    assert sent(clock, BOOT_MS + 20_000, boot_ms=BOOT_MS + 20_000, is_start=True)[1], "this is one"
