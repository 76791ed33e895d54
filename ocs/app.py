"""Builds the processes of the system and opens their top nurseries.

``ocs up`` runs the embedded store (unless one is configured), the charging workers, the network process, the followers
of its alarms, the element process and the HTTP process, each a process of its own; ``ocs charging`` runs one worker
alone.
"""

import itertools
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import structlog
import trio

from ocs.account_care import care_for_accounts
from ocs.api.tmf.callback import CallbackError, CallbackPolicy
from ocs.balance.embedded import DataFolderInUseError, EmbeddedStore
from ocs.balance.store_admin import StoreRefusedError, connect
from ocs.balance.stream_care import care_for_streams
from ocs.catalogue_schedule import PublishError
from ocs.charging.tariffs import Tariffs
from ocs.children import Child, say_ready, stop_when_orphaned
from ocs.clock import SystemClock
from ocs.crew import Crew
from ocs.diameter_gy.server import Listener, bind_listeners
from ocs.faults.receiver.udp import address_text, bind_snmp
from ocs.heartbeat import watch_heartbeats
from ocs.launch import Launch, prepare_patiently, stop_on_signal
from ocs.limits import DISCONNECT_TIMEOUT_S, DRAIN_TIMEOUT_S, LINGER_TIMEOUT_S
from ocs.log import mask_url
from ocs.metrics import REGISTRY, add_process_metrics
from ocs.radius.server import RadiusSockets, bind_radius
from ocs.rating import CatalogueError, load_catalogue
from ocs.reload import Reloader, reload_on_signal
from ocs.settings import Settings, resolve_path
from ocs.settings_file import SettingsError, load_settings, snapshot_settings
from ocs.store_setup import (
    PreparedStore,
    prepare_store,
    publish_catalogue,
    published_tariffs,
    store_url,
)
from ocs.worker_channel import WorkerChannel, WorkerSilentError, serve_worker_channel

log = structlog.get_logger()

# Orphans drain at most so long, and a little for noticing that they are.
_ORPHANS_WAIT_S: Final = DISCONNECT_TIMEOUT_S + DRAIN_TIMEOUT_S + LINGER_TIMEOUT_S + 1.0


class Doors(NamedTuple):
    """Everything bound that others come to; what is not served is None."""

    listeners: list[Listener]
    radius: RadiusSockets | None
    snmp: socket.socket | None = None

    def close(self) -> None:
        """Close everything."""
        for listener in self.listeners:
            listener.socket.close()
        if self.radius is not None:
            self.radius.close()
        if self.snmp is not None:
            self.snmp.close()


