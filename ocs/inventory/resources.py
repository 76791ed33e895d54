"""Resources as they are in the inventory: one, a page of them, what lies within one. Only reads."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, or_, select

from ocs.inventory.dependencies import Placed
from ocs.inventory.errors import NotInInventoryError
from ocs.inventory.model import (
    AdministrativeState,
    Attribute,
    Kind,
    Lifecycle,
    OperationalState,
    Resource,
)
from ocs.inventory.statements import in_batches, is_one_of, page_size
from ocs.inventory.tables import LINK_END, RESOURCE, RESOURCE_RELIANCE

_PARENT: Final = RESOURCE.alias("parent")
_OTHER: Final = RESOURCE.alias("other")
_decode_attributes: Final = msgspec.json.Decoder(dict[str, Attribute]).decode


class ResourceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which resources are wanted; what is unsaid is any.

    Attributes:
        parent: what holds them directly. within: that resource and everything narrower by its name.
        after: only those whose names come later: where the next page goes on.
    """

    kinds: tuple[Kind, ...] = ()
    lifecycle: Lifecycle | None = None
    parent: str = ""
    within: str = ""
    after: str = ""
    limit: int = 100


class Known(NamedTuple):
    """What others need of a resource to refer to it."""

    number: int
    kind: Kind
    anchor: int | None
    is_uplink: bool

    @property
    def placed(self) -> Placed:
        """As dependencies have it."""
        element = self.number if self.kind is Kind.ELEMENT else self.anchor or 0
        return Placed(self.number, self.kind, element, self.is_uplink)

    @property
    def whole(self) -> int | None:
        """The number of what it fails with as a whole: a part's element, or an element, a site, a link itself."""
        return self.number if self.kind in {Kind.ELEMENT, Kind.SITE, Kind.LINK} else self.anchor


def find_resource(connection: Connection, resource_id: str) -> Resource | None:
    """A resource by its name; sites and links also by the name that alarms have for them."""
    names = (resource_id, f"site/{resource_id}", f"link/{resource_id}")
    found = {
        resource.resource_id: resource for resource in _read(connection, RESOURCE.c.resource_id.in_(names))
    }
    return next((found[name] for name in names if name in found), None)


def get_resource(connection: Connection, resource_id: str) -> Resource:
    """As :func:`find_resource`.

    Raises:
        NotInInventoryError: nothing has that name.
    """
    found = find_resource(connection, resource_id)
    if found is None:
        raise NotInInventoryError(f"{resource_id}: no such resource in the inventory")
    return found


def list_resources(connection: Connection, query: ResourceQuery) -> list[Resource]:
    """The resources that are asked for, by name."""
    conditions: list[ColumnElement[bool]] = []
    if query.kinds:
        conditions.append(RESOURCE.c.kind.in_([str(kind) for kind in query.kinds]))
    if query.lifecycle is not None:
        conditions.append(RESOURCE.c.lifecycle == str(query.lifecycle))
    if query.parent:
        conditions.append(RESOURCE.c.parent == number_of(connection, query.parent))
    if query.within:
        conditions.append(
            or_(
                RESOURCE.c.resource_id == query.within,
                RESOURCE.c.resource_id.startswith(f"{query.within}/", autoescape=True),
            )
        )
    if query.after:
        conditions.append(RESOURCE.c.resource_id > query.after)
    return _read(connection, *conditions, limit=page_size(query.limit))


def resources_named(connection: Connection, names: Iterable[str]) -> dict[str, Resource]:
    """Those of some resources that are there, by name."""
    found: dict[str, Resource] = {}
    for batch in in_batches(names):
        for resource in _read(connection, RESOURCE.c.resource_id.in_(batch)):
            found[resource.resource_id] = resource
    return found


def known_resources(connection: Connection, names: Iterable[str]) -> dict[str, Known]:
    """Those of some resources that are there, by name, as others refer to them."""
    columns = RESOURCE.c
    wanted = select(columns.resource_id, columns.number, columns.kind, columns.anchor, columns.is_uplink)
    found: dict[str, Known] = {}
    for batch in in_batches(dict.fromkeys(names)):
        for name, number, kind, anchor, is_uplink in connection.execute(
            wanted.where(is_one_of(connection, columns.resource_id, batch))
        ):
            found[name] = Known(number, Kind(kind), anchor, is_uplink)
    return found


def number_of(connection: Connection, resource_id: str) -> int:
    """The number of a resource.

    Raises:
        NotInInventoryError: nothing has that name.
    """
    number = connection.scalar(select(RESOURCE.c.number).where(RESOURCE.c.resource_id == resource_id))
    if number is None:
        raise NotInInventoryError(f"{resource_id}: no such resource in the inventory")
    return number


def names_of(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """Names by number."""
    found: dict[int, str] = {}
    for batch in in_batches(numbers):
        rows = connection.execute(
            select(RESOURCE.c.number, RESOURCE.c.resource_id).where(RESOURCE.c.number.in_(batch))
        )
        found.update((number, name) for number, name in rows)
    return found


def _read(
    connection: Connection, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[Resource]:
    rows = connection.execute(_select(*conditions).limit(limit)).all()
    numbers = [row.number for row in rows]
    reliance = _lists(
        connection, numbers, RESOURCE_RELIANCE.c.resource, RESOURCE_RELIANCE.c.upon, RESOURCE_RELIANCE
    )
    ends = _lists(
        connection,
        [row.number for row in rows if row.kind == Kind.LINK],
        LINK_END.c.link,
        LINK_END.c.interface,
        LINK_END,
    )
    return [_resource(row, reliance.get(row.number, ()), ends.get(row.number, ())) for row in rows]


def _select(*conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(RESOURCE, _PARENT.c.resource_id.label("parent_id"))
        .outerjoin(_PARENT, RESOURCE.c.parent == _PARENT.c.number)
        .where(*conditions)
        .order_by(RESOURCE.c.resource_id)
    )


def _lists(
    connection: Connection, numbers: Sequence[int], of: Any, other: Any, table: Any
) -> dict[int, tuple[str, ...]]:
    """The names that a table of ordered pairs has for each of some resources."""
    found: dict[int, tuple[str, ...]] = {}
    for batch in in_batches(numbers):
        wanted = (
            select(of, _OTHER.c.resource_id)
            .join(_OTHER, other == _OTHER.c.number)
            .where(of.in_(batch))
            .order_by(of, table.c.ordinal)
        )
        for number, name in connection.execute(wanted):
            found[number] = (*found.get(number, ()), name)
    return found


def _resource(row: Row[Any], depends_on: tuple[str, ...], ends: tuple[str, ...]) -> Resource:
    return Resource(
        resource_id=row.resource_id,
        kind=Kind(row.kind),
        parent=row.parent_id or "",
        lifecycle=Lifecycle(row.lifecycle),
        administrative_state=AdministrativeState(row.administrative_state),
        operational_state=OperationalState(row.operational_state),
        depends_on=depends_on,
        ends=ends,
        attributes=_decode_attributes(row.attributes),
        version=row.version,
    )
