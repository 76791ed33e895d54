"""A pool of SIMs on one account, charged through two workers at once: nobody starves, no update is lost."""

import msgspec
import pytest
import trio

from bench.accounts import audit_accounts, create_accounts
from bench.load import LoadGenerator
from bench.templates import LoadPlan
from ocs.metrics import Snapshot
from ocs.worker_channel import WorkerChannel
from tests.endtoend.lab import System, running

pytestmark = [pytest.mark.long, pytest.mark.alone]
SIMS = 10_000
IN_FLIGHT = 64
DURATION_S = 10.0
# Of the requests, each of two workers must have answered at least so much: without turns one was seen to get 7 %.
FAIR_SHARE = 0.2


def counters(system: System, name: str) -> list[float]:
    """A counter of each worker, summed over its labels."""

    async def ask() -> list[float]:
        values: list[float] = []
        for number in range(2):
            channel = WorkerChannel(f"worker-{number}", system.data_dir / "run" / f"worker-{number}.sock")
            snapshot = msgspec.msgpack.decode(await channel.ask("metrics"), type=Snapshot)
            (family,) = [family for family in snapshot.families if family.name == name]
            values.append(sum(sample.value for sample in family.samples))
        return values

    return trio.run(ask)


def test_pool_of_ten_thousand_sims_is_charged_through_two_workers_without_starving_one(tmp_path) -> None:
    with running(tmp_path / "data", OCS_CHARGING__WORKERS="2") as system:
        host, port = system.address
        plan = LoadPlan(host=host, port=port, run=1, accounts=SIMS, connections=8, pool=True)
        create_accounts(system.data_dir, plan, SIMS)
        with LoadGenerator(plan) as load:
            assert load.open_sessions().results[2001] == SIMS
            before = counters(system, "ocs_diameter_requests_total")
            phase = load.update(in_flight=IN_FLIGHT, duration_s=DURATION_S)
            after = counters(system, "ocs_diameter_requests_total")
            closing = load.close_sessions()
            tally = load.tally()
        assert set(phase.results) | set(closing.results) <= {2001, 3004}
        assert phase.unanswered == closing.unanswered == 0
        shares = [now - then for then, now in zip(before, after, strict=True)]
        print(
            f"\nhot account: {phase.requests / phase.elapsed_s:,.0f}/s, {phase.latencies_ms},"
            f" requests by worker {shares}, lost races {counters(system, 'ocs_charging_conflicts_total')},"
            f" turns waited {counters(system, 'ocs_charging_turns_waited_total')}"
        )
        assert min(shares) >= FAIR_SHARE * sum(shares)
        assert audit_accounts(system.data_dir, plan, tally.acknowledged_octets) == []
