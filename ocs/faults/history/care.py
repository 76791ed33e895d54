"""The task beside the owner of the alarm list that writes its history, forgets what is old and trims the stream."""

import redis
import structlog
import trio

from ocs.balance.store_client import StoreClient
from ocs.clock import Clock
from ocs.faults.history.writer import HistoryWriter
from ocs.faults.store.trimming import ChangeTrimmer
from ocs.limits import ALARM_TRIM_INTERVAL_S, HISTORY_FORGET_INTERVAL_S, HISTORY_INTERVAL_S
from ocs.sql import Database
from ocs.sql_error import SqlError

log = structlog.get_logger()

_DAY_MS = 86_400_000


async def care_for_history(
    client: StoreClient, database: Database, clock: Clock, *, history_days: int
) -> None:
    """Look after history and stream for ever, in threads.

    Cancellation takes effect after the step under way, which is short and whole.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_write, HistoryWriter(client, database))
        nursery.start_soon(_forget, HistoryWriter(client, database), clock, history_days)
        nursery.start_soon(_trim, ChangeTrimmer(client), clock)


async def _write(writer: HistoryWriter) -> None:
    is_told = False
    while True:
        try:
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


async def _trim(trimmer: ChangeTrimmer, clock: Clock) -> None:
    while True:
        try:
            await trio.to_thread.run_sync(trimmer.trim, clock.now_ms())
        except redis.RedisError as error:
            log.debug("alarm_changes_not_trimmed", reason=str(error))  # told by the writing beside us
        await trio.sleep(ALARM_TRIM_INTERVAL_S)
