"""Group ``traps``: how many traps a second become durable alarms, how soon, and how a long list answers.

Every trap is about an interface of its own, with ten varbinds, from two hundred addresses: each makes or clears an
alarm. "Stored" is what the network process counts after the store's fsync. The sender is never further ahead than what
socket and receiver hold, so none may be lost; the list must hold exactly one alarm for each.
"""

import http.client
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import trio

from bench.figures import Figure
from bench.gy import BenchError, Say
from bench.processes import family, spent
from bench.trap_receivers import SNMPTRAPD, pysnmp_receiver, snmptrapd
from bench.trap_sender import Command, Plan, Report, source_address
from ocs.metrics import Snapshot
from ocs.worker_channel import WorkerChannel
from simulators.system import RunningSystem, lab_config, running_system
from simulators.traps.packets import V2C, V3, User, engine_id_of

_SOURCES: Final = 200
_PORTS: Final = 500
# Of those that keep up with less.
_FEW_PORTS: Final = 50
# Datagrams between sender and store: what the kernel's buffer holds of this size.
_WINDOW: Final = 3_000
# Of a receiver whose buffer is as the kernel makes it.
_SMALL_WINDOW: Final = 100
_PACE_PER_S: Final = 10_000.0
_LOOK_EVERY_S: Final = 0.04
_STALLED_S: Final = 10.0
_USER: Final = User("bench", "authpass12", "privpass12")
_STORED: Final = "ocs_snmp_notifications_stored_total"
_QUERIES: Final = 20
_GOALS: Final = {
    "traps_v2c_per_s": "at least 20,000",
    "traps_v3_authpriv_per_s": "at least 10,000",
    "traps_durable_p99_ms": "under 20",
    "traps_list_100000_ms": "under 100",
    "traps_filter_100000_ms": "under 100",
}

Progress = Callable[[], int]


