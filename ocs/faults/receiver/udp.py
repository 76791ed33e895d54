"""The UDP sockets on which traps arrive."""

import socket
from typing import Any

from ocs.faults.receiver.rations import Datagram
from ocs.limits import TRAP_SOCKET_BUFFER_OCTETS
from ocs.settings import SnmpSettings

_DATAGRAM_OCTETS_MAX = 65_535


def bind_snmp(settings: SnmpSettings) -> socket.socket | None:
    """Bind the port; None when no traps are taken. ``::`` takes IPv4 too.

    Raises:
        OSError: the port cannot be bound; its text names it.
    """
    if settings.port < 0:
        return None
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(address)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise OSError(
            error.errno, f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"
        ) from None
    # The kernel gives what its own bound allows; what does not fit during a commit would be lost.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TRAP_SOCKET_BUFFER_OCTETS)
    return bound


def address_text(bound: socket.socket) -> str:
    """``host:port`` as bound, IPv6 in brackets."""
    host, port, *_ = bound.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def drain(bound: socket.socket, count_max: int) -> list[Datagram]:
    """Read what has arrived, at most so many datagrams; an empty list when there is nothing."""
    read: list[Datagram] = []
    receive = bound.recvfrom
    try:
        for _ in range(count_max):
            octets, (address, port, *_rest) = receive(_DATAGRAM_OCTETS_MAX)
            read.append((octets, address.removeprefix("::ffff:"), port))
    except BlockingIOError:
        pass
    except OSError:
        # An ICMP error of a reply that we sent to a port that is closed by now: what was read stands.
        pass
    return read


def send(bound: socket.socket, octets: bytes, address: str, port: int) -> bool:
    """Send one datagram if it can be sent now; a reply that is lost is asked for again."""
    destination: tuple[Any, ...] = (address, port)
    if bound.family == socket.AF_INET6 and ":" not in address:
        destination = (f"::ffff:{address}", port)
    try:
        bound.sendto(octets, destination)
    except OSError:
        return False
    return True
