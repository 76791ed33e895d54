"""A gateway on a plain socket: hand-made or recorded bytes out, answers read by the `diameter` package.

Requests are built by the load generator's encoder, answers are taken apart by a stack that is not ours either: a
mistake of our codec has nobody here to share it with.
"""

import itertools
import socket
import struct
from collections.abc import Iterator
from typing import Any, Self

from diameter.message import Message

from bench.templates import avp, message, unsigned32
from tests.endtoend.wireshark import Capture

TIMEOUT_S = 30.0
VENDOR_3GPP = 10415
REQUEST, PROXIABLE, ERROR, RETRANSMITTED = 0x80, 0x40, 0x20, 0x10
CAPABILITIES, CREDIT_CONTROL, WATCHDOG, DISCONNECT = 257, 272, 280, 282
RE_AUTH, ABORT_SESSION = 258, 274
INITIAL, UPDATE, TERMINATION, EVENT = 1, 2, 3, 4
DATA, VOICE, SMS = "32251@3gpp.org", "32260@3gpp.org", "32274@3gpp.org"

_numbers = itertools.count(1)
_sessions = itertools.count(1)


# --- AVPs ---------------------------------------------------------------------------------------------------


def text(code: int, value: str, *, vendor: int = 0, mandatory: bool = True) -> bytes:
    return avp(code, value.encode(), vendor=vendor, mandatory=mandatory)


def unsigned64(code: int, value: int) -> bytes:
    return avp(code, struct.pack(">Q", value))


def subscription(kind: int, value: str) -> bytes:
    """Subscription-Id; kind 0 is E.164, 1 IMSI, 2 SIP URI, 3 NAI, 4 private."""
    return avp(443, unsigned32(450, kind) + text(444, value))


_UNIT_CODES = {"total": 421, "input": 412, "output": 414, "events": 417}


def units(code: int, /, **amounts: int) -> bytes:
    """Requested- (437) or Used-Service-Unit (446): total, input, output, events, seconds."""
    inner = b"".join(
        unsigned32(420, amount) if name == "seconds" else unsigned64(_UNIT_CODES[name], amount)
        for name, amount in amounts.items()
    )
    return avp(code, inner)


def requested(**amounts: int) -> bytes:
    return units(437, **amounts)


def used(**amounts: int) -> bytes:
    return units(446, **amounts)


def service(rating_group: int | None, *parts: bytes) -> bytes:
    """Multiple-Services-Credit-Control."""
    group = b"" if rating_group is None else unsigned32(432, rating_group)
    return avp(456, b"".join(parts) + group)


def group_3gpp(code: int, *parts: bytes) -> bytes:
    return avp(code, b"".join(parts), vendor=VENDOR_3GPP)


def call_to(party: str) -> bytes:
    """Service-Information of a call: IMS-Information with Called-Party-Address."""
    return group_3gpp(
        873, group_3gpp(876, unsigned32(829, 0, vendor=VENDOR_3GPP), text(832, party, vendor=VENDOR_3GPP))
    )


def message_to(number: str) -> bytes:
    """Service-Information of a short message: SMS-Information down to the recipient's address."""
    address = group_3gpp(1201, unsigned32(899, 1, vendor=VENDOR_3GPP), text(897, number, vendor=VENDOR_3GPP))
    return group_3gpp(873, group_3gpp(2000, group_3gpp(2026, address)))


def new_session(host: str = "pgw.example") -> str:
    return f"{host};7;{next(_sessions)}"


# --- Answers ------------------------------------------------------------------------------------------------


class Answer:
    """One message from the server as the `diameter` package reads it; AVPs are asked for by path of codes."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.message: Any = Message.from_bytes(frame)
        self.command, self.flags = int.from_bytes(frame[5:8]), frame[4]
        self.application, self.hop_by_hop, self.end_to_end = struct.unpack_from(">III", frame, 8)

    @property
    def is_request(self) -> bool:
        return bool(self.flags & REQUEST)

    @property
    def is_error(self) -> bool:
        return bool(self.flags & ERROR)

    def all(self, *path: int) -> list[Any]:
        """Values of every AVP at this path, in order; of a group its AVPs."""
        avps = self.message.avps
        for code in path[:-1]:
            avps = [inner for one in avps if one.code == code for inner in one.value]
        return [one.value for one in avps if one.code == path[-1]]

    def one(self, *path: int) -> Any:
        """The value of the only AVP at this path."""
        (value,) = self.all(*path)
        return value

    def get(self, *path: int) -> Any:
        """The value at this path, None when absent."""
        values = self.all(*path)
        assert len(values) <= 1, f"AVP {path} stands {len(values)} times"
        return values[0] if values else None

    @property
    def result(self) -> int:
        return self.one(268)

    def services(self) -> list[dict[int, Any]]:
        """Each Multiple-Services-Credit-Control as {code: value}; no AVP in it stands twice but identifiers."""
        found: list[dict[int, Any]] = []
        for avps in self.all(456):
            codes = [one.code for one in avps if one.code != 439]
            assert len(set(codes)) == len(codes), f"an AVP stands twice in {codes}"
            found.append({one.code: one.value for one in avps})
        return found

    def granted(self, index: int = 0, code: int = 421) -> int | None:
        """Granted-Service-Unit of a service: CC-Total-Octets, or another unit's code."""
        unit = self.services()[index].get(431, [])
        return next((one.value for one in unit if one.code == code), None)


