import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.overload import Overload
from ocs.limits import (
    OVERLOAD_INTERVAL_S,
    OVERLOAD_QUEUEING_S,
    REFUSALS_BEFORE_REST,
    REQUESTS_ADMITTED_AT_REST,
    REQUESTS_ADMITTED_MAX,
    REQUESTS_ADMITTED_MIN,
)
from ocs.messages import CCRequestType

INITIAL, UPDATE = CCRequestType.INITIAL, CCRequestType.UPDATE
TERMINATION, EVENT = CCRequestType.TERMINATION, CCRequestType.EVENT
LATE_S = 20 * OVERLOAD_QUEUEING_S


def fill(overload, load, count):
    for _ in range(count):
        overload.begin(load, 500)


def answer_all(overload, load, *, elapsed_s, now_s):
    """Answer everything that a peer has in flight; as many come at once."""
    for _ in range(load.in_flight):
        overload.finish(load, 500)
        overload.begin(load, 500)
        overload.measure(now_s - elapsed_s, now_s)


def at_its_least():
    """A process that is overloaded, with as little admitted as can be."""
    overload = Overload(admitted_at_rest=REQUESTS_ADMITTED_MIN)
    return overload, overload.join("flood.example")


# --- what gives way first ---


def test_below_the_bound_nothing_is_refused():
    overload = Overload()
    load = overload.join("pgw.example")
    fill(overload, load, REQUESTS_ADMITTED_AT_REST // 2 - 1)
    assert not overload.is_pressed
    assert all(overload.admit(kind, load) for kind in (*CCRequestType, None))


@pytest.mark.parametrize("kind", [INITIAL, EVENT, None])
def test_first_requests_give_way_at_half_the_bound(kind):
    overload, load = at_its_least()
    fill(overload, load, overload.bound // 2)
    assert overload.is_pressed
    assert not overload.admit(kind, load)
    assert overload.admit(UPDATE, load)


def test_update_gives_way_at_the_bound():
    overload, load = at_its_least()
    fill(overload, load, overload.bound - 1)
    assert overload.admit(UPDATE, load)
    fill(overload, load, 1)
    assert not overload.admit(UPDATE, load)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([None, *CCRequestType]), st.booleans()), max_size=400
    )
)
def test_termination_is_never_refused_nor_a_peer_under_its_share(steps):
    overload = Overload(admitted_at_rest=16)
    loads = [overload.join(f"pgw{number}.example") for number in range(4)]
    for number, kind, ends in steps:
        load = loads[number]
        if ends and load.in_flight:
            overload.finish(load, 500)
            continue
        active = len({other.name for other in loads if other.in_flight} | {load.name})
        share = (overload.bound if kind is UPDATE else overload.bound // 2) / active
        admitted = overload.admit(kind, load)
        assert admitted or (kind is not TERMINATION and load.in_flight >= share)
        assert admitted or overload.is_pressed
        if admitted:
            overload.begin(load, 500)
    assert overload.in_flight == sum(load.in_flight for load in loads)
    assert overload.octets == sum(load.octets for load in loads)


def test_quiet_peer_keeps_its_service_beside_a_flood():
    overload, flood = at_its_least()
    fill(overload, flood, 10 * overload.bound)
    quiet = overload.join("quiet.example")
    for _ in range(overload.bound // 4):
        assert overload.admit(INITIAL, quiet)
        overload.begin(quiet, 500)
    assert not overload.admit(UPDATE, flood)


def test_connections_of_one_peer_share_one_load_whatever_the_case():
    overload = Overload()
    first, second = overload.join("PGW.example"), overload.join("pgw.example")
    assert first is second
    overload.leave(first)
    assert overload.join("pgw.example") is first
    overload.leave(first)
    overload.leave(first)
    assert overload.join("pgw.example") is not first


def test_requests_of_a_connection_that_is_gone_still_end():
    overload = Overload()
    load = overload.join("pgw.example")
    fill(overload, load, 3)
    overload.leave(load)
    for _ in range(3):
        overload.finish(load, 500)
    assert (overload.in_flight, overload.octets, load.in_flight) == (0, 0, 0)


# --- reading ---


def test_peer_that_is_refused_much_rests_and_is_read_again():
    overload, load = at_its_least()
    fill(overload, load, overload.bound)
    for _ in range(REFUSALS_BEFORE_REST):
        assert overload.may_read(load)
        overload.admit(INITIAL, load)
    assert not overload.may_read(load)
    overload.rested(load)
    assert overload.may_read(load)


def test_memory_full_of_terminations_stops_reading_from_those_who_fill_it():
    overload = Overload(octets_max=2_000_000)
    flood, quiet = overload.join("flood.example"), overload.join("quiet.example")
    while overload.may_read(flood):
        assert overload.admit(TERMINATION, flood)
        overload.begin(flood, 60_000)
    assert overload.octets <= 1_060_000
    assert overload.may_read(quiet)
    while overload.may_read(quiet):
        overload.begin(quiet, 60_000)
    assert overload.octets <= 2_000_000


def test_flood_of_terminations_is_not_read_past_the_queue_that_all_share():
    overload = Overload()
    flood, quiet = overload.join("flood.example"), overload.join("quiet.example")
    overload.begin(quiet, 500)
    taken = 0
    while overload.may_read(flood):
        overload.begin(flood, 500)
        taken += 1
    assert taken <= REQUESTS_ADMITTED_MAX
    assert overload.may_read(quiet)


# --- the bound follows time ---


def test_late_answers_cut_the_bound_and_answers_in_time_let_it_grow_back_slowly():
    seen = []
    overload = Overload(note_bound=seen.append)
    load = overload.join("pgw.example")
    fill(overload, load, 1000)
    for interval in range(1, 20):
        answer_all(overload, load, elapsed_s=LATE_S, now_s=interval * 2 * OVERLOAD_INTERVAL_S + LATE_S)
    assert overload.is_overloaded
    cut = overload.bound
    assert cut < 1000
    for interval in range(200):
        answer_all(overload, load, elapsed_s=0.001, now_s=100 + interval * 2 * OVERLOAD_INTERVAL_S)
    assert overload.bound >= REQUESTS_ADMITTED_AT_REST
    assert not overload.is_overloaded
    growing = seen[seen.index(min(seen)) :]
    assert all(later <= earlier * 1.1 + 1 for earlier, later in itertools.pairwise(growing))


def test_one_slow_moment_is_no_overload():
    overload = Overload()
    load = overload.join("pgw.example")
    fill(overload, load, 500)
    for interval in range(1, 50):
        elapsed_s = LATE_S if interval == 25 else 0.001
        answer_all(overload, load, elapsed_s=elapsed_s, now_s=1 + interval * 2 * OVERLOAD_INTERVAL_S)
    assert overload.bound >= REQUESTS_ADMITTED_AT_REST


def test_slow_store_with_few_requests_is_no_overload():
    overload = Overload()
    load = overload.join("pgw.example")
    fill(overload, load, REQUESTS_ADMITTED_MIN)
    for interval in range(1, 50):
        answer_all(overload, load, elapsed_s=LATE_S, now_s=1 + interval * 2 * OVERLOAD_INTERVAL_S)
    assert not overload.is_overloaded


def test_slow_store_is_told_from_a_queue_and_many_are_admitted_again():
    """What few requests take is the store's own time, and only what comes on top of it is queueing."""
    overload = Overload()
    load = overload.join("pgw.example")
    now_s = 1.0
    for _ in range(200):
        for _ in range(400 - load.in_flight):
            if overload.admit(UPDATE, load):
                overload.begin(load, 500)
        now_s += LATE_S
        for _ in range(load.in_flight):
            overload.finish(load, 500)
            overload.measure(now_s - LATE_S, now_s)
    assert 400 < overload.bound <= REQUESTS_ADMITTED_MAX


def test_slow_part_of_the_store_has_nothing_refused_that_the_others_answer():
    overload = Overload()
    load = overload.join("pgw.example")
    fill(overload, load, 500)
    for interval in range(1, 50):
        now_s = 1 + interval * 2 * OVERLOAD_INTERVAL_S
        for number in range(400):
            overload.measure(now_s - (0.001 if number % 3 == 0 else LATE_S), now_s)
    assert not overload.is_overloaded


@pytest.mark.parametrize("mix", [(0.1, 0.8, 0.1), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.3, 0.3, 0.4)])
def test_at_twice_the_capacity_goodput_stays_and_answers_come_in_time(mix):
    """A worker in little: it reads all that has come, decides, and answers in the next round; one core does it all."""
    capacity, refusal_s, store_s, seconds = 15_000, 6e-6, 0.001, 3.0
    random, overload = Random(7), Overload()
    load = overload.join("pgw.example")
    now_s = arrived_s = 0.0
    waiting, latencies, refused = [], [], dict.fromkeys(CCRequestType, 0)
    while now_s < seconds:
        read_s = now_s
        while arrived_s <= read_s:
            kind = random.choices((INITIAL, UPDATE, TERMINATION), mix)[0]
            if overload.is_pressed and not overload.admit(kind, load):
                refused[kind] += 1
                load.refused, now_s = 0, now_s + refusal_s
            else:
                overload.begin(load, 500)
                now_s += 0.5 / capacity
                waiting.append((read_s, now_s + store_s, arrived_s))
            arrived_s += 0.5 / capacity
        due = [entry for entry in waiting if entry[1] <= now_s]
        waiting = [entry for entry in waiting if entry[1] > now_s]
        for began_s, _, came_s in due:
            now_s += 0.5 / capacity
            overload.finish(load, 500)
            overload.measure(began_s, now_s)
            if came_s > 1.0:  # the swing at the beginning lasts for some tenths of a second
                latencies.append(now_s - came_s)
        now_s += 20e-6 if due else 100e-6
    assert len(latencies) >= 0.88 * capacity * (seconds - 1.0)
    assert sorted(latencies)[int(len(latencies) * 0.99)] < 0.05
    assert refused[TERMINATION] == 0
