"""Run the `ocs` command as its users do: processes of its own, waited for by condition, never by time."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
CATALOGUE = ROOT / "config" / "catalogue"
PATIENCE_S = 60.0
FREE_PORTS = {"OCS_DIAMETER__PORT": "0", "OCS_DIAMETER__TLS_PORT": "0", "OCS_HTTP__PORT": "0",
              "OCS_SNMP__PORT": "-1", "OCS_PROVISIONING__SESSIONS_MAX": "0"}  # fmt: skip


def wait_until(truth: Callable[[], Any], what: str) -> Any:
    """Poll until it is true; whatever it gives is returned."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := truth()):
        assert time.monotonic() < deadline_s, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def processes_with(text: str) -> dict[int, str]:
    """Running processes whose command line, or folder, has a text: pid -> command line."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if text in command or text in str((entry / "cwd").readlink()):
                    found[int(entry.name)] = command
    return {pid: command for pid, command in found.items() if is_alive(pid)}


def environment(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OCS_")}
    return {**inherited, **FREE_PORTS, **(overrides or {})}


def write_config(folder: Path, text: str = "") -> Path:
    """A configuration with the lab's catalogue and whatever else is given."""
    path = folder / "ocs.toml"
    path.write_text(f'{text}\n[catalogue]\npath = "{CATALOGUE}"\n')
    return path


class Ocs:
    """One `ocs` process that was started.

    Attributes:
        ready: what its ready line says: listener -> address.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", data_dir: Path, log: Path) -> None:
        self.process = process
        self.data_dir = data_dir
        self._log = log
        self.line = ""
        self.ready: dict[str, str] = {}

    @property
    def errors(self) -> str:
        """What it wrote to stderr so far."""
        return self._log.read_text()

    def wait_ready(self) -> None:
        self.line = _first_line(self.process)
        assert self.line.startswith("ready "), f"{self.line!r}\n{self.errors}"
        self.ready = dict(word.split("=", 1) for word in self.line.split()[1:])

    def address(self, listener: str) -> tuple[str, int]:
        host, _, port = self.ready[listener].rpartition(":")
        return host.strip("[]"), int(port)

    def child(self, name: str) -> int | None:
        """The pid of a child: `charging` or `http`."""
        found = processes_with(f"-m ocs {name} --data-dir {self.data_dir} ")
        return next(iter(found), None)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the status it ends with."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextlib.contextmanager
def started(
    *arguments: str, data_dir: Path, config: Path, overrides: Mapping[str, str] | None = None
) -> Generator[Ocs]:
    """Start `ocs ARGUMENTS`; at the end of the block nothing of it is left, whatever happened in it."""
    log = data_dir.with_name(f"{data_dir.name}-{'-'.join(arguments)}.log")
    command = [sys.executable, "-m", "ocs", *arguments, "--config", str(config), "--data-dir", str(data_dir)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environment(overrides), cwd=ROOT
        )
    ocs = Ocs(process, data_dir, log)
    try:
        yield ocs
    finally:
        try:
            ocs.end()
        finally:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def running(
    *arguments: str, data_dir: Path, config: Path, overrides: Mapping[str, str] | None = None
) -> Generator[Ocs]:
    """The same, and it is ready."""
    with started(*arguments, data_dir=data_dir, config=config, overrides=overrides) as ocs:
        ocs.wait_ready()
        yield ocs


def run_ocs(
    *arguments: str, overrides: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "ocs", *arguments],
        capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=ROOT, env=environment(overrides),
    )  # fmt: skip


def _first_line(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    received, deadline_s = b"", time.monotonic() + PATIENCE_S
    while b"\n" not in received and (left_s := deadline_s - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left_s)[0]:
            data = os.read(process.stdout.fileno(), 4096)
            if not data:
                break
            received += data
    return received.decode().partition("\n")[0]
