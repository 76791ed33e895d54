"""Reloads under load, one after the other, also while workers are killed: no request is lost, none debited twice."""

import contextlib
import os
import signal

import pytest

from tests.endtoend.lab import System, running, wait_until
from tests.endtoend.traffic import Traffic

pytestmark = pytest.mark.long
RELOADS = 10


@pytest.fixture
def system(tmp_path):
    with running(tmp_path / "data", OCS_CHARGING__WORKERS="2") as system:
        yield system


def reloads_ended(system: System) -> int:
    """How many reloads are over, whatever became of them."""
    return sum(line["event"] in {"reloaded", "reload_failed"} for line in system.log_lines())


def test_ten_reloads_under_load_refuse_nothing(system: System) -> None:
    with Traffic(system, connections=8, accounts=500, in_flight=32) as traffic:
        for _ in range(RELOADS):
            traffic.advance(500)
            assert system.command("reload").splitlines() == ["replaced worker-0, worker-1"]
        traffic.advance(500)
        updates = traffic.settle()
    assert set(updates.results) == {2001}
    assert updates.reconnected >= 8 * RELOADS


def test_workers_killed_during_reloads_lose_and_double_nothing(system: System) -> None:
    with Traffic(system, connections=8, accounts=500, in_flight=32) as traffic:
        for number in range(RELOADS):
            traffic.advance(500)
            before = wait_until(system.workers, "a worker")
            ended = reloads_ended(system)
            os.kill(system.process.pid, signal.SIGHUP)
            # One that is about to be replaced, one whose successor is on its way, or that successor: the reload ends.
            if number % 3:
                wait_until(lambda before=before: system.workers() - before, "a successor")
            victims = system.workers() - before if number % 3 == 2 else before
            with contextlib.suppress(ProcessLookupError):  # it was faster
                os.kill(max(victims), signal.SIGKILL)
            wait_until(lambda ended=ended: reloads_ended(system) > ended, "the end of the reload")
            wait_until(lambda: len(system.workers()) == 2, "two workers")
        traffic.advance(500)
        updates = traffic.settle()
    assert set(updates.results) <= {2001, 3002, 3004}
