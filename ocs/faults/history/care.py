"""The task that writes the history of the alarm list and forgets what is old."""

import redis
import structlog
import trio

from ocs.balance.store_client import StoreClient
from ocs.clock import Clock
from ocs.faults.history.writer import HistoryWriter
from ocs.limits import HISTORY_FORGET_INTERVAL_S, HISTORY_INTERVAL_S
from ocs.sql import Database
from ocs.sql_error import SqlError

log = structlog.get_logger()

_DAY_MS = 86_400_000


async def care_for_history(
    client: StoreClient, database: Database, clock: Clock, *, history_days: int
) -> None:
    """Look after the history for ever, in threads; a database that is away is waited for.

    Cancellation takes effect after the step under way, which is short and whole.
    """
    async with trio.open_nursery() as nursery:
        await nursery.start(_write, HistoryWriter(client, database))
        nursery.start_soon(_forget, HistoryWriter(client, database), clock, history_days)


async def _write(
    writer: HistoryWriter, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Write; started when the database has its tables."""
    is_told = is_prepared = False
    while True:
        try:
            if not is_prepared:
                await trio.to_thread.run_sync(writer.prepare)
                is_prepared = True
                task_status.started()
            written = await trio.to_thread.run_sync(writer.write)
            is_told = False
        except (redis.RedisError, SqlError) as error:
            written = 0
            if not is_told:
                is_told = True
                log.warning(
                    "alarm_history_not_written",
                    reason=str(error),
                    remedy="changes wait in the store until it is written: look at the database and the store",
                )
        if not written:
            await trio.sleep(HISTORY_INTERVAL_S)


async def _forget(writer: HistoryWriter, clock: Clock, history_days: int) -> None:
    while True:
        try:
            gone = await trio.to_thread.run_sync(writer.forget, clock.now_ms() - history_days * _DAY_MS)
        except SqlError:
            gone = 0  # told by the writing beside us
        await trio.sleep(HISTORY_INTERVAL_S if gone else HISTORY_FORGET_INTERVAL_S)
