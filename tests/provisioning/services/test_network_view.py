"""What models see of the inventory."""

import msgspec
from sqlalchemy import Connection

from ocs.inventory.elements import update_element
from ocs.inventory.model import Lifecycle
from ocs.provisioning.services.network_view import InventoryView
from ocs.sql import Database
from tests.support.service_lab import fill_inventory, lab_element


def names(database: Database, role: str, site: str = "") -> list[str]:
    return database.read_blocking(
        lambda connection: [record.name for record in InventoryView(connection).elements(role, site)]
    )


def test_elements_of_a_role_are_found_at_a_site_and_at_those_that_lie_in_it(database: Database) -> None:
    database.write_blocking(fill_inventory)
    assert names(database, "pgw") == ["pgw1", "pgw2"]
    assert names(database, "pgw", "site/berlin") == ["pgw1"]
    assert names(database, "smf", "site/berlin") == names(database, "smf", "site/kreuzberg") == ["smf1"]
    assert names(database, "smf", "site/hamburg") == names(database, "cpe", "site/berlin") == []
    assert names(database, "pgw", "site/nowhere") == []


def test_elements_that_are_only_planned_are_left_out(database: Database) -> None:
    def plan(connection: Connection) -> None:
        fill_inventory(connection)
        record = lab_element("pgw2")
        planned = msgspec.structs.replace(record.resource, lifecycle=Lifecycle.PLANNED, version=1)
        update_element(connection, msgspec.structs.replace(record, resource=planned))

    database.write_blocking(plan)
    assert names(database, "pgw") == ["pgw1"]


def test_what_was_seen_once_stays_so_as_long_as_the_view_lasts(database: Database) -> None:
    database.write_blocking(fill_inventory)

    def look(connection: Connection) -> None:
        view = InventoryView(connection)
        assert view.element("pe1") is view.element("pe1") is not None
        assert view.resource("vpn/acme") is view.resource("vpn/acme") is not None
        assert view.elements("pe") is view.elements("pe")
        assert view.element("pe9") is view.resource("berlin") is None

    database.read_blocking(look)