async def run_up(settings: Settings, launch: Launch) -> None:
    """Run everything until SIGTERM or SIGINT; print the ready line when every listener accepts.

    Whatever ends it, also a signal or an error while it starts, no process of ours is left behind.
    """
    (launch.data_dir / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    await _outlive_orphans(launch.data_dir)
    _check_webhooks(settings)
    doors = _bind(settings)._replace(snmp=bind_snmp(settings.snmp))
    store = (
        None if settings.store.url else EmbeddedStore(launch.data_dir, durability=settings.store.durability)
    )
    async with trio.open_nursery() as nursery:
        running, watching = trio.CancelScope(), trio.CancelScope()
        nursery.start_soon(stop_on_signal, running.cancel)
        try:
            with running:
                url = settings.store.url if store is None else (await store.start()).url
                if store is not None:
                    nursery.start_soon(_keep_store, store, watching)
                prepared, tariffs = await trio.to_thread.run_sync(_prepare, settings, url)
                async with trio.open_nursery() as caring:
                    caring.start_soon(_care_for_streams, settings, prepared)
                    caring.start_soon(care_for_accounts, settings, prepared, tariffs.current, SystemClock())
                    await _run_children(settings, launch, doors, url)
        finally:
            watching.cancel()
            if store is not None:
                await store.stop()
            doors.close()
        nursery.cancel_scope.cancel()


def _check_webhooks(settings: Settings) -> None:
    """Refuse addresses that nobody may be told at now, not when the first alarm is told.

    Raises:
        SettingsError: one line with the key.
    """
    policy = CallbackPolicy(settings.http.hub_callbacks)
    for index, one in enumerate(settings.notices.recipients):
        try:
            if one.webhook:
                policy.target(one.webhook)
        except CallbackError as error:
            problem = str(error).removeprefix("callback: ")
            raise SettingsError(f"notices.recipients[{index}].webhook: {problem}") from None


async def _outlive_orphans(data_dir: Path) -> None:
    """Wait for workers whose parent was killed: until they have taken leave of their gateways they hold the ports.

    Nothing is waited for while another ``ocs up`` runs on the data folder, nor longer than such a leave lasts.
    """
    if await _answers(data_dir, "up"):
        return
    with trio.move_on_after(_ORPHANS_WAIT_S):
        for path in sorted((data_dir / "run").glob("worker-*.sock")):
            while await _answers(data_dir, path.stem):  # noqa: ASYNC110 - another process: seconds at most
                await trio.sleep(0.05)
            path.unlink(missing_ok=True)  # of one that was killed: it is missed no longer


async def _answers(data_dir: Path, name: str) -> bool:
    try:
        await WorkerChannel(name, data_dir / "run" / f"{name}.sock").ask("health")
    except WorkerSilentError:
        return False
    return True


async def _keep_store(store: EmbeddedStore, watching: trio.CancelScope) -> None:
    with watching:
        await store.keep_running()


def _prepare(settings: Settings, url: str, *, is_first: bool = True) -> tuple[PreparedStore, Tariffs]:
    """Check and set up the store, publish the catalogue; blocks.

    Args:
        is_first: whether nobody has done so yet. A worker under ``ocs up`` finds a store that was set up, and what was
            published: it must come back after a crash also while somebody edits the folder.
    """
    prepared = prepare_store(settings, url, SystemClock(), may_create=is_first)
    published = None if is_first else published_tariffs(settings, url)
    return prepared, published or _publish(settings, url)


def _publish(settings: Settings, url: str) -> Tariffs:
    catalogue = load_catalogue(resolve_path(settings, settings.catalogue.path))
    return publish_catalogue(settings, url, catalogue)


async def _care_for_streams(settings: Settings, prepared: PreparedStore) -> None:
    await care_for_streams(
        connect(prepared.address),
        SystemClock(),
        partitions=prepared.meta.partitions,
        events_memory_mib=settings.store.events_memory_mib,
    )


async def _run_children(settings: Settings, launch: Launch, doors: Doors, url: str) -> None:
    """Start workers, the network's processes and HTTP and say that all is ready; cancelled, end them in order."""
    family = _Family(launch, doors, url)
    http, beside, crew = family.http(settings), family.beside(settings), Crew()
    reloader = Reloader(
        settings,
        crew,
        read_settings=partial(_read_settings, launch),
        publish=partial(_publish_anew, url),
        make_workers=family.successors,
    )
    add_process_metrics("up")
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(reload_on_signal, reloader.request)
            await nursery.start(_answer_questions, launch.data_dir, crew, reloader)
            await nursery.start(crew.run)
            async with trio.open_nursery() as starting:
                for worker in family.workers(settings):
                    starting.start_soon(crew.enlist, worker)
                starting.start_soon(http.start)
                for child in beside:
                    starting.start_soon(child.start)
            # Started again, it is to be found where it was.
            http.environment["OCS_HTTP__PORT"] = http.ready_text.rpartition(":")[2]
            nursery.start_soon(http.keep_running)
            for child in beside:
                nursery.start_soon(child.keep_running)
            run = launch.data_dir / "run"
            nursery.start_soon(
                watch_heartbeats, [WorkerChannel(child.name, run / f"{child.name}.sock") for child in beside]
            )
            nursery.start_soon(reloader.run)
            print(_ready_line(doors, http.ready_text), flush=True)  # noqa: T201 - the contract with tools
            log.info("ready", workers=len(crew.names), store=mask_url(url))
    finally:
        # All tasks above have ended: nobody starts again what is stopped here.
        with trio.CancelScope(shield=True):
            await crew.stop()
            for child in beside:
                await child.stop()
            await http.stop()


async def _answer_questions(
    data_dir: Path,
    crew: Crew,
    reloader: Reloader,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    answers: dict[str, Callable[[], Any]] = {
        "metrics": REGISTRY.snapshot,
        "peers": list,
        "health": dict,
        "workers": lambda: crew.names,
    }
    path = data_dir / "run" / "up.sock"
    await serve_worker_channel(path, answers, {"reload": reloader.ask}, task_status=task_status)


def _read_settings(launch: Launch) -> Settings:
    """Read the configuration anew, as the command line had it read."""
    settings = load_settings(launch.config, os.environ)
    store = msgspec.structs.replace(settings.store, data_dir=str(launch.data_dir))
    return msgspec.structs.replace(settings, store=store)


def _publish_anew(url: str, settings: Settings) -> None:
    """Publish what the catalogue's folder holds now, for the workers to come; blocks.

    Raises:
        SettingsError: one line: why it cannot be; nothing is published then.
    """
    try:
        _publish(settings, url)
    except (CatalogueError, PublishError, StoreRefusedError) as error:
        folder = resolve_path(settings, settings.catalogue.path)
        raise SettingsError(f"catalogue in {folder}: {error}") from None


class _Family:
    """Makes the children of one ``ocs up``; none is started.

    Each is given the settings it is made for: started again after a crash it runs with them, whatever somebody is just
    writing into the file.
    """

    def __init__(self, launch: Launch, doors: Doors, url: str) -> None:
        self._environment = {**os.environ, "OCS_STORE__URL": url}
        self._common = ["--data-dir", str(launch.data_dir), "--log", launch.log_style, "--settings-stdin"]
        descriptors = [(one.socket.fileno(), "t" if one.is_tls else "") for one in doors.listeners]
        if doors.radius is not None:
            descriptors += [(bound.fileno(), "r") for bound in doors.radius]
        self._snmp = doors.snmp
        self._inherited = [descriptor for descriptor, _ in descriptors]
        self._handed = ",".join(f"{descriptor}{mark}" for descriptor, mark in descriptors)

    def workers(self, settings: Settings) -> list[Child]:
        """The workers, on our listeners."""
        return [self._worker(settings, number) for number in range(settings.charging.workers)]

    def successors(self, settings: Settings) -> list[Child]:
        """Those that take the places of workers that run."""
        return [self._worker(settings, number, "--takes-over") for number in range(settings.charging.workers)]

    def _worker(self, settings: Settings, number: int, *options: str) -> Child:
        arguments = ["--number", str(number), "--listen-fds", self._handed, *options]
        return Child(
            f"worker-{number}",
            ["charging", *self._common, *arguments],
            self._environment,
            self._inherited,
            snapshot_settings(settings),
        )

    def beside(self, settings: Settings) -> list[Child]:
        """What sees to the network: to its traps, on our SNMP socket, and to its elements; whichever is wanted."""
        given, children = snapshot_settings(settings), list[Child]()
        if self._snmp is not None:
            descriptor = self._snmp.fileno()
            arguments = ["network", *self._common, "--listen-fd", str(descriptor)]
            children.append(Child("network", arguments, self._environment, [descriptor], given))
            children.append(Child("followers", ["followers", *self._common], self._environment, given=given))
        if settings.provisioning.sessions_max:
            children.append(Child("elements", ["elements", *self._common], self._environment, given=given))
        return children

    def http(self, settings: Settings) -> Child:
        """The HTTP process."""
        return Child("http", ["http", *self._common], self._environment, given=snapshot_settings(settings))


def _ready_line(doors: Doors, http: str = "") -> str:
    """``ready diameter=HOST:PORT diameter_tls=HOST:PORT http=HOST:PORT snmp=HOST:PORT``, RADIUS's two after them.

    As far as they exist.
    """
    words = ["ready"]
    for name, is_tls in (("diameter", False), ("diameter_tls", True)):
        words += [f"{name}={one.address}" for one in doors.listeners if one.is_tls == is_tls][:1]
    words += [http] if http else []
    words += [] if doors.snmp is None else [f"snmp={address_text(doors.snmp)}"]
    if doors.radius is not None:
        auth, acct = doors.radius.addresses
        words += [f"radius_auth={auth}", f"radius_acct={acct}"]
    return " ".join(words)


class WorkerPlace(msgspec.Struct, frozen=True):
    """Which worker of its data folder a process is to be.

    Attributes:
        number: None takes the first that is free.
        listen_fds: the parent's listeners, such as ``5,6t,7r,8r``; empty to listen on our own.
        takes_over: the worker that has the number serves until this one is ready.
    """

    number: int | None = None
    listen_fds: str = ""
    takes_over: bool = False


async def run_charging(settings: Settings, launch: Launch, place: WorkerPlace) -> None:
    """Run one worker: on inherited listeners, or alone on its own."""
    # The engine burdens the workers alone.
    from ocs.worker import Worker

    listen_fds = place.listen_fds
    doors = _inherited(listen_fds) if listen_fds else _bind(settings)
    url = await trio.to_thread.run_sync(store_url, settings, launch.data_dir)
    prepared, tariffs = await prepare_patiently(partial(_prepare, settings, url, is_first=not listen_fds))
    number = place.number if place.takes_over else await _free_number(launch.data_dir, place.number)
    structlog.contextvars.bind_contextvars(process=f"worker-{number}")
    run = launch.data_dir / "run"
    shares = run / "connections" if listen_fds else None
    channel = run / f"worker-{number}.sock"
    worker = Worker(settings, prepared, tariffs, doors.listeners, channel, shares, doors.radius)

    def ready() -> None:
        if launch.ready_fd is not None:
            say_ready(launch.ready_fd, f"worker={number}")
        else:
            print(_ready_line(doors), flush=True)  # noqa: T201 - the contract with tools

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_on_signal, worker.request_stop)
        if launch.lifeline_fd is not None:
            nursery.start_soon(stop_when_orphaned, launch.lifeline_fd, worker.request_stop)
        else:
            nursery.start_soon(_care_for_streams, settings, prepared)
            nursery.start_soon(care_for_accounts, settings, prepared, tariffs.current, SystemClock())
        await worker.run(ready)
        nursery.cancel_scope.cancel()


async def _free_number(data_dir: Path, wanted: int | None) -> int:
    """The wanted number, or the first free one: two workers on one channel would hide each other."""
    numbers = itertools.count() if wanted is None else (wanted,)
    for number in numbers:
        if not await _answers(data_dir, f"worker-{number}"):
            return number
    raise DataFolderInUseError(
        f"{data_dir}: worker {wanted} runs on this data folder: choose another --number"
    )


def _bind(settings: Settings) -> Doors:
    return Doors(bind_listeners(settings.diameter), bind_radius(settings.radius))


def _inherited(listen_fds: str) -> Doors:
    """Sockets passed down by the parent: ``5,6t,7r,8r`` are TCP, TCP with TLS, and RADIUS's two."""
    words = listen_fds.split(",")
    listeners = [
        Listener(socket.socket(fileno=int(word.rstrip("t"))), is_tls=word.endswith("t"))
        for word in words
        if not word.endswith("r")
    ]
    radius = [socket.socket(fileno=int(word.rstrip("r"))) for word in words if word.endswith("r")]
    return Doors(listeners, RadiusSockets(*radius) if radius else None)
