"""A UDP socket with our engine behind it: the least that answers senders, for tests of the engine itself."""

import contextlib
from collections.abc import AsyncGenerator

import trio

from ocs.faults.snmp.engine import Arrival, Discard, Reply, TrapEngine
from ocs.faults.snmp.engine_clocks import EngineClocks
from ocs.faults.snmp.usm import UsmUser

ENGINE_ID = bytes.fromhex("80001f8804abcdef01")
BOOTS = 3
ENGINE_TIME_S = 1_000
NOW_MS = 1_700_000_000_000
COMMUNITY = b"public"
PEER = "127.0.0.1"


def engine(
    *users: UsmUser,
    boots: int = BOOTS,
    proxies: tuple[str, ...] = (),
    clocks: EngineClocks | None = None,
) -> TrapEngine:
    return TrapEngine(
        engine_id=ENGINE_ID,
        boots=boots,
        users=users,
        accepts_community=lambda community: community == COMMUNITY,
        is_proxy=lambda address: address in proxies,
        clocks=clocks,
    )


class Listener:
    """What came by, and the word with which each next notification is awaited."""

    def __init__(self, engine: TrapEngine, host: str, socket: trio.socket.SocketType) -> None:
        self.engine = engine
        self.host = host
        self.port: int = socket.getsockname()[1]
        self._socket = socket
        self.datagrams: list[bytes] = []
        self.replies: list[Reply] = []
        self.discards: list[Discard] = []
        self.acknowledges = True
        self._send, self._arrivals = trio.open_memory_channel[Arrival](1_000)

    async def next(self) -> Arrival:
        return await self._arrivals.receive()

    async def send(self, octets: bytes, address: str, port: int) -> None:
        await self._socket.sendto(octets, (address, port))

    async def serve(self) -> None:
        while True:
            octets, (address, port, *_) = await self._socket.recvfrom(65_536)
            self.datagrams.append(octets)
            received = self.engine.receive([(octets, address, port)], NOW_MS, ENGINE_TIME_S)
            self.replies += received.replies
            self.discards += received.discards
            for reply in received.replies:
                await self.send(reply.octets, address, port)
            for arrival in received.notifications:
                if arrival.acknowledgement is not None and self.acknowledges:
                    await self.send(arrival.acknowledgement, address, port)
                await self._send.send(arrival)


@contextlib.asynccontextmanager
async def listening(engine: TrapEngine, host: str = PEER) -> AsyncGenerator[Listener]:
    """A listener on a free port; every inform is acknowledged at once."""
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    with trio.socket.socket(family, trio.socket.SOCK_DGRAM) as socket:
        await socket.bind((host, 0))
        listener = Listener(engine, host, socket)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.serve)
            yield listener
            nursery.cancel_scope.cancel()
