"""Sends datagrams from many addresses of this machine, and sees that informs are acknowledged."""

import contextlib
import selectors
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import msgspec

from simulators.traps.packets import acknowledged_request_id

_DATAGRAM_OCTETS_MAX: Final = 65_535
# Informs that wait for their acknowledgements at once.
_WINDOW: Final = 256
_LOOK_EVERY_S: Final = 0.01
_INFORM_TAG: Final = 0xA6
_RESPONSE_TAG: Final = 0xA2


class Datagram(msgspec.Struct, frozen=True):
    """What is sent, from which of our addresses; ``request_id`` is that of an inform, 0 for a trap."""

    address: str
    octets: bytes
    request_id: int = 0


class Sent(msgspec.Struct):
    """What became of datagrams.

    Attributes:
        repeated: informs sent again. acknowledged: informs. lost: request-ids of informs that never were.
    """

    sent: int = 0
    repeated: int = 0
    acknowledged: int = 0
    lost: list[int] = msgspec.field(default_factory=list[int])


class _Waiting(msgspec.Struct):
    datagram: Datagram
    due_s: float
    tries_left: int


class Sender:
    """One socket for each source address. Use it in a ``with`` block.

    Args:
        target: address and port of the receiver.
        timeout_s: after which an inform is sent again, ``retries`` times.
    """

    def __init__(self, target: tuple[str, int], *, timeout_s: float = 1.0, retries: int = 5) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._retries = retries
        self._sockets: dict[str, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[int, _Waiting] = {}
        self.sent = Sent()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()
        for one in self._sockets.values():
            one.close()

    def play(self, datagrams: Sequence[Datagram], *, per_s: float = 0.0) -> None:
        """Send all, at a pace or as fast as it goes; returns when informs are acknowledged or given up."""
        begin_s = time.monotonic()
        for number, datagram in enumerate(datagrams):
            at_s = begin_s + number / per_s if per_s else 0.0
            while ((wait_s := at_s - time.monotonic()) > 0 and per_s) or len(self._waiting) >= _WINDOW:
                self._attend(min(wait_s, _LOOK_EVERY_S) if wait_s > 0 else _LOOK_EVERY_S)
            self._send(datagram)
            self.sent.sent += 1
            if datagram.request_id:
                due_s = time.monotonic() + self._timeout_s
                self._waiting[datagram.request_id] = _Waiting(datagram, due_s, self._retries)
        while self._waiting:
            self._attend(_LOOK_EVERY_S)

    def _send(self, datagram: Datagram) -> None:
        """Send one; who is not there, or cannot take more, gets it again if it is an inform."""
        with contextlib.suppress(OSError):
            self._socket(datagram.address).send(datagram.octets)

    def _socket(self, address: str) -> socket.socket:
        known = self._sockets.get(address)
        if known is None:
            known = self._sockets[address] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            known.bind((address, 0))
            known.connect(self._target)
            self._selector.register(known, selectors.EVENT_READ)
        return known

    def _attend(self, wait_s: float) -> None:
        """Take acknowledgements, and send again what has waited too long."""
        if not self._waiting:
            time.sleep(wait_s)
            return
        for key, _ in self._selector.select(wait_s):
            self._take(key.fileobj)
        now_s = time.monotonic()
        for request_id, waiting in list(self._waiting.items()):
            if waiting.due_s > now_s:
                continue
            if not waiting.tries_left:
                del self._waiting[request_id]
                self.sent.lost.append(request_id)
                continue
            waiting.tries_left -= 1
            waiting.due_s = now_s + self._timeout_s
            self.sent.repeated += 1
            self._send(waiting.datagram)

    def _take(self, readable: object) -> None:
        assert isinstance(readable, socket.socket)
        with contextlib.suppress(OSError):
            octets = readable.recv(_DATAGRAM_OCTETS_MAX, socket.MSG_DONTWAIT)
            request_id = self._acknowledged(octets)
            if request_id is not None and self._waiting.pop(request_id, None) is not None:
                self.sent.acknowledged += 1

    def _acknowledged(self, octets: bytes) -> int | None:
        """Which inform a datagram acknowledges; one that repeats an inform octet by octet is told without decoding."""
        at = octets.find(_RESPONSE_TAG, 5)
        if at > 0:
            asked = octets[:at] + bytes([_INFORM_TAG]) + octets[at + 1 :]
            body = octets.find(b"\x02\x04", at)
            request_id = int.from_bytes(octets[body + 2 : body + 6])
            waiting = self._waiting.get(request_id)
            if waiting is not None and waiting.datagram.octets == asked:
                return request_id
        return acknowledged_request_id(octets)