def run_traps(folder: Path, *, say: Say, ports: int = _PORTS) -> list[Figure]:
    """Measure ours, then those of others.

    Args:
        folder: an empty folder for the data.
        ports: interfaces of each of two hundred elements; tests take few.

    Raises:
        BenchError: traps were lost, or the list is not what was sent.
    """
    figures = _measure_ours(folder, V2C, User("nobody"), ports, say)
    figures += _measure_ours(folder, V3, _USER, ports, say)
    few = min(ports, _FEW_PORTS)
    if SNMPTRAPD is not None:
        for name, version, user in (("v2c", V2C, User("nobody")), ("v3_authpriv", V3, _USER)):
            with snmptrapd(folder / f"snmptrapd-{name}", user, _engine_ids()) as (port, progress):
                plan = Plan("127.0.0.1", port, version, user, _SOURCES, few)
                note = "net-snmp, a line of a file each, not synced"
                figures.append(_others(f"snmptrapd_{name}_per_s", plan, progress, note, say))
    with pysnmp_receiver() as (port, progress):
        plan = Plan("127.0.0.1", port, V2C, User("nobody"), _SOURCES, max(1, few // 10))
        note = "pysnmp's own receiver, counts only"
        figures.append(_others("pysnmp_v2c_per_s", plan, progress, note, say, window=_SMALL_WINDOW))
    return figures


def _engine_ids() -> list[bytes]:
    return [engine_id_of(source_address(number)) for number in range(_SOURCES)]


def _measure_ours(folder: Path, version: str, user: User, ports: int, say: Say) -> list[Figure]:
    name = "v2c" if version == V2C else "v3_authpriv"
    with ExitStack() as stack:
        system = stack.enter_context(_system(folder, name, user))
        progress = _Stored(system)
        host, port = system.address("snmp")
        plan = Plan(host, port, version, user, _SOURCES, ports)
        count = plan.sources * plan.ports
        say(f"traps: {count:,} alarms are raised, {name}")
        figures = [_poured(system, f"traps_{name}_per_s", plan, progress, say)]
        _check_list(system, active=count, cleared=0)
        if version == V2C:
            say(f"traps: a list of {count:,} alarms")
            figures += _list_figures(system, count)
        say(f"traps: {count:,} alarms are cleared, {name}")
        up = msgspec.structs.replace(plan, is_up=True, pause_ticks=2 * ports)
        figures.append(_poured(system, f"traps_{name}_clears_per_s", up, progress, say))
        _check_list(system, active=0, cleared=count)
        if version == V2C:
            down = msgspec.structs.replace(plan, pause_ticks=4 * ports)
            say(f"traps: {_PACE_PER_S:,.0f} a second")
            figures += _paced(down, progress)
    return figures


def _system(folder: Path, name: str, user: User) -> Any:
    overrides = {
        "OCS_CHARGING__WORKERS": "1",
        "OCS_STORE__DURABILITY": "fsync",
        "OCS_SNMP__PORT": "0",
        "OCS_FAULTS__TOPOLOGY": str(_topology(folder / f"topology-{name}")),
    }
    if user.authentication_password:
        for kind, password in (("a", user.authentication_password), ("p", user.privacy_password)):
            path = folder / f"password-{kind}"
            path.write_text(password)
            path.chmod(0o600)
        entry = {
            "name": user.name,
            "authentication": "sha1",
            "authentication_file": str(folder / "password-a"),
            "privacy": "aes128",
            "privacy_file": str(folder / "password-p"),
        }
        overrides["OCS_SNMP__USERS"] = msgspec.json.encode([entry]).decode()
    return running_system(config=lab_config(), data_dir=folder / f"traps-{name}", overrides=overrides)


def _topology(folder: Path) -> Path:
    """The senders as elements that somebody described: what strangers may have in the list is less."""
    folder.mkdir()
    elements = [
        f'[[elements]]\nname = "element-{number}"\naddresses = ["{source_address(number)}"]\n'
        for number in range(_SOURCES)
    ]
    (folder / "bench.toml").write_text("\n".join(elements))
    return folder


class _Stored:
    """How many notifications the network process has stored, by its own count."""

    def __init__(self, system: RunningSystem) -> None:
        self._channel = WorkerChannel("network", system.data_dir / "run" / "network.sock")
        self._decode = msgspec.msgpack.Decoder(Snapshot).decode

    def __call__(self) -> int:
        octets = trio.run(partial(self._channel.ask, "metrics"))
        for held in self._decode(octets).families:
            if held.name == _STORED:
                return int(sum(sample.value for sample in held.samples))
        return 0


class Sending:
    """The sender's process, with its packets written. Use it in a ``with`` block, which ends it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.trap_sender"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.tell(msgspec.json.encode(self._plan))
        if self._line() != b"ready":
            raise BenchError("traps: the sender did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def tell(self, line: bytes) -> None:
        """Write one line to it; one that has ended does not hear it."""
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def report(self) -> Report:
        """What it says when it is done."""
        return msgspec.json.decode(self._line(), type=Report)

    def _line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Poured(msgspec.Struct, frozen=True):
    """How a receiver kept up."""

    stored: int
    sent: int
    elapsed_s: float


def pour(plan: Plan, progress: Progress, *, window: int = _WINDOW) -> Poured:
    """Send as fast as a receiver takes it; ends when all is stored, or nothing was for a while."""
    count = plan.sources * plan.ports
    with Sending(plan) as sending:
        before = progress()
        begin_s = last_s = time.monotonic()
        sending.tell(msgspec.json.encode(Command("pour", window=window)))
        stored = 0
        while stored < count:
            time.sleep(_LOOK_EVERY_S)
            now = progress() - before
            now_s = time.monotonic()
            if now > stored:
                last_s = now_s
            elif now_s - last_s > _STALLED_S:
                break
            stored = now
            sending.tell(str(stored).encode())
        return Poured(stored, count, last_s - begin_s)


def _poured(system: RunningSystem, name: str, plan: Plan, progress: Progress, say: Say) -> Figure:
    before = family(system.pid)
    result = pour(plan, progress)
    used = spent(before, family(system.pid))
    if result.stored != result.sent:
        raise BenchError(f"{name}: {result.sent} traps were sent, {result.stored} stored")
    per_s = result.sent / result.elapsed_s
    note = (
        f"{result.sent} distinct, ten varbinds, none lost; processor {used.worker_cpu_s / result.sent * 1e6:.0f} us"
        f" each in the network process, {used.store_cpu_s / result.sent * 1e6:.0f} us in the store"
    )
    say(f"traps: {per_s:,.0f} a second")
    return _figure(name, per_s, "1/s", note)


def _paced(plan: Plan, progress: Progress) -> list[Figure]:
    """Traps at a pace; informs among them tell how soon an alarm is durable."""
    with Sending(plan) as sending:
        before = progress()
        sending.tell(msgspec.json.encode(Command("offer", per_s=_PACE_PER_S)))
        report = sending.report()
    if report.unanswered or not report.latencies_ms:
        raise BenchError(f"traps: {report.unanswered} informs were never acknowledged")
    sent = report.sent + len(report.latencies_ms)
    give_up_s = time.monotonic() + _STALLED_S
    while (stored := progress() - before) < sent and time.monotonic() < give_up_s:
        time.sleep(_LOOK_EVERY_S)
    if stored != sent:
        raise BenchError(f"traps: {sent} were sent at a pace, {stored} stored")
    note = f"{len(report.latencies_ms)} informs among traps at {report.sent / report.elapsed_s:,.0f}/s, none lost"
    latencies = report.latencies_ms
    return [
        _figure("traps_durable_p50_ms", statistics.median(latencies), "ms", note),
        _figure("traps_durable_p99_ms", latencies[int(len(latencies) * 0.99)], "ms", note),
    ]


def _others(
    name: str, plan: Plan, progress: Progress, note: str, say: Say, *, window: int = _WINDOW
) -> Figure:
    result = pour(plan, progress, window=window)
    lost = f", {result.sent - result.stored} of {result.sent} lost" if result.stored < result.sent else ""
    per_s = result.stored / result.elapsed_s if result.elapsed_s else 0.0
    say(f"traps: {name} {per_s:,.0f}")
    return _figure(name, per_s, "1/s", note + lost)


# --- The list by HTTP ---------------------------------------------------------------------------------------------


def _get(system: RunningSystem, query: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection(*system.address("http"), timeout=60)
    try:
        connection.request("GET", f"/api/v1/alarms{query}")
        response = connection.getresponse()
        octets = response.read()
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise BenchError(f"traps: /api/v1/alarms{query}: status {response.status}")
    return msgspec.json.decode(octets)


def _check_list(system: RunningSystem, *, active: int, cleared: int) -> None:
    """The list must come to what was sent, soon."""
    give_up_s = time.monotonic() + 60
    while True:
        held = _get(system, "?source=&alarm_type=link-down&cleared=false&limit=1")["total"]
        over = _get(system, "?alarm_type=link-down&cleared=true&limit=1")["total"]
        if (held, over) == (active, cleared):
            return
        if time.monotonic() > give_up_s:
            raise BenchError(
                f"traps: {held} alarms stand and {over} are over; {active} and {cleared} were sent"
            )
        time.sleep(0.2)


def _list_figures(system: RunningSystem, count: int) -> list[Figure]:
    note = f"{count} active alarms, by HTTP, median of {_QUERIES}"
    return [
        _figure("traps_list_100000_ms", _median_ms(system, "?limit=100"), "ms", f"first hundred; {note}"),
        _figure(
            "traps_filter_100000_ms",
            _median_ms(system, "?severity=major&cleared=false&text=ge-77&sort=-severity&limit=100"),
            "ms",
            f"by severity, clearance and a word of the text; {note}",
        ),
    ]


def _median_ms(system: RunningSystem, query: str) -> float:
    elapsed: list[float] = []
    for _ in range(_QUERIES):
        begin_s = time.perf_counter()
        _get(system, query)
        elapsed.append((time.perf_counter() - begin_s) * 1e3)
    return statistics.median(elapsed)


def _figure(name: str, value: float, unit: str, note: str) -> Figure:
    return Figure(name, round(value, 2), unit, _GOALS.get(name, ""), note)
