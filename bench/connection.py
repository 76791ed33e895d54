"""One Diameter connection of the load generator: a raw non-blocking socket that opens itself again."""

import ipaddress
import select
import socket
import time
from typing import Final

from bench import templates
from bench.answers import find_avp, result_code
from bench.templates import LoadPlan

_RECEIVE_OCTETS: Final = 262_144
_CONNECT_TIMEOUT_S: Final = 2.0
_REOPEN_AFTER_NS: Final = 50_000_000
_CAPABILITIES_TIMEOUT_NS: Final = 3_000_000_000
_REQUEST_BIT: Final = 0x8000_0000


class Connection:
    """A connection to the server under load.

    Invariant: ``waiting`` maps the Hop-by-Hop-Id of each request sent and not answered to its account, oldest
    first; when the connection breaks they stay there until :meth:`take_lost`.

    Attributes:
        is_open: capabilities were exchanged and the socket stands.
        descriptor: of the socket; -1 while there is none.
        window: requests that may wait for their answer.
        rest: the received beginning of a message that is not yet whole.
        opened: how often capabilities exchange succeeded.
        failures: why it broke, newest last.
    """

    def __init__(self, plan: LoadPlan, epoll: select.epoll) -> None:
        self.is_open = False
        self.descriptor = -1
        self.window = 0
        self.waiting: dict[int, int] = {}
        self.rest = b""
        self.opened = 0
        self.failures: list[str] = []
        self._plan = plan
        self._port = plan.port
        self._epoll = epoll
        self._socket: socket.socket | None = None
        self._unsent = b""
        self._try_at_ns = 0
        self._capabilities_by_ns = 0
        self._serial = 0

    def take_lost(self) -> list[int]:
        """Accounts whose requests went down with the connection; empty while it stands."""
        if self.descriptor >= 0:
            return []
        lost = list(self.waiting.values())
        self.waiting.clear()
        return lost

    def reopen(self, now_ns: int) -> bool:
        """Connect and send the CER, unless the last try was a moment ago; True when a socket stands."""
        if now_ns < self._try_at_ns:
            return False
        self._try_at_ns = now_ns + _REOPEN_AFTER_NS
        try:
            opened = socket.create_connection((self._plan.host, self._port), _CONNECT_TIMEOUT_S)
        except OSError as error:
            self.failures.append(str(error))
            if self._plan.standby_port:
                self._port = self._plan.port + self._plan.standby_port - self._port
            return False
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self.descriptor = opened, opened.fileno()
        self._epoll.register(self.descriptor, select.EPOLLIN)
        self._capabilities_by_ns = now_ns + _CAPABILITIES_TIMEOUT_NS
        address = ipaddress.ip_address(opened.getsockname()[0]).packed
        self._serial += 1
        self.send(templates.capabilities_exchange_request(self._plan, address, (self._serial, self._serial)))
        return True

    def check_time(self, now_ns: int) -> None:
        """Give up on a server that accepts connections and does not answer the CER."""
        if not self.is_open and self.descriptor >= 0 and now_ns > self._capabilities_by_ns:
            self.fail("no answer to the Capabilities-Exchange-Request")

    def receive(self) -> bytes:
        """What arrived, after the rest from before; empty when nothing did or the connection broke."""
        if self._socket is None:
            return b""
        try:
            data = self._socket.recv(_RECEIVE_OCTETS)
        except BlockingIOError:
            return b""
        except OSError as error:
            self.fail(str(error))
            return b""
        if not data:
            self.fail("closed by the server")
            return b""
        return self.rest + data if self.rest else data

    def send(self, data: bytes) -> None:
        """Send now what the socket takes and keep the rest for :meth:`flush`."""
        if self._unsent:
            self._unsent += data
            return
        sent = self._send(data)
        if 0 <= sent < len(data):
            self._unsent = data[sent:]
            self._epoll.modify(self.descriptor, select.EPOLLIN | select.EPOLLOUT)

    def flush(self) -> None:
        """Send what an earlier send left over."""
        sent = self._send(self._unsent)
        if sent >= 0:
            self._unsent = self._unsent[sent:]
            if not self._unsent:
                self._epoll.modify(self.descriptor, select.EPOLLIN)

    def _send(self, data: bytes) -> int:
        """Octets the socket took; -1 when the connection broke."""
        if self._socket is None:
            return -1
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.fail(str(error))
            return -1

    def base_message(
        self, flags_command: int, identifiers: tuple[int, int], data: bytes, start: int, end: int
    ) -> None:
        """Take a message that is not a credit-control answer: CEA, DWR, DPR; others are ignored."""
        command = flags_command & 0xFF_FFFF
        if flags_command & _REQUEST_BIT:
            if command in (templates.DEVICE_WATCHDOG, templates.DISCONNECT_PEER):
                self.send(templates.base_answer(self._plan, command, identifiers))
            if command == templates.DISCONNECT_PEER:
                # No new requests; the server closes once it has answered those under way.
                self.is_open = False
                self._capabilities_by_ns = time.perf_counter_ns() + _CAPABILITIES_TIMEOUT_NS
        elif command == templates.CAPABILITIES_EXCHANGE:
            place = find_avp(data, start + 20, end, templates.RESULT_CODE)
            result = result_code(data, start, end, expected_at=place - start) if place >= 0 else 0
            if result == templates.SUCCESS:
                self.is_open = True
                self.opened += 1
            else:
                self.fail(f"Capabilities-Exchange-Request refused with {result}")

    def fail(self, reason: str) -> None:
        """Drop the socket; :meth:`reopen` makes a new one."""
        self.failures.append(reason)
        self.close()

    def close(self) -> None:
        """Close the socket; requests without answer stay in ``waiting``."""
        self.is_open = False
        self.rest = self._unsent = b""
        if self._socket is not None:
            self._epoll.unregister(self.descriptor)
            self._socket.close()
        self._socket, self.descriptor = None, -1
