"""Start the system under test as a user would: ``ocs up`` with a configuration file and a data folder."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final

import msgspec

_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 30.0
_LOG_TAIL_OCTETS: Final = 2_000


class SystemStartError(RuntimeError):
    """``ocs up`` did not become ready; what it wrote last is in the message."""


class RunningSystem(msgspec.Struct, frozen=True):
    """A system that accepts connections.

    Attributes:
        pid: of ``ocs up``; workers and store are below it.
        listeners: name to ``host:port``, from the ready line.
    """

    pid: int
    data_dir: Path
    listeners: dict[str, str]

    def address(self, listener: str) -> tuple[str, int]:
        """Host and port of a listener such as ``diameter`` or ``http``.

        Raises:
            KeyError: it does not listen there.
        """
        host, _, port = self.listeners[listener].rpartition(":")
        return host.strip("[]"), int(port)


def ocs_command() -> Path:
    """The ``ocs`` command that belongs to this Python."""
    return Path(sys.executable).parent / "ocs"


def parse_ready(line: str) -> dict[str, str]:
    """Read ``ready diameter=HOST:PORT http=HOST:PORT``.

    Raises:
        ValueError: another line.
    """
    word, *listeners = line.split()
    if word != "ready" or not all("=" in listener for listener in listeners):
        raise ValueError(f"not a ready line: {line!r}")
    return dict(listener.split("=", 1) for listener in listeners)


def lab_config() -> Path:
    """The working lab operator's configuration file."""
    return Path(__file__).resolve().parent.parent / "config" / "ocs.toml"


@contextlib.contextmanager
def running_system(*, config: Path, data_dir: Path, overrides: dict[str, str]) -> Generator[RunningSystem]:
    """Run ``ocs up`` on free ports for the length of a ``with`` block and stop it with SIGTERM.

    Args:
        overrides: ``OCS_SECTION__KEY`` environment variables beside those that choose free ports; traps are taken only
            when ``OCS_SNMP__PORT`` is among them, elements configured with ``OCS_PROVISIONING__SESSIONS_MAX``.

    Raises:
        SystemStartError: not ready within a minute.
    """
    ports = {
        "OCS_DIAMETER__PORT": "0",
        "OCS_DIAMETER__TLS_PORT": "0",
        "OCS_HTTP__PORT": "0",
        "OCS_SNMP__PORT": "-1",
        "OCS_PROVISIONING__SESSIONS_MAX": "0",
    }
    command = [str(ocs_command()), "up", "--config", str(config), "--data-dir", str(data_dir)]
    with tempfile.TemporaryFile("w+b") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **ports, **overrides}
        )
        try:
            line = _first_line(process)
            try:
                listeners = parse_ready(line)
            except ValueError:
                errors.seek(max(0, errors.seek(0, os.SEEK_END) - _LOG_TAIL_OCTETS))
                tail = errors.read().decode(errors="replace")
                raise SystemStartError(f"`{' '.join(command)}` is not ready: {line!r}\n{tail}") from None
            yield RunningSystem(pid=process.pid, data_dir=data_dir, listeners=listeners)
        finally:
            _stop(process)


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """The first line of standard output, or what came before it closed or time was up."""
    if process.stdout is None:
        return ""
    received, deadline_s = b"", time.monotonic() + _READY_TIMEOUT_S
    while b"\n" not in received and (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([process.stdout], [], [], left_s)[0]:
            break
        data = os.read(process.stdout.fileno(), 4096)
        if not data:
            break
        received += data
    return received.partition(b"\n")[0].decode(errors="replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for one that does not obey."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
