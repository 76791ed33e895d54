"""The element process: works off the queue of transactions, and tells the alarm list of elements that are away.

One such process at a time owns the queue, by a lease in the database; another on the same database stands by. What a
crash left half done is brought to its end first.
"""

import os
import secrets
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.balance.barrier import Barrier
from ocs.children import say_ready, stop_when_orphaned
from ocs.clock import Clock, SystemClock
from ocs.compliance_setup import WatchMeans, make_drift_watch, read_compliance_rules
from ocs.faults.alarm import AlarmKey
from ocs.faults.store.batch import AlarmStoreError
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.store.desk_door import DeskDoor, RedisDeskDoor
from ocs.garbage import collect_seldom
from ocs.inventory.elements import list_elements
from ocs.launch import Launch, prepare_patiently, stop_on_signal
from ocs.limits import ELEMENTS_LOOK_S, ELEMENTS_TRIED_AT_ONCE, TRANSACTIONS_DRAIN_S
from ocs.log import get_logger
from ocs.metrics import REGISTRY, Counter, Gauge, add_process_metrics
from ocs.provisioning.element_alarms import IN_DOUBT, TYPES, UNREACHABLE, ElementAlarms
from ocs.provisioning.errors import ElementError
from ocs.provisioning.progress import Progress
from ocs.provisioning.sessions import Sessions
from ocs.provisioning.transactions import journal
from ocs.provisioning.transactions.engine import Engine
from ocs.provisioning.transactions.means import Means
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning_setup import element_finder, open_database, open_sessions, planners
from ocs.settings import Settings
from ocs.settings_file import SettingsError
from ocs.sql import Database
from ocs.sql_error import SqlError
from ocs.store_setup import open_store
from ocs.worker_channel import serve_worker_channel

log = get_logger(__name__)

_ENDED: Final = Counter(
    "ocs_transactions_total", "Transactions of network elements that have ended, by how.", ("outcome",)
)
_QUEUED: Final = Gauge("ocs_transactions_queued", "Transactions of network elements that wait.", merge="max")
_IN_DOUBT: Final = Gauge(
    "ocs_elements_in_doubt", "Elements that lack what was decided, although it was tried.", merge="max"
)
_AWAY: Final = Gauge("ocs_elements_unreachable", "Elements that could not be reached several times in a row.")
_OWNED: Final = Gauge(
    "ocs_transaction_queue_owned", "1 where this node works off the queue, 0 where it stands by."
)
_LOOK_BATCH: Final = 500


class Watched(NamedTuple):
    """What is looked at for alarms and figures."""

    database: Database
    sessions: Sessions
    engine: Engine
    clock: Clock


async def run_elements(settings: Settings, launch: Launch) -> None:
    """Serve until SIGTERM, or until the parent is gone.

    Raises:
        SettingsError, SecretFileError, SqlError: one line that names the key.
        StoreRefusedError: one line with the remedy.
    """
    if not settings.provisioning.sessions_max:
        raise SettingsError(
            "provisioning.sessions_max: 0 configures no elements, and this process does nothing else"
        )
    sessions = await trio.to_thread.run_sync(open_sessions, settings)
    database = await trio.to_thread.run_sync(open_database, settings, launch.data_dir)
    clock, progress = SystemClock(), Progress()
    means = Means(
        database,
        sessions,
        element_finder(database),
        planners(),
        clock,
        settings.provisioning.confirm_timeout_s,
        progress.note,
    )
    owner = f"{settings.diameter.origin_host[:40]}/{os.getpid()}/{secrets.token_hex(4)}"
    told = [_count]
    engine = Engine(means, owner=owner, note_standing=lambda one: _tell_all(told, one))
    rules = await trio.to_thread.run_sync(read_compliance_rules, settings)
    watched = Watched(database, sessions, engine, clock)
    try:
        with _alarm_door(settings, launch) as open_door:
            async with asyncio_loop(), trio.open_nursery() as nursery:
                door = await open_door()
                means_of_watch = WatchMeans(
                    database, sessions, clock, door, engine.wake, lambda: engine.is_owner
                )
                drift = make_drift_watch(settings, rules, means_of_watch)
                told.append(drift.note_standing)
                nursery.start_soon(drift.run)
                await _serve(launch, watched, progress, door)
                nursery.cancel_scope.cancel()
    finally:
        database.close()


@contextmanager
def _alarm_door(settings: Settings, launch: Launch) -> Generator[Callable[[], Awaitable[DeskDoor | None]]]:
    """The way to the alarm list; there is none where nobody keeps one."""
    opened: list[Any] = []

    async def open_door() -> DeskDoor | None:
        if settings.snmp.port < 0:
            return None
        client, _ = await prepare_patiently(partial(open_store, settings, launch.data_dir))
        opened.append(client)
        return RedisDeskDoor(client, Barrier.from_settings(settings.store))

    try:
        yield open_door
    finally:
        for client in opened:
            client.close()


