"""Receivers that are not ours, to compare with: net-snmp's snmptrapd and pysnmp's own, each a process of its own."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from bench.gy import BenchError
from simulators.traps.packets import User

SNMPTRAPD: Final = shutil.which("snmptrapd", path="/usr/sbin:/usr/bin:/sbin:/bin")
# One line a trap, and nothing else in it.
_FORMAT: Final = "trap %B %v\\n"
_START_S: Final = 20.0
# As large as ours.
_BUFFER_OCTETS: Final = 8_388_608

# Counts what it decoded, and writes the number after each hundred and when it has nothing to do.
_PYSNMP_PROGRAM: Final = """
import asyncio, sys
from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import ntfrcv

port, count = int(sys.argv[1]), 0
snmp = engine.SnmpEngine()
config.add_transport(snmp, udp.DOMAIN_NAME, udp.UdpTransport().open_server_mode(("127.0.0.1", port)))
config.add_v1_system(snmp, "area", "public")

def take(*arguments):
    global count
    count += 1

async def tell():
    while True:
        await asyncio.sleep(0.05)
        print(count, flush=True)

ntfrcv.NotificationReceiver(snmp, take)
print("ready", flush=True)
loop = asyncio.get_event_loop()
loop.create_task(tell())
snmp.open_dispatcher()
"""

# Where it listens, and how many traps it has taken.
Receiver = tuple[int, Callable[[], int]]


def free_port() -> int:
    """A UDP port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def snmptrapd(folder: Path, user: User, engine_ids: list[bytes]) -> Generator[Receiver]:
    """net-snmp's receiver, which writes each trap as a line of a file."""
    folder.mkdir()
    (folder / "persistent").mkdir()
    lines = [
        "disableAuthorization yes",
        f"format2 {_FORMAT}",
        "doNotFork yes",
        f"[snmp] serverRecvBuf {_BUFFER_OCTETS}",
    ]
    if user.authentication_password:
        lines += [
            f"createUser -e 0x{engine_id.hex()} {user.name} SHA {user.authentication_password} AES"
            f" {user.privacy_password}"
            for engine_id in engine_ids
        ]
    configuration, written, port = folder / "snmptrapd.conf", folder / "traps", free_port()
    configuration.write_text("\n".join(lines) + "\n")
    assert SNMPTRAPD is not None
    command = [SNMPTRAPD, "-f", "-n", "-C", "-c", str(configuration), "-On", "-Lf", str(written), "-m", ""]
    environment = {"PATH": "/usr/bin:/bin", "SNMP_PERSISTENT_DIR": str(folder / "persistent"), "MIBS": ""}
    process = subprocess.Popen(
        [*command, f"udp:127.0.0.1:{port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_bound(port)
        yield port, _LineCounter(written).count
    finally:
        process.terminate()
        process.wait()


def _wait_until_bound(port: int) -> None:
    """Wait until somebody listens; keys of many users take some seconds."""
    give_up_s = time.monotonic() + _START_S
    while f":{port:04X} " not in Path("/proc/net/udp").read_text():
        if time.monotonic() > give_up_s:
            raise BenchError(f"nobody listens on UDP port {port}")
        time.sleep(0.05)


class _LineCounter:
    """Counts the lines of a growing file that speak of a trap."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._lines = 0

    def count(self) -> int:
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._read)
            octets = file.read()
            self._read += len(octets)
            self._lines += octets.count(b"\ntrap ") + (octets.startswith(b"trap "))
        return self._lines


@contextlib.contextmanager
def pysnmp_receiver() -> Generator[Receiver]:
    """The receiver of pysnmp, which only counts."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", _PYSNMP_PROGRAM, str(port)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    _wait_until_bound(port)
    stdout = process.stdout

    def count() -> int:
        return int(stdout.readline() or 0)

    try:
        yield port, count
    finally:
        process.kill()
        process.communicate()
