"""Group ``scale``: what a request costs in each process, what overload does, and one account that everybody charges.

Costs are processor time per request, each process counted apart, with the workers on one core and the store and the
generator on another: what :doc:`docs/capacity.md` computes with. Throughput here says what two cores do, not what
the software can.
"""

import os
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.accounts import audit_accounts, create_accounts
from bench.figures import Figure
from bench.gy import BenchError, check_phase
from bench.load import LoadGenerator
from bench.processes import ProcessUse, family, pin, process_use, spent
from bench.templates import LoadPlan
from simulators.system import RunningSystem, lab_config, running_system
from tests.support.store_servers import cluster

# Workers and store nodes.
_SHAPES: Final = ((1, 1), (2, 1), (1, 3), (2, 3))
_COST_IN_FLIGHT: Final = 64
# As many as a worker always admits (limits.REQUESTS_ADMITTED_MIN): more could be refused, and are no capacity.
_CAPACITY_IN_FLIGHT: Final = 64
_OVERLOAD: Final = 2.0
_POOL_IN_FLIGHT: Final = 64
_CONNECTIONS_PER_WORKER: Final = 4
_ANSWERS_UNDER_OVERLOAD: Final = frozenset({2001, 3004})
_GOALS: Final = {
    "overload_goodput_ratio": "at least 0.9",
    "overload_p99_ms": "under 50",
}

Say = Callable[[str], None]


def run_scale(folder: Path, *, duration_s: float, accounts: int, say: Say) -> list[Figure]:
    """Measure costs, overload and a hot account, each on a fresh system, each audited.

    Args:
        folder: an empty folder for the data.
        duration_s: of each measured phase.

    Raises:
        BenchError: an answer that no load explains, or the audit found a difference.
    """
    figures: list[Figure] = []
    for workers, nodes in _SHAPES:
        figures += _measure_cost(folder, workers, nodes, duration_s=duration_s, accounts=accounts, say=say)
    figures += _measure_overload(folder, duration_s=duration_s, accounts=accounts, say=say)
    return figures + _measure_pool(folder, duration_s=duration_s, accounts=accounts, say=say)


@contextmanager
def _loaded(
    folder: Path,
    name: str,
    plan_of: Callable[[str, int], LoadPlan],
    *,
    workers: int,
    say: Say,
    store_url: str = "",
) -> Generator[tuple[RunningSystem, LoadGenerator]]:
    """A fresh system with a session open for each account; in the end they are closed and the books compared."""
    data_dir = folder / name
    overrides = {
        "OCS_CHARGING__WORKERS": str(workers),
        "OCS_STORE__DURABILITY": "fsync",
        "OCS_STORE__URL": store_url,
    }
    with running_system(config=lab_config(), data_dir=data_dir, overrides=overrides) as system:
        plan = plan_of(*system.address("diameter"))
        say(f"scale: {name}: creating {plan.accounts} subscribers")
        create_accounts(data_dir, plan, plan.accounts, store_url)
        with LoadGenerator(plan) as load:
            check_phase(f"{name}: opening", load.open_sessions())
            yield system, load
            check_phase(f"{name}: closing", load.close_sessions())
            tally = load.tally()
        differences = audit_accounts(data_dir, plan, tally.acknowledged_octets, store_url)
    if differences:
        raise BenchError(f"{name}: {len(differences)} differences, the first: {differences[0]}")


def _plan(workers: int, accounts: int, *, pool: bool = False) -> Callable[[str, int], LoadPlan]:
    connections = _CONNECTIONS_PER_WORKER * workers
    return lambda host, port: LoadPlan(
        host=host, port=port, run=int(time.time()), accounts=accounts, connections=connections, pool=pool
    )


