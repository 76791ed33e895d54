"""The Diameter server: listeners, all connections, their timers, and a shutdown that loses no answer."""

import random
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Self

import msgspec
import trio

from ocs.clock import Clock, SystemClock
from ocs.diameter_gy.admission import AdmissionPolicy, is_same_identity
from ocs.diameter_gy.base_commands import DisconnectCause
from ocs.diameter_gy.connection import Connection
from ocs.diameter_gy.connection_shares import ConnectionShares
from ocs.diameter_gy.demand_sender import DemandSender
from ocs.diameter_gy.gateway_routes import GatewayRoutes
from ocs.diameter_gy.handshakes import Handshakes, source_of
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.overload import Overload, PeerLoad
from ocs.diameter_gy.peer import Peer, PeerPolicy
from ocs.diameter_gy.peer_states import State
from ocs.diameter_gy.peer_table import PeerTable
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.request_log import RequestLog
from ocs.diameter_gy.request_service import CreditControlHandler, CreditControlService
from ocs.diameter_gy.routing import RoutingPolicy
from ocs.diameter_gy.time_slices import TimeSlices
from ocs.diameter_gy.tls import certificate_names, server_context
from ocs.limits import (
    ACCEPTS_AT_ONCE_MAX,
    CONNECTION_TICK_S,
    CONNECTIONS_MAX,
    CONNECTIONS_UNIDENTIFIED_MAX,
    DISCONNECT_TIMEOUT_S,
    DRAIN_TIMEOUT_S,
    KEEPALIVE_IDLE_S,
    KEEPALIVE_INTERVAL_S,
    KEEPALIVE_PROBES,
    LINGER_TIMEOUT_S,
    UNACKNOWLEDGED_MS_MAX,
    WATCHDOG_JITTER_S,
)
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Counter, Gauge
from ocs.settings import DiameterSettings, PeerSettings, Settings

__all__ = [
    "CreditControlHandler",
    "DiameterServer",
    "Listener",
    "PeerSnapshot",
    "ServerPolicy",
    "bind_listeners",
]

log = get_logger("ocs.diameter_gy.server")

CONNECTIONS = Gauge("ocs_diameter_connections", "Open transport connections, identified or not.")
ACCEPTED = Counter("ocs_diameter_connections_accepted_total", "Transport connections accepted.")
TURNED_AWAY = Counter(
    "ocs_diameter_connections_turned_away_total",
    "Connections closed for want of room, by which room.",
    ("room",),
)

ADMITTED = Gauge(
    "ocs_diameter_requests_admitted_max",
    "Requests in flight at which UPDATE is refused; first ones at half of it.",
)

LISTEN_BACKLOG: Final = 1024
# accept() fails like this when file descriptors run out; a pause lets connections end.
ACCEPT_PAUSE_S: Final = 0.1
# By name, since not every system has all of them.
_TCP_OPTIONS: Final = {
    "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
    "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_S,
    "TCP_KEEPCNT": KEEPALIVE_PROBES,
    "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS_MAX,
}


class Listener(NamedTuple):
    """A bound, listening TCP socket and whether TLS is spoken on it from the first octet."""

    socket: socket.socket
    is_tls: bool = False

    @property
    def address(self) -> str:
        """``host:port`` as bound, IPv6 in brackets."""
        return _address_text(self.socket.getsockname())


class PeerSnapshot(msgspec.Struct, frozen=True):
    """One connection as operators see it.

    Attributes:
        state: of the peer state machine, lower case; ``watchdog`` that of RFC 3539.
        since_s: when capabilities were exchanged (or the connection accepted), in seconds since 1970 UTC.
    """

    origin_host: str
    origin_realm: str
    product_name: str
    origin_state_id: int | None
    remote: str
    tls: bool
    state: str
    watchdog: str
    since_s: int
    requests: int
    answers: int
    in_flight: int
    errors: int


class ServerPolicy(NamedTuple):
    """What the server needs to know beside who it is and who charges.

    Attributes:
        gy: how requests are read and answers written; its routing check decides what is for us.
        success_sample: one log line for so many successful requests.
        tls: for the listeners that speak TLS.
    """

    peers: tuple[PeerSettings, ...]
    gy: GyPolicy
    watchdog_interval_s: float = 30.0
    success_sample: int = 1000
    tls: ssl.SSLContext | None = None

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        currency: str = "",
    ) -> Self:
        """Make the policy that the configuration says.

        Args:
            settings: the whole configuration.
            currency: ISO 4217 code of CC-Money without Currency-Code.

        Raises:
            PolicyError: a setting of credit control that cannot be followed.
            TlsSettingsError: certificate, key or authority cannot be used.
        """
        diameter = settings.diameter
        routing = RoutingPolicy.of(
            (diameter.origin_host, *diameter.destination_hosts),
            (diameter.origin_realm, *diameter.destination_realms),
        )
        return cls(
            peers=diameter.peers,
            gy=GyPolicy.from_settings(settings, currency=currency, check_routing=routing.check),
            watchdog_interval_s=diameter.watchdog_interval_s,
            success_sample=settings.log.success_sample,
            tls=server_context(diameter, settings.directory),
        )


