"""One charging worker in this process, on an embedded store: ready, asked, stopped."""

import gc
import os
import signal
from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from ocs import worker as worker_module
from ocs.balance.embedded import EmbeddedStore
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import StoreMeta
from ocs.charging.tariffs import Tariffs
from ocs.clock import SystemClock
from ocs.diameter_gy.server import Listener, bind_listeners
from ocs.metrics import decode_snapshot
from ocs.rating import load_catalogue
from ocs.settings import DiameterSettings, Settings
from ocs.store_setup import PreparedStore, prepare_store
from ocs.worker import Worker, stop_on_signal
from ocs.worker_channel import WorkerChannel
from tests.support.processes import CATALOGUE

SETTINGS = Settings(diameter=DiameterSettings(port=0))


@pytest.fixture(autouse=True)
async def _bounded():
    with trio.fail_after(60):
        yield


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch):
    """A worker owns its process; this one is ours."""
    monkeypatch.setattr(worker_module, "add_process_metrics", lambda _process: None)
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture
async def store(tmp_path: Path):
    async with EmbeddedStore(tmp_path) as running:
        yield running


@pytest.fixture
def listeners() -> Generator[list[Listener]]:
    opened = bind_listeners(SETTINGS.diameter)
    yield opened
    for listener in opened:
        listener.socket.close()


@pytest.fixture
def make(listeners: list[Listener], tmp_path: Path):
    """Makes a worker on a store."""

    def _make(prepared: PreparedStore) -> Worker:
        tariffs = Tariffs(load_catalogue(CATALOGUE))
        return Worker(SETTINGS, prepared, tariffs, listeners, tmp_path / "run" / "worker-0.sock")

    return _make


def port_of(listeners: list[Listener]) -> int:
    return listeners[0].socket.getsockname()[1]


async def prepare(store: EmbeddedStore) -> PreparedStore:
    return await trio.to_thread.run_sync(prepare_store, SETTINGS, store.address.url, SystemClock())


async def test_worker_that_is_ready_accepts_and_answers_questions(
    store: EmbeddedStore, make, listeners: list[Listener], nursery: trio.Nursery, tmp_path: Path
) -> None:
    worker, ready = make(await prepare(store)), trio.Event()
    nursery.start_soon(worker.run, ready.set)
    await ready.wait()
    async with await trio.open_tcp_stream("127.0.0.1", port_of(listeners)):
        channel = WorkerChannel("worker-0", tmp_path / "run" / "worker-0.sock")
        assert msgspec.msgpack.decode(await channel.ask("health")) == {"store": True, "requests": 0}
        assert isinstance(msgspec.msgpack.decode(await channel.ask("peers")), list)
        names = {family.name for family in decode_snapshot(await channel.ask("metrics")).families}
        assert "ocs_store_commands_total" in names
    worker.request_stop()


async def test_worker_that_is_stopped_leaves_nothing(
    store: EmbeddedStore, make, listeners: list[Listener], tmp_path: Path
) -> None:
    worker, ready, port = make(await prepare(store)), trio.Event(), port_of(listeners)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, ready.set)
        await ready.wait()
        worker.request_stop()
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(OSError, match=r"."):
        await trio.open_tcp_stream("127.0.0.1", port)


async def test_worker_whose_store_is_away_can_be_stopped_before_it_serves(make, tmp_path: Path) -> None:
    away = PreparedStore(plain_address(f"unix://{tmp_path}/none.sock"), StoreMeta(1, 64, 1, 1))
    worker, ready = make(away), trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, ready.set)
        await trio.testing.wait_all_tasks_blocked()
        worker.request_stop()
    assert not ready.is_set()


async def test_worker_that_was_stopped_before_it_ran_ends_at_once(make, tmp_path: Path) -> None:
    worker = make(PreparedStore(plain_address(f"unix://{tmp_path}/none.sock"), StoreMeta(1, 64, 1, 1)))
    worker.request_stop()
    await worker.run(lambda: pytest.fail("it is not ready"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_asks_to_stop(number: signal.Signals, nursery: trio.Nursery) -> None:
    asked = trio.Event()
    nursery.start_soon(stop_on_signal, asked.set)
    await trio.testing.wait_all_tasks_blocked()
    os.kill(os.getpid(), number)
    await asked.wait()
    nursery.cancel_scope.cancel()
