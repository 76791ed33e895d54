"""A gateway's connection to a worker: octets in pieces, the real framer, peer machine and request service; no socket."""

from random import Random
from typing import Protocol

import trio

from ocs.clock import ManualClock
from ocs.diameter_gy.admission import AdmissionPolicy
from ocs.diameter_gy.demand_sender import DemandSender
from ocs.diameter_gy.gateway_routes import GatewayRoutes
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Framer, parse_header
from ocs.diameter_gy.overload import Overload, PeerLoad
from ocs.diameter_gy.peer import Answered, Disconnect, Output, Peer, PeerPolicy, Refused, Send, Serve
from ocs.diameter_gy.peer_table import PeerTable
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.request_log import RequestLog
from ocs.diameter_gy.request_service import CreditControlHandler, CreditControlService
from ocs.diameter_gy.routing import RoutingPolicy
from ocs.log import RepeatLimiter
from ocs.settings import PeerSettings
from tests.simulation import wire
from tests.support.books import check

_IDENTITY = NodeIdentity("ocs.lab.example", "lab.example", "ocs", origin_state_id=1)
_ROUTING = RoutingPolicy.of(("ocs.lab.example",), ("lab.example",))
# One decoder for all stories: what it remembers of octets must never show in what it makes of them.
_GY_POLICY = GyPolicy(currency="EUR", check_routing=_ROUTING.check)


class Outside(Protocol):
    """What is outside of a worker's Diameter side."""

    def hear(self, host: str, octets: bytes) -> None:
        """An answer leaves for a gateway."""
        ...

    def hear_demand(self, link: "Link", octets: bytes) -> None:
        """A request of ours leaves for a gateway."""
        ...

    def is_gone(self, account_id: str, session_id: str) -> None:
        """A gateway has said that it has no such session."""
        ...


class _TimelessOverload(Overload):
    """The real time that answers take is no part of a story."""

    def measure(self, began_s: float, now_s: float) -> None:
        pass


class Node:
    """The Diameter side of one worker, and its connections by gateway."""

    def __init__(self, random: Random, handler: CreditControlHandler, outside: Outside) -> None:
        self._random = random
        self._outside = outside
        self._policy = PeerPolicy(
            admission=AdmissionPolicy.from_settings((PeerSettings(origin_host="*"),)),
            table=PeerTable(),
            watchdog_interval_s=30.0,
            draw_jitter_s=lambda: random.uniform(-2.0, 2.0),
            draw_identifier=lambda: random.getrandbits(31),
        )
        limiter = RepeatLimiter(ManualClock(0))
        log = RequestLog(limiter, 0)
        self.links: dict[str, Link] = {}
        routes = GatewayRoutes(self.links.values)  # type: ignore[arg-type]
        self.demands = DemandSender(routes, lambda: _IDENTITY, limiter, trio.current_time, outside.is_gone)
        self._service = CreditControlService(
            _IDENTITY, _GY_POLICY, handler, log, _TimelessOverload(), self.demands
        )

    def link(self, host: str) -> "Link":
        """The gateway's connection, made if need be; capabilities are exchanged first."""
        link = self.links.get(host)
        if link is None or link.is_closed:
            if link is not None:
                self.demands.lost(link)  # type: ignore[arg-type]
            link = self.links[host] = Link(self._random, self._service, self._policy, host, self._outside)
            link.receive(wire.capabilities_exchange(host, self._random.getrandbits(31)))
            check(link.peer.is_open, "capabilities exchange failed with", host)
        return link

    def tick(self) -> None:
        """Look at the timers of all connections, and at what gateways were asked."""
        for link in list(self.links.values()):
            link.tick()
        self.demands.tick()

    def close(self) -> None:
        """The worker ends: its connections break."""
        for link in self.links.values():
            link.close()
        self.links.clear()


class Link:
    """What :class:`~ocs.diameter_gy.connection.Connection` is to a request service, without its tasks and stream."""

    def __init__(
        self,
        random: Random,
        service: CreditControlService,
        policy: PeerPolicy,
        host: str,
        outside: Outside,
    ) -> None:
        self._random = random
        self._service = service
        self._framer = Framer()
        self._outside = outside
        self.host = host
        self.peer = Peer(policy, _IDENTITY, ("127.0.0.1",), now_s=trio.current_time())
        self.is_closed = False
        self.in_flight = 0
        self.load = PeerLoad(host)
        self.read_s = 0.0

    @property
    def peer_name(self) -> str:
        return self.host

    # --- What the gateway does --------------------------------------------------------------------------

    def receive(self, octets: bytes) -> None:
        """Octets from the gateway, cut anywhere."""
        cuts = sorted(
            self._random.randint(0, len(octets)) for _ in range(self._random.choice((0, 0, 0, 1, 3)))
        )
        now_s = trio.current_time()
        self.peer.hear(now_s)
        for begin, end in zip((0, *cuts), (*cuts, len(octets)), strict=True):
            for message in self._framer.feed(octets[begin:end]):
                self._perform(self.peer.receive(message, parse_header(message), now_s))

    def tick(self) -> None:
        self._perform(self.peer.tick(trio.current_time()))

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._perform(self.peer.disconnected(trio.current_time()))

    def _perform(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Serve(message, header):
                    self._service.serve(message, header, self)  # type: ignore[arg-type]
                case Send(message):
                    self.send(message)
                case Answered(message, header):
                    self._service.answered(message, header, self)  # type: ignore[arg-type]
                case Disconnect():
                    self.close()
                case Refused():
                    check(False, "a base request was refused:", output)
                case _:
                    pass

    # --- What the request service does ------------------------------------------------------------------

    def send(self, message: bytes) -> None:
        if self.is_closed:
            return
        command, is_request, _ = wire.command_of(message)
        if command == wire.CREDIT_CONTROL:
            self._outside.hear(self.host, message)
        elif is_request and command in {wire.RE_AUTH, wire.ABORT_SESSION}:
            self._outside.hear_demand(self, message)
        elif is_request and command == wire.DEVICE_WATCHDOG and self._random.random() < 0.8:
            self.receive(wire.watchdog_answer(message, self.host))

    def begin_request(self) -> None:
        self.in_flight += 1

    def answer(self, message: bytes) -> None:
        self.in_flight -= 1
        self.send(message)

    def count_error(self, result_code: int) -> None:
        check(result_code == 3004, "a request was refused before charging saw it:", result_code)