def bind_listeners(settings: DiameterSettings) -> list[Listener]:
    """Bind every configured address, TCP first, and the TLS port too when there is a certificate.

    With port 0 the first address chooses a free port and the others take the same one.

    Raises:
        OSError: an address cannot be bound; its text names address and port.
    """
    listeners: list[Listener] = []
    ports = [(settings.port, False)]
    if settings.tls_certificate_file:
        ports.append((settings.tls_port, True))
    try:
        for port, is_tls in ports:
            chosen = port
            for host in (settings.host, *settings.hosts):
                bound = _bind(host, chosen)
                chosen = chosen or bound.getsockname()[1]
                listeners.append(Listener(bound, is_tls))
    except OSError:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 is listed on its own
        bound.bind(address)
        bound.listen(LISTEN_BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}") from None
    return bound


class DiameterServer:
    """All Diameter connections of one process.

    Args:
        identity: who we are; host_ip_addresses is used where a connection does not tell our end.
        policy: whom we let in and how we answer.
        handler: charging.
        clock: wall time, for log lines and the snapshot.
        draw_jitter_s: jitter of each watchdog interval; None draws it at random.
        shares: with the workers that accept from the same listeners; None when nobody else does.
        on_gone: is told account and session that a gateway no longer knows.

    Attributes:
        demands: what gateways are asked of our own accord.
    """

    def __init__(
        self,
        identity: NodeIdentity,
        policy: ServerPolicy,
        handler: CreditControlHandler,
        *,
        clock: Clock | None = None,
        draw_jitter_s: Callable[[], float] | None = None,
        shares: ConnectionShares | None = None,
        on_gone: Callable[[str, str], None] | None = None,
    ) -> None:
        self._shares = shares
        self._clock: Clock = clock or SystemClock()
        self._limiter = RepeatLimiter(self._clock)
        self._handshakes = Handshakes(policy.tls, self) if policy.tls is not None else None
        self._peer_policy = PeerPolicy(
            admission=AdmissionPolicy.from_settings(
                policy.peers,
                shows_certificates=policy.tls is not None and policy.tls.verify_mode is ssl.CERT_REQUIRED,
            ),
            table=PeerTable(),
            watchdog_interval_s=policy.watchdog_interval_s,
            draw_jitter_s=draw_jitter_s or _draw_jitter_s,
            draw_identifier=_draw_identifier,
        )
        request_log = RequestLog(self._limiter, policy.success_sample)
        self._overload = Overload(note_bound=ADMITTED.set)
        self._slices = TimeSlices()
        self._strangers = PeerLoad("")  # all who have not said who they are, together
        routes = GatewayRoutes(lambda: self._connections)
        self.demands = DemandSender(
            routes,
            lambda: self.identity,
            self._limiter,
            trio.current_time,
            on_gone or _tell_nobody,
            end_to_end_id=_draw_identifier(),
        )
        self._service = CreditControlService(
            identity, policy.gy, handler, request_log, self._overload, self.demands
        )
        self._sockets = 0
        self._connections: dict[Connection, None] = {}
        self._unidentified: dict[Connection, None] = {}  # the longest waiting first
        self._stop = trio.Event()
        self._all_closed = trio.Event()

    @property
    def identity(self) -> NodeIdentity:
        """Who we are."""
        return self._service.identity

    @identity.setter
    def identity(self, identity: NodeIdentity) -> None:
        """Become another, as when Origin-State-Id advances: what is sent from now on says so."""
        self._service.identity = identity
        for connection in self._connections:
            connection.peer.identity = identity

    async def serve(
        self,
        listeners: Sequence[Listener],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until :meth:`request_stop`, then take leave of every peer and return when all are gone.

        ``task_status`` is started when every listener accepts. The listeners' sockets are closed. Cancelled:
        connections are cut without leave; gateways repeat what was not answered.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_timers)
            nursery.start_soon(self._slices.run)
            if self._handshakes is not None:
                nursery.start_soon(self._handshakes.run)
            async with trio.open_nursery() as accepting:
                for listener in listeners:
                    accepting.start_soon(self._accept_all, listener, nursery)
                task_status.started()
                await self._stop.wait()
                accepting.cancel_scope.cancel()
            if self._shares is not None:
                self._shares.leave()
            for connection in list(self._connections):
                connection.stop()
            if self._connections:
                with trio.move_on_after(DISCONNECT_TIMEOUT_S + DRAIN_TIMEOUT_S + LINGER_TIMEOUT_S):
                    await self._all_closed.wait()
            nursery.cancel_scope.cancel()

    def request_stop(self) -> None:
        """Have :meth:`serve` stop accepting, send DPR to every peer, answer what is in flight, and return."""
        self._stop.set()

    async def serve_stream(
        self,
        stream: trio.abc.Stream,
        *,
        remote: str,
        host_ip_addresses: tuple[str, ...],
        names: tuple[str, ...] | None = None,
    ) -> None:
        """Serve one connection on any stream until it ends.

        Args:
            stream: to the peer; where it is a TLS stream, the handshake is done.
            remote: the far end's address, for logs and the snapshot.
            host_ip_addresses: our end.
            names: host names of the certificate that the peer had to show; None when it had not.
        """
        peer = Peer(self._peer_policy, self.identity, host_ip_addresses, now_s=trio.current_time())
        peer.certificate_names = names
        connection = Connection(stream, peer, self._service, self, self._slices, remote=remote)
        connection.load = self._strangers
        if not self._make_room(remote):
            await trio.aclose_forcefully(stream)
            return
        self._connections[connection] = self._unidentified[connection] = None
        CONNECTIONS.add(1)
        if self._stop.is_set():
            connection.stop()
        try:
            await connection.run()
        finally:
            self._connections.pop(connection)
            self._unidentified.pop(connection, None)
            self.demands.lost(connection)
            if connection.load.name:
                self._overload.leave(connection.load)
            CONNECTIONS.add(-1)
            if self._stop.is_set() and not self._connections:
                self._all_closed.set()

    def peers(self) -> list[PeerSnapshot]:
        """Show every connection, the oldest first."""
        age_s = time.time() - trio.current_time()
        return [
            _snapshot(connection, int(connection.peer.since_s + age_s)) for connection in self._connections
        ]

    def disconnect_peer(self, origin_host: str, cause: DisconnectCause) -> int:
        """Send DPR on every open connection of a peer and close each when all is answered; says how many there were."""
        found = [
            connection
            for connection in self._connections
            if connection.peer.state is State.OPEN and is_same_identity(connection.peer_name, origin_host)
        ]
        for connection in found:
            connection.stop(cause)
        return len(found)

    def identified(self, connection: Connection) -> None:
        """A connection has finished capabilities exchange; a later one changes nothing."""
        if connection in self._unidentified:
            del self._unidentified[connection]
            connection.load = self._overload.join(connection.peer_name)

    def explain(self, key: tuple[object, ...], event: str, **fields: object) -> None:
        """Write a warning with reason and remedy unless the same one was written a moment ago."""
        swallowed = self._limiter.admit(key)
        if swallowed is not None:
            log.warning(event, **fields, swallowed=swallowed)

    def gave_way(self, source: str) -> None:
        """A connection was closed before its TLS handshake, as too many wait; its source held the most of them."""
        TURNED_AWAY.inc("handshakes")
        self.explain(
            ("handshakes", source),
            "connection_turned_away",
            remote=source,
            reason="too many TLS connections wait for their handshake",
            remedy="find out who opens so many connections from this address, and close it off",
        )

    def failed(self, remote: str, error: ssl.SSLError) -> None:
        """A TLS handshake came to nothing."""
        self.explain(
            ("tls", remote.rpartition(":")[0], error.reason),
            "peer_refused",
            remote=remote,
            reason=f"TLS handshake failed: {error.reason or error}",
            remedy="TLS 1.2 or newer is needed on this port, and with [diameter] tls_client_ca_file a valid "
            "certificate of that authority, not revoked by a list (tls_client_crl_file) that is in date",
        )

    # --- inside ---

    def _count(self, change: int) -> None:
        """Tell our siblings of a socket accepted or closed, whatever has become of it."""
        self._sockets += change
        if self._shares is not None:
            self._shares.note(self._sockets)

    def _make_room(self, remote: str) -> bool:
        """Bound connections: among strangers the longest waiting gives way, so that a flood does not shut us."""
        if len(self._connections) >= CONNECTIONS_MAX:
            TURNED_AWAY.inc("connections")
            self.explain(
                ("full",),
                "connection_turned_away",
                remote=remote,
                reason=f"{CONNECTIONS_MAX} connections are open",
                remedy="find out who opens so many connections: ocs peers",
            )
            return False
        if len(self._unidentified) >= CONNECTIONS_UNIDENTIFIED_MAX:
            TURNED_AWAY.inc("unidentified")
            longest = next(iter(self._unidentified))
            del self._unidentified[longest]
            longest.cut("too many connections without Capabilities-Exchange")
        return True

    async def _accept_all(self, listener: Listener, nursery: trio.Nursery) -> None:
        with listener.socket:
            listener.socket.setblocking(False)
            while True:
                await trio.lowlevel.wait_readable(listener.socket)
                for _ in range(ACCEPTS_AT_ONCE_MAX):
                    if self._shares is not None and (pause_s := self._shares.pause_s()):
                        await trio.sleep(pause_s)
                    try:
                        connected, address = listener.socket.accept()
                    except BlockingIOError:
                        break  # there is no more, or a sibling took it
                    except ConnectionAbortedError:
                        continue  # it was gone before we took it
                    except OSError as error:
                        self.explain(
                            ("accept", error.errno),
                            "accept_failed",
                            reason=str(error),
                            remedy="raise the limit of open files (ulimit -n)",
                        )
                        await trio.sleep(ACCEPT_PAUSE_S)
                        break
                    ACCEPTED.inc()
                    self._count(1)
                    accepted = trio.socket.from_stdlib_socket(connected)
                    nursery.start_soon(self._serve_socket, accepted, address, listener.is_tls)

    async def _serve_socket(
        self,
        accepted: trio.socket.SocketType,
        address: tuple[str, int],
        is_tls: bool,  # noqa: FBT001 - a task takes its arguments by position
    ) -> None:
        try:
            await self._secure_and_serve(accepted, address, is_tls=is_tls)
        finally:
            self._count(-1)

    async def _secure_and_serve(
        self, accepted: trio.socket.SocketType, address: tuple[str, int], *, is_tls: bool
    ) -> None:
        remote = _address_text(address)
        try:
            local = accepted.getsockname()[0].partition("%")[0]
            stream = trio.SocketStream(accepted)
            _notice_when_gone(accepted)
        except OSError:
            accepted.close()
            return
        if not is_tls or self._handshakes is None:
            await self.serve_stream(stream, remote=remote, host_ip_addresses=(local,))
            return
        secure = await self._handshakes.secure(stream, remote, source_of(address[0]))
        if secure is not None:
            names = certificate_names(secure)
            await self.serve_stream(secure, remote=remote, host_ip_addresses=(local,), names=names)

    async def _watch_timers(self) -> None:
        while True:
            await trio.sleep(CONNECTION_TICK_S)
            now_s = trio.current_time()
            for connection in list(self._connections):
                connection.tick(now_s)
            self.demands.tick()


