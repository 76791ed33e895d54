"""Puts resources into the inventory, changes them and takes them out: record, graph and side tables in one transaction.

Functions over a connection: the caller's transaction decides whether all of it happened.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select, update

from ocs.inventory.dependencies import edges_of
from ocs.inventory.errors import InUseError, InventoryError, NotInInventoryError, StaleError
from ocs.inventory.model import Kind, Resource
from ocs.inventory.naming import check_resource, element_of, is_part, vlan_id_of
from ocs.inventory.prefixes import containing_prefix, insert_prefix, prefixes_directly_within
from ocs.inventory.resources import Known, get_resource, known_resources, names_of
from ocs.inventory.statements import count_change, encode_json, insert_rows
from ocs.inventory.tables import (
    DEPENDENCY,
    ELEMENT,
    ELEMENT_ADDRESS,
    LINK_END,
    PREFIX,
    RESERVATION,
    RESOURCE,
    RESOURCE_RELIANCE,
    SERVICE_USE,
    VLAN,
)


def add_resource(connection: Connection, resource: Resource) -> Resource:
    """Put a resource into the inventory; returns it as it is there.

    Without a parent, a part lies in its element, a VLAN at its site, a prefix in the narrowest one around it.

    Raises:
        InventoryError: its name does not fit its kind. InUseError: it is there already.
        NotInInventoryError: what it refers to is not.
    """
    add_resources(connection, (resource,))
    return get_resource(connection, resource.resource_id)


def add_resources(connection: Connection, resources: Iterable[Resource]) -> None:
    """Put many resources into the inventory, in any order: they may refer to each other.

    Raises:
        InventoryError, InUseError, NotInInventoryError: as :func:`add_resource`; the transaction is to be given up.
    """
    wanted: dict[str, Resource] = {}
    for resource in resources:
        check_resource(resource)
        if resource.resource_id in wanted:
            raise InUseError(f"{resource.resource_id}: expected each resource once")
        wanted[resource.resource_id] = resource
    names = {name for resource in wanted.values() for name in _referred_to(resource)}
    known = known_resources(connection, names.union(wanted))
    for name in wanted:
        if name in known:
            raise InUseError(f"{name}: there is such a resource already")
    wanted = {name: _with_parent(connection, resource) for name, resource in wanted.items()}
    known.update(known_resources(connection, {resource.parent for resource in wanted.values()}))
    waiting = dict(wanted)
    while waiting:
        ready = {name: resource for name, resource in waiting.items() if resource.parent not in waiting}
        if not ready:
            raise InventoryError(f"{next(iter(waiting))}: expected it not to lie in itself")
        _insert(connection, ready, known)
        waiting = {name: resource for name, resource in waiting.items() if name not in ready}
    _write_relations(connection, list(wanted.values()), known)
    for name, resource in wanted.items():
        if resource.kind is Kind.PREFIX:
            _take_in(connection, name, known[name])
    count_change(connection, "resources")


def update_resource(connection: Connection, resource: Resource) -> Resource:
    """Replace a resource's record; returns it as it is there now.

    Raises:
        StaleError: it has another version by now. InventoryError, NotInInventoryError: as :func:`add_resource`.
    """
    check_resource(resource)
    before = get_resource(connection, resource.resource_id)
    if before.kind is not resource.kind:
        raise InventoryError(f"{resource.resource_id}: expected it to stay a resource of kind {before.kind}")
    resource = _with_parent(connection, resource)
    known = known_resources(connection, {resource.resource_id, *_referred_to(resource)})
    own = known[resource.resource_id]
    _check_no_circle(connection, resource)
    _claim(connection, own.number, resource.resource_id, resource.version)
    connection.execute(
        update(RESOURCE).where(RESOURCE.c.number == own.number).values(**_columns(resource, known))
    )
    _refresh(connection, resource)
    if own.is_uplink != bool(resource.attributes.get("is_uplink")):
        for link in _links_at(connection, own.number):
            _refresh(connection, link)
    count_change(connection, "resources")
    return get_resource(connection, resource.resource_id)


def remove_resource(connection: Connection, resource_id: str, *, version: int | None = None) -> None:
    """Take a resource out of the inventory.

    Args:
        version: of what was read; None: whatever is there.

    Raises:
        NotInInventoryError: it is not there. StaleError: it has another version.
        InUseError: something lies in it, ends at it or depends on it, or a service uses it; names the first.
    """
    resource = get_resource(connection, resource_id)
    number = known_resources(connection, [resource.resource_id])[resource.resource_id].number
    _claim(connection, number, resource.resource_id, resource.version if version is None else version)
    if resource.kind is Kind.PREFIX:
        # What lies in it lies in what it lay in.
        for name in prefixes_directly_within(connection, number):
            _move(connection, name, resource.parent)
    _check_unused(connection, resource.resource_id, number)
    _forget_relations(connection, number)
    for table, column in (
        (RESERVATION, RESERVATION.c.resource),
        (VLAN, VLAN.c.resource),
        (PREFIX, PREFIX.c.resource),
        (ELEMENT_ADDRESS, ELEMENT_ADDRESS.c.element),
        (ELEMENT, ELEMENT.c.resource),
        (RESOURCE, RESOURCE.c.number),
    ):
        connection.execute(delete(table).where(column == number))
    count_change(connection, "resources")


# --- Records ------------------------------------------------------------------------------------------------------


def _referred_to(resource: Resource) -> list[str]:
    """The names of what a record refers to."""
    names = [*resource.depends_on, *resource.ends, *(element_of(end) for end in resource.ends)]
    if resource.parent:
        names.append(resource.parent)
    if is_part(resource.kind):
        names.append(element_of(resource.resource_id))
    if resource.kind is Kind.VLAN:
        names.append(f"site/{vlan_id_of(resource.resource_id)[0]}")
    return names


def _with_parent(connection: Connection, resource: Resource) -> Resource:
    """A resource with the parent that follows from its name, where none is said."""
    name, parent = resource.resource_id, resource.parent
    match resource.kind:
        case Kind.CARD | Kind.INTERFACE | Kind.PART:
            parent = parent or element_of(name)
            if element_of(parent) != element_of(name):
                raise InventoryError(f"{name}: expected it to lie in {element_of(name)}, not in {parent}")
        case Kind.VLAN:
            parent = f"site/{vlan_id_of(name)[0]}"
        case Kind.PREFIX:
            parent = containing_prefix(connection, name)
        case _:
            return resource
    return resource if parent == resource.parent else msgspec.structs.replace(resource, parent=parent)


def _columns(resource: Resource, known: Mapping[str, Known]) -> dict[str, Any]:
    element = element_of(resource.resource_id) if is_part(resource.kind) else ""
    return {
        "parent": _number(resource, resource.parent, known) if resource.parent else None,
        "anchor": _number(resource, element, known) if element else None,
        "lifecycle": str(resource.lifecycle),
        "administrative_state": str(resource.administrative_state),
        "operational_state": str(resource.operational_state),
        "is_uplink": bool(resource.attributes.get("is_uplink")),
        "attributes": encode_json(resource.attributes),
    }


def _number(resource: Resource, name: str, known: Mapping[str, Known]) -> int:
    found = known.get(name)
    if found is None:
        raise NotInInventoryError(f"{resource.resource_id}: {name} is not in the inventory")
    return found.number


def _insert(connection: Connection, resources: Mapping[str, Resource], known: dict[str, Known]) -> None:
    """Insert records all of whose parents are there, and know them from now on."""
    insert_rows(
        connection,
        RESOURCE,
        [
            {"resource_id": name, "kind": str(resource.kind), "version": 1, **_columns(resource, known)}
            for name, resource in resources.items()
        ],
    )
    known.update(known_resources(connection, resources))
    vlans: list[dict[str, Any]] = []
    for name, resource in resources.items():
        if resource.kind is Kind.VLAN:
            site, vlan_id = vlan_id_of(name)
            vlans.append({"resource": known[name].number, "site": site, "vlan_id": vlan_id})
        elif resource.kind is Kind.PREFIX:
            insert_prefix(connection, known[name].number, name)
    insert_rows(connection, VLAN, vlans)


def _claim(connection: Connection, number: int, name: str, version: int) -> None:
    """Count a resource's version up, if it is the one that was read; others wait until our transaction ends."""
    done = connection.execute(
        update(RESOURCE)
        .where(RESOURCE.c.number == number, RESOURCE.c.version == version)
        .values(version=version + 1)
    )
    if done.rowcount != 1:
        raise StaleError(f"{name}: somebody changed it meanwhile: read it again")


