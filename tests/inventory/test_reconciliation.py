"""What is recorded against what was found."""

import pytest

from ocs.inventory.discovery import Discovered
from ocs.inventory.errors import InventoryError, NotInInventoryError
from ocs.inventory.model import Attribute, Kind, Lifecycle, Resource
from ocs.inventory.reconciliation import (
    Finding,
    FindingKind,
    Source,
    accept,
    compare,
    reconcile,
    record_discovery,
)
from ocs.inventory.registry import add_resources
from ocs.inventory.resources import get_resource
from ocs.sql import Database
from tests.support.inventory import add_chain, interface, link


def seen(name: str, neighbour: str = "", kind: Kind = Kind.INTERFACE, **attributes: Attribute) -> Discovered:
    return Discovered(resource_id=name, kind=kind, parent="agg", attributes=attributes, neighbour=neighbour)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.finding, one.resource_id) for one in findings]


def test_each_kind_of_difference_is_told() -> None:
    recorded = [
        interface("agg/if/a", index=1, description="x"),
        interface("agg/if/gone"),
        interface("agg/if/same", index=3),
        Resource(resource_id="agg/if/new", kind=Kind.INTERFACE, lifecycle=Lifecycle.PLANNED),
        Resource(resource_id="agg/if/later", kind=Kind.INTERFACE, lifecycle=Lifecycle.PLANNED),
        Resource(resource_id="agg/if/old", kind=Kind.INTERFACE, lifecycle=Lifecycle.RETIRED),
        Resource(resource_id="agg/card/1", kind=Kind.CARD),
    ]
    discovered = [
        seen("agg/if/a", index=9, description="x", mac="m"),
        seen("agg/if/same", "core.example.net/if/0", index=3),
        seen("agg/if/new"),
        seen("agg/if/old"),
        seen("agg/if/stranger", index=8),
    ]
    findings = compare(recorded, [link("l", "agg/if/same", "core/if/0")], discovered)
    assert told(findings) == [
        ("different", "agg/if/a"),
        ("missing", "agg/if/gone"),
        ("arrived", "agg/if/new"),
        ("unexpected", "agg/if/old"),
        ("unexpected", "agg/if/stranger"),
    ]
    assert (findings[0].recorded, findings[0].found) == ("index=1", "index=9")


def test_cable_that_ends_elsewhere_is_told() -> None:
    recorded, wire = [interface("agg/if/a")], [link("l", "agg/if/a", "core/if/0")]
    assert compare(recorded, wire, [seen("agg/if/a", "core/if/0")]) == []
    (finding,) = compare(recorded, wire, [seen("agg/if/a", "cell/if/7")])
    assert (finding.finding, finding.recorded, finding.found) == ("miswired", "core/if/0", "cell/if/7")
    assert compare(recorded, [], [seen("agg/if/a", "cell/if/7")]) == []


@pytest.fixture
def network(database: Database) -> Database:
    database.write_blocking(add_chain)
    return database


def discover(database: Database, *found: Discovered, source: Source = Source.SNMP) -> None:
    database.write_blocking(lambda connection: record_discovery(connection, "agg", source, found, seen_ms=5))


def findings_of(database: Database) -> list[Finding]:
    return database.read_blocking(lambda connection: reconcile(connection, "agg"))


def test_accepted_findings_are_gone(network: Database) -> None:
    network.write_blocking(
        lambda connection: add_resources(
            connection, [Resource(resource_id="agg/if/p", kind=Kind.INTERFACE, lifecycle=Lifecycle.PLANNED)]
        )
    )
    discover(network, seen("agg/if/up", index=5), seen("agg/if/p"), seen("agg/if/x", mac="m"))
    findings = findings_of(network)
    assert {one.finding for one in findings} == set(FindingKind) - {FindingKind.MISWIRED}
    for finding in findings:
        network.write_blocking(lambda connection, finding=finding: accept(connection, finding))
    assert findings_of(network) == []

    def get(name: str) -> Resource:
        return network.read_blocking(lambda connection: get_resource(connection, name))

    assert get("agg/if/down").lifecycle is Lifecycle.RETIRED
    assert get("agg/if/p").lifecycle is Lifecycle.AS_BUILT
    assert get("agg/if/up").attributes == {"index": 5, "is_uplink": True}
    assert get("agg/if/x").attributes == {"mac": "m"}


def test_cable_is_not_accepted(network: Database) -> None:
    discover(network, seen("agg/if/up", "moon/if/1", index=1), seen("agg/if/down", index=2))
    (finding,) = findings_of(network)
    with pytest.raises(InventoryError, match="cable"):
        network.write_blocking(lambda connection: accept(connection, finding))


def test_what_a_source_said_before_is_replaced_and_netconf_is_believed_first(network: Database) -> None:
    discover(network, seen("agg/if/old"))
    discover(network, seen("agg/if/up", index=7), seen("agg/if/down", index=2))
    discover(network, seen("agg/if/up", index=1), source=Source.NETCONF)
    assert findings_of(network) == []


def test_element_that_was_never_asked_is_told(network: Database) -> None:
    with pytest.raises(NotInInventoryError, match="not asked yet"):
        findings_of(network)
