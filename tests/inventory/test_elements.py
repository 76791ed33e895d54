"""Elements: how each is reached, what it is for, where its notifications come from."""

import pytest
from msgspec.structs import replace

from ocs.inventory.elements import (
    add_elements,
    find_element,
    get_element,
    list_elements,
    trust_host_key,
    update_element,
)
from ocs.inventory.errors import InUseError, InventoryError, NotInInventoryError, StaleError
from ocs.inventory.model import ElementRecord, Kind, Resource
from ocs.inventory.registry import remove_resource
from ocs.sql import Database
from tests.support.inventory import add_chain, element, managed


@pytest.fixture
def network(database: Database) -> Database:
    database.write_blocking(add_chain)
    return database


def add(database: Database, record: ElementRecord) -> None:
    database.write_blocking(lambda connection: add_elements(connection, [record]))


def test_element_comes_back_as_it_was_put_in(network: Database) -> None:
    add(
        network,
        element("pe1", "site/hill", "pe", management=managed("pe1"), addresses=("192.0.2.1", "2001:DB8::1")),
    )
    found = network.read_blocking(lambda connection: get_element(connection, "pe1"))
    assert (found.site, found.role, found.management) == ("site/hill", "pe", managed("pe1"))
    assert found.addresses == ("192.0.2.1", "2001:db8::1")


def test_elements_are_found_by_role_and_site(network: Database) -> None:
    def names(**said: str) -> list[str]:
        return [
            one.name for one in network.read_blocking(lambda connection: list_elements(connection, **said))
        ]

    assert names() == ["agg", "cell", "core"]
    assert names(role="pgw") == ["core"]
    assert names(site="site/hill") == ["agg"]
    assert names(role="pgw", site="site/hill") == []


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (element("x", addresses=("10.0.0.1",)), "10.0.0.1 is an address of core too"),
        (element("x", addresses=("ten",)), "expected an IP address"),
        (element("x", management=managed("y")), "itself"),
        (element("x", management=replace(managed("x"), port=0)), "port"),
        (ElementRecord(resource=Resource(resource_id="site/x", kind=Kind.SITE)), "expected an element"),
    ],
)
def test_element_that_does_not_fit_is_refused(network: Database, record: ElementRecord, said: str) -> None:
    with pytest.raises(InventoryError, match=said):
        add(network, record)
    assert network.read_blocking(lambda connection: find_element(connection, "x")) is None


def test_update_replaces_addresses_and_is_about_one_version(network: Database) -> None:
    before = network.read_blocking(lambda connection: get_element(connection, "agg"))
    changed = replace(before, addresses=("10.0.0.9", "10.0.0.2"), role="p")
    after = network.write_blocking(lambda connection: update_element(connection, changed))
    assert (after.addresses, after.role, after.resource.version) == (("10.0.0.9", "10.0.0.2"), "p", 2)
    with pytest.raises(StaleError):
        network.write_blocking(lambda connection: update_element(connection, changed))
    with pytest.raises(InUseError, match="core"):
        taken = replace(after, addresses=("10.0.0.1",))
        network.write_blocking(lambda connection: update_element(connection, taken))


def test_key_is_trusted_of_elements_that_we_manage(network: Database) -> None:
    add(network, element("pe1", management=managed("pe1")))
    network.write_blocking(lambda connection: trust_host_key(connection, "pe1", "ssh-ed25519 AAAA"))
    management = network.read_blocking(lambda connection: get_element(connection, "pe1")).management
    assert management is not None
    assert management.host_key == "ssh-ed25519 AAAA"
    for name in ("core", "nowhere"):
        with pytest.raises(NotInInventoryError, match=name):
            network.write_blocking(lambda connection, name=name: trust_host_key(connection, name, "k"))


def test_removed_element_leaves_its_addresses_to_others(network: Database) -> None:
    add(network, element("old", addresses=("192.0.2.7",)))
    network.write_blocking(lambda connection: remove_resource(connection, "old"))
    add(network, element("new", addresses=("192.0.2.7",)))
