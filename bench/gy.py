"""Group ``gy``: credit-control requests per second and their latency, on the real system."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bench.accounts import audit_accounts, create_accounts
from bench.figures import Figure
from bench.load import LoadGenerator
from bench.processes import ProcessUse, Spent, family, spent
from bench.pump import PhaseResult
from bench.templates import LoadPlan
from simulators.system import RunningSystem, lab_config, running_system

IN_FLIGHT: Final = (1, 16, 64, 256)
# Three prices of the bench's offer: browsing, video and messaging.
_THREE_RATING_GROUPS: Final = (10, 2, 3)
# Where the processor time per request is measured: the load of the throughput goal.
_COST_IN_FLIGHT: Final = 64
_ACCOUNTS: Final = 10_000
_MILLION: Final = 1_000_000
_MIB: Final = 1_048_576
_QUANTILES: Final = ("p50", "p99", "p999")
_GOALS: Final = {
    "gy_ccr_per_s_64": "at least 15000",
    "gy_p99_ms_64": "under 10",
    "gy_p50_ms_1": "under 1",
    "gy_million_accounts_store_mib": "under 1024",
}

Say = Callable[[str], None]


class BenchError(RuntimeError):
    """The system gave wrong answers under load, so that its figures mean nothing."""


def run_embedded(folder: Path, *, duration_s: float, accounts: int, say: Say) -> list[Figure]:
    """Measure a system of our own: one worker, two connections, every answer fsynced, audited afterwards.

    Args:
        folder: an empty folder for the data.
        duration_s: of each measured phase.
        say: takes one line of progress.

    Raises:
        BenchError: an answer was not a success, or the audit found a difference.
    """
    data_dir = folder / "gy"
    overrides = {"OCS_CHARGING__WORKERS": "1", "OCS_STORE__DURABILITY": "fsync"}
    with running_system(config=lab_config(), data_dir=data_dir, overrides=overrides) as system:
        host, port = system.address("diameter")
        plan = LoadPlan(host=host, port=port, run=int(time.time()), accounts=accounts)
        say(f"gy: creating {accounts} accounts")
        create_accounts(data_dir, plan, accounts)
        figures, acknowledged = measure(plan, duration_s=duration_s, say=say, system=system)
        say("gy: auditing balances and event streams")
        differences = audit_accounts(data_dir, plan, acknowledged)
    if differences:
        raise BenchError(f"{len(differences)} accounts differ, the first: {differences[0]}")
    return figures


def measure(
    plan: LoadPlan, *, duration_s: float, say: Say, system: RunningSystem | None
) -> tuple[list[Figure], list[int]]:
    """Measure requests with one rating group, then the same accounts' requests with three.

    Args:
        system: the system under load, for the cost of its processes; None when it runs elsewhere.

    Returns:
        The figures, and the acknowledged octets of each account.

    Raises:
        BenchError: an answer was not a success, or a request was never answered.
    """
    figures, acknowledged = _measure_sessions(plan, "", duration_s=duration_s, say=say, system=system)
    # Sessions of their own, from which the others are told by the number of the run.
    wider = msgspec.structs.replace(plan, run=plan.run + 1, rating_groups=_THREE_RATING_GROUPS)
    more, acknowledged_too = _measure_sessions(wider, "_3rg", duration_s=duration_s, say=say, system=system)
    octets = [one + three for one, three in zip(acknowledged, acknowledged_too, strict=True)]
    return figures + more, octets


def _measure_sessions(
    plan: LoadPlan, suffix: str, *, duration_s: float, say: Say, system: RunningSystem | None
) -> tuple[list[Figure], list[int]]:
    """Open a session for each account, measure each load, close the sessions."""
    figures: list[Figure] = []
    with LoadGenerator(plan) as load:
        say(f"gy: opening {plan.accounts} sessions, rating groups {plan.rating_groups}")
        check_phase("opening", load.open_sessions())
        for in_flight in IN_FLIGHT:
            before = family(system.pid) if system else {}
            phase = load.update(in_flight=in_flight, duration_s=duration_s)
            after = family(system.pid) if system else {}
            check_phase(f"{in_flight} in flight", phase)
            figures += _phase_figures(f"{suffix}_{in_flight}", phase)
            if in_flight == _COST_IN_FLIGHT:
                figures += _cost_figures(suffix, phase, before, after)
            say(f"gy: {in_flight} in flight: {phase.requests / phase.elapsed_s:,.0f}/s, {phase.latencies_ms}")
        check_phase("closing", load.close_sessions())
        return figures, load.tally().acknowledged_octets


def check_phase(what: str, phase: PhaseResult) -> None:
    """Raise BenchError unless every request was answered, with success or in the end so, and granted something."""
    # 3004 under more load than a node takes is an answer too: the request was sent again until it was taken.
    failed = {code: count for code, count in phase.results.items() if code not in {2001, 3004}}
    if failed or phase.unanswered or phase.without_grant:
        raise BenchError(
            f"{what}: results {failed}, {phase.unanswered} unanswered, {phase.without_grant} sampled without grant"
        )


def _phase_figures(suffix: str, phase: PhaseResult) -> list[Figure]:
    note = f"{phase.requests} requests in {phase.elapsed_s:.1f} s, {phase.refused} refused as too busy and sent again"
    figures = [_figure(f"gy_ccr_per_s{suffix}", phase.requests / phase.elapsed_s, "1/s", note)]
    return figures + [
        _figure(f"gy_{quantile}_ms{suffix}", phase.latencies_ms[quantile], "ms", "")
        for quantile in _QUANTILES
    ]


def _cost_figures(
    suffix: str, phase: PhaseResult, before: dict[int, ProcessUse], after: dict[int, ProcessUse]
) -> list[Figure]:
    requests = sum(phase.results.values())
    note = f"at {_COST_IN_FLIGHT} in flight"
    figures = [_figure(f"gy_generator_cpu_us_per_ccr{suffix}", phase.cpu_s / requests * 1e6, "us", note)]
    if after:
        use = spent(before, after)
        figures += [
            _figure(f"gy_worker_cpu_us_per_ccr{suffix}", use.worker_cpu_s / requests * 1e6, "us", note),
            _figure(f"gy_store_cpu_us_per_ccr{suffix}", use.store_cpu_s / requests * 1e6, "us", note),
            _figure(f"gy_worker_rss_mib{suffix}", use.worker_resident_octets / _MIB, "MiB", note),
            _figure(f"gy_store_rss_mib{suffix}", use.store_resident_octets / _MIB, "MiB", note),
        ]
    return figures


def _figure(name: str, value: float, unit: str, note: str) -> Figure:
    return Figure(name, round(value, 4), unit, _GOALS.get(name, ""), note)


def measure_million_accounts(
    folder: Path, loader: Callable[[Path, LoadPlan, int], None], *, say: Say, count: int = _MILLION
) -> list[Figure]:
    """Fill a store with a million accounts and charge a tenth of them: memory of store and worker.

    Args:
        folder: an empty folder for the data.
        loader: creates accounts in bulk, as :func:`bench.accounts.create_accounts` does.
    """
    data_dir = folder / "million"
    overrides = {"OCS_CHARGING__WORKERS": "1", "OCS_STORE__DURABILITY": "fsync"}
    with running_system(config=lab_config(), data_dir=data_dir, overrides=overrides) as system:
        host, port = system.address("diameter")
        plan = LoadPlan(host=host, port=port, run=int(time.time()), accounts=max(1, count // 10))
        say(f"gy: creating {count} accounts")
        loader(data_dir, plan, count)
        before = family(system.pid)
        say(f"gy: opening {plan.accounts} sessions")
        with LoadGenerator(plan) as load:
            phase = load.open_sessions()
            use: Spent = spent(before, family(system.pid))
            check_phase("opening", phase)
            check_phase("closing", load.close_sessions())
    note = f"{count} accounts, {plan.accounts} sessions open"
    return [
        _figure("gy_million_accounts_store_mib", use.store_resident_octets / _MIB, "MiB", note),
        _figure("gy_million_accounts_worker_rss_mib", use.worker_resident_octets / _MIB, "MiB", note),
    ]
