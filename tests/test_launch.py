"""What all processes of ours have in common."""

import os
import signal

import pytest
import trio
import trio.testing

from ocs.balance.store_admin import StoreUnreachableError
from ocs.launch import prepare_patiently, stop_on_signal
from ocs.limits import STORE_PATIENCE_S

pytestmark = pytest.mark.bounded(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_asks_to_stop(number: signal.Signals, nursery: trio.Nursery) -> None:
    asked = trio.Event()
    nursery.start_soon(stop_on_signal, asked.set)
    await trio.testing.wait_all_tasks_blocked()
    os.kill(os.getpid(), number)
    await asked.wait()
    nursery.cancel_scope.cancel()


async def test_store_that_comes_while_we_start_is_waited_for(mock_clock: trio.testing.MockClock) -> None:
    mock_clock.rate = 10  # jumps would not wait for the threads
    tries: list[None] = []

    def prepare() -> str:
        tries.append(None)
        if len(tries) < 3:
            raise StoreUnreachableError("not yet")
        return "prepared"

    assert await prepare_patiently(prepare) == "prepared"
    assert len(tries) == 3


async def test_store_that_stays_away_is_told_after_some_patience(
    autojump_clock: trio.testing.MockClock,
) -> None:
    def prepare() -> str:
        raise StoreUnreachableError("away")

    began_s = trio.current_time()
    with pytest.raises(StoreUnreachableError, match="away"):
        await prepare_patiently(prepare)
    assert trio.current_time() - began_s > STORE_PATIENCE_S
