"""Who may talk RADIUS to us: the clients of the configuration by their addresses, each with its secret."""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Client(NamedTuple):
    """A network access server, or the proxy before several of them.

    Attributes:
        name: as operators know it; a part of session ids, so it does not change while sessions are open.
        coa_port: UDP port for CoA- and Disconnect-Requests; 0 when the client takes none.
        rating_group: under which its traffic is rated; None rates it without one.
    """

    name: str
    network: Network
    secret: bytes
    coa_port: int = 3799
    rating_group: int | None = None


class Clients:
    """Finds a client by the address that a packet came from; where networks overlap the smallest one decides."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._clients = sorted(clients, key=lambda client: client.network.prefixlen, reverse=True)
        self._by_name = {client.name: client for client in self._clients}

    def find(self, host: str) -> Client | None:
        """The client at an address, None for a stranger."""
        address = parse_address(host)
        for client in self._clients:
            if address.version == client.network.version and address in client.network:
                return client
        return None

    def named(self, name: str) -> Client | None:
        """The client of a name."""
        return self._by_name.get(name)


def parse_network(text: str) -> Network:
    """Read an address or a network of the configuration.

    Raises:
        ValueError: it is neither.
    """
    return ipaddress.ip_network(text)


def parse_address(host: str) -> Address:
    """Read the address of a datagram; an IPv4 address that IPv6 carries is that IPv4 address."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
