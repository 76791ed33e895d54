"""Group soak: whose memory it is, what counts as growth, and refusal to report what does not add up."""

from types import SimpleNamespace
from typing import Any

import pytest

from bench.gy import BenchError
from bench.load import LoadGenerator
from bench.processes import ProcessUse
from bench.pump import PhaseResult
from bench.soak import Sample, SoakResult, compare, offer, resident_mib, soak_figures
from bench.templates import LoadPlan

PLAN = LoadPlan(host="127.0.0.1", port=3868, run=1, accounts=2)


def use(pid: int, name: str, mib: int, *, store: bool = False) -> ProcessUse:
    return ProcessUse(pid, 1, name, store, 0.0, mib << 20)


def sample(minute: int, mib: float) -> Sample:
    parts: dict[str, float] = dict.fromkeys(("worker", "store", "parent", "http", "generator"), mib)
    return Sample(
        minute * 60,
        parts,
        aof_mib=10 * minute,
        rewrites=minute // 2,
        used_mib=mib,
        events_kept=minute,
        events_read=0,
    )


def phase(requests: int, p99: float) -> PhaseResult:
    return PhaseResult(requests, 60, {"p99": p99}, {2001: requests}, 1, requests, 0, 0, 0, 1.0, 0)


def test_each_process_is_counted_where_it_belongs() -> None:
    system = {
        1: use(1, "python ocs up", 1),
        2: use(2, "python -m ocs charging", 20),
        3: use(3, "python -m ocs charging", 30),
        4: use(4, "python -m ocs http", 4),
        5: use(5, "valkey-server", 5, store=True),
    }
    found = resident_mib(system, root=1, generator=2**30)
    assert found == {"parent": 1, "worker": 50, "http": 4, "store": 5, "generator": 0}


def test_growth_counts_from_a_quarter_of_the_time_on() -> None:
    samples = [sample(minute, mib) for minute, mib in enumerate((10, 50, 51, 51, 52))]
    figures = {
        figure.name: figure
        for figure in soak_figures(SoakResult(100, [phase(6_000, 3), phase(6_000, 9)], samples))
    }
    assert figures["soak_worker_rss_mib_growth"].value == 2
    assert figures["soak_worker_rss_mib"].value == 52
    assert figures["soak_ccr_per_s"].value == 100
    assert figures["soak_p99_ms"].value == 9 and figures["soak_refused"].value == 2
    assert figures["soak_aof_mib_max"].value == 40 and figures["soak_aof_rewrites"].value == 2
    assert figures["soak_events_kept_max"].value == 4


def test_octets_that_the_events_lack_are_no_figures() -> None:
    reader: Any = SimpleNamespace(debited_octets={"L491720000000": 5, "L491720000001": 6})
    compare(PLAN, [5, 6], reader)
    with pytest.raises(BenchError, match="L491720000001: 7 octets acknowledged, 6 in the events"):
        compare(PLAN, [5, 7], reader)


def test_rate_is_offered_and_a_wrong_answer_ends_it(server: Any) -> None:
    with LoadGenerator(LoadPlan(host="127.0.0.1", port=server.port, run=7, accounts=50)) as load:
        load.open_sessions()
        (only,) = offer(load, rate_per_s=100, duration_s=0.1)
        assert 0 < only.offered <= 150
        server.reply = lambda request: 5012
        with pytest.raises(BenchError, match="5012"):
            offer(load, rate_per_s=100, duration_s=0.1)
