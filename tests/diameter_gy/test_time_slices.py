import itertools

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.overload import PeerLoad
from ocs.diameter_gy.time_slices import TimeSlices, cut_into_slices
from ocs.limits import ROUND_S, SLICE_S

SLICES_PER_ROUND = round(ROUND_S / SLICE_S)


def line_of(*names, slices=1):
    """A line in which each peer waits for so many slices; (slices, who was let in so far)."""
    line, let_in = TimeSlices(), []
    for _ in range(slices):
        for peer in names:
            line.line_up(peer, SLICE_S, lambda name=peer.name: let_in.append(name))
    return line, let_in


def take_all(slices, peer):
    """Take slices until the round is over; says how many there were."""
    return len(list(itertools.takewhile(bool, (slices.take(peer, SLICE_S) for _ in range(1000)))))


# --- a round ---


def test_nobody_waits_while_the_round_has_room_and_the_next_one_has_room_again():
    slices, peer = TimeSlices(), PeerLoad("pgw.example")
    assert take_all(slices, peer) == pytest.approx(SLICES_PER_ROUND, abs=1)
    slices.give()
    assert take_all(slices, peer) == pytest.approx(SLICES_PER_ROUND, abs=1)


def test_round_lets_in_no_more_than_it_holds_and_those_who_waited_before_newcomers():
    slices, let_in = line_of(PeerLoad("flood.example"), slices=3 * SLICES_PER_ROUND)
    slices.give()
    assert len(let_in) == pytest.approx(SLICES_PER_ROUND, abs=1)
    assert not slices.take(PeerLoad("late.example"), SLICE_S)


def test_slice_that_took_longer_than_thought_shortens_the_round_and_puts_its_peer_back():
    slices, slow, quick = TimeSlices(), PeerLoad("slow.example"), PeerLoad("quick.example")
    assert slices.take(slow, SLICE_S)
    slices.end(slow, 10, SLICE_S, ROUND_S)
    assert not slices.take(quick, SLICE_S)
    let_in = []
    for peer in (slow, quick):
        slices.line_up(peer, SLICE_S, lambda name=peer.name: let_in.append(name))
    slices.give()
    assert let_in == ["quick.example", "slow.example"]


def test_slice_that_took_less_leaves_room():
    slices, peer = TimeSlices(), PeerLoad("pgw.example")
    for _ in range(10 * SLICES_PER_ROUND):
        assert slices.take(peer, SLICE_S)
        slices.end(peer, 10, SLICE_S, SLICE_S / 100)


# --- the line ---


def test_peer_that_has_had_little_goes_before_one_that_has_had_much_though_it_came_last():
    quiet = PeerLoad("quiet.example")
    slices, let_in = line_of(PeerLoad("flood.example"), slices=5 * SLICES_PER_ROUND)
    slices.give()
    before = len(let_in)
    slices.line_up(quiet, SLICE_S / 100, lambda: let_in.append("quiet.example"))
    slices.give()
    assert "quiet.example" in let_in[before : before + 2]


def test_peers_that_all_want_everything_get_the_same():
    peers = [PeerLoad(f"pgw{number}.example") for number in range(3)]
    slices, let_in = line_of(*peers, slices=4 * SLICES_PER_ROUND)
    for _ in range(9):
        slices.give()
    counts = [let_in.count(peer.name) for peer in peers]
    assert sum(counts) == pytest.approx(9 * SLICES_PER_ROUND, abs=9)
    assert max(counts) - min(counts) <= 1


def test_many_connections_give_a_peer_no_more_than_one():
    many, one = PeerLoad("many.example"), PeerLoad("one.example")
    slices, let_in = line_of(many, slices=64)
    for _ in range(16):
        slices.line_up(one, SLICE_S, lambda: let_in.append("one.example"))
    for _ in range(4):
        slices.give()
    assert let_in.count("one.example") == pytest.approx(let_in.count("many.example"), abs=2)


def test_what_a_peer_had_while_nobody_waited_is_not_held_against_it_and_rest_is_not_saved_up():
    busy, idle = PeerLoad("busy.example"), PeerLoad("idle.example")
    slices, let_in = TimeSlices(), []
    for _ in range(100):
        take_all(slices, busy)
        slices.give()
    for peer in [busy, idle] * 40:
        slices.line_up(peer, SLICE_S, lambda name=peer.name: let_in.append(name))
    for _ in range(8):
        slices.give()
    assert abs(let_in.count("busy.example") - let_in.count("idle.example")) <= 1


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(1e-6, 3 * SLICE_S), st.booleans()), max_size=200))
def test_every_slice_is_given_once_in_the_peer_s_order_and_a_round_is_overdrawn_by_no_more_than_one(steps):
    slices, peers = TimeSlices(), [PeerLoad(str(number)) for number in range(5)]
    let_in = []
    for number, (index, estimate_s, gives) in enumerate(steps):
        entry = (index, number, estimate_s)
        slices.line_up(peers[index], estimate_s, lambda entry=entry: let_in.append(entry))
        if gives:
            before = len(let_in)
            slices.give()
            assert sum(estimate_s for _, _, estimate_s in let_in[before:-1]) <= ROUND_S + 1e-9
    for _ in steps:
        slices.give()
    assert sorted(number for _, number, _ in let_in) == list(range(len(steps)))
    for peer in range(5):
        numbers = [number for index, number, _ in let_in if index == peer]
        assert numbers == sorted(numbers)


async def test_who_waits_is_let_in_while_the_server_runs_and_one_that_is_cut_holds_nobody_up(nursery):
    slices, flood, quiet = TimeSlices(), PeerLoad("flood.example"), PeerLoad("quiet.example")
    take_all(slices, flood)
    with trio.move_on_after(0):
        await slices.wait(flood, SLICE_S)
    nursery.start_soon(slices.run)
    with trio.fail_after(10):
        for _ in range(3 * SLICES_PER_ROUND):
            await slices.wait(flood, SLICE_S)
        await slices.wait(quiet, SLICE_S)
    nursery.cancel_scope.cancel()


# --- cutting ---


@given(st.integers(1, 3_000), st.floats(1e-6, 0.1))
def test_slices_hold_all_messages_in_order_and_none_takes_longer_than_a_slice_may(count, message_s):
    peer = PeerLoad("pgw.example")
    peer.message_s = message_s
    messages = [str(number).encode() for number in range(count)]
    slices = cut_into_slices(messages, peer)
    assert [message for part in slices for message in part] == messages
    assert all(len(part) == 1 or len(part) * message_s <= SLICE_S * 1.001 for part in slices)


def test_slices_grow_and_shrink_with_what_a_peer_s_messages_take():
    slices, peer = TimeSlices(), PeerLoad("pgw.example")
    messages = [b""] * 2_000
    sizes = []
    for message_s in (100e-6, 5e-6):
        for _ in range(50):
            slices.end(peer, 10, 10 * peer.message_s, 10 * message_s)
        sizes.append(len(cut_into_slices(messages, peer)[0]))
    assert sizes == pytest.approx([SLICE_S / 100e-6, SLICE_S / 5e-6], rel=0.05)


def test_no_slice_is_endless_however_quick_messages_seem():
    slices, peer = TimeSlices(), PeerLoad("pgw.example")
    for _ in range(100):
        slices.end(peer, 10, 0.0, 0.0)
    assert len(cut_into_slices([b""] * 3_000, peer)[0]) <= 250