def _measure_cost(
    folder: Path, workers: int, nodes: int, *, duration_s: float, accounts: int, say: Say
) -> list[Figure]:
    name = f"scale_workers{workers}_nodes{nodes}"
    with ExitStack() as stack:
        stores = (
            stack.enter_context(cluster(folder / f"{name}_store", primaries=nodes)) if nodes > 1 else None
        )
        url = "" if stores is None else stores.url
        loaded = _loaded(folder, name, _plan(workers, accounts), workers=workers, say=say, store_url=url)
        system, load = stack.enter_context(loaded)

        def processes() -> dict[int, ProcessUse]:
            own = [] if stores is None else [server.process.pid for server in stores.nodes]
            return family(system.pid) | {pid: process_use(pid) for pid in own}

        _spread(processes(), load.pid)
        before = processes()
        phase = load.update(in_flight=_COST_IN_FLIGHT * workers, duration_s=duration_s)
        use = spent(before, processes())
        check_phase(name, phase)
    note = (
        f"workers ({workers}) on one core, store nodes ({nodes}) and generator on another;"
        f" {phase.requests} requests"
    )
    return [
        _figure(f"{name}_ccr_per_s", phase.requests / phase.elapsed_s, "1/s", note),
        _figure(f"{name}_worker_cpu_us", use.others_cpu_s / phase.requests * 1e6, "us", note),
        _figure(f"{name}_store_cpu_us", use.store_cpu_s / phase.requests * 1e6, "us", note),
        _figure(f"{name}_generator_cpu_us", phase.cpu_s / phase.requests * 1e6, "us", note),
    ]


def _spread(system: dict[int, ProcessUse], generator: int) -> None:
    """Workers on the first core that we may use, everything else on the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    for use in system.values():
        pin(use.pid, set(others or [first]) if use.is_store else {first})
    pin(generator, set(others or [first]))


def _measure_overload(folder: Path, *, duration_s: float, accounts: int, say: Say) -> list[Figure]:
    with _loaded(folder, "overload", _plan(1, accounts), workers=1, say=say) as (system, load):
        _spread(family(system.pid), load.pid)
        return overload(load, duration_s=duration_s, say=say)


def overload(load: LoadGenerator, *, duration_s: float, say: Say) -> list[Figure]:
    """Find what the system can do, then offer twice as much by the clock.

    Raises:
        BenchError: an answer that is neither a success nor 3004, or none at all.
    """
    full = load.update(in_flight=_CAPACITY_IN_FLIGHT, duration_s=duration_s)
    check_phase("overload: capacity", full)
    capacity_per_s = full.requests / full.elapsed_s
    say(f"scale: overload: capacity {capacity_per_s:,.0f}/s, offering {_OVERLOAD:g} times that")
    phase = load.offer(rate_per_s=_OVERLOAD * capacity_per_s, duration_s=duration_s)
    if not set(phase.results) <= _ANSWERS_UNDER_OVERLOAD or phase.unanswered:
        raise BenchError(f"overload: results {phase.results}, {phase.unanswered} unanswered")
    goodput_per_s = phase.requests / phase.elapsed_s
    note = f"{phase.offered} offered, {phase.requests} accepted, {phase.refused} refused with 3004"
    return [
        _figure("overload_capacity_per_s", capacity_per_s, "1/s", f"{_CAPACITY_IN_FLIGHT} in flight"),
        _figure("overload_offered_per_s", phase.offered / phase.elapsed_s, "1/s", note),
        _figure("overload_goodput_per_s", goodput_per_s, "1/s", note),
        _figure("overload_goodput_ratio", goodput_per_s / capacity_per_s, "", note),
        _figure("overload_p99_ms", phase.latencies_ms["p99"], "ms", "of what was accepted"),
    ]


def _measure_pool(folder: Path, *, duration_s: float, accounts: int, say: Say) -> list[Figure]:
    """One account, many SIMs, two workers."""
    with _loaded(folder, "pool", _plan(2, accounts, pool=True), workers=2, say=say) as (_, load):
        phase = load.update(in_flight=_POOL_IN_FLIGHT, duration_s=duration_s)
        check_phase("pool", phase)
    note = f"{accounts} SIMs on one account, two workers, {_POOL_IN_FLIGHT} in flight"
    return [
        _figure("hot_account_ccr_per_s", phase.requests / phase.elapsed_s, "1/s", note),
        _figure("hot_account_p99_ms", phase.latencies_ms["p99"], "ms", note),
    ]


def _figure(name: str, value: float, unit: str, note: str) -> Figure:
    return Figure(name, round(value, 4), unit, _GOALS.get(name, ""), note)