async def _serve(launch: Launch, watched: Watched, progress: Progress, door: DeskDoor | None) -> None:
    """Run until somebody stops us; a node that does not own the queue is ready too."""
    add_process_metrics("elements")
    engine = watched.engine
    answers: dict[str, Callable[[], Any]] = {
        "metrics": REGISTRY.snapshot,
        "peers": list,
        "health": lambda: {
            "note": "" if engine.is_owner else "stands by: another process works off the queue"
        },
        "progress": progress.snapshot,
        "wake": engine.wake,
    }
    async with trio.open_nursery() as nursery:
        stop = trio.Event()
        nursery.start_soon(stop_on_signal, stop.set)
        if launch.lifeline_fd is not None:
            nursery.start_soon(stop_when_orphaned, launch.lifeline_fd, stop.set)
        path = launch.data_dir / "run" / "elements.sock"
        await nursery.start(serve_worker_channel, path, answers)
        nursery.start_soon(ElementWatch(watched, door).run)
        collect_seldom()
        if launch.ready_fd is not None:
            say_ready(launch.ready_fd, f"elements={os.getpid()}")
        else:
            print(f"ready elements={os.getpid()}", flush=True)  # noqa: T201 - the contract with tools
        await _work(engine, stop)
        nursery.cancel_scope.cancel()


async def _work(engine: Engine, stop: trio.Event) -> None:
    """Work off the queue; asked to stop, begin nothing more and give what is under way a little time."""
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            await engine.run()
            nursery.cancel_scope.cancel()

        nursery.start_soon(run)
        await stop.wait()
        engine.end()
        await trio.sleep(TRANSACTIONS_DRAIN_S)
        log.warning(
            "transactions_left",
            transactions=engine.under_way,
            remedy="the next process brings them to an end",
        )
        nursery.cancel_scope.cancel()


def _tell_all(told: list[Callable[[Transaction], None]], transaction: Transaction) -> None:
    for tell in told:
        tell(transaction)


def _count(transaction: Transaction) -> None:
    if journal.is_final(transaction.state):
        _ENDED.inc(transaction.state.value)
        log.info(
            "transaction_ended",
            transaction=transaction.transaction_id,
            state=transaction.state.value,
            elements=len(transaction.elements),
            reason=transaction.reason,
        )


# --- Elements that are away -----------------------------------------------------------------------------------------


class ElementWatch:
    """Keeps figures and alarms of elements, and tries again those that are away.

    Args:
        door: of the alarm list; None: nobody keeps one.
    """

    def __init__(self, watched: Watched, door: DeskDoor | None) -> None:
        self._watched = watched
        self._door = door
        self._alarms: ElementAlarms | None = None

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self.look()
            except (AlarmStoreError, SqlError) as error:
                log.warning("element_alarms_late", reason=str(error))
            await _try_again(self._watched)
            await trio.sleep(ELEMENTS_LOOK_S)

    async def look(self) -> None:
        """Bring figures and alarms to what is so now.

        Raises:
            AlarmStoreError, SqlError: the rest is told the next time.
        """
        wanted = await _look(self._watched)
        door = self._door
        if door is None or not self._watched.engine.is_owner:
            self._alarms = (
                None  # they are told by whoever works off the queue; what stands by then is looked up
            )
            return
        if self._alarms is None:
            self._alarms = ElementAlarms(await _standing(self._watched.database, door))
        now_ms = self._watched.clock.now_ms()
        await trio.to_thread.run_sync(_tell, AlarmDesk(door), self._alarms, wanted, now_ms)


async def _look(watched: Watched) -> dict[AlarmKey, str]:
    """The figures, and which alarms should stand."""
    doubts = await watched.database.read(journal.in_doubt)
    away = watched.sessions.left_alone()
    _OWNED.set(watched.engine.is_owner)
    _QUEUED.set(await watched.database.read(journal.count_queued))
    _IN_DOUBT.set(len(doubts))
    _AWAY.set(len(away))
    wanted = {
        AlarmKey(
            doubt.element, IN_DOUBT
        ): f"Transaction {doubt.transaction_id} cannot be ended here: {doubt.reason}"
        for doubt in doubts
    }
    for element, left in away.items():
        wanted[AlarmKey(element, UNREACHABLE)] = f"No session with the element: {left.reason}"
    return wanted


def _tell(desk: AlarmDesk, alarms: ElementAlarms, wanted: dict[AlarmKey, str], now_ms: int) -> None:
    for signal in alarms.signals(wanted, now_ms):
        desk.report(signal)
        alarms.note_told(signal)


async def _standing(database: Database, door: DeskDoor) -> list[AlarmKey]:
    """Alarms of ours that stand, from whoever worked off the queue before us."""
    records = await database.read(list_elements)
    keys = [AlarmKey(one.name, kind) for one in records if one.management is not None for kind in TYPES]

    def look() -> list[AlarmKey]:
        standing: list[AlarmKey] = []
        for start in range(0, len(keys), _LOOK_BATCH):
            held = door.look([key.alarm_id for key in keys[start : start + _LOOK_BATCH]])
            standing += [one.alarm.key for one in held if one.alarm is not None and not one.alarm.is_cleared]
        return standing

    return await trio.to_thread.run_sync(look)


async def _try_again(watched: Watched) -> None:
    """Connect with elements that were away, so that their alarms clear although nobody has work for them."""
    due = [name for name, left in watched.sessions.left_alone().items() if not left.wait_s]
    find = element_finder(watched.database)

    async def connect(name: str) -> None:
        try:
            element = await find(name)
            if element is not None:
                async with watched.sessions.session(element):
                    log.info("element_reached_again", element=name)
        except (ElementError, SqlError):
            pass  # its breaker knows

    async with trio.open_nursery() as nursery:
        for name in due[:ELEMENTS_TRIED_AT_ONCE]:
            nursery.start_soon(connect, name)
