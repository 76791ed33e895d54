"""SIGKILL under load: what the network was told, what the balances say and what the event streams hold are equal.

The generator sends again what was not answered, with the T flag, as gateways do; `ocs up` starts what has died.
"""

import itertools
import os
import signal
from typing import Self

import pytest

from bench.accounts import audit_accounts, create_accounts
from bench.load import LoadGenerator
from bench.pump import PhaseResult
from bench.templates import LoadPlan
from ocs.balance.embedded import find_store
from tests.endtoend.lab import System, is_alive, running, wait_until

pytestmark = pytest.mark.long
KILLS = 20
PARENT_KILLS = 5
ACCOUNTS = 500
IN_FLIGHT = 32
BETWEEN_KILLS = 500
_runs = itertools.count(1)


class Load:
    """A generator at work on a system, and the comparison of the three books in the end."""

    def __init__(self, system: System) -> None:
        host, port = system.address
        self._system = system
        self.plan = LoadPlan(host=host, port=port, run=next(_runs), accounts=ACCOUNTS, answer_timeout_s=5.0)
        create_accounts(system.data_dir, self.plan, ACCOUNTS)
        self.generator = LoadGenerator(self.plan)

    def __enter__(self) -> Self:
        self.generator.__enter__()
        assert self.generator.open_sessions().results == {2001: ACCOUNTS}
        self.generator.start(in_flight=IN_FLIGHT)
        return self

    def __exit__(self, *_: object) -> None:
        self.generator.close()

    def advance(self) -> None:
        """Wait for so many more answers."""
        goal = self.generator.progress() + BETWEEN_KILLS
        wait_until(lambda: self.generator.progress() >= goal, f"{BETWEEN_KILLS} more answers")

    def settle_books(self) -> PhaseResult:
        """Stop, close all sessions, and compare the generator's tally with balances and streams, to the unit."""
        updates = self.generator.stop(drain_s=60.0)
        closing = self.generator.close_sessions(drain_s=60.0)
        tally = self.generator.tally()
        assert set(updates.results) <= {2001, 3002, 3004}
        assert updates.unanswered == closing.unanswered == 0
        assert sum(tally.refused_octets) == sum(tally.unanswered_octets) == 0
        assert sum(tally.acknowledged_octets) > 0
        assert audit_accounts(self._system.data_dir, self.plan, tally.acknowledged_octets) == []
        return updates


def store(system: System) -> int:
    address = find_store(system.data_dir)
    return 0 if address is None else address.pid


@pytest.fixture
def system(tmp_path, request):
    with running(tmp_path / "data", OCS_CHARGING__WORKERS=str(getattr(request, "param", 1))) as system:
        yield system


@pytest.mark.parametrize(
    ("system", "kills"),
    [(1, KILLS), (2, KILLS // 2)],
    ids=["the only worker", "one of two"],
    indirect=["system"],
)
def test_killed_workers_lose_and_double_nothing(system: System, kills: int) -> None:
    with Load(system) as load:
        for _ in range(kills):
            load.advance()
            before = wait_until(system.workers, "a worker")
            victim = min(before)
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda before=before: system.workers() - before, "another worker")
        load.advance()
        assert load.settle_books().resent > 0


def test_killed_store_loses_and_doubles_nothing(system: System) -> None:
    with Load(system) as load:
        for _ in range(KILLS):
            load.advance()
            before = wait_until(lambda: store(system), "a store")
            os.kill(before, signal.SIGKILL)
            wait_until(lambda before=before: store(system) not in {0, before}, "another store")
        load.advance()
        load.settle_books()  # workers look again themselves, for as long as gateways have patience


@pytest.mark.parametrize("system", [2], ids=["two workers"], indirect=True)
def test_killed_parent_is_started_again_on_the_store_that_outlived_it(system: System) -> None:
    with Load(system) as load:
        for _ in range(PARENT_KILLS):
            load.advance()
            survivor = store(system)
            system.kill()
            system.start()
            assert store(system) == survivor
        load.advance()
        assert load.settle_books().reconnected > 0  # its workers took leave in order


@pytest.mark.parametrize("system", [2], ids=["two workers"], indirect=True)
def test_everything_killed_at_once_comes_back_from_the_data_folder(system: System) -> None:
    with Load(system) as load:
        for _ in range(PARENT_KILLS):
            load.advance()
            victims = [*system.workers(), store(system)]
            for victim in victims:
                os.kill(victim, signal.SIGKILL)
            system.kill()
            wait_until(lambda victims=victims: not any(map(is_alive, victims)), "end of everything")
            system.start()
        load.advance()
        assert load.settle_books().resent > 0
