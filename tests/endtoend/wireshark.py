"""A capture of what tests sent and received, and Wireshark's opinion of it."""

import re
import shutil
import struct
import subprocess
from pathlib import Path

TSHARK = shutil.which("tshark")
PORT = 3868
_RAW_IP = 101  # link type of a capture whose packets begin with the IP header
_CLIENT_PORT = 20_000
# Expert items of these severities and above are faults: warning, error (Wireshark's epan/proto.h).
_WARNING = 0x0060_0000
_TCP_SEGMENT = 16_384

# Warnings about messages that are as the standard and the habits of gateways want them; errors are never allowed.
_ALLOWED = re.compile(
    # An empty Requested-Service-Unit leaves the quota to us (RFC 8506 section 8.18), an EVENT may have an empty
    # Session-Id, and the example of a missing group in Failed-AVP is empty (RFC 6733 section 7.5).
    r"Data is empty"
    # AVPs of vendors that nobody knows are part of the tests.
    r"|Unknown AVP \d+ \(vendor=[^)]*\), if you know what this is you can add it to dictionary\.xml"
    r"|Unknown Vendor, if you know whose this is you can add it to dictionary\.xml"
    # E.164 numbers with "+", as some gateways send them.
    r"|Country Code contains non-decimal digits"
)


class Connection:
    """One TCP connection of the capture, with invented headers."""

    def __init__(self, packets: list[bytes], number: int) -> None:
        self._packets = packets
        self._port = _CLIENT_PORT + number
        self._next = {True: 1, False: 1}

    def sent(self, octets: bytes) -> None:
        self._add(octets, from_client=True)

    def received(self, octets: bytes) -> None:
        self._add(octets, from_client=False)

    def _add(self, octets: bytes, *, from_client: bool) -> None:
        for start in range(0, len(octets), _TCP_SEGMENT):
            self._packet(octets[start : start + _TCP_SEGMENT], from_client=from_client)

    def _packet(self, octets: bytes, *, from_client: bool) -> None:
        ports = (self._port, PORT) if from_client else (PORT, self._port)
        numbers = (self._next[from_client], self._next[not from_client])
        tcp = struct.pack(">HHIIBBHHH", *ports, *numbers, 0x50, 0x18, 65_535, 0, 0)
        addresses = (b"\x7f\0\0\1", b"\x7f\0\0\2") if from_client else (b"\x7f\0\0\2", b"\x7f\0\0\1")
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(octets), 0, 0x4000, 64, 6, 0, *addresses)
        self._next[from_client] += len(octets)
        self._packets.append(ip + tcp + octets)


class Capture:
    """Everything of one test module."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self._connections = 0

    def connection(self) -> Connection:
        self._connections += 1
        return Connection(self.packets, self._connections)

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, _RAW_IP))
            for number, packet in enumerate(self.packets):
                file.write(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)


def tshark(path: Path, *arguments: str) -> str:
    assert TSHARK is not None
    command = [TSHARK, "-n", "-r", str(path), "-d", f"tcp.port=={PORT},diameter", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def faults(path: Path) -> list[str]:
    """What Wireshark calls malformed, an error or a warning in Diameter messages, one line for each message."""
    fields = ("frame.number", "tcp.dstport", "diameter.cmd.code", "_ws.expert.message")
    columns = tuple(word for field in fields for word in ("-e", field))
    # What cannot be taken apart at all is an item of severity error, too.
    found = tshark(
        path, "-Y", f"diameter && _ws.expert.severity > {_WARNING}", "-T", "fields", *columns
    ).splitlines()
    warned = tshark(path, "-Y", f"diameter && _ws.expert.severity == {_WARNING}", "-T", "fields", *columns)
    return found + [line for line in warned.splitlines() if _ALLOWED.sub("", line.split("\t")[3]).strip(", ")]


def messages_seen(path: Path) -> set[tuple[int, bool]]:
    """Each (command, is request) that Wireshark found in the capture."""
    lines = tshark(
        path, "-Y", "diameter", "-T", "fields", "-e", "diameter.cmd.code", "-e", "diameter.flags.request"
    )
    seen: set[tuple[int, bool]] = set()
    for line in lines.splitlines():
        commands, flags = line.split("\t")
        for command, flag in zip(commands.split(","), flags.split(","), strict=True):
            seen.add((int(command), flag in {"1", "True"}))
    return seen
