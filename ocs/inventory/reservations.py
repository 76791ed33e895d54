"""Takes what is free: a VLAN of a site, a prefix or an address of a pool. Two who want one at once get two.

What is reserved is a resource, planned, which its holder has until a moment; what is kept is built. Asking again for
the same holder and purpose gives the same one, so that a caller that does not know how it ended asks again.
"""

from ipaddress import ip_network
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select, update

from ocs.inventory.errors import ExhaustedError, InUseError, InventoryError, NotInInventoryError
from ocs.inventory.model import Kind, Lifecycle, Resource
from ocs.inventory.naming import prefix_of
from ocs.inventory.prefixes import first_free, prefixes_directly_within
from ocs.inventory.registry import add_resource, remove_resource
from ocs.inventory.resources import get_resource, number_of
from ocs.inventory.statements import count_change, insert_rows
from ocs.inventory.tables import RESERVATION, RESOURCE, SERVICE_USE, VLAN
from ocs.limits import INVENTORY_BATCH, VLAN_MAX, VLAN_MIN


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a resource.

    Attributes:
        purpose: tells several of one holder apart. expires_ms: None: it is kept.
    """

    resource_id: str
    holder: str
    purpose: str = ""
    expires_ms: int | None = None


def reserve_vlan(
    connection: Connection,
    site: str,
    *,
    holder: str,
    expires_ms: int,
    purpose: str = "vlan",
    first: int = VLAN_MIN,
    last: int = VLAN_MAX,
) -> Reservation:
    """Reserve the first free VLAN of a site.

    Args:
        site: its resource. first, last: which VLAN-IDs may be taken.

    Raises:
        NotInInventoryError: no such site. ExhaustedError: every one is taken.
    """
    if not VLAN_MIN <= first <= last <= VLAN_MAX:
        raise InventoryError(
            f"{site}: expected VLAN-IDs from {VLAN_MIN} to {VLAN_MAX}, not {first} to {last}"
        )
    _lock(connection, site)
    known = _own(connection, holder, purpose, expires_ms)
    if known is not None:
        return known
    name = site.removeprefix("site/")
    rows = connection.scalars(
        select(VLAN.c.vlan_id).where(VLAN.c.site == name, VLAN.c.vlan_id.between(first, last))
    )
    taken = set(rows)
    free = next((vlan_id for vlan_id in range(first, last + 1) if vlan_id not in taken), None)
    if free is None:
        raise ExhaustedError(f"{site}: every VLAN from {first} to {last} is taken")
    planned = Resource(resource_id=f"vlan/{name}/{free}", kind=Kind.VLAN, lifecycle=Lifecycle.PLANNED)
    return _take(connection, planned, holder, purpose, expires_ms)


def reserve_prefix(
    connection: Connection, pool: str, length: int, *, holder: str, expires_ms: int, purpose: str = "prefix"
) -> Reservation:
    """Reserve the first free prefix of a length in a pool; a host's address is one of full length.

    Args:
        pool: the resource of a prefix that no service uses itself.

    Raises:
        NotInInventoryError: no such pool. ExhaustedError: nothing of that length is free.
        InUseError: somebody has the pool as a whole.
    """
    _lock(connection, pool)
    known = _own(connection, holder, purpose, expires_ms)
    if known is not None:
        return known
    number = number_of(connection, pool)
    vrf, text = prefix_of(pool)
    network = ip_network(text)
    if not network.prefixlen <= length <= network.max_prefixlen:
        raise InventoryError(f"{pool}: expected a length from {network.prefixlen} to {network.max_prefixlen}")
    if _is_had(connection, number):
        raise InUseError(f"{pool}: somebody has this prefix as a whole")
    inner = prefixes_directly_within(connection, number)
    free = first_free(network, (ip_network(prefix_of(name)[1]) for name in inner), length)
    if free is None or (not inner and length == network.prefixlen):
        raise ExhaustedError(f"{pool}: nothing of length {length} is free")
    planned = Resource(resource_id=f"prefix/{vrf}/{free}", kind=Kind.PREFIX, lifecycle=Lifecycle.PLANNED)
    return _take(connection, planned, holder, purpose, expires_ms)


def find_reservation(connection: Connection, resource_id: str) -> Reservation | None:
    """Who has a resource."""
    row = connection.execute(_select().where(RESOURCE.c.resource_id == resource_id)).one_or_none()
    return None if row is None else _reservation(row)


def reservations_of(connection: Connection, holder: str) -> list[Reservation]:
    """What somebody has, by purpose."""
    rows = connection.execute(_select().where(RESERVATION.c.holder == holder).order_by(RESERVATION.c.purpose))
    return [_reservation(row) for row in rows]


def keep(connection: Connection, resource_id: str, holder: str) -> Reservation:
    """Keep what was reserved: it is built, and stays its holder's until :func:`release`. Again: nothing changes.

    Raises:
        NotInInventoryError: nobody has it, or the reservation has expired and was taken back.
        InUseError: somebody else has it.
    """
    number = _held(connection, resource_id, holder)
    connection.execute(update(RESERVATION).where(RESERVATION.c.resource == number).values(expires_ms=None))
    connection.execute(
        update(RESOURCE)
        .where(RESOURCE.c.number == number, RESOURCE.c.lifecycle == str(Lifecycle.PLANNED))
        .values(lifecycle=str(Lifecycle.AS_BUILT), version=RESOURCE.c.version + 1)
    )
    count_change(connection, "resources")
    return Reservation(
        resource_id=resource_id,
        holder=holder,
        purpose=connection.scalar(select(RESERVATION.c.purpose).where(RESERVATION.c.resource == number))
        or "",
    )


def release(connection: Connection, resource_id: str, holder: str) -> None:
    """Give back what was reserved or kept.

    Raises:
        NotInInventoryError: nobody has it. InUseError: somebody else has it, or a service uses it.
    """
    _held(connection, resource_id, holder)
    remove_resource(connection, resource_id)


def take_back_expired(connection: Connection, now_ms: int) -> list[Reservation]:
    """Take back what was reserved until now, some at a time; empty when there is nothing more.

    What a service uses meanwhile is kept: whoever wrote the service meant to.
    """
    rows = connection.execute(
        _select()
        .where(RESERVATION.c.expires_ms <= now_ms)
        .order_by(RESERVATION.c.expires_ms)
        .limit(INVENTORY_BATCH)
    ).all()
    for row in rows:
        _lock(connection, row.resource_id)
        if _is_used(connection, number_of(connection, row.resource_id)):
            keep(connection, row.resource_id, row.holder)
        else:
            remove_resource(connection, row.resource_id)
    return [_reservation(row) for row in rows]


# --- Rows ---------------------------------------------------------------------------------------------------------


def _lock(connection: Connection, resource_id: str) -> None:
    """Let one at a time take something from a site or a pool; SQLite has one writer anyway."""
    found = connection.scalar(
        select(RESOURCE.c.number).where(RESOURCE.c.resource_id == resource_id).with_for_update()
    )
    if found is None:
        raise NotInInventoryError(f"{resource_id}: no such resource in the inventory")


def _own(connection: Connection, holder: str, purpose: str, expires_ms: int) -> Reservation | None:
    """What the holder has for the purpose already; a reservation lasts longer, what is kept stays kept."""
    if not holder:
        raise InventoryError("expected to be told who is to have it")
    mine = (RESERVATION.c.holder == holder, RESERVATION.c.purpose == purpose)
    connection.execute(
        update(RESERVATION).where(*mine, RESERVATION.c.expires_ms.is_not(None)).values(expires_ms=expires_ms)
    )
    row = connection.execute(_select().where(*mine)).one_or_none()
    return None if row is None else _reservation(row)


def _take(
    connection: Connection, planned: Resource, holder: str, purpose: str, expires_ms: int
) -> Reservation:
    add_resource(connection, planned)
    taken = Reservation(
        resource_id=planned.resource_id, holder=holder, purpose=purpose, expires_ms=expires_ms
    )
    insert_rows(
        connection,
        RESERVATION,
        [
            {
                "resource": number_of(connection, planned.resource_id),
                "holder": holder,
                "purpose": purpose,
                "expires_ms": expires_ms,
            }
        ],
    )
    return taken


def _held(connection: Connection, resource_id: str, holder: str) -> int:
    found = find_reservation(connection, resource_id)
    if found is None:
        get_resource(connection, resource_id)
        raise NotInInventoryError(f"{resource_id}: nobody has it reserved")
    if found.holder != holder:
        raise InUseError(f"{resource_id}: {found.holder} has it, not {holder}")
    return number_of(connection, resource_id)


def _is_had(connection: Connection, number: int) -> bool:
    held = connection.scalar(select(RESERVATION.c.resource).where(RESERVATION.c.resource == number))
    return held is not None or _is_used(connection, number)


def _is_used(connection: Connection, number: int) -> bool:
    return (
        connection.scalar(select(SERVICE_USE.c.service).where(SERVICE_USE.c.resource == number).limit(1))
        is not None
    )


def _select() -> Any:
    return select(RESERVATION, RESOURCE.c.resource_id).join(
        RESOURCE, RESOURCE.c.number == RESERVATION.c.resource
    )


def _reservation(row: Row[Any]) -> Reservation:
    return Reservation(
        resource_id=row.resource_id, holder=row.holder, purpose=row.purpose, expires_ms=row.expires_ms
    )
