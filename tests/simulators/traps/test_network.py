"""The simulated network, read from the server's topology by a reader of its own."""

from pathlib import Path

import pytest

from simulators.traps.network import NetworkError, metro_topology, read_network
from tests.support.trap_lab import lab, metro


def test_every_element_of_the_lab_can_speak_and_the_server_knows_it_by_that_address() -> None:
    network, topology = lab()
    speakers = network.speakers()
    assert {element.name for element in speakers} == set(network.elements)
    assert all(topology.element_of(element.address) == element.name for element in speakers)


def test_what_is_reached_over_a_fibre_is_beyond_it() -> None:
    network, _ = lab()
    beyond = {cable.name: [element.name for element in network.beyond(cable)] for cable in network.cables}
    assert beyond["fibre-north-west"] == ["agg-west", "cell-west"]
    assert beyond["radio-east-1"] == ["cell-east"]
    assert beyond["fibre-north-south"] == []


def test_city_hangs_on_one_fibre(tmp_path: Path) -> None:
    network, topology = metro(tmp_path, 300)
    cable = network.widest_cable()
    assert cable.name == "metro-fibre"
    assert len(network.beyond(cable)) == 301
    assert len({element.address for element in network.speakers()}) == 302
    assert topology.element_of("127.32.2.1") == "tower-250"


def test_interface_is_called_by_its_number_in_alarms_and_by_its_name_in_the_topology() -> None:
    network, topology = lab()
    for element in network.elements.values():
        for port in element.ports:
            assert topology.canonical(port.resource) == port.place


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no topology"),
        ({"policy.toml": ""}, "holds no topology"),
        ({"one.toml": '[[elements]]\nname = "a"\naddresses = ["10.0.0.1"]\n'}, "no link"),
        ({"far.toml": metro_topology(1).replace("127.32.", "10.32.")}, "no link"),
    ],
    ids=["empty", "policy only", "no links", "no loopback addresses"],
)
def test_folder_that_cannot_be_played_is_said_to_be_none(
    files: dict[str, str], said: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(NetworkError, match=said):
        read_network(tmp_path).widest_cable()


def test_link_to_an_interface_without_a_number_is_left_out(tmp_path: Path) -> None:
    text = metro_topology(1).replace('{ name = "eth0", index = 1 }', '{ name = "eth0" }')
    (tmp_path / "city.toml").write_text(text)
    assert [cable.name for cable in read_network(tmp_path).cables] == ["metro-fibre"]
