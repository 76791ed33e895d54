"""Group scale against a server of ours: what its figures are made of, and refusal to report nonsense."""

from itertools import count
from typing import Any

import pytest

from bench import scale
from bench.gy import BenchError
from bench.load import LoadGenerator
from bench.templates import LoadPlan


def plan(server: Any) -> LoadPlan:
    return LoadPlan(host="127.0.0.1", port=server.port, run=7, accounts=300)


def test_overload_tells_what_was_offered_accepted_and_refused(server: Any) -> None:
    turns = count()
    with LoadGenerator(plan(server)) as load:
        load.open_sessions()

        def begin_to_refuse(line: str) -> None:
            assert "capacity" in line
            server.reply = lambda request: 3004 if next(turns) % 2 else 2001

        figures = scale.overload(load, duration_s=0.2, say=begin_to_refuse)
    by_name = {figure.name: figure for figure in figures}
    assert by_name["overload_goodput_per_s"].value < by_name["overload_offered_per_s"].value
    assert by_name["overload_goodput_ratio"].goal == "at least 0.9"
    assert by_name["overload_p99_ms"].value > 0
    assert "refused with 3004" in by_name["overload_goodput_per_s"].note


def test_answers_that_overload_does_not_explain_make_no_figures(server: Any) -> None:
    with LoadGenerator(plan(server)) as load:
        load.open_sessions()
        server.reply = lambda request: 5012
        with pytest.raises(BenchError, match=r"overload: capacity: results \{5012"):
            scale.overload(load, duration_s=0.05, say=lambda line: None)