# --- The gateway --------------------------------------------------------------------------------------------


class Gateway:
    """One connection. Requests get fresh identifiers unless they are given."""

    def __init__(
        self, address: tuple[str, int], capture: Capture, *, host: str = "pgw.example", judged: bool = True
    ) -> None:
        """Connect.

        Args:
            capture: for Wireshark.
            judged: whether what we send is judged too; recorded and broken requests are not ours to answer for.
        """
        self._begin(socket.create_connection(address, timeout=TIMEOUT_S), capture, host, judged=judged)

    def _begin(self, connected: socket.socket, capture: Capture, host: str, *, judged: bool) -> None:
        self.host = host
        self.origin = text(264, host) + text(296, "example")
        self._socket = connected
        self._tape = capture.connection()
        self._judged = judged
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, request: bytes, *, judged: bool = True) -> None:
        """Send octets; those of broken messages are no matter for Wireshark to judge."""
        if judged and self._judged:
            self._tape.sent(request)
        self._socket.sendall(request)

    def frames(self) -> Iterator[bytes]:
        """Messages until the server ends the connection."""
        while True:
            while len(self._buffer) >= 4 and len(self._buffer) >= (
                length := int.from_bytes(self._buffer[1:4])
            ):
                frame, self._buffer = self._buffer[:length], self._buffer[length:]
                self._tape.received(frame)
                yield frame
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                assert self._buffer == b"", "the connection ended within a message"
                return
            self._buffer += data

    def receive(self) -> Answer:
        """The next answer; watchdogs of the server are answered on the way."""
        for frame in self.frames():
            answer = Answer(frame)
            if answer.is_request and answer.command == WATCHDOG:
                self.answer_base(answer)
                continue
            return answer
        raise EOFError("the server has closed the connection")

    def answer_base(self, request: Answer) -> None:
        """DWA or DPA."""
        identifiers = (request.hop_by_hop, request.end_to_end)
        self.send(message(request.command, 0, 0, identifiers, unsigned32(268, 2001) + self.origin))

    def hear_demand(self, command: int) -> Answer:
        """The next request of the server about a session: RAR or ASR."""
        demand = self.receive()
        assert (demand.command, demand.is_request) == (command, True)
        return demand

    def answer_demand(self, demand: Answer, result: int) -> None:
        """RAA or ASA."""
        body = text(263, demand.one(263)) + unsigned32(268, result) + self.origin
        identifiers = (demand.hop_by_hop, demand.end_to_end)
        self.send(message(demand.command, PROXIABLE, 4, identifiers, body))

    def ask(self, request: bytes, *, judged: bool = True) -> Answer:
        """Send a request and take its answer, whose identifiers must be the request's."""
        self.send(request, judged=judged)
        answer = self.receive()
        assert (answer.hop_by_hop, answer.end_to_end) == struct.unpack_from(">II", request, 12)
        assert answer.command == int.from_bytes(request[5:8])
        return answer

    def opened(self) -> Self:
        """Exchange capabilities."""
        assert self.ask(self.capabilities()).result == 2001
        return self

    def capabilities(self, *parts: bytes) -> bytes:
        body = (
            self.origin
            + avp(257, b"\0\1\x7f\0\0\1")
            + unsigned32(266, VENDOR_3GPP)
            + avp(269, b"test gateway", mandatory=False)
            + b"".join(parts or (unsigned32(258, 4),))
        )
        return message(CAPABILITIES, REQUEST, 0, fresh_identifiers(), body)

    def watchdog(self) -> bytes:
        return message(WATCHDOG, REQUEST, 0, fresh_identifiers(), self.origin)

    def leave(self) -> Answer:
        """DPR; the server answers and closes."""
        return self.ask(
            message(DISCONNECT, REQUEST, 0, fresh_identifiers(), self.origin + unsigned32(273, 0))
        )

    def credit(
        self, session: str, request_type: int, number: int, *parts: bytes,
        context: str = DATA, subscriptions: tuple[bytes, ...] = (), realm: str = "lab.example", flags: int = 0,
        identifiers: tuple[int, int] | None = None,
    ) -> bytes:  # fmt: skip
        """A Credit-Control-Request; with services in it comes Multiple-Services-Indicator."""
        codes = [int.from_bytes(part[:4]) for part in parts]
        body = (
            text(263, session)
            + self.origin
            + text(283, realm)
            + unsigned32(258, 4)
            + text(461, context)
            + unsigned32(416, request_type)
            + unsigned32(415, number)
            + b"".join(subscriptions)
            + (unsigned32(455, 1) if 456 in codes and 455 not in codes else b"")
            + b"".join(parts)
        )
        if request_type == TERMINATION:
            body += unsigned32(295, 1)
        return message(
            CREDIT_CONTROL, REQUEST | PROXIABLE | flags, 4, identifiers or fresh_identifiers(), body
        )


def fresh_identifiers() -> tuple[int, int]:
    number = next(_numbers)
    return number, number


def retransmitted(request: bytes, *, hop_by_hop: int | None = None) -> bytes:
    """The copy that a relay or gateway sends again: T bit, same End-to-End-Id, new Hop-by-Hop-Id."""
    copy = bytearray(request)
    copy[4] |= RETRANSMITTED
    struct.pack_into(">I", copy, 12, hop_by_hop if hop_by_hop is not None else next(_numbers) | 0x4000_0000)
    return bytes(copy)
