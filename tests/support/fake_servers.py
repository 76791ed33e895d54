"""Servers of a store that say what a test wants, over memory streams: no process, no port, no time."""

import contextlib
from collections.abc import Callable
from typing import Any

import hiredis
import trio
import trio.testing

from ocs.balance.redis_commands import slot_of
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store_address import plain_address
from ocs.balance.topology import Node, Topology
from ocs.store_url import Endpoint
from tests.support.calls import PARTITIONS

Command = list[bytes]


def endpoint(number: int) -> Endpoint:
    return Endpoint("127.0.0.1", number)


def topology_of(**slots: tuple[int, int] | None) -> Topology:
    """``n7=(0, 99)``: the server 7 owns these slots."""
    return Topology(
        tuple(Node(endpoint(int(name[1:])), () if own is None else (own,)) for name, own in slots.items())
    )


SLOT = slot_of("{3}")
OK, ONE, NIL = b"+OK\r\n", b":1\r\n", b"$-1\r\n"
HALVES = topology_of(n7=(0, 8_191), n8=(8_192, 16_383))
WHOLE = topology_of(n7=(0, 16_383))


class FakeServer:
    """One server: says who it is when a connection is made, then what ``answers`` makes of each command.

    Attributes:
        answers: RESP for a command; None says nothing; b"" ends the connection.
        asked: commands but the first, in the order in which they came.
        is_up: whether it can be connected to.
    """

    def __init__(self, number: int, answers: Callable[[Command], bytes | None]) -> None:
        self.number = number
        self.answers = answers
        self.asked: list[Command] = []
        self.is_up = True
        self.connections = 0
        self.replication = {
            "role": "master",
            "master_replid": f"{number:040}",
            "master_replid2": "0" * 40,
            "master_repl_offset": "0",
            "second_repl_offset": "-1",
        }

    async def serve(self, stream: trio.abc.Stream) -> None:
        reader: Any = hiredis.Reader()
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while data := await stream.receive_some(65_536):
                reader.feed(data)
                while (command := reader.gets()) is not False:
                    answer = self._answer(command)
                    if answer == b"":
                        await trio.aclose_forcefully(stream)
                        return
                    if answer is not None:
                        await stream.send_all(answer)

    def _answer(self, command: Command) -> bytes | None:
        if command == [b"INFO", b"replication"]:
            return bulk("".join(f"{name}:{value}\r\n" for name, value in self.replication.items()).encode())
        self.asked.append(command)
        if command == [b"ROLE"]:
            return b"*3\r\n$6\r\nmaster\r\n:%s\r\n*0\r\n" % self.replication["master_repl_offset"].encode()
        return self.answers(command)


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(value), value)


class FakeServers(StoreServers):
    """The servers, and who they say is primary.

    Attributes:
        topology: what is found; an exception is raised.
        questions: how often it was asked for.
    """

    def __init__(
        self, nursery: trio.Nursery, topology: Topology | OSError, *servers: FakeServer, fixed: bool = False
    ) -> None:
        super().__init__(plain_address("redis+cluster://unused.example"))
        self._nursery = nursery
        self.topology = topology
        self.servers = {endpoint(server.number): server for server in servers}
        self.questions = 0
        self._fixed = fixed

    @property
    def is_fixed(self) -> bool:
        return self._fixed

    async def find_topology(self, known: Topology | None) -> Topology:
        del known
        await trio.lowlevel.checkpoint()
        self.questions += 1
        if isinstance(self.topology, OSError):
            raise self.topology
        return self.topology

    async def connect(self, endpoint: Endpoint) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        server = self.servers.get(endpoint)
        if server is None or not server.is_up:
            raise ConnectionRefusedError(f"{endpoint} refuses")
        server.connections += 1
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(server.serve, theirs)
        return ours


class Kept:
    """Commits succeed, reads find nothing; single commands may be answered otherwise."""

    def __init__(self, **otherwise: bytes | None) -> None:
        self.otherwise = otherwise

    def __call__(self, command: Command) -> bytes | None:
        name = command[0].decode()
        if name in self.otherwise:
            return self.otherwise[name]
        return {"FCALL": ONE, "MGET": b"*1\r\n$-1\r\n", "GET": NIL, "ZRANGE": b"*0\r\n"}.get(name, OK)


def store_of(servers: FakeServers, **more: Any) -> RedisStore:
    return RedisStore(servers, partitions=PARTITIONS, **more)
