"""The followers process: what reads the changes of the alarm list and needs no trap: its history, and telling people.

A process of its own, so that a slow database or a recipient costs those who follow the list and never the alarms. It
works while the list is its node's; while it is not, or this process is away, changes wait in the store.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from ocs.alarm_notices import notice_service
from ocs.balance.store_admin import connect
from ocs.balance.store_client import StoreClient
from ocs.children import say_ready, stop_when_orphaned
from ocs.clock import SystemClock
from ocs.faults.history.care import care_for_history
from ocs.faults.list_holder import follow_while_held
from ocs.garbage import collect_seldom
from ocs.launch import Launch, prepare_patiently, stop_on_signal
from ocs.limits import FOLLOWERS_NICENESS
from ocs.metrics import REGISTRY, add_process_metrics
from ocs.settings import Settings
from ocs.sql import Database, database_url
from ocs.store_setup import open_store
from ocs.worker_channel import serve_worker_channel


async def run_followers(settings: Settings, launch: Launch) -> None:
    """Serve until SIGTERM, or until the parent is gone.

    Raises:
        SettingsError, SecretFileError, SqlError: one line that names the key.
        StoreRefusedError: one line with the remedy.
    """
    os.nice(FOLLOWERS_NICENESS)
    client, _ = await prepare_patiently(partial(open_store, settings, launch.data_dir))
    # Two at a time use the store from threads, each for as long as it takes.
    notices_client = connect(client.address)
    database = Database(database_url(settings, launch.data_dir))
    try:
        service = await trio.to_thread.run_sync(notice_service, settings, notices_client, SystemClock())
        await trio.to_thread.run_sync(service.open)

        async def follow() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(service.run)
                await care_for_history(
                    client, database, SystemClock(), history_days=settings.faults.history_days
                )

        await _serve(
            launch, client, partial(follow_while_held, client, settings.diameter.origin_host, follow)
        )
    finally:
        client.close()
        notices_client.close()
        database.close()


async def _serve(launch: Launch, client: StoreClient, follow: Callable[[], Any]) -> None:
    """Run until somebody stops us; a node that has not got the list is ready too."""
    add_process_metrics("followers")
    answers: dict[str, Callable[[], Any]] = {"metrics": REGISTRY.snapshot, "peers": list, "health": dict}
    async with trio.open_nursery() as nursery:
        working = trio.CancelScope()
        nursery.start_soon(stop_on_signal, working.cancel)
        if launch.lifeline_fd is not None:
            nursery.start_soon(stop_when_orphaned, launch.lifeline_fd, working.cancel)
        with working:
            path = launch.data_dir / "run" / "followers.sock"
            await nursery.start(serve_worker_channel, path, answers)
            collect_seldom()
            if launch.ready_fd is not None:
                say_ready(launch.ready_fd, f"followers={client.address}")
            else:
                print("ready", flush=True)  # noqa: T201 - the contract with tools
            await follow()
        nursery.cancel_scope.cancel()
