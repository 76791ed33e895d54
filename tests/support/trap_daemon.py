"""net-snmp's `snmptrapd` as a manager above us that we did not write."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import trio

needs_snmptrapd = pytest.mark.skipif(
    shutil.which("snmptrapd") is None, reason="snmptrapd (Debian: snmptrapd) is not installed"
)


class TrapDaemon:
    """A running daemon and what it wrote down."""

    def __init__(self, port: int, file: Path) -> None:
        self.port = port
        self._file = file

    def text(self) -> str:
        return self._file.read_text(encoding="utf-8", errors="replace") if self._file.exists() else ""

    async def until(self, word: str) -> str:
        """What it wrote, once a word is in it."""
        while word not in self.text():
            await trio.sleep(0.02)
        return self.text()


@contextlib.asynccontextmanager
async def trap_daemon(folder: Path, *lines: str) -> AsyncGenerator[TrapDaemon]:
    """A daemon with lines of configuration; it prints object identifiers as numbers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration, file = folder / "snmptrapd.conf", folder / "traps.log"
    configuration.write_text("\n".join(lines) + "\n")
    command = [
        "snmptrapd", "-f", "-C", "-c", str(configuration), "-On", "-Lf", str(file),
        "-m", "", f"udp:127.0.0.1:{port}",
    ]  # fmt: skip
    environment = {"SNMP_PERSISTENT_DIR": str(folder / "state"), "PATH": "/usr/sbin:/usr/bin:/bin"}
    process = await trio.lowlevel.open_process(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        daemon = TrapDaemon(port, file)
        await daemon.until("NET-SNMP version")
        yield daemon
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
