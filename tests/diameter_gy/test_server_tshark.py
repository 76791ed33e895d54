"""What leaves the server, judged by Wireshark's dissector."""

import shutil
import struct
import subprocess

import pytest
import trio

from ocs.diameter_gy.avp import grouped, unsigned32, utf8
from ocs.diameter_gy.message import encode_message, parse_header

TSHARK = shutil.which("tshark") or ""

pytestmark = pytest.mark.skipif(not TSHARK, reason="tshark is not installed (Debian: tshark)")

RAW_IP = 101  # link type of a capture file whose packets begin with the IP header
GATEWAY_PORT, SERVER_PORT = 40000, 3868
EXPERT_ERROR = 0x00800000


class Capture:
    """Writes messages as a capture file: one TCP segment each, with invented headers."""

    def __init__(self):
        self.packets = []
        self._next = {GATEWAY_PORT: 1, SERVER_PORT: 1}

    def add(self, message, *, from_gateway):
        source, target = (GATEWAY_PORT, SERVER_PORT) if from_gateway else (SERVER_PORT, GATEWAY_PORT)
        tcp = struct.pack(
            ">HHIIBBHHH", source, target, self._next[source], self._next[target], 0x50, 0x18, 65535, 0, 0
        )
        addresses = (b"\x7f\0\0\1", b"\x7f\0\0\2")
        ip = struct.pack(
            ">BBHHHBBH4s4s",
            0x45,
            0,
            40 + len(message),
            0,
            0x4000,
            64,
            6,
            0,
            *addresses[:: 1 if from_gateway else -1],
        )
        self._next[source] += len(message)
        self.packets.append(ip + tcp + message)

    def write(self, path):
        with path.open("wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, RAW_IP))
            for number, packet in enumerate(self.packets):
                file.write(struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet)


def tshark(path, *arguments):
    decode = f"tcp.port=={SERVER_PORT},diameter"
    done = subprocess.run(
        [TSHARK, "-n", "-r", str(path), "-d", decode, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def check(capture, path, expected):
    """No packet is malformed or in error, and each message is seen as (command, is request, Result-Code)."""
    capture.write(path)
    faults = tshark(path, "-Y", f"_ws.malformed or _ws.expert.severity == {EXPERT_ERROR}", "-V")
    assert faults == ""
    fields = ("diameter.cmd.code", "diameter.flags.request", "diameter.Result-Code")
    lines = tshark(path, "-T", "fields", *(part for field in fields for part in ("-e", field))).splitlines()
    seen = [line.split("\t") for line in lines]
    assert [(code, flag in {"1", "True"}, result.split(",")[0]) for code, flag, result in seen] == [
        (str(code), is_request, result) for code, is_request, result in expected
    ]


async def exchange(capture, gateway, message):
    capture.add(message, from_gateway=True)
    await gateway.send(message)
    answer = await gateway.receive()
    capture.add(answer, from_gateway=False)
    return answer


async def test_every_base_command_and_answer_is_well_formed(lab, tmp_path):
    capture = Capture()
    async with lab.serving(watchdog_interval_s=0.1) as (server, listeners):
        leaving = await lab.connect(listeners[0])
        staying = await lab.connect(listeners[0])
        await exchange(capture, leaving, leaving.cer())
        await exchange(capture, leaving, leaving.dwr())
        await exchange(capture, leaving, leaving.dpr())
        await staying.opens()
        dwr = await staying.receive()
        capture.add(dwr, from_gateway=False)
        server.request_stop()
        while parse_header(dpr := await staying.receive()).command_code != 282:
            pass
        capture.add(dpr, from_gateway=False)
    expected = [
        (257, True, ""),
        (257, False, "2001"),
        (280, True, ""),
        (280, False, "2001"),
        (282, True, ""),
        (282, False, "2001"),
        (280, True, ""),
        (282, True, ""),
    ]
    check(capture, tmp_path / "base.pcap", expected)


async def test_every_refusal_is_well_formed(lab, tmp_path):
    capture = Capture()
    refused_capabilities = [
        (unsigned32(258, 5), 5010),
        (unsigned32(258, 4) + unsigned32(299, 1), 5017),
        (unsigned32(258, 4) + utf8(264, "twice.example"), 5009),
    ]
    refused_requests = [
        (lambda g: g.ccr(realm="other.example"), 3003),
        (lambda g: g.ccr(extra=utf8(293, "other.example")), 3002),
        (lambda g: g.ccr(extra=utf8(282, "ocs.lab.example")), 3005),
        (lambda g: encode_message(258, 4, 0xC0, 1, 1, utf8(263, "s") + g.origin), 3001),
        (lambda g: encode_message(272, 16777238, 0xC0, 1, 1, utf8(263, "s") + g.origin), 3007),
        (lambda g: g.ccr(flags=0xE0), 3008),
        (lambda g: encode_message(272, 4, 0xC0, 1, 1, utf8(263, "s") + g.origin), 5005),
        (lambda g: encode_message(280, 0, 0x80, 1, 1, utf8(264, "pgw.example")), 5005),
        (lambda g: g.ccr(extra=grouped(284, utf8(280, "proxy"), utf8(33, "state"))), 2001),
    ]
    expected = []
    async with lab.serving() as (_, listeners):
        gateway = await (await lab.connect(listeners[0])).opens()
        for message, result_code in refused_requests:
            request = message(gateway)
            answer = await exchange(Capture(), gateway, request)
            capture.add(answer, from_gateway=False)
            expected.append((parse_header(request).command_code, False, str(result_code)))
        for capabilities, result_code in refused_capabilities:
            stranger = await lab.connect(listeners[0])
            answer = await exchange(Capture(), stranger, stranger.cer(capabilities))
            capture.add(answer, from_gateway=False)
            expected.append((257, False, str(result_code)))
    await trio.to_thread.run_sync(check, capture, tmp_path / "refusals.pcap", expected)
