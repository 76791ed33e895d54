"""A process that sends traps written beforehand: each about an interface of its own, from many addresses.

The parent writes one line of JSON, the plan; it answers ``ready``. Then one command, answered by one line of JSON:
``pour`` sends all, never further ahead of what the receiver has stored (which the parent tells, a number a line) than a
window; ``offer`` sends at a pace, with an inform now and then whose acknowledgement is timed.
"""

import os
import select
import socket
import sys
import time
from typing import Final

import msgspec

from simulators.traps.notices import link
from simulators.traps.packets import V2C, PacketWriter, Speech, Templates, User, acknowledged_request_id
from simulators.traps.play import uptime_ticks

# So many datagrams between two looks at what the parent says, or at the clock.
_BATCH: Final = 32
_REQUEST_ID_MIN: Final = 1 << 24
_PROBE_EVERY: Final = 100
_DRAIN_S: Final = 5.0
# Beside its own four: ten varbinds behind sysUpTime and snmpTrapOID.
PADDING: Final = 6
# The informs' own address: they are few, and no ration is for them.
_PROBE_ADDRESS: Final = "127.51.0.1"


class Plan(msgspec.Struct, frozen=True):
    """What is sent: ``sources`` times ``ports`` traps, each about another interface.

    Attributes:
        pause_ticks: by which the elements' clocks are ahead of the plan before.
    """

    host: str
    port: int
    version: str
    user: User
    sources: int
    ports: int
    is_up: bool = False
    pause_ticks: int = 0


class Command(msgspec.Struct, frozen=True):
    """What to do."""

    do: str
    window: int = 0
    per_s: float = 0.0


class Report(msgspec.Struct, frozen=True):
    """What was done; ``latencies_ms`` of the informs, and how many of them were never acknowledged."""

    sent: int
    elapsed_s: float
    latencies_ms: list[float] = []
    unanswered: int = 0


class _Sources:
    """Sockets of all elements, connected, and what each is to send."""

    def __init__(self, plan: Plan) -> None:
        speech = Speech(plan.version, user=plan.user)
        templates = Templates(speech)
        ticks = uptime_ticks(time.time()) + plan.pause_ticks
        self.sockets: list[socket.socket] = []
        writers: list[PacketWriter] = []
        for number in range(plan.sources):
            address = source_address(number)
            self.sockets.append(connected(address, plan))
            writers.append(PacketWriter(speech, address, templates=templates))
        self.packets: list[tuple[socket.socket, bytes]] = []
        for index in range(1, plan.ports + 1):
            notice = link(index, f"ge-{index}", is_up=plan.is_up, padding=PADDING)
            for one, writer in zip(self.sockets, writers, strict=True):
                request_id = _REQUEST_ID_MIN + len(self.packets)
                self.packets.append((one, writer.write(notice, ticks + index, request_id)))


def source_address(number: int) -> str:
    """The address of one element."""
    return f"127.50.{number >> 8}.{1 + (number & 0xFF) % 250}"


def connected(address: str, plan: Plan) -> socket.socket:
    """A socket of an address that sends to the receiver."""
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((address, 0))
    one.connect((plan.host, plan.port))
    return one


def pour(sources: _Sources, window: int) -> Report:
    """Send all as fast as the receiver stores it."""
    stored, text = 0, b""
    begin_s = time.monotonic()
    packets = sources.packets
    for at in range(0, len(packets), _BATCH):
        while at + _BATCH - stored > window or select.select([0], [], [], 0)[0]:
            text += os.read(0, 65_536)
            *lines, text = text.split(b"\n")
            stored = int(lines[-1]) if lines else stored
        for one, octets in packets[at : at + _BATCH]:
            one.send(octets)
    return Report(len(packets), time.monotonic() - begin_s)


class _Probes:
    """Informs among the traps, each timed until it is acknowledged: then its alarm is durable."""

    def __init__(self, plan: Plan) -> None:
        speech = Speech(V2C, is_inform=True)
        self._writer = PacketWriter(speech, _PROBE_ADDRESS)
        self._notice = link(1, "probe", is_up=False, padding=PADDING)
        self._socket = connected(_PROBE_ADDRESS, plan)
        self._sent_s: dict[int, float] = {}
        self._begin_ticks = uptime_ticks(time.time())
        self._number = 0
        self.latencies_ms: list[float] = []

    def send(self) -> None:
        """Send the next."""
        self._number += 1
        request_id = _REQUEST_ID_MIN + (self._begin_ticks + self._number) % (1 << 30)
        octets = self._writer.write(self._notice, self._begin_ticks + self._number, request_id)
        self._sent_s[request_id] = time.monotonic()
        self._socket.send(octets)

    def read(self, wait_s: float = 0.0) -> int:
        """Take acknowledgements; how many are still awaited."""
        while select.select([self._socket], [], [], wait_s)[0]:
            octets = self._socket.recv(65_535)
            now_s = time.monotonic()
            # Where every encoder puts the request-id; decoding it whole would take the time of a hundred sendings.
            at = octets.find(b"\x02\x04")
            request_id = int.from_bytes(octets[at + 2 : at + 6])
            if request_id not in self._sent_s:
                request_id = acknowledged_request_id(octets) or 0
            sent_s = self._sent_s.pop(request_id, None)
            if sent_s is not None:
                self.latencies_ms.append((now_s - sent_s) * 1e3)
        return len(self._sent_s)


def offer(sources: _Sources, plan: Plan, per_s: float) -> Report:
    """Send all at a pace."""
    probes = _Probes(plan)
    begin_s = time.monotonic()
    for number, (one, octets) in enumerate(sources.packets):
        if number % _BATCH == 0:
            wait_s = begin_s + number / per_s - time.monotonic()
            probes.read(max(0.0, wait_s))
            if (wait_s := begin_s + number / per_s - time.monotonic()) > 0:
                time.sleep(wait_s)
        one.send(octets)
        if number % _PROBE_EVERY == 0:
            probes.send()
    elapsed_s = time.monotonic() - begin_s
    give_up_s = time.monotonic() + _DRAIN_S
    while (unanswered := probes.read(0.05)) and time.monotonic() < give_up_s:
        pass
    return Report(len(sources.packets), elapsed_s, sorted(probes.latencies_ms), unanswered)


def main() -> int:
    """Serve one plan."""
    plan = msgspec.json.decode(sys.stdin.buffer.raw.readline(), type=Plan)  # type: ignore[attr-defined]
    sources = _Sources(plan)
    print("ready", flush=True)
    command = msgspec.json.decode(sys.stdin.buffer.raw.readline(), type=Command)  # type: ignore[attr-defined]
    report = pour(sources, command.window) if command.do == "pour" else offer(sources, plan, command.per_s)
    print(msgspec.json.encode(report).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
