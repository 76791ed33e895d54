"""Resources put in, changed and taken out: record, graph and side tables together."""

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, Table, func, select

from ocs.inventory import tables
from ocs.inventory.errors import InUseError, InventoryError, NotInInventoryError, StaleError
from ocs.inventory.impact import impact
from ocs.inventory.model import AdministrativeState, Kind, Lifecycle, Resource, Service, Use
from ocs.inventory.registry import add_resource, add_resources, remove_resource, update_resource
from ocs.inventory.resources import ResourceQuery, find_resource, get_resource, list_resources
from ocs.inventory.services import record_service
from ocs.inventory.statements import read_version
from ocs.sql import Database
from tests.support.inventory import add_chain, element, interface, link


@pytest.fixture
def network(database: Database) -> Database:
    database.write_blocking(add_chain)
    return database


def get(database: Database, name: str) -> Resource:
    return database.read_blocking(lambda connection: get_resource(connection, name))


def add(database: Database, resource: Resource) -> Resource:
    return database.write_blocking(lambda connection: add_resource(connection, resource))


def prefix(text: str, vrf: str = "core") -> Resource:
    return Resource(resource_id=f"prefix/{vrf}/{text}", kind=Kind.PREFIX)


def test_resource_comes_back_as_it_was_put_in(network: Database) -> None:
    wanted = Resource(
        resource_id="agg/psu/1",
        kind=Kind.PART,
        lifecycle=Lifecycle.PLANNED,
        administrative_state=AdministrativeState.LOCKED,
        depends_on=("core", "cell"),
        attributes={"serial": "A7", "slot": 3, "hot": True, "watts": 1.5},
    )
    added = add(network, wanted)
    assert added.parent == "agg"
    assert (added.version, added.attributes, added.depends_on) == (1, wanted.attributes, wanted.depends_on)
    assert get(network, "agg/psu/1") == added


def test_sites_and_links_are_found_by_the_name_that_alarms_have_for_them(network: Database) -> None:
    assert get(network, "hill").resource_id == "site/hill"
    assert get(network, "fibre").ends == ("core/if/0", "agg/if/up")


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        (Resource(resource_id="agg", kind=Kind.ELEMENT), "already"),
        (interface("stranger/if/0"), "stranger is not in the inventory"),
        (interface("agg/if/9", "core"), "lie in agg"),
        (link("bad", "core/if/0", "agg/card/1"), "an interface"),
        (link("bad", "core/if/0"), "two ends"),
        (Resource(resource_id="vlan/moon/7", kind=Kind.VLAN), "site/moon is not"),
        (Resource(resource_id="apn/web", kind=Kind.LOGICAL, depends_on=("mars",)), "mars is not"),
    ],
)
def test_resource_that_does_not_fit_is_refused_in_one_line(
    network: Database, resource: Resource, said: str
) -> None:
    with pytest.raises(InventoryError, match=said) as refused:
        add(network, resource)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(resource.resource_id)


def test_update_counts_the_version_and_one_about_another_version_is_refused(network: Database) -> None:
    before = get(network, "agg/card/1")
    changed = Resource(
        resource_id="agg/card/1", kind=Kind.CARD, attributes={"serial": "B"}, version=before.version
    )
    after = network.write_blocking(lambda connection: update_resource(connection, changed))
    assert (after.version, after.attributes, after.parent) == (2, {"serial": "B"}, "agg")
    with pytest.raises(StaleError, match="read it again"):
        network.write_blocking(lambda connection: update_resource(connection, changed))
    with pytest.raises(StaleError):
        network.write_blocking(lambda connection: remove_resource(connection, "agg/card/1", version=1))
    assert get(network, "agg/card/1") == after


def test_update_moves_what_depends_with_it(network: Database) -> None:
    def reached(name: str) -> int:
        return network.read_blocking(lambda connection: impact(connection, name)).services

    add(network, Resource(resource_id="agg/card/2", kind=Kind.CARD))
    before = get(network, "agg/if/down")
    moved = interface("agg/if/down", "agg/card/2", index=2)
    assert (reached("agg/card/2"), reached("agg/if/down")) == (0, 1)
    network.write_blocking(
        lambda connection: update_resource(
            connection,
            Resource(
                resource_id="agg/if/down",
                kind=Kind.INTERFACE,
                parent="agg/card/2",
                attributes=moved.attributes,
                version=before.version,
            ),
        )
    )
    assert reached("agg/card/2") == 1


def test_uplink_that_is_none_any_more_cuts_nobody_off(network: Database) -> None:
    def reached() -> int:
        return network.read_blocking(lambda connection: impact(connection, "agg/if/down")).services

    before = get(network, "cell/if/0")
    assert reached() == 1
    changed = replace(before, attributes={})
    after = network.write_blocking(lambda connection: update_resource(connection, changed))
    assert reached() == 0
    again = replace(after, attributes={"is_uplink": True})
    network.write_blocking(lambda connection: update_resource(connection, again))
    assert reached() == 1
    assert network.read_blocking(lambda connection: impact(connection, "core")).unreachable.first == (
        "agg",
        "cell",
    )


