"""Services and what they use; the counts that stand beside them (footprints)."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection, func, select

from ocs.inventory.errors import InventoryError, NotInInventoryError, StaleError
from ocs.inventory.model import Service, ServiceState, Use
from ocs.inventory.services import (
    ServiceQuery,
    find_service,
    get_service,
    list_services,
    record_service,
    record_services,
    remove_service,
    uses_of,
)
from ocs.inventory.tables import FOOTPRINT, SERVICE
from ocs.sql import Database
from tests.support.inventory import add_chain

_PLACES = ("core", "agg", "cell", "agg/if/up", "core/if/0", "site/hill", "link/radio")


@pytest.fixture
def network(database: Database) -> Database:
    database.write_blocking(add_chain)
    return database


def test_service_comes_back_as_it_was_recorded(network: Database) -> None:
    service = Service(
        service_id="vpn-7",
        model="business-vpn-site",
        parameters={"rate": 100, "sites": ["a", "b"], "name": "Ärzte"},
        allocations={"vlan": "vlan/hill/100"},
        customer="acme",
        state=ServiceState.RESERVED,
        subscribers=40,
    )
    uses = [Use("agg/if/up", "access"), Use("core")]
    recorded = network.write_blocking(lambda connection: record_service(connection, service, uses))
    assert recorded.version == 1
    assert recorded.parameters == service.parameters
    assert network.read_blocking(lambda connection: get_service(connection, "vpn-7")) == recorded
    assert network.read_blocking(lambda connection: uses_of(connection, "vpn-7")) == (
        Use("agg/if/up", "access"),
        Use("core"),
    )


def test_recording_again_replaces_what_it_uses(network: Database) -> None:
    first = network.read_blocking(lambda connection: get_service(connection, "mobile"))
    second = network.write_blocking(lambda connection: record_service(connection, first, [Use("core")]))
    assert second.version == first.version + 1
    assert network.read_blocking(lambda connection: uses_of(connection, "mobile")) == (Use("core"),)
    with pytest.raises(StaleError):
        network.write_blocking(lambda connection: record_service(connection, first, [Use("agg")]))
    with pytest.raises(StaleError):
        network.write_blocking(lambda connection: remove_service(connection, "mobile", version=1))


@pytest.mark.parametrize(
    ("service", "uses", "said"),
    [
        (Service(service_id="a", model="m"), [Use("nowhere")], "nowhere is not in the inventory"),
        (Service(service_id="a", model="m", state=ServiceState.TERMINATED), [Use("core")], "uses nothing"),
        (Service(service_id="a", model="m", subscribers=-1), [], "0 subscribers"),
        (Service(service_id="a\n", model="m"), [], "printable"),
        (Service(service_id="a", model="m", version=3), [], "read it again"),
    ],
)
def test_service_that_does_not_fit_is_refused(
    network: Database, service: Service, uses: list[Use], said: str
) -> None:
    with pytest.raises(InventoryError, match=said):
        network.write_blocking(lambda connection: record_service(connection, service, uses))
    assert network.read_blocking(lambda connection: find_service(connection, "a")) is None


def test_services_are_listed_by_model_customer_state_and_use(network: Database) -> None:
    def listed(**query: object) -> list[str]:
        found = network.read_blocking(lambda connection: list_services(connection, ServiceQuery(**query)))  # type: ignore[arg-type]
        return [one.service_id for one in found]

    assert listed() == ["leased line", "mobile"]
    assert listed(model="mobile") == listed(uses="cell") == listed(after="leased line") == ["mobile"]
    assert listed(state=ServiceState.TERMINATED) == listed(customer="acme") == []
    assert listed(limit=1) == ["leased line"]


def test_removed_service_is_gone(network: Database) -> None:
    network.write_blocking(lambda connection: remove_service(connection, "mobile"))
    assert network.read_blocking(lambda connection: find_service(connection, "mobile")) is None
    with pytest.raises(NotInInventoryError):
        network.write_blocking(lambda connection: remove_service(connection, "mobile"))


_step = st.tuples(
    st.sampled_from(["a", "b", "c"]),
    st.one_of(st.none(), st.lists(st.sampled_from(_PLACES), max_size=4)),
    st.integers(0, 9),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_step, max_size=8))
def test_counts_are_those_of_the_services_whatever_was_done(
    network: Database, steps: list[tuple[str, list[str] | None, int]]
) -> None:
    def run(connection: Connection) -> None:
        for name, places, subscribers in steps:
            known = find_service(connection, name)
            if places is None:
                if known is not None:
                    remove_service(connection, name)
                continue
            version = 0 if known is None else known.version
            service = Service(service_id=name, model="m", subscribers=subscribers, version=version)
            record_services(connection, [(service, [Use(place) for place in places])])

    def counted(connection: Connection) -> dict[int, tuple[int, int]]:
        rows = connection.execute(select(FOOTPRINT.c.number, FOOTPRINT.c.services, FOOTPRINT.c.subscribers))
        return {number: (services, subscribers) for number, services, subscribers in rows if services}

    def real(connection: Connection) -> dict[int, tuple[int, int]]:
        rows = connection.execute(
            select(SERVICE.c.footprint, func.count(), func.sum(SERVICE.c.subscribers)).group_by(
                SERVICE.c.footprint
            )
        )
        return {number: (services, subscribers) for number, services, subscribers in rows}

    network.write_blocking(run)
    assert network.read_blocking(counted) == network.read_blocking(real)
