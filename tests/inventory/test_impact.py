"""What and who suffers when a resource fails."""

import pytest

from ocs.inventory.errors import NotInInventoryError
from ocs.inventory.impact import impact
from ocs.inventory.model import Kind, Resource, Service, ServiceState, Use
from ocs.inventory.registry import add_resource
from ocs.inventory.services import get_service, record_service, record_services, remove_service
from ocs.sql import Database
from tests.support.inventory import add_chain


@pytest.fixture
def network(database: Database) -> Database:
    database.write_blocking(add_chain)
    return database


def counted(database: Database, resource: str) -> tuple[int, int, list[str]]:
    found = database.read_blocking(lambda connection: impact(connection, resource))
    return found.services, found.subscribers, sorted(one.service_id for one in found.first_services)


def test_card_takes_down_its_ports_and_all_that_is_reached_through_them(network: Database) -> None:
    found = network.read_blocking(lambda connection: impact(connection, "agg/card/1"))
    assert found.failing.first == ("agg/if/down", "agg/if/up", "cell/if/0", "core/if/0")
    assert found.unreachable.first == ("agg", "cell")
    assert (found.services, found.subscribers) == (2, 1_214)


def test_port_hits_only_what_lies_behind_it(network: Database) -> None:
    assert counted(network, "agg/if/down") == (1, 1_200, ["mobile"])
    assert counted(network, "cell") == (1, 1_200, ["mobile"])


def test_site_hits_its_elements_and_those_behind_them(network: Database) -> None:
    assert counted(network, "hill") == (2, 1_214, ["leased line", "mobile"])
    assert network.read_blocking(lambda connection: impact(connection, "hill")).failing.count == 6


def test_cut_link_makes_unreachable_what_lies_behind_it(network: Database) -> None:
    found = network.read_blocking(lambda connection: impact(connection, "link/fibre"))
    assert (found.unreachable.first, found.subscribers) == (("agg", "cell"), 1_214)


def test_service_on_several_failing_resources_counts_once(network: Database) -> None:
    # A part of an element that is hit as a whole, one of an element that is not, and a whole one.
    uses = [Use("agg/if/up", "a"), Use("agg/if/up", "b"), Use("core/if/0", "c"), Use("cell", "d")]
    service = Service(service_id="ring", model="vpn", subscribers=5)
    network.write_blocking(lambda connection: record_service(connection, service, uses))
    assert counted(network, "agg/card/1") == (3, 1_219, ["leased line", "mobile", "ring"])
    assert counted(network, "agg/if/up")[0] == 3


def test_service_on_a_port_suffers_when_the_port_fails_and_not_when_its_neighbour_does(
    network: Database,
) -> None:
    service = Service(service_id="office", model="vpn", subscribers=1)
    network.write_blocking(
        lambda connection: (
            record_service(connection, service, [Use("core/if/0", "access"), Use("vlan/hill/7")])
            if add_resource(connection, Resource(resource_id="vlan/hill/7", kind=Kind.VLAN))
            else None
        )
    )
    assert counted(network, "vlan/hill/7") == (1, 1, ["office"])
    assert counted(network, "core/if/0") == (3, 1_215, ["leased line", "mobile", "office"])
    assert counted(network, "cell/if/0") == (1, 1_200, ["mobile"])


def test_what_nobody_uses_hits_nobody(network: Database) -> None:
    network.write_blocking(lambda connection: remove_service(connection, "mobile"))
    assert counted(network, "cell") == (0, 0, [])


def test_terminated_service_suffers_no_more(network: Database) -> None:
    def end(connection):
        service = get_service(connection, "mobile")
        record_service(
            connection,
            Service(
                service_id="mobile",
                model="mobile",
                state=ServiceState.TERMINATED,
                subscribers=0,
                version=service.version,
            ),
            [],
        )

    network.write_blocking(end)
    assert counted(network, "cell") == (0, 0, [])


def test_many_services_are_counted_and_only_the_first_are_named(network: Database) -> None:
    many = [
        (
            Service(service_id=f"m{number}", model="mobile", subscribers=2),
            [Use("cell", "access"), Use("core")],
        )
        for number in range(1_200)
    ]
    network.write_blocking(lambda connection: record_services(connection, many))
    found = network.read_blocking(lambda connection: impact(connection, "cell/if/0"))
    assert (found.services, found.subscribers, len(found.first_services)) == (1_201, 3_600, 20)


def test_what_is_not_there_is_told(network: Database) -> None:
    with pytest.raises(NotInInventoryError, match="nowhere"):
        network.read_blocking(lambda connection: impact(connection, "nowhere"))