# --- Relations ----------------------------------------------------------------------------------------------------


def _write_relations(
    connection: Connection, resources: Sequence[Resource], known: Mapping[str, Known]
) -> None:
    """What resources rely on, where links end, and the edges that follow."""
    reliance: list[dict[str, int]] = []
    ends: list[dict[str, int]] = []
    edges: list[dict[str, int]] = []
    for resource in resources:
        number = known[resource.resource_id].number
        upon = tuple(_number(resource, name, known) for name in dict.fromkeys(resource.depends_on))
        reliance += [
            {"resource": number, "ordinal": ordinal, "upon": other} for ordinal, other in enumerate(upon)
        ]
        placed = tuple(_end(resource, name, known).placed for name in dict.fromkeys(resource.ends))
        ends += [
            {"link": number, "ordinal": ordinal, "interface": end.number}
            for ordinal, end in enumerate(placed)
        ]
        found = edges_of(
            known[resource.resource_id].placed,
            parent=None if not resource.parent else _number(resource, resource.parent, known),
            depends_on=upon,
            ends=placed,
        )
        edges += _edge_rows(number, found)
    insert_rows(connection, RESOURCE_RELIANCE, reliance)
    insert_rows(connection, LINK_END, ends)
    insert_rows(connection, DEPENDENCY, edges)


