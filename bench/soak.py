"""Group ``soak``: does anything grow that should not, at a fixed rate for a long time?

One worker, every answer fsynced; the business side reads and acknowledges, and ``ocs up`` trims. Every ten seconds the
memory of each process, the store's file and the streams are noted. In the end every octet that was acknowledged must
stand in the events that were read, and the store must audit clean.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from bench.accounts import create_accounts, open_store, subscriber_id, verify
from bench.business_side import BusinessSide
from bench.figures import Figure
from bench.gy import BenchError, check_phase
from bench.load import LoadGenerator
from bench.processes import ProcessUse, family, process_use
from bench.pump import PhaseResult
from bench.templates import LoadPlan
from ocs.balance.keys import events_key
from ocs.balance.store_client import StoreClient
from simulators.system import lab_config, running_system

_SAMPLE_INTERVAL_S: Final = 10.0
_PHASE_S: Final = 60.0
# Without a rate, half of what the system can is offered: so it is measured first.
_CAPACITY_S: Final = 15.0
_CAPACITY_IN_FLIGHT: Final = 64
_LOAD: Final = 0.5
_ACCEPTED: Final = frozenset({2001, 3004})
_MIB: Final = 1_048_576
_PARTS: Final = ("worker", "store", "parent", "http", "generator")

Say = Callable[[str], None]


class Sample(msgspec.Struct, frozen=True):
    """The system at one time.

    Attributes:
        at_s: since the load began.
        resident_mib: part of the system to its memory.
        aof_mib: the store's append-only file; rewrites: how often it was written anew.
        used_mib: what the store itself counts as its data.
        events_kept: in the streams; events_read: by the business side so far.
    """

    at_s: float
    resident_mib: dict[str, float]
    aof_mib: float
    rewrites: int
    used_mib: float
    events_kept: int
    events_read: int


class SoakResult(msgspec.Struct, frozen=True):
    """What is saved of a soak: the phases with their latencies, and the samples."""

    rate_per_s: float
    phases: list[PhaseResult]
    samples: list[Sample]


def run_soak(
    folder: Path, *, minutes: float, rate_per_s: float, accounts: int, samples: Path, say: Say
) -> list[Figure]:
    """Run the load and tell what grew.

    Args:
        folder: an empty folder for the data.
        rate_per_s: requests offered; 0 offers half of what the system can.
        samples: where everything that was noted is saved, as JSON.

    Raises:
        BenchError: a wrong answer, a difference in the books, or a reader that stopped.
    """
    data_dir = folder / "soak"
    overrides = {"OCS_CHARGING__WORKERS": "1", "OCS_STORE__DURABILITY": "fsync"}
    with running_system(config=lab_config(), data_dir=data_dir, overrides=overrides) as system:
        host, port = system.address("diameter")
        plan = LoadPlan(host=host, port=port, run=int(time.time()), accounts=accounts)
        say(f"soak: creating {accounts} accounts")
        create_accounts(data_dir, plan, accounts)
        client, partitions = open_store(data_dir)
        with BusinessSide(client, partitions) as reader, LoadGenerator(plan) as load:
            check_phase("soak: opening", load.open_sessions())
            rate_per_s = rate_per_s or _half_of_capacity(load)
            say(f"soak: {rate_per_s:,.0f} requests per second for {minutes:g} minutes")
            with Sampler(client, partitions, system.pid, load.pid, reader, say) as sampler:
                phases = offer(load, rate_per_s=rate_per_s, duration_s=minutes * 60)
            check_phase("soak: closing", load.close_sessions())
            acknowledged = load.tally().acknowledged_octets
            reader.stop()
            reader.read_all()
        result = SoakResult(rate_per_s, phases, sampler.samples)
        samples.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
        if reader.failure or sampler.failure:
            raise BenchError(f"soak: {reader.failure or sampler.failure}")
        compare(plan, acknowledged, reader)
        report = verify(client, partitions)
        client.close()
    if not report.is_clean:
        raise BenchError(f"soak: the audit found {dict(report.by_kind)}: {report.findings[0]}")
    return soak_figures(result)


def _half_of_capacity(load: LoadGenerator) -> float:
    phase = load.update(in_flight=_CAPACITY_IN_FLIGHT, duration_s=_CAPACITY_S)
    check_phase("soak: capacity", phase)
    return _LOAD * phase.requests / phase.elapsed_s


def offer(load: LoadGenerator, *, rate_per_s: float, duration_s: float) -> list[PhaseResult]:
    """Offer the rate, a minute at a time, so that a slow minute shows."""
    phases: list[PhaseResult] = []
    end_s = time.monotonic() + duration_s
    while (left_s := end_s - time.monotonic()) > 1 or not phases:
        phase = load.offer(rate_per_s=rate_per_s, duration_s=min(_PHASE_S, max(left_s, 1)))
        if not set(phase.results) <= _ACCEPTED or phase.unanswered:
            raise BenchError(f"soak: results {phase.results}, {phase.unanswered} unanswered")
        phases.append(phase)
    return phases


def compare(plan: LoadPlan, acknowledged: list[int], reader: BusinessSide) -> None:
    """Each subscriber's acknowledged octets against the events that the business side has read."""
    for account, octets in enumerate(acknowledged):
        name = subscriber_id(plan, account)
        if reader.debited_octets[name] != octets:
            raise BenchError(
                f"soak: {name}: {octets} octets acknowledged, {reader.debited_octets[name]} in the events"
            )


