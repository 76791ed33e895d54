"""A Diameter server of a few lines for the load generator: threads, plain sockets, answers at will."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Generator

import pytest

HEADER = struct.Struct(">IIIII")
SUCCESS = struct.pack(">III", 268, 0x4000000C, 2001)
# Head of a Multiple-Services-Credit-Control AVP, but for its length.
SERVICES = bytes.fromhex("000001c840")
GRANT = bytes.fromhex("000001c84000002c000001af40000018000001a5400000100000000000001000") + SUCCESS


class Server:
    """Answers every request; tests change what it says or make it break.

    Attributes:
        reply: from a credit-control request to its Result-Code; 0 is no answer, -1 closes the connection.
        granted_services_max: rating groups of a request that are granted something.
        requests: credit-control requests, as they came.
        base: other commands that came: command code and flags.
    """

    def __init__(self) -> None:
        self.reply: Callable[[bytes], int] = lambda request: 2001
        self.granted_services_max = 99
        self.requests: list[bytes] = []
        self.base: list[tuple[int, int]] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        self.threads: list[threading.Thread] = []
        self.lock = threading.Lock()
        self.spawn(self.accept)

    def spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                self.spawn(self.serve, connection)

    def serve(self, connection: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError), connection:
            while received := connection.recv(65_536):
                data += received
                while len(data) >= 20 and len(data) >= (length := HEADER.unpack_from(data)[0] & 0xFF_FFFF):
                    request, data = data[:length], data[length:]
                    answer = self.answer(request)
                    if answer is None:
                        return
                    connection.sendall(answer)

    def answer(self, request: bytes) -> bytes | None:
        _, flags_command, application, hop_by_hop, end_to_end = HEADER.unpack_from(request)
        command = flags_command & 0xFF_FFFF
        with self.lock:
            if command != 272:
                self.base.append((command, flags_command >> 24))
                if flags_command < 0x8000_0000:
                    return b""
                return self.frame(command, application, hop_by_hop, end_to_end, SUCCESS)
            self.requests.append(request)
            result = self.reply(request)
        if result <= 0:
            return b"" if result == 0 else None
        session_octets = struct.unpack_from(">I", request, 24)[0] & 0xFF_FFFF
        session = request[20 : 20 + session_octets + (-session_octets & 3)]
        services = min(request.count(SERVICES), self.granted_services_max)
        body = session + struct.pack(">III", 268, 0x4000000C, result) + GRANT * services
        return self.frame(command, application, hop_by_hop, end_to_end, body)

    @staticmethod
    def frame(command: int, application: int, hop_by_hop: int, end_to_end: int, body: bytes) -> bytes:
        return (
            HEADER.pack(1 << 24 | 20 + len(body), 0x4000_0000 | command, application, hop_by_hop, end_to_end)
            + body
        )

    def close(self) -> None:
        for opened in (self.listener, *self.connections):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()
        for thread in self.threads:
            thread.join(5)


@pytest.fixture
def server() -> Generator[Server]:
    running = Server()
    yield running
    running.close()
