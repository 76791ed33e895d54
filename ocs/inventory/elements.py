"""Network elements: how each is reached, what it is for, where its notifications come from."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from ocs.inventory.errors import InUseError, InventoryError, NotInInventoryError
from ocs.inventory.model import ElementRecord, Kind, Resource
from ocs.inventory.registry import add_resources, update_resource
from ocs.inventory.resources import known_resources, number_of, resources_named
from ocs.inventory.statements import count_change, in_batches, insert_rows
from ocs.inventory.tables import ELEMENT, ELEMENT_ADDRESS, RESOURCE
from ocs.provisioning.element import Element


def add_elements(
    connection: Connection, records: Iterable[ElementRecord], resources: Iterable[Resource] = ()
) -> None:
    """Put elements into the inventory, and other resources with them: they may refer to each other.

    Raises:
        InventoryError, InUseError, NotInInventoryError: as :func:`~ocs.inventory.registry.add_resources`; or an address
            is none or another element's. The transaction is to be given up.
    """
    wanted = {record.name: record for record in records}
    for record in wanted.values():
        _check(record)
    add_resources(connection, [*(record.resource for record in wanted.values()), *resources])
    known = known_resources(connection, wanted)
    for name, record in wanted.items():
        connection.execute(insert(ELEMENT).values(resource=known[name].number, **_columns(record)))
        _write_addresses(connection, known[name].number, record)


def update_element(connection: Connection, record: ElementRecord) -> ElementRecord:
    """Replace an element's record; returns it as it is there now.

    Raises:
        StaleError: it has another version by now. InventoryError, NotInInventoryError: as :func:`add_elements`.
    """
    _check(record)
    update_resource(connection, record.resource)
    number = number_of(connection, record.name)
    connection.execute(update(ELEMENT).where(ELEMENT.c.resource == number).values(**_columns(record)))
    connection.execute(delete(ELEMENT_ADDRESS).where(ELEMENT_ADDRESS.c.element == number))
    _write_addresses(connection, number, record)
    return get_element(connection, record.name)


def trust_host_key(connection: Connection, name: str, host_key: str) -> None:
    """Have an element accepted by this key and no other one.

    Raises:
        NotInInventoryError: no such element, or it is not managed by us.
    """
    done = connection.execute(
        update(ELEMENT)
        .where(ELEMENT.c.resource == number_of(connection, name), ELEMENT.c.type_name != "")
        .values(host_key=host_key)
    )
    if done.rowcount != 1:
        raise NotInInventoryError(f"{name}: the inventory does not say how this element is managed")
    count_change(connection, "resources")


def find_element(connection: Connection, name: str) -> ElementRecord | None:
    """An element by its name."""
    return next(iter(_read(connection, RESOURCE.c.resource_id == name)), None)


def get_element(connection: Connection, name: str) -> ElementRecord:
    """As :func:`find_element`.

    Raises:
        NotInInventoryError: no element has that name.
    """
    found = find_element(connection, name)
    if found is None:
        raise NotInInventoryError(f"{name}: no such element in the inventory")
    return found


def list_elements(connection: Connection, *, role: str = "", site: str = "") -> list[ElementRecord]:
    """The elements of a role, at a site, by name; without either, all."""
    conditions: list[ColumnElement[bool]] = []
    if role:
        conditions.append(ELEMENT.c.role == role)
    if site:
        conditions.append(RESOURCE.c.parent == number_of(connection, site))
    return _read(connection, *conditions)


def _check(record: ElementRecord) -> None:
    name, management = record.name, record.management
    if record.resource.kind is not Kind.ELEMENT:
        raise InventoryError(f"{name}: expected an element, not a resource of kind {record.resource.kind}")
    for address in record.addresses:
        try:
            ip_address(address)
        except ValueError:
            raise InventoryError(f"{name}: expected an IP address, not {address}") from None
    if management is None:
        return
    if management.name != name:
        raise InventoryError(f"{name}: expected how it is managed itself, not {management.name}")
    if not management.type_name or not management.address or not 1 <= management.port <= 65_535:
        raise InventoryError(f"{name}: expected type, address and a port from 1 to 65535 for its management")


def _columns(record: ElementRecord) -> dict[str, Any]:
    management = record.management
    return {
        "role": record.role,
        "type_name": management.type_name if management else "",
        "address": management.address if management else "",
        "port": management.port if management else 0,
        "credential": management.credential if management else "",
        "host_key": management.host_key if management else "",
    }


def _write_addresses(connection: Connection, number: int, record: ElementRecord) -> None:
    addresses = list(dict.fromkeys(str(ip_address(address)) for address in record.addresses))
    for batch in in_batches(addresses):
        taken = connection.execute(
            select(ELEMENT_ADDRESS.c.address, RESOURCE.c.resource_id)
            .join(RESOURCE, RESOURCE.c.number == ELEMENT_ADDRESS.c.element)
            .where(ELEMENT_ADDRESS.c.address.in_(batch))
        ).first()
        if taken is not None:
            raise InUseError(f"{record.name}: {taken.address} is an address of {taken.resource_id} too")
    rows = [
        {"element": number, "ordinal": ordinal, "address": address}
        for ordinal, address in enumerate(addresses)
    ]
    insert_rows(connection, ELEMENT_ADDRESS, rows)


def _read(connection: Connection, *conditions: ColumnElement[bool]) -> list[ElementRecord]:
    rows = connection.execute(
        select(ELEMENT, RESOURCE.c.resource_id)
        .join(RESOURCE, RESOURCE.c.number == ELEMENT.c.resource)
        .where(*conditions)
        .order_by(RESOURCE.c.resource_id)
    ).all()
    resources = resources_named(connection, [row.resource_id for row in rows])
    addresses = _addresses(connection, [row.resource for row in rows])
    return [
        ElementRecord(
            resource=resources[row.resource_id],
            management=_management(row) if row.type_name else None,
            role=row.role,
            addresses=tuple(addresses.get(row.resource, ())),
        )
        for row in rows
    ]


def _management(row: Any) -> Element:
    return Element(
        name=row.resource_id,
        type_name=row.type_name,
        address=row.address,
        port=row.port,
        credential=row.credential,
        host_key=row.host_key,
    )


def _addresses(connection: Connection, numbers: Iterable[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for batch in in_batches(numbers):
        wanted = (
            select(ELEMENT_ADDRESS.c.element, ELEMENT_ADDRESS.c.address)
            .where(ELEMENT_ADDRESS.c.element.in_(batch))
            .order_by(ELEMENT_ADDRESS.c.element, ELEMENT_ADDRESS.c.ordinal)
        )
        for number, address in connection.execute(wanted):
            found.setdefault(number, []).append(address)
    return found
