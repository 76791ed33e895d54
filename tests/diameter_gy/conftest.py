"""A lab for tests of the Diameter server: the server on real sockets, a charging that grants, a gateway."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio

from ocs.diameter_gy.avp import enumerated, grouped, split_avps, unsigned32, unsigned64, utf8
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Framer, encode_message, parse_header
from ocs.diameter_gy.server import DiameterServer, Listener, ServerPolicy, bind_listeners
from ocs.messages import ChargingAnswer, Outcome, ServiceAnswer, ServiceUnit
from ocs.settings import DiameterSettings, Settings


class GrantingHandler:
    """Charging that grants a megabyte for whatever is asked, at once or when told."""

    def __init__(self):
        self.requests = []
        self.held = []
        self.holds = False
        self.outcome = Outcome.SUCCESS

    def submit(self, request, reply):
        self.requests.append(request)
        services = tuple(
            ServiceAnswer(
                self.outcome,
                service.rating_group,
                service.service_identifiers,
                granted=ServiceUnit(total_octets=1_000_000),
                validity_time_s=600,
            )
            for service in request.services
        )
        answer = ChargingAnswer(self.outcome, services)
        if self.holds:
            self.held.append((reply, answer))
        else:
            reply(answer)

    def release(self, index=0):
        reply, answer = self.held.pop(index)
        reply(answer)


class Gateway:
    """A gateway's end of a connection, speaking in whole messages."""

    def __init__(self, stream, origin_host="pgw.example"):
        self.stream = stream
        self.origin = utf8(264, origin_host) + utf8(296, "example")
        self._framer = Framer()
        self._received = []

    async def send(self, *messages):
        await self.stream.send_all(b"".join(messages))

    async def receive(self):
        while not self._received:
            data = await self.stream.receive_some(65536)
            if not data:
                raise EOFError
            self._received += self._framer.feed(bytes(data))
        return self._received.pop(0)

    async def answer_to(self, message):
        """Send a request; return (header, Result-Code, {code: data}) of its answer."""
        await self.send(message)
        return self.read(await self.receive())

    def read(self, message):
        avps = {avp.code: avp.data for avp in split_avps(message, 20)}
        return parse_header(message), int.from_bytes(avps.get(268, b"")), avps

    async def opens(self):
        _, result, _ = await self.answer_to(self.cer())
        assert result == 2001
        return self

    async def sees_the_end(self):
        try:
            while True:
                await self.receive()
        except (EOFError, trio.BrokenResourceError):
            pass

    def cer(self, capabilities=None, *, flags=0x80):
        body = self.origin + (unsigned32(258, 4) if capabilities is None else capabilities)
        return encode_message(257, 0, flags, 1, 1, body)

    def dwr(self, number=1):
        return encode_message(280, 0, 0x80, number, number, self.origin)

    def dpr(self, number=1):
        return encode_message(282, 0, 0x80, number, number, self.origin + enumerated(273, 0))

    def ccr(self, number=1, *, session="pgw.example;1;2", extra=b"", realm="lab.example", flags=0xC0):
        """An INITIAL of a data session with one rating group."""
        body = (
            utf8(263, session)
            + self.origin
            + utf8(283, realm)
            + unsigned32(258, 4)
            + utf8(461, "32251@3gpp.org")
            + enumerated(416, 1)
            + unsigned32(415, 0)
            + grouped(443, enumerated(450, 1), utf8(444, "262011234567890"))
            + grouped(456, grouped(437, unsigned64(421, 1000)), unsigned32(432, 10))
            + extra
        )
        return encode_message(272, 4, flags, number, number, body)


@dataclass
class Lab:
    """Serves on a free port of loopback."""

    gateways: list[Gateway] = field(default_factory=list)
    handler: GrantingHandler = field(default_factory=GrantingHandler)
    identity: NodeIdentity = field(
        default_factory=lambda: NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss", origin_state_id=7)
    )

    @asynccontextmanager
    async def serving(self, *, host="127.0.0.1", **diameter):
        """Run a server; gives (server, listeners); it has stopped in order when the block is left."""
        diameter.setdefault("watchdog_interval_s", 30.0)
        settings = Settings(diameter=DiameterSettings(host=host, port=0, tls_port=0, **diameter))
        listeners = bind_listeners(settings.diameter)
        policy = ServerPolicy.from_settings(settings)
        server = DiameterServer(self.identity, policy, self.handler, draw_jitter_s=lambda: 0.0)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve, listeners)
                try:
                    yield server, listeners
                finally:
                    for gateway in self.gateways:
                        await trio.aclose_forcefully(gateway.stream)
                server.request_stop()

    async def connect(self, listener: Listener, origin_host="pgw.example"):
        host, port, *_ = listener.socket.getsockname()
        return self.gateway(await trio.open_tcp_stream(host, port), origin_host)

    def gateway(self, stream, origin_host="pgw.example"):
        """Speak Diameter on a stream, which is closed before the server stops."""
        self.gateways.append(Gateway(stream, origin_host))
        return self.gateways[-1]


@pytest.fixture
def lab():
    return Lab()