def test_resource_cannot_lie_in_itself(network: Database) -> None:
    add(network, Resource(resource_id="site/region", kind=Kind.SITE))
    add(network, Resource(resource_id="site/town", kind=Kind.SITE, parent="site/region"))
    region = get(network, "site/region")
    with pytest.raises(InventoryError, match="lie in itself"):
        network.write_blocking(
            lambda connection: update_resource(
                connection,
                Resource(
                    resource_id="site/region", kind=Kind.SITE, parent="site/town", version=region.version
                ),
            )
        )
    with pytest.raises(InventoryError, match="lie in itself"):
        network.write_blocking(
            lambda connection: add_resources(
                connection,
                [
                    Resource(resource_id="site/a", kind=Kind.SITE, parent="site/b"),
                    Resource(resource_id="site/b", kind=Kind.SITE, parent="site/a"),
                ],
            )
        )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("agg/card/1", "agg/if/down lies in it|agg/if/up lies in it"),
        ("cell/if/0", "link/radio ends at it"),
        ("site/hill", "agg lies in it"),
        ("cell", "cell/if/0 lies in it"),
    ],
)
def test_what_others_need_is_not_taken_out(network: Database, name: str, said: str) -> None:
    with pytest.raises(InUseError, match=said):
        network.write_blocking(lambda connection: remove_resource(connection, name))


def test_what_services_use_is_not_taken_out(network: Database) -> None:
    add(network, interface("agg/if/customer"))
    service = Service(service_id="office", model="vpn")
    network.write_blocking(
        lambda connection: record_service(connection, service, [Use("agg/if/customer", "access")])
    )
    with pytest.raises(InUseError, match="ocs inventory impact agg/if/customer"):
        network.write_blocking(lambda connection: remove_resource(connection, "agg/if/customer"))


def test_taking_everything_out_leaves_no_row(database: Database) -> None:
    def rows(connection: Connection) -> list[int]:
        kept = {"inventory_version", "footprint"}
        return [
            connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables.RESOURCE.metadata.tables.items()
            if name in _OWN and name not in kept
        ]

    def fill(connection: Connection) -> None:
        add_resources(
            connection, [Resource(resource_id="site/s", kind=Kind.SITE), element("x", "site/s").resource]
        )
        add_resources(
            connection,
            [
                interface("x/if/0", is_uplink=True),
                interface("x/if/1"),
                link("l", "x/if/0", "x/if/1"),
                prefix("10.0.0.0/8"),
            ],
        )
        add_resource(connection, Resource(resource_id="vlan/s/1", kind=Kind.VLAN, depends_on=("x",)))

    def empty(connection: Connection) -> None:
        for name in ("vlan/s/1", "prefix/core/10.0.0.0/8", "link/l", "x/if/1", "x/if/0", "x", "site/s"):
            remove_resource(connection, name)

    database.write_blocking(fill)
    assert sum(database.read_blocking(rows)) > 10
    database.write_blocking(empty)
    assert sum(database.read_blocking(rows)) == 0


_OWN = {table.name for table in vars(tables).values() if isinstance(table, Table)}


def test_prefixes_find_their_place_whatever_comes_first(database: Database) -> None:
    texts = ["10.1.2.0/24", "10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "2001:db8::/32"]
    database.write_blocking(lambda connection: add_resources(connection, [prefix(text) for text in texts]))
    add(database, prefix("10.1.0.0/16", vrf="other"))

    def parents() -> dict[str, str]:
        return {
            one.resource_id.removeprefix("prefix/core/"): one.parent.removeprefix("prefix/core/")
            for one in database.read_blocking(
                lambda connection: list_resources(connection, ResourceQuery(within="prefix/core"))
            )
        }

    assert parents() == {
        "10.0.0.0/8": "",
        "10.1.0.0/16": "10.0.0.0/8",
        "10.1.2.0/24": "10.1.0.0/16",
        "10.2.0.0/16": "10.0.0.0/8",
        "2001:db8::/32": "",
    }
    database.write_blocking(lambda connection: remove_resource(connection, "prefix/core/10.1.0.0/16"))
    assert parents()["10.1.2.0/24"] == "10.0.0.0/8"
    found = database.read_blocking(lambda connection: impact(connection, "prefix/core/10.0.0.0/8"))
    assert found.failing.first == ("prefix/core/10.1.2.0/24", "prefix/core/10.2.0.0/16")


def test_same_prefix_twice_in_a_vrf_is_refused(database: Database) -> None:
    add(database, prefix("10.0.0.0/8"))
    with pytest.raises(InUseError):
        add(database, prefix("10.0.0.0/8"))


def test_pages_follow_each_other(network: Database) -> None:
    def page(after: str) -> list[str]:
        query = ResourceQuery(within="agg", limit=2, after=after)
        return [
            one.resource_id
            for one in network.read_blocking(lambda connection: list_resources(connection, query))
        ]

    names = page("")
    names += page(names[-1])
    assert page(names[-1]) == []
    assert sorted(names) == ["agg", "agg/card/1", "agg/if/down", "agg/if/up"]


def test_selection_by_kind_and_parent(network: Database) -> None:
    def listed(**query: object) -> list[str]:
        return [
            one.resource_id
            for one in network.read_blocking(
                lambda connection: list_resources(connection, ResourceQuery(**query))  # type: ignore[arg-type]
            )
        ]

    assert listed(kinds=(Kind.SITE, Kind.LINK)) == ["link/fibre", "link/radio", "site/hill"]
    assert listed(parent="agg/card/1") == ["agg/if/down", "agg/if/up"]
    assert listed(lifecycle=Lifecycle.PLANNED) == []
    with pytest.raises(NotInInventoryError):
        listed(parent="nowhere")


def test_changes_are_counted_for_those_who_have_the_inventory_in_memory(network: Database) -> None:
    before = network.read_blocking(read_version)
    add(network, prefix("10.0.0.0/8"))
    assert network.read_blocking(read_version) == (before[0] + 1, before[1])
    assert network.read_blocking(lambda connection: find_resource(connection, "nothing")) is None
