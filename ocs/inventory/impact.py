"""What and who suffers when a resource fails: what lies in it or hangs on it, and which services stand on that.

Failures spread along the edges of :mod:`ocs.inventory.dependencies`. Elements, sites and links that are hit as a whole
are looked up by footprints (:mod:`ocs.inventory.footprints`), parts of others and what has no place by each service's
uses: so a million services are counted without being read.
"""

from collections.abc import Iterable, Sequence
from heapq import nsmallest
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Executable, TextClause, select, text

from ocs.inventory.dependencies import Aspect, node
from ocs.inventory.model import ServiceState
from ocs.inventory.resources import get_resource, number_of
from ocs.inventory.statements import encode_json
from ocs.inventory.tables import SERVICE
from ocs.limits import IMPACT_SHOWN

# Plain SQL of both databases: the walk is not to be put together anew for each question.
_WALK: Final = text(
    """
    WITH RECURSIVE affected(node) AS (
        SELECT CAST(:start AS BIGINT)
        UNION
        SELECT d.dependent FROM affected AS a JOIN resource_dependency AS d ON d.upon = a.node
    )
    SELECT r.number, a.node % 4, r.kind, r.anchor, r.resource_id
    FROM affected AS a JOIN resource AS r ON r.number = a.node / 4
    WHERE a.node % 4 < 2
    """
)


class Affected(msgspec.Struct, frozen=True):
    """Some resources: how many, and the first of them by name."""

    count: int
    first: tuple[str, ...]


class AffectedService(msgspec.Struct, frozen=True):
    """A service that suffers."""

    service_id: str
    model: str
    customer: str
    state: ServiceState
    subscribers: int


class Impact(msgspec.Struct, frozen=True):
    """What and who suffers when a resource fails.

    Attributes:
        resource_id: of the resource. failing: what fails with it, itself not counted.
        unreachable: elements that work and may not be reached any more. Whether another way is left is not looked at.
        services, subscribers: how many suffer. first_services: some of them.
    """

    resource_id: str
    failing: Affected
    unreachable: Affected
    services: int
    subscribers: int
    first_services: tuple[AffectedService, ...]


def impact(connection: Connection, resource_id: str) -> Impact:
    """What and who suffers when a resource fails.

    Raises:
        NotInInventoryError: nothing has that name.
    """
    name = get_resource(connection, resource_id).resource_id
    hits = _walk(connection, number_of(connection, name))
    suffering = _Suffering(connection, hits)
    services, subscribers = suffering.count()
    return Impact(
        resource_id=name,
        failing=_affected(hit.name for hit in hits if hit.aspect is Aspect.ITSELF and hit.name != name),
        unreachable=_affected(hit.name for hit in hits if hit.aspect is Aspect.REACHED),
        services=services,
        subscribers=subscribers,
        first_services=suffering.first(IMPACT_SHOWN),
    )


class _Hit(NamedTuple):
    """A resource that a failure comes to; an element that fails is not reached either, and counts as failing."""

    number: int
    aspect: Aspect
    kind: str
    anchor: int | None
    name: str


def _walk(connection: Connection, number: int) -> list[_Hit]:
    found: dict[int, _Hit] = {}
    for resource, aspect, kind, anchor, name in connection.execute(_WALK, {"start": node(number)}):
        known = found.get(resource)
        if known is None or aspect < known.aspect:
            found[resource] = _Hit(resource, Aspect(aspect), kind, anchor, name)
    return list(found.values())


def _affected(names: Iterable[str]) -> Affected:
    found = list(names)
    return Affected(len(found), tuple(nsmallest(IMPACT_SHOWN, found)))


class _Suffering:
    """The services that stand on what was hit."""

    def __init__(self, connection: Connection, hits: Sequence[_Hit]) -> None:
        self._connection = connection
        self._statements = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
        wholes = {hit.number for hit in hits if hit.kind in _WHOLES}
        # Of an element that is hit as a whole every service counts already.
        parts = [hit.number for hit in hits if hit.number not in wholes and hit.anchor not in wholes]
        is_sqlite = connection.dialect.name == "sqlite"
        self._wholes = encode_json(list(wholes)) if is_sqlite else list(wholes)
        self._parts = encode_json(parts) if is_sqlite else parts
        self._has_parts = bool(parts)

    def count(self) -> tuple[int, int]:
        """How many services, and how many subscribers they have."""
        counts = self._ask(self._statements.count_by_footprint, wholes=self._wholes)
        if self._has_parts:
            counts += self._ask(self._statements.count_by_part, wholes=self._wholes, parts=self._parts)
        return sum(row[0] for row in counts), sum(row[1] for row in counts)

    def first(self, limit: int) -> tuple[AffectedService, ...]:
        """Some of them."""
        # Each footprint that is counted has a service at least: so many are enough.
        found = self._ask(self._statements.footprints, wholes=self._wholes, limit=limit)
        footprints = [row[0] for row in found]
        rows: list[Any] = []
        if footprints:
            rows += self._connection.execute(_of_footprints(footprints, limit))
        if len(rows) < limit and self._has_parts:
            rest = limit - len(rows)
            rows += self._ask(self._statements.by_part, wholes=self._wholes, parts=self._parts, limit=rest)
        return tuple(
            AffectedService(name, model, customer, ServiceState(state), subscribers)
            for name, model, customer, state, subscribers in rows
        )

    def _ask(self, statement: TextClause, **parameters: object) -> list[Any]:
        return list(self._connection.execute(statement, parameters))


def _of_footprints(footprints: Sequence[int], limit: int) -> Executable:
    columns = SERVICE.c
    return (
        select(columns.service_id, columns.model, columns.customer, columns.state, columns.subscribers)
        .where(columns.footprint.in_(footprints))
        .order_by(columns.footprint, columns.number)
        .limit(limit)
    )


class _Statements(NamedTuple):
    """The questions about services, in a database's own way to take a list of any length."""

    count_by_footprint: TextClause
    count_by_part: TextClause
    footprints: TextClause
    by_part: TextClause


def _statements(a_list: str) -> _Statements:
    def statement(template: str) -> TextClause:
        for name, sql in (
            ("[by part]", _BY_PART),
            ("[touched]", _TOUCHED),
            ("[subscribers]", "CAST(COALESCE(SUM(subscribers), 0) AS BIGINT)"),
            ("[wholes]", a_list.replace("LIST", "wholes")),
            ("[parts]", a_list.replace("LIST", "parts")),
        ):
            template = template.replace(name, sql)
        return text(template)

    return _Statements(
        statement(
            "SELECT CAST(COALESCE(SUM(services), 0) AS BIGINT), [subscribers] FROM footprint"
            " WHERE number IN ([touched])"
        ),
        statement("SELECT COUNT(*), [subscribers] [by part]"),
        statement(
            "SELECT number FROM footprint WHERE services > 0 AND number IN ([touched]) ORDER BY number LIMIT :limit"
        ),
        statement(
            "SELECT service_id, model, customer, state, subscribers [by part] ORDER BY number LIMIT :limit"
        ),
    )


_TOUCHED: Final = "SELECT footprint FROM footprint_anchor WHERE anchor IN ([wholes])"
_BY_PART: Final = (
    "FROM service WHERE number IN (SELECT service FROM service_use WHERE resource IN ([parts]))"
    " AND footprint NOT IN ([touched])"
)
_SQLITE: Final = _statements("SELECT value FROM json_each(:LIST)")
_POSTGRESQL: Final = _statements("SELECT unnest(CAST(:LIST AS BIGINT[]))")
_WHOLES: Final = frozenset({"element", "site", "link"})
