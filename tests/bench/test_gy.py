"""Group gy against a server of ours: names of the figures, and refusal to report nonsense."""

from typing import Any

import pytest

from bench import gy
from bench.templates import LoadPlan


def plan(server: Any) -> LoadPlan:
    return LoadPlan(host="127.0.0.1", port=server.port, run=7, accounts=300)


def test_each_load_has_its_figures(server: Any) -> None:
    said: list[str] = []
    figures, acknowledged = gy.measure(plan(server), duration_s=0.05, say=said.append, system=None)
    names = {figure.name: figure for figure in figures}
    for in_flight in (1, 16, 64, 256):
        for name in ("gy_ccr_per_s_", "gy_p50_ms_", "gy_p99_ms_", "gy_p999_ms_"):
            assert names[f"{name}{in_flight}"].value > 0
    assert names["gy_generator_cpu_us_per_ccr"].value > 0
    assert names["gy_ccr_per_s_64"].goal == "at least 15000"
    assert len(acknowledged) == 300
    assert said


def test_refused_requests_make_no_figures(server: Any) -> None:
    server.reply = lambda request: 5012
    with pytest.raises(gy.BenchError, match=r"opening: results \{5012: 300\}"):
        gy.measure(plan(server), duration_s=0.05, say=lambda line: None, system=None)