def _tell_nobody(account_id: str, session_id: str) -> None:
    """Supervision finds such a session by itself, later."""
    del account_id, session_id


def _notice_when_gone(accepted: trio.socket.SocketType) -> None:
    """Have the kernel give up on a peer that vanished without a word."""
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            accepted.setsockopt(socket.IPPROTO_TCP, option, value)


def _draw_jitter_s() -> float:
    return random.uniform(-WATCHDOG_JITTER_S, WATCHDOG_JITTER_S)  # noqa: S311 - spreads load, hides nothing


def _draw_identifier() -> int:
    """Start identifiers as RFC 6733 section 3 advises: low bits of the time high, the rest random."""
    return (int(time.time()) & 0xFFF) << 20 | random.getrandbits(20)


def _address_text(address: Iterable[object]) -> str:
    host, port, *_ = address
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _snapshot(connection: Connection, since_s: int) -> PeerSnapshot:
    peer = connection.peer
    capabilities = peer.capabilities
    return PeerSnapshot(
        origin_host=connection.peer_name,
        origin_realm="" if capabilities is None else capabilities.origin.realm,
        product_name="" if capabilities is None else capabilities.product_name,
        origin_state_id=None if capabilities is None else capabilities.origin.state_id,
        remote=connection.remote,
        tls=connection.is_tls,
        state=peer.state.name.lower(),
        watchdog=peer.watchdog_state.name.lower(),
        since_s=since_s,
        requests=connection.requests,
        answers=connection.answers,
        in_flight=connection.in_flight,
        errors=connection.errors,
    )