class Sampler:
    """Notes every ten seconds how the system is while a ``with`` block lasts, in a thread of its own.

    Attributes:
        samples: the oldest first.
        failure: why noting ended before its time; empty while it goes on.
    """

    def __init__(
        self,
        client: StoreClient,
        partitions: int,
        system: int,
        generator: int,
        reader: BusinessSide,
        say: Say,
    ) -> None:
        self._client: Any = client
        self._streams = [events_key(partition) for partition in range(partitions)]
        self._system = system
        self._generator = generator
        self._reader = reader
        self._say = say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._began_s = time.monotonic()
        self.samples: list[Sample] = []
        self.failure = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                sample = self._look()
                self.samples.append(sample)
                self._say(f"soak: {_told(sample)}")
                if self._stop.wait(_SAMPLE_INTERVAL_S):
                    return
        except Exception as error:  # noqa: BLE001 - a thread's end must be seen: the soak looks at it
            self.failure = f"{type(error).__name__}: {error}"

    def _look(self) -> Sample:
        information: dict[str, Any] = self._client.info()
        pipeline = self._client.pipeline(transaction=False)
        for stream in self._streams:
            pipeline.xlen(stream)
        return Sample(
            at_s=round(time.monotonic() - self._began_s, 1),
            resident_mib=resident_mib(family(self._system), self._system, self._generator),
            aof_mib=round(information["aof_current_size"] / _MIB, 1),
            rewrites=int(information["aof_rewrites"]),
            used_mib=round(information["used_memory"] / _MIB, 1),
            events_kept=sum(pipeline.execute()),
            events_read=self._reader.read,
        )


def resident_mib(system: dict[int, ProcessUse], root: int, generator: int) -> dict[str, float]:
    """Memory of each part of the system, in MiB; several processes of a part are added."""
    found: dict[str, float] = dict.fromkeys(_PARTS, 0.0)
    for use in system.values():
        found[_part_of(use, root)] += use.resident_octets / _MIB
    with contextlib.suppress(ProcessLookupError):
        found["generator"] = process_use(generator).resident_octets / _MIB
    return {part: round(mib, 1) for part, mib in found.items()}


def _part_of(use: ProcessUse, root: int) -> str:
    if use.pid == root:
        return "parent"
    if use.is_store:
        return "store"
    return "http" if " ocs http" in use.name else "worker"


def _told(sample: Sample) -> str:
    parts = ", ".join(f"{part} {mib:g}" for part, mib in sample.resident_mib.items() if mib)
    return (
        f"{sample.at_s:.0f} s: MiB {parts}; AOF {sample.aof_mib:g} MiB, {sample.rewrites} rewrites; data"
        f" {sample.used_mib:g} MiB; {sample.events_kept} events kept, {sample.events_read} read"
    )


def soak_figures(result: SoakResult) -> list[Figure]:
    """What a soak says in short; growth counts from a quarter of its time on, when caches are full."""
    phases, samples = result.phases, result.samples
    warm = samples[len(samples) // 4]
    last = samples[-1]
    requests = sum(phase.requests for phase in phases)
    note = f"{requests} requests in {sum(phase.elapsed_s for phase in phases) / 60:.1f} min"
    figures = [
        _figure("soak_ccr_per_s", requests / sum(phase.elapsed_s for phase in phases), "1/s", note),
        _figure("soak_refused", sum(phase.refused for phase in phases), "", "answers 3004"),
        _figure("soak_p99_ms", max(phase.latencies_ms["p99"] for phase in phases), "ms", "the worst minute"),
        _figure("soak_aof_mib_max", max(sample.aof_mib for sample in samples), "MiB", ""),
        _figure("soak_aof_rewrites", last.rewrites - samples[0].rewrites, "", ""),
        _figure("soak_events_kept_max", max(sample.events_kept for sample in samples), "", "not trimmed yet"),
        _figure("soak_store_data_mib_growth", last.used_mib - warm.used_mib, "MiB", _growth_note(warm, last)),
    ]
    for part in _PARTS:
        figures += [
            _figure(f"soak_{part}_rss_mib", last.resident_mib[part], "MiB", "at the end"),
            _figure(
                f"soak_{part}_rss_mib_growth",
                last.resident_mib[part] - warm.resident_mib[part],
                "MiB",
                _growth_note(warm, last),
            ),
        ]
    return figures


def _growth_note(warm: Sample, last: Sample) -> str:
    return f"from {warm.at_s / 60:.1f} to {last.at_s / 60:.1f} min"


def _figure(name: str, value: float, unit: str, note: str) -> Figure:
    return Figure(name, round(value, 4), unit, "", note)
