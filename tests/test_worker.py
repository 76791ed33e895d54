"""One charging worker in this process, on an embedded store: ready, asked, stopped."""

import contextlib
import gc
from collections.abc import Generator
from functools import partial
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from ocs import worker as worker_module
from ocs.balance.embedded import EmbeddedStore
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import StoreMeta, connect
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock, SystemClock
from ocs.diameter_gy.server import Listener, bind_listeners
from ocs.metrics import decode_snapshot
from ocs.rating import load_catalogue
from ocs.settings import DiameterSettings, Settings
from ocs.store_setup import PreparedStore, prepare_store
from ocs.worker import Worker
from ocs.worker_channel import WorkerChannel
from tests.support.calls import until
from tests.support.processes import CATALOGUE
from tests.support.store_servers import Server, free_port, replicated

pytestmark = pytest.mark.bounded(60)

SETTINGS = Settings(diameter=DiameterSettings(port=0))


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
        assert msgspec.msgpack.decode(await channel.ask("health")) == {
            "store": True,
            "store_fault": "",
            "requests": 0,
        }
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


# --- A store that lost something ---------------------------------------------------------------------------------


class Door:
    """One address, behind which another server of a pair may stand: as a name that is moved.

    Attributes:
        server: where connections lead that are made from now on.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    async def serve(self, stream: trio.SocketStream) -> None:
        try:
            inside = await trio.open_tcp_stream("127.0.0.1", self.server.port)
        except OSError:
            await trio.aclose_forcefully(stream)
            return
        async with stream, inside, trio.open_nursery() as nursery:
            nursery.start_soon(self._pump, stream, inside, nursery.cancel_scope)
            nursery.start_soon(self._pump, inside, stream, nursery.cancel_scope)

    async def _pump(
        self, source: trio.SocketStream, target: trio.SocketStream, whole: trio.CancelScope
    ) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in source:
                await target.send_all(data)
        whole.cancel()


@pytest.mark.parametrize("is_lossy", [False, True])
async def test_lossy_promotion_raises_origin_state_id_once_in_all_workers(
    tmp_path: Path, nursery: trio.Nursery, is_lossy: bool
) -> None:
    with replicated(tmp_path) as pair, contextlib.ExitStack() as closing:
        old, (new,) = pair.primary, pair.replicas
        door = Door(old)
        (listener,) = await nursery.start(partial(trio.serve_tcp, door.serve, 0, host="127.0.0.1"))
        url = f"redis://127.0.0.1:{listener.socket.getsockname()[1]}"
        # Created long ago, so that the clock alone raises it.
        prepared = await trio.to_thread.run_sync(prepare_store, SETTINGS, url, ManualClock(1_000_000))
        workers: list[Worker] = []
        for number in range(2):
            listeners = bind_listeners(SETTINGS.diameter)
            for one in listeners:
                closing.callback(one.socket.close)
            channel = tmp_path / "run" / f"worker-{number}.sock"
            workers.append(Worker(SETTINGS, prepared, Tariffs(load_catalogue(CATALOGUE)), listeners, channel))
            ready = trio.Event()
            nursery.start_soon(workers[-1].run, ready.set)
            await ready.wait()

        def states() -> list[int | None]:
            return [worker._server.identity.origin_state_id for worker in workers]

        assert states() == [1_000, 1_000]
        if is_lossy:
            new.admin.replicaof("127.0.0.1", free_port())
            noted = [sum(worker._store._owners._history._acknowledged.values()) for worker in workers]
            old.admin.set("written", b"x" * 1_000)
            await until(
                lambda: all(
                    sum(worker._store._owners._history._acknowledged.values()) > before + 1_000
                    for worker, before in zip(workers, noted, strict=True)
                )
            )
        else:
            old.admin.wait(1, 5_000)
        old.kill()
        new.admin.replicaof("NO", "ONE")
        door.server = new
        await until(lambda: all(worker._store.is_connected for worker in workers))
        if is_lossy:
            await until(lambda: states()[0] == states()[1] != 1_000)
            (raised,) = set(states())
            assert raised is not None and raised > 1_000_000_000  # now, and not 1,001
        await until(lambda: not any(worker._origin_state._losses for worker in workers))
        stored = int(new.admin.hget("meta", "origin_state_id"))
        assert states() == [stored, stored]
        assert (stored > 1_000) is is_lossy
        for worker in workers:
            worker.request_stop()
        nursery.cancel_scope.cancel()


async def test_worker_on_an_emptied_store_is_not_well_and_says_why(
    store: EmbeddedStore, make, nursery: trio.Nursery, tmp_path: Path
) -> None:
    worker, ready = make(await prepare(store)), trio.Event()
    nursery.start_soon(worker.run, ready.set)
    await ready.wait()
    client = connect(store.address.url)
    await trio.to_thread.run_sync(client.flushall)
    client.close()
    await until(lambda: worker._store.fault)
    health = msgspec.msgpack.decode(
        await WorkerChannel("worker-0", tmp_path / "run" / "worker-0.sock").ask("health")
    )
    assert (health["store"], health["store_fault"]) == (False, "the store is empty")
    worker.request_stop()