def _edge_rows(owner: int, edges: Iterable[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"upon": fails, "dependent": suffers, "owner": owner} for fails, suffers in edges]


def _end(link: Resource, name: str, known: Mapping[str, Known]) -> Known:
    found = known.get(name)
    if found is None or found.kind is not Kind.INTERFACE:
        raise NotInInventoryError(f"{link.resource_id}: expected an interface in the inventory, not {name}")
    return found


def _refresh(connection: Connection, resource: Resource) -> None:
    """Write a resource's relations anew, the resource and what it refers to being there."""
    known = known_resources(connection, [resource.resource_id, *_referred_to(resource)])
    _forget_relations(connection, known[resource.resource_id].number)
    _write_relations(connection, [resource], known)


def _links_at(connection: Connection, interface: int) -> list[Resource]:
    links = list(connection.scalars(select(LINK_END.c.link).where(LINK_END.c.interface == interface)))
    return [get_resource(connection, name) for name in names_of(connection, links).values()]


def _forget_relations(connection: Connection, number: int) -> None:
    connection.execute(delete(RESOURCE_RELIANCE).where(RESOURCE_RELIANCE.c.resource == number))
    connection.execute(delete(LINK_END).where(LINK_END.c.link == number))
    connection.execute(delete(DEPENDENCY).where(DEPENDENCY.c.owner == number))


def _check_no_circle(connection: Connection, resource: Resource) -> None:
    """Whoever holds a resource does not lie in it."""
    holder = resource.parent
    while holder:
        if holder == resource.resource_id:
            raise InventoryError(f"{resource.resource_id}: expected it not to lie in itself")
        holder = get_resource(connection, holder).parent


def _check_unused(connection: Connection, name: str, number: int) -> None:
    for column, user, said in (
        (RESOURCE.c.parent, RESOURCE.c.number, "lies in it"),
        (LINK_END.c.interface, LINK_END.c.link, "ends at it"),
        (RESOURCE_RELIANCE.c.upon, RESOURCE_RELIANCE.c.resource, "depends on it"),
    ):
        other = connection.scalar(select(user).where(column == number).limit(1))
        if other is not None:
            raise InUseError(f"{name}: {names_of(connection, [other])[other]} {said}")
    if connection.scalar(select(SERVICE_USE.c.service).where(SERVICE_USE.c.resource == number).limit(1)):
        raise InUseError(f"{name}: services use it: see `ocs inventory impact {name}`")


# --- Prefixes -----------------------------------------------------------------------------------------------------


def _take_in(connection: Connection, name: str, own: Known) -> None:
    """Have a new prefix hold those that it contains and that lay beside it until now."""
    for inner in prefixes_directly_within(connection, own.number):
        _move(connection, inner, name)


def _move(connection: Connection, name: str, parent: str) -> None:
    """Have a prefix lie in another one; it is the same prefix, so its version stays."""
    known = known_resources(connection, [name, parent] if parent else [name])
    own = known[name].placed
    values = {"parent": known[parent].number if parent else None}
    connection.execute(update(RESOURCE).where(RESOURCE.c.number == own.number).values(**values))
    connection.execute(delete(DEPENDENCY).where(DEPENDENCY.c.owner == own.number))
    moved = msgspec.structs.replace(get_resource(connection, name), parent=parent)
    known |= known_resources(connection, _referred_to(moved))
    upon = tuple(known[other].number for other in moved.depends_on)
    edges = edges_of(own, parent=values["parent"], depends_on=upon)
    insert_rows(connection, DEPENDENCY, _edge_rows(own.number, edges))
