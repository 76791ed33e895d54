"""The HTTP process: health, metrics merged from the workers, balances, live sessions, TM Forum APIs, the status page.

It is imported by no other process: what serves HTTP costs a second to load and forty megabytes to hold.
"""

import trio

from ocs.api.parts import build_parts
from ocs.api.reader import StoreBalanceReader
from ocs.api.server import run_http
from ocs.balance.barrier import Barrier
from ocs.balance.client import BalanceClient
from ocs.children import say_ready, stop_when_orphaned
from ocs.clock import SystemClock
from ocs.garbage import collect_seldom
from ocs.http_backstage import StoreBackstage
from ocs.launch import Launch, stop_on_signal
from ocs.metrics import add_process_metrics
from ocs.peer_notices import PeerNotices, notice_opener
from ocs.reauthoriser import Reauthoriser
from ocs.settings import Settings
from ocs.store_setup import open_store
from ocs.worker_channel import WorkerChannel, find_workers


async def run_http_process(settings: Settings, launch: Launch) -> None:
    """Serve until SIGTERM, or until the parent is gone."""
    connection, meta = await trio.to_thread.run_sync(open_store, settings, launch.data_dir)
    try:
        clock = SystemClock()
        reader = StoreBalanceReader(connection, partitions=meta.partitions)
        client = BalanceClient(
            connection, partitions=meta.partitions, barrier=Barrier.from_settings(settings.store)
        )
        notices = PeerNotices(notice_opener(connection.address), "http", {})
        reauthoriser = Reauthoriser(client, notices)
        run = launch.data_dir / "run"
        parent = () if launch.lifeline_fd is None else (WorkerChannel("up", run / "up.sock"),)

        async def find_channels() -> list[WorkerChannel]:
            # Those that see to the network are none of every node's: they are asked where their sockets are.
            alarms = [
                WorkerChannel(name, path)
                for name in ("network", "followers", "elements")
                if (path := run / f"{name}.sock").exists()
            ]
            return [*await find_workers(run), *alarms, *parent]

        parts = build_parts(
            settings.http,
            reader,
            find_channels,
            store=connection,
            client=client,
            backstage=StoreBackstage(connection, client, clock, settings, launch.data_dir, reauthoriser),
            clock=clock,
        )
        add_process_metrics("http")
        stop = trio.Event()

        def ready(address: str) -> None:
            collect_seldom()  # it holds the whole alarm list
            if launch.ready_fd is not None:
                say_ready(launch.ready_fd, f"http={address}")
            else:
                print(f"ready http={address}", flush=True)  # noqa: T201 - the contract with tools

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_on_signal, stop.set)
            nursery.start_soon(notices.run)
            nursery.start_soon(reauthoriser.run)
            if launch.lifeline_fd is not None:
                nursery.start_soon(stop_when_orphaned, launch.lifeline_fd, stop.set)
            await run_http(settings, parts, ready=ready, shutdown=stop.wait)
            nursery.cancel_scope.cancel()
    finally:
        connection.close()
