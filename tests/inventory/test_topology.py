"""The topology from the inventory says what the one from files says, and knows when it is outdated."""

from pathlib import Path

import pytest

from ocs.faults.topology.dependencies import Dependencies
from ocs.faults.topology.schema import (
    AgentAccess,
    Element,
    Interface,
    Link,
    Service,
    Site,
    TopologyError,
    TopologyFile,
)
from ocs.faults.topology.toml_file import read_toml
from ocs.faults.topology.toml_topology import TomlTopology, topology_of
from ocs.inventory import topology as inventory_topology
from ocs.inventory.impact import impact
from ocs.inventory.importing import bring_in, described
from ocs.inventory.model import Service as Recorded
from ocs.inventory.model import Use
from ocs.inventory.registry import add_resource
from ocs.inventory.services import record_service
from ocs.inventory.statements import read_version
from ocs.inventory.topology import InventoryTopology, load_inventory_topology
from ocs.sql import Database
from tests.support.inventory import interface
from tests.support.signals import CHAIN

_SHIPPED = Path(__file__).resolve().parents[2] / "config" / "topology" / "lab.toml"
_RICH = TopologyFile(
    sites=(Site(name="plant"), Site(name="hut", depends_on=("plant",))),
    elements=(
        Element(
            name="x",
            site="hut",
            addresses=("10.0.0.1",),
            cards=("1", "2"),
            interfaces=(Interface(name="a", index=7, card="2"), Interface(name="8", index=8)),
            uplinks=("a", "free"),
            heartbeat_s=300,
            agent=AgentAccess(community_file="secrets/lookup", walks=("interfaces",), resync_s=900),
        ),
        Element(name="y", depends_on=("x/psu/1", "hut")),
        Element(name="mux"),
        Element(name="z", uplinks=("0",)),
    ),
    links=(
        Link(name="ip", ends=("x/if/a", "y/if/1"), over=("wave",)),
        Link(name="wave", ends=("mux/if/a", "mux/if/b")),
        Link(name="lan", ends=("x/if/free", "y/if/2", "z/if/0")),
    ),
    services=(
        Service(name="s1", uses=("y", "wave"), subscribers=7),
        Service(name="s2", uses=("z", "plant"), subscribers=5),
        Service(name="s3", uses=("x/card/1", "x"), subscribers=3),
    ),
)


def imported(database: Database, file: TopologyFile) -> InventoryTopology:
    database.write_blocking(lambda connection: bring_in(connection, described({"f": file})))
    return database.read_blocking(load_inventory_topology)


@pytest.mark.parametrize(
    "file",
    [CHAIN, read_toml(_SHIPPED, TopologyFile), _RICH, TopologyFile()],
    ids=["chain", "shipped", "rich", "empty"],
)
def test_inventory_answers_as_the_files_do(database: Database, file: TopologyFile) -> None:
    expected = topology_of({"f": file})
    found = imported(database, file)
    assert found.elements.keys() == expected.elements.keys()
    names = {*_names(file), "stranger", "stranger/if/1"}
    for name in names:
        assert found.canonical(name) == expected.canonical(name)
        assert set(found.parents(name)) >= set(expected.parents(name)), name
        assert found.peers(name) == expected.peers(name)
        assert sorted(found.uplinks(name)) == sorted(expected.uplinks(name))
        assert found.services(name) == expected.services(name), name
        assert found.subscribers(found.services(name)) == expected.subscribers(expected.services(name))
    for element in file.elements:
        assert found.elements[element.name].agent == element.agent
        assert found.elements[element.name].heartbeat_s == element.heartbeat_s
        for address in element.addresses:
            assert found.element_of(address) == element.name
    assert found.element_of("203.0.113.1") is None


@pytest.mark.parametrize(
    "file", [CHAIN, read_toml(_SHIPPED, TopologyFile), _RICH], ids=["chain", "shipped", "rich"]
)
def test_impact_names_the_services_that_alarms_would_name(database: Database, file: TopologyFile) -> None:
    found = imported(database, file)
    for name in _names(file):
        suffering = database.read_blocking(
            lambda connection, name=name: impact(connection, found.canonical(name))
        )
        assert sorted(one.service_id for one in suffering.first_services) == sorted(found.services(name)), (
            name
        )


def _names(file: TopologyFile) -> set[str]:
    names = {site.name for site in file.sites} | {link.name for link in file.links}
    for element in file.elements:
        names |= {element.name, *(f"{element.name}/card/{card}" for card in element.cards)}
        names |= {f"{element.name}/if/{one.name}" for one in element.interfaces}
    return names | {end for link in file.links for end in link.ends}


def test_service_on_a_port_suffers_when_its_element_is_not_reached(database: Database) -> None:
    imported(database, CHAIN)
    database.write_blocking(
        lambda connection: record_service(
            connection, Recorded(service_id="office", model="vpn"), [Use("cell/if/0")]
        )
    )
    assert "office" in database.read_blocking(load_inventory_topology).services("core/if/0")


def test_very_many_services_are_one_for_each_model_and_place(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_topology, "SERVICES_NAMED_MAX", 3)
    imported(database, CHAIN)

    def record(connection):
        for number in range(5):
            service = Recorded(service_id=f"v{number}", model="vpn", subscribers=2)
            record_service(connection, service, [Use("cell/if/0"), Use("core")])

    database.write_blocking(record)
    found = database.read_blocking(load_inventory_topology)
    assert found.services("cell") == ("described at cell", "vpn at core + cell") or found.services(
        "cell"
    ) == (
        "described at cell",
        "vpn at cell + core",
    )
    assert found.subscribers(found.services("cell")) == 1_210


def test_outdated_topology_is_known_by_its_version(database: Database) -> None:
    found = imported(database, CHAIN)
    assert database.read_blocking(read_version) == found.version
    database.write_blocking(lambda connection: add_resource(connection, interface("core/if/9")))
    assert database.read_blocking(read_version) != found.version


def test_sub_interface_fails_with_its_port(database: Database) -> None:
    imported(database, CHAIN)
    database.write_blocking(
        lambda connection: add_resource(connection, interface("agg/if/up.100", "agg/if/up"))
    )
    found = database.read_blocking(load_inventory_topology)
    assert "agg/card/1" in Dependencies(found).upstream("agg/if/up.100")
    assert isinstance(found, TomlTopology)


def test_attribute_that_says_nothing_usable_is_named(database: Database) -> None:
    def spoil(connection):
        from msgspec.structs import replace

        from ocs.inventory.elements import get_element, update_element

        record = get_element(connection, "core")
        update_element(
            connection, replace(record, resource=replace(record.resource, attributes={"agent.port": "x"}))
        )

    imported(database, CHAIN)
    database.write_blocking(spoil)
    with pytest.raises(TopologyError, match=r"elements\[core\]"):
        database.read_blocking(load_inventory_topology)
