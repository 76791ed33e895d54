"""Group topup against a real system: few accounts, one top-up, audited; and against servers that do not play along."""

from pathlib import Path
from typing import Any

import pytest

from bench import topup
from bench.gy import BenchError
from bench.templates import INITIAL, LoadPlan


def plan(server: Any, accounts: int = 5) -> LoadPlan:
    return LoadPlan(host="127.0.0.1", port=server.port, run=7, accounts=accounts)


def test_topped_up_sessions_are_resumed_and_audited(tmp_path: Path) -> None:
    said: list[str] = []
    figures = topup.run_topup(tmp_path, duration_s=0.03, accounts=4, say=said.append)
    assert [figure.name for figure in figures] == [
        "topup_resumed_p50_ms",
        "topup_resumed_p99_ms",
        "topup_resumed_max_ms",
    ]
    assert all(figure.value > 0 for figure in figures)
    assert figures[1].goal == "under 200"
    assert "3 top-ups" in figures[0].note
    assert said[-1].startswith("topup: auditing")


def test_wrong_answers_are_counted(server: Any) -> None:
    server.reply = lambda request: 5012
    with topup.Gateway(plan(server)) as gateway:
        gateway.of_all(INITIAL)
        assert gateway.failures == {"5012 to type 1": 5}


def test_silent_server_is_given_up(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topup, "_SILENCE_S", 0.1)
    server.reply = lambda request: 0
    with topup.Gateway(plan(server)) as gateway, pytest.raises(BenchError, match="silent"):
        gateway.of_all(INITIAL)
