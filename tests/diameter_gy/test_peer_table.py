from ocs.diameter_gy.base_commands import Origin
from ocs.diameter_gy.peer_table import PeerTable


def test_several_connections_of_one_peer_are_counted_whatever_the_case():
    table = PeerTable()
    table.add_connection("pgw.example")
    table.add_connection("PGW.example")
    assert table.connections_of("pgw.example") == 2
    table.remove_connection("pgw.EXAMPLE", lost=False)
    assert table.connections_of("pgw.example") == 1
    assert table.connections_of("unknown.example") == 0


def test_peer_is_lost_only_when_its_last_connection_fell_silent():
    table = PeerTable()
    table.add_connection("pgw")
    table.add_connection("pgw")
    table.remove_connection("pgw", lost=True)
    assert not table.is_lost("pgw")
    table.remove_connection("pgw", lost=True)
    assert table.is_lost("pgw")
    table.add_connection("pgw")
    assert not table.is_lost("pgw")


def test_only_a_rise_of_origin_state_id_means_lost_sessions():
    table = PeerTable()
    assert [table.note_state(Origin("pgw", "r", state)) for state in (5, 5, None, 6, 4)] == [
        False, False, False, True, False,
    ]  # fmt: skip


def test_peers_that_left_are_forgotten_beyond_the_bound_but_connected_ones_never():
    table = PeerTable(remembered_max=2)
    table.add_connection("connected")
    for number in range(5):
        table.add_connection(f"p{number}")
        table.remove_connection(f"p{number}", lost=True)
    assert table.connections_of("connected") == 1
    assert [table.is_lost(f"p{number}") for number in range(5)] == [False] * 4 + [True]


def test_bound_is_exceeded_rather_than_a_connection_forgotten():
    table = PeerTable(remembered_max=1)
    for name in ("a", "b", "c"):
        table.add_connection(name)
    assert [table.connections_of(name) for name in ("a", "b", "c")] == [1, 1, 1]
