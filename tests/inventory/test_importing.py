"""Descriptions brought into the inventory, again and again."""

from msgspec.structs import replace
from sqlalchemy import Connection

from ocs.faults.topology.schema import TopologyFile
from ocs.inventory.elements import get_element, update_element
from ocs.inventory.importing import Imported, bring_in, described, export
from ocs.inventory.model import Kind, Resource
from ocs.inventory.registry import add_resource
from ocs.inventory.resources import get_resource
from ocs.inventory.services import get_service
from ocs.sql import Database
from tests.support.inventory import managed
from tests.support.signals import CHAIN


def bring(database: Database, file: TopologyFile) -> Imported:
    return database.write_blocking(lambda connection: bring_in(connection, described({"f": file})))


def test_import_adds_once_and_changes_only_what_changed(database: Database) -> None:
    first = bring(database, CHAIN)
    assert (first.added, first.changed, first.unchanged) == (13, 0, 0)
    assert bring(database, CHAIN) == Imported(0, 0, 13)
    mobile = replace(CHAIN.services[0], subscribers=99)
    moved = replace(CHAIN.elements[2], site="hill")
    changed = replace(CHAIN, services=(mobile, CHAIN.services[1]), elements=(*CHAIN.elements[:2], moved))
    assert bring(database, changed) == Imported(0, 2, 11)
    assert database.read_blocking(lambda connection: get_service(connection, "mobile")).subscribers == 99
    assert database.read_blocking(lambda connection: get_element(connection, "cell")).site == "site/hill"


def test_import_keeps_how_elements_are_managed(database: Database) -> None:
    bring(database, CHAIN)
    management = replace(managed("agg"), host_key="ssh-ed25519 AAAA")

    def manage(connection: Connection) -> None:
        update_element(connection, replace(get_element(connection, "agg"), management=management, role="pe"))

    database.write_blocking(manage)
    assert bring(database, CHAIN).changed == 0
    record = database.read_blocking(lambda connection: get_element(connection, "agg"))
    assert (record.management, record.role) == (management, "pe")


def test_interfaces_that_only_links_name_come_into_being(database: Database) -> None:
    bring(database, CHAIN)
    assert database.read_blocking(lambda connection: get_resource(connection, "core/if/0")).parent == "core"
    uplink = database.read_blocking(lambda connection: get_resource(connection, "cell/if/0"))
    assert uplink.attributes == {"is_uplink": True}


def test_what_was_exported_makes_the_same_inventory(database: Database) -> None:
    bring(database, CHAIN)
    site = Resource(resource_id="vlan/hill/7", kind=Kind.VLAN, attributes={"name": "office"})
    prefix = Resource(resource_id="prefix/core/10.0.0.0/8", kind=Kind.PREFIX)
    database.write_blocking(lambda connection: [add_resource(connection, one) for one in (site, prefix)])
    document = database.read_blocking(export)
    again = database.write_blocking(lambda connection: bring_in(connection, document))
    assert (again.added, again.changed) == (0, 0)
    assert {one.resource_id for one in document.resources} >= {"vlan/hill/7", "link/fibre", "site/hill"}
