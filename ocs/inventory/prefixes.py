"""IP prefixes of each VRF as a tree: which one holds which, and what is still free in one.

Two prefixes of a VRF are apart or one holds the other; CIDR allows nothing else. What services use is at the leaves:
nothing that is used lies in something that is used (:mod:`ocs.inventory.reservations` sees to it).
"""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeAlias

from sqlalchemy import Connection, select

from ocs.inventory.naming import prefix_of
from ocs.inventory.statements import insert_rows
from ocs.inventory.tables import PREFIX, RESOURCE

Network: TypeAlias = IPv4Network | IPv6Network
_KEY_OCTETS: Final = 16


def insert_prefix(connection: Connection, number: int, resource_id: str) -> None:
    """Insert what makes a resource a prefix."""
    vrf, text = prefix_of(resource_id)
    network = ip_network(text)
    insert_rows(
        connection,
        PREFIX,
        [
            {
                "resource": number,
                "vrf": vrf,
                "family": network.version,
                "first": _key(int(network.network_address)),
                "last": _key(int(network.broadcast_address)),
                "length": network.prefixlen,
            }
        ],
    )


def containing_prefix(connection: Connection, resource_id: str) -> str:
    """The narrowest prefix of the VRF that holds one; empty when none does."""
    vrf, text = prefix_of(resource_id)
    network = ip_network(text)
    found = connection.scalar(
        select(RESOURCE.c.resource_id)
        .join(PREFIX, PREFIX.c.resource == RESOURCE.c.number)
        .where(
            PREFIX.c.vrf == vrf,
            PREFIX.c.family == network.version,
            PREFIX.c.first <= _key(int(network.network_address)),
            PREFIX.c.last >= _key(int(network.broadcast_address)),
            PREFIX.c.length < network.prefixlen,
        )
        .order_by(PREFIX.c.length.desc())
        .limit(1)
    )
    return found or ""


def prefixes_directly_within(connection: Connection, number: int) -> list[str]:
    """The names of the widest prefixes in a prefix, by their order."""
    own = connection.execute(select(PREFIX).where(PREFIX.c.resource == number)).one()
    found = connection.execute(
        select(RESOURCE.c.resource_id, PREFIX.c.first, PREFIX.c.last)
        .join(PREFIX, PREFIX.c.resource == RESOURCE.c.number)
        .where(
            PREFIX.c.vrf == own.vrf,
            PREFIX.c.family == own.family,
            PREFIX.c.first >= own.first,
            PREFIX.c.last <= own.last,
            PREFIX.c.resource != number,
        )
        .order_by(PREFIX.c.first, PREFIX.c.length)
    )
    widest: list[str] = []
    reached = -1
    for name, first, last in found:
        if int.from_bytes(first) > reached:
            widest.append(name)
            reached = int.from_bytes(last)
    return widest


def first_free(pool: Network, taken: Iterable[Network], length: int) -> Network | None:
    """The first network of a length in a pool that meets none of some others; None when there is none. Pure.

    Of a pool of IPv4 hosts, the first and the last address are the network's own and are left out (RFC 1122 section
    3.2.1.3), unless the pool is too small to have any (RFC 3021).
    """
    size = 1 << (pool.max_prefixlen - length)
    first, last = int(pool.network_address), int(pool.broadcast_address)
    if pool.version == 4 and size == 1 and pool.prefixlen < pool.max_prefixlen - 1:
        first, last = first + 1, last - 1
    at = first
    for network in sorted(taken, key=lambda one: int(one.network_address)):
        if int(network.broadcast_address) < at:
            continue
        if at + size <= int(network.network_address):
            break
        at = -(-(int(network.broadcast_address) + 1) // size) * size
    if length < pool.prefixlen or at + size - 1 > last:
        return None
    return type(pool)((at, length))


def _key(address: int) -> bytes:
    return address.to_bytes(_KEY_OCTETS)
