"""Places for TLS handshakes: who gives way, who is next. With sockets: test_hostile_peers.py and test_tls.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.handshakes import Place, Places, source_of


class Hall:
    """Places, and what became of those who took one."""

    def __init__(self, places_max=12, per_source_max=5):
        self.places = Places(places_max, per_source_max)
        self.gone, self.let_in, self.held = [], [], {}

    def enter(self, name, source="192.0.2.1", *, speaks=False):
        place = Place(source, lambda: self.gone.append(name), lambda: self.let_in.append(name))
        gone = self.places.enter(place)
        self.held[name] = place
        if gone is not None:  # as the connection that was told to end does
            self.places.leave(gone)
        if speaks:
            self.places.speak(place)
        return place


@pytest.fixture
def hall():
    return Hall()


def test_oldest_silent_connection_of_a_full_source_gives_way(hall):
    hall.enter("spoke", speaks=True)
    for number in range(6):
        hall.enter(number)
    assert hall.gone == [0, 1]
    assert len(hall.places) == 5


def test_source_that_is_full_costs_others_nothing(hall):
    for number in range(5):
        hall.enter(f"other {number}", "192.0.2.2")
    for number in range(50):
        hall.enter(number)
    assert not {name for name in hall.gone if isinstance(name, str)}


def test_fullest_source_gives_way_when_all_places_are_taken(hall):
    for number in range(5):
        hall.enter(f"flood {number}", "192.0.2.9")
    for source in range(7):
        hall.enter(f"good {source}", f"192.0.2.{source}", speaks=True)
    hall.enter("late", "198.51.100.1")
    assert hall.gone == ["flood 0"]
    assert len(hall.places) == 12


def test_among_equals_a_silent_one_gives_way_before_one_that_has_spoken(hall):
    for source in range(12):
        hall.enter(source, f"192.0.2.{source}", speaks=source != 7)
    hall.enter("late", "198.51.100.1")
    assert hall.gone == [7]


def test_sources_take_turns_whatever_their_number_of_connections(hall):
    for number in range(5):
        hall.enter(f"flood {number}", "192.0.2.9", speaks=True)
    hall.enter("good", speaks=True)
    while hall.places.let_next_in():
        pass
    assert hall.let_in == ["flood 0", "good", "flood 1", "flood 2", "flood 3", "flood 4"]


def test_silent_connections_are_never_next(hall):
    hall.enter("silent")
    assert not hall.places.let_next_in()


def test_connection_that_has_left_is_not_let_in_and_its_place_is_free(hall):
    place = hall.enter("gone", speaks=True)
    hall.places.leave(place)
    hall.places.leave(place)
    assert not hall.places.let_next_in()
    assert len(hall.places) == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["enter", "speak", "leave", "next"]), st.integers(0, 30))
    )
)
def test_bounds_hold_and_nothing_is_left_behind(steps):
    hall, silent = Hall(), []
    for number, (source, step, index) in enumerate(steps):
        names = [name for name in hall.held if name not in hall.gone]
        if step == "enter":
            hall.enter(number, f"192.0.2.{source}")
            silent.append(number)
        elif step == "next":
            hall.places.let_next_in()
        elif names:
            name = names[index % len(names)]
            if step == "leave":
                hall.places.leave(hall.held.pop(name))
            elif name in silent:
                hall.places.speak(hall.held[name])
                silent.remove(name)
        alive = [hall.held[name] for name in hall.held if name not in hall.gone]
        assert len(hall.places) == len(alive) <= 12
        sources = [place.source for place in alive]
        assert all(sources.count(name) <= 5 for name in sources)
    assert len(hall.let_in) == len(set(hall.let_in))
    for place in hall.held.values():
        hall.places.leave(place)
    assert len(hall.places) == 0
    assert not hall.places._sources
    assert not hall.places.let_next_in()


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_addresses_that_one_host_chooses_from_are_one_source(address, source):
    assert source_of(address) == source
