"""SIGKILL under load: what the network was told, what the balances say and what the event streams hold are equal.

The generator sends again what was not answered, with the T flag, as gateways do; `ocs up` starts what has died.
"""

import os
import signal

import pytest

from ocs.balance.embedded import find_store
from tests.endtoend.lab import System, is_alive, running, wait_until
from tests.support.load import Load

pytestmark = pytest.mark.long
KILLS = 20
PARENT_KILLS = 5


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
