"""How fast the inventory says what and who depends on something: 10,000 elements, a million services."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Connection, text

from bench.figures import Figure
from ocs.inventory.elements import add_elements
from ocs.inventory.footprints import footprints_of
from ocs.inventory.impact import impact
from ocs.inventory.model import ElementRecord, Kind, Resource
from ocs.inventory.resources import known_resources
from ocs.migrations import upgrade_schema
from ocs.settings import Settings, SqlSettings
from ocs.sql import Database, database_url

_GOAL: Final = "at most 50"
_QUESTIONS: Final = 21
_CORES: Final = 10


class Size(msgspec.Struct, frozen=True):
    """How large a network is made.

    Attributes:
        access: elements at its edge; a fiftieth of them aggregate them, and ten are the core. ports: of each of them.
        services: each on a port of an element at the edge and on a gateway, each with a footprint like its neighbours'.
    """

    access: int = 9_790
    ports: int = 10
    services: int = 1_000_000

    @property
    def aggregating(self) -> int:
        """Elements between edge and core."""
        return max(1, self.access // 50)


def run_inventory(
    folder: Path, *, say: Callable[[str], None], url: str = "", size: Size | None = None
) -> list[Figure]:
    """Measure impact questions from a port up to a core site.

    Args:
        url: of an empty PostgreSQL database; empty: SQLite in the folder.
    """
    size = size or Size()
    database = Database(database_url(Settings(sql=SqlSettings(url=url)), folder))
    kind = "sqlite" if database.is_sqlite else "postgresql"
    try:
        upgrade_schema(database)
        say(f"inventory: making {size.access:,} elements and {size.services:,} services in {kind}")
        make_network(database, size)
        return [
            _measure(database, f"inventory_impact_{kind}_{name}_ms", resource, note, say)
            for name, resource, note in (
                ("port", "access-7/if/3", "a customer's port"),
                ("uplink", "access-7/if/0", "the port over which an access element is reached"),
                ("card", "agg-1/card/1", "a card behind which fifty elements lie"),
                ("core", "core-1", "a core element behind which a tenth of the network lies"),
                ("network", "site/core", "the site of all core elements"),
            )
        ]
    finally:
        database.close()


def _measure(database: Database, name: str, resource: str, note: str, say: Callable[[str], None]) -> Figure:
    found = database.read_blocking(lambda connection: impact(connection, resource))
    times_ms: list[float] = []
    for _ in range(_QUESTIONS):
        began = time.perf_counter()
        database.read_blocking(lambda connection: impact(connection, resource))
        times_ms.append((time.perf_counter() - began) * 1_000)
    what = f"{note}: {found.services:,} services, {found.unreachable.count:,} elements not reached"
    say(f"inventory: {resource}: {statistics.median(times_ms):.1f} ms, {what}")
    return Figure(name, statistics.median(times_ms), "ms", _GOAL, what)


# --- The network --------------------------------------------------------------------------------------------------


def make_network(database: Database, size: Size) -> None:
    """Fill an inventory in bulk: the services by SQL alone."""
    for part in _network(size):
        database.write_blocking(lambda connection, part=part: _add(connection, part))
    database.write_blocking(lambda connection: _add_services(connection, size))
    database.write_blocking(lambda connection: connection.execute(text("ANALYZE")))


def _add(connection: Connection, resources: list[Resource]) -> None:
    elements = [ElementRecord(resource=one) for one in resources if one.kind is Kind.ELEMENT]
    add_elements(connection, elements, [one for one in resources if one.kind is not Kind.ELEMENT])


def _network(size: Size) -> list[list[Resource]]:
    site = Resource(resource_id="site/core", kind=Kind.SITE)
    core = [
        Resource(resource_id=f"core-{number}", kind=Kind.ELEMENT, parent="site/core")
        for number in range(_CORES)
    ]
    aggregating: list[Resource] = []
    for number in range(size.aggregating):
        aggregating += _element(f"agg-{number}", f"core-{number % _CORES}/if/agg-{number}", size.ports)
    access: list[Resource] = []
    for number in range(size.access):
        upper = f"agg-{number % size.aggregating}"
        access += _element(f"access-{number}", f"{upper}/if/access-{number}", size.ports)
    return [[site], core, aggregating, access]


def _element(name: str, upper_port: str, ports: int) -> list[Resource]:
    """An element with a card, its ports, and a link from the first one up."""
    upper = upper_port.partition("/")[0]
    card = f"{upper}/card/1" if upper.startswith("agg") else upper
    return [
        Resource(resource_id=name, kind=Kind.ELEMENT),
        Resource(resource_id=f"{name}/card/1", kind=Kind.CARD),
        *(
            Resource(
                resource_id=f"{name}/if/{port}",
                kind=Kind.INTERFACE,
                parent=f"{name}/card/1",
                attributes={"is_uplink": port == 0},
            )
            for port in range(ports)
        ),
        Resource(resource_id=upper_port, kind=Kind.INTERFACE, parent=card),
        Resource(resource_id=f"link/{name}", kind=Kind.LINK, ends=(upper_port, f"{name}/if/0")),
    ]


def _add_services(connection: Connection, size: Size) -> None:
    """Service ``n`` uses a port of access element ``n mod access``, and the first core element as its gateway."""
    known = known_resources(connection, [*(f"access-{number}" for number in range(size.access)), "core-0"])
    gateway = known.pop("core-0").number
    footprints_of(connection, [tuple(sorted((one.number, gateway))) for one in known.values()])
    values = {"last": size.services - 1, "access": size.access, "ports": size.ports - 1, "gateway": gateway}
    for statement in _SERVICES:
        sql = statement.replace("[series]", _SERIES).replace("[element]", _ELEMENT)
        connection.execute(text(sql), values)


_SERIES: Final = "WITH RECURSIVE series(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n < :last)"
_ELEMENT: Final = "'access-' || (n % CAST(:access AS INTEGER))"
# Each of these as one statement: a million calls would take a quarter of an hour.
_SERVICES: Final = (
    """
    INSERT INTO service (number, service_id, model, parameters, allocations, customer, state, subscribers, footprint,
        version)
    [series]
    SELECT n + 1, 'service-' || n, 'business-vpn', '{}', '{}', 'customer-' || (n / 3), 'active', 1 + n % 5,
        a.footprint, 1
    FROM series JOIN resource AS r ON r.resource_id = [element] JOIN footprint_anchor AS a ON a.anchor = r.number
    """,
    """
    INSERT INTO service_use (service, resource, role) [series]
    SELECT n + 1, r.number, 'access' FROM series JOIN resource AS r
    ON r.resource_id = [element] || '/if/' || (1 + n / CAST(:access AS INTEGER) % CAST(:ports AS INTEGER))
    """,
    """
    INSERT INTO service_use (service, resource, role) [series]
    SELECT n + 1, CAST(:gateway AS BIGINT), 'gateway' FROM series
    """,
    """
    UPDATE footprint SET services = counted.services, subscribers = counted.subscribers
    FROM (SELECT footprint, COUNT(*) AS services, SUM(subscribers) AS subscribers FROM service GROUP BY footprint)
        AS counted
    WHERE footprint.number = counted.footprint
    """,
)
