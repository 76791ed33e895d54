"""RADIUS on UDP: the sockets, and the tasks that read them.

Workers share two sockets that were bound once; any of them takes a packet, as any can serve any session. Orders to
access servers go out by a socket of each worker's own, to which their replies come back.
"""

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import trio

from ocs.clock import Clock
from ocs.limits import RADIUS_ORDER_TIMEOUT_S, RADIUS_PACKET_OCTETS_MAX
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Gauge
from ocs.radius.clients import Client, Clients, parse_network
from ocs.radius.known_sessions import KnownSessions
from ocs.radius.orders import OrderSender
from ocs.radius.service import ChargingHandler, Door, RadiusService
from ocs.secret_file import read_secret_file
from ocs.settings import RadiusSettings

log = get_logger("ocs.radius.server")

ORDERS_UNDER_WAY: Final = Gauge(
    "ocs_radius_orders_under_way", "CoA- and Disconnect-Requests that wait for a reply."
)

# As the operating system names it: host, port, and for IPv6 flow and scope.
Source = tuple[Any, ...]
_TICK_S: Final = RADIUS_ORDER_TIMEOUT_S / 4


class RadiusSockets(NamedTuple):
    """The two bound sockets."""

    authorisation: socket.socket
    accounting: socket.socket

    @property
    def addresses(self) -> tuple[str, str]:
        """``host:port`` of both, as bound, IPv6 in brackets."""
        return _address_text(self.authorisation), _address_text(self.accounting)

    def close(self) -> None:
        """Close both."""
        self.authorisation.close()
        self.accounting.close()


def bind_radius(settings: RadiusSettings) -> RadiusSockets | None:
    """Bind both ports; None when RADIUS is not served.

    Raises:
        OSError: a port cannot be bound; its text names it.
    """
    if settings.auth_port < 0:
        return None
    authorisation = _bind(settings.host, settings.auth_port)
    try:
        return RadiusSockets(authorisation, _bind(settings.host, settings.acct_port))
    except OSError:
        authorisation.close()
        raise


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.bind(address)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from None
    return bound


def _address_text(bound: socket.socket) -> str:
    host, port, *_ = bound.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class RadiusServer:
    """All RADIUS of one process.

    Args:
        resolve: where a path of the configuration leads.
        on_nas_restarted: see :class:`~ocs.radius.service.RadiusService`.
    """

    def __init__(
        self,
        sockets: RadiusSockets,
        settings: RadiusSettings,
        handler: ChargingHandler,
        clock: Clock,
        *,
        resolve: Callable[[str], Path],
        on_nas_restarted: Callable[[str, int], None],
    ) -> None:
        self._sockets = sockets
        self._stopping = trio.CancelScope()
        limiter = RepeatLimiter(clock)
        clients = Clients(
            Client(
                client.name,
                parse_network(client.address),
                read_secret_file(resolve(client.secret_file)).encode(),
                client.coa_port,
                client.rating_group,
            )
            for client in settings.clients
        )
        self._own = {family: _own_socket(family) for family in {sockets.authorisation.family, socket.AF_INET}}
        self._orders = OrderSender(self._send_order, clock, limiter)
        self._service = RadiusService(
            clients,
            handler,
            self._orders,
            KnownSessions(clients),
            clock,
            limiter,
            on_nas_restarted=on_nas_restarted,
            interim_interval_s=settings.interim_interval_s,
        )

    def request_stop(self) -> None:
        """Take nothing more; what is under way still gets its reply, from whoever runs the engine."""
        self._stopping.cancel()

    def end_session(self, session_id: str) -> bool:
        """Have an access server end a session; returns whether it is told."""
        return self._service.end_session(session_id)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until :meth:`request_stop`. Cancelled, what was read is not answered: its clients repeat it."""
        with self._stopping:
            async with trio.open_nursery() as nursery:
                for door, bound in (
                    (Door.AUTHORISATION, self._sockets.authorisation),
                    (Door.ACCOUNTING, self._sockets.accounting),
                ):
                    nursery.start_soon(self._read, bound, partial(self._take, door, bound))
                for own in self._own.values():
                    nursery.start_soon(self._read, own, self._take_order_reply)
                nursery.start_soon(self._tick)
                task_status.started()

    def close(self) -> None:
        """Close the sockets; nothing is sent any more."""
        self._sockets.close()
        for own in self._own.values():
            own.close()

    async def _read(self, bound: socket.socket, take: Callable[[bytes, Source], None]) -> None:
        receiver = trio.socket.from_stdlib_socket(bound.dup())
        with receiver:
            while True:
                try:
                    datagram, source = await receiver.recvfrom(RADIUS_PACKET_OCTETS_MAX + 1)
                except OSError as error:  # an ICMP error of an earlier datagram: it is told once
                    log.debug("radius_read_failed", reason=str(error))
                    continue
                take(datagram, source)

    def _take(self, door: Door, bound: socket.socket, datagram: bytes, source: Source) -> None:
        self._service.take(door, datagram, source[0], source[1], partial(_send, bound, source))

    def _take_order_reply(self, datagram: bytes, source: Source) -> None:
        self._orders.answered(datagram, source[0], source[1])

    def _send_order(self, datagram: bytes, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        own = self._own.get(family)
        if own is not None:
            _send(own, (host, port), datagram)

    async def _tick(self) -> None:
        while True:
            await trio.sleep(_TICK_S)
            self._orders.tick()
            ORDERS_UNDER_WAY.set(self._orders.count)


def _own_socket(family: socket.AddressFamily) -> socket.socket:
    own = socket.socket(family, socket.SOCK_DGRAM)
    own.setblocking(False)
    return own


def _send(bound: socket.socket, target: Source, datagram: bytes) -> None:
    """Send a datagram, or lose it: the network may do so too, and the other side repeats what it misses."""
    try:
        bound.sendto(datagram, target)
    except OSError as error:
        log.debug("radius_send_failed", reason=str(error))
