"""The task that keeps the charge event streams in bounds: trims what is acknowledged, and tells when they pile up.

One process of a node runs it; on many nodes it runs as often, and that is harmless.
"""

from functools import partial

import redis
import structlog
import trio

from ocs.balance.events_room import EventsRoom
from ocs.balance.store_client import StoreClient
from ocs.balance.trimming import Trimmer
from ocs.clock import Clock
from ocs.limits import EVENTS_ROOM_ALARM, TRIM_INTERVAL_S

log = structlog.get_logger()


async def care_for_streams(
    client: StoreClient, clock: Clock, *, partitions: int, events_memory_mib: int
) -> None:
    """Look after the streams for ever, in threads; the client is closed in the end.

    Cancellation takes effect after the step under way, which is short and whole.
    """
    trimmer = Trimmer(client)
    room = EventsRoom(client, clock, partitions=partitions, limit_octets=events_memory_mib << 20)
    is_told, has_room = False, True
    try:
        while True:
            try:
                for partition in range(partitions):
                    trim = partial(trimmer.trim_partition, partition, waits_for_listeners=has_room)
                    await trio.to_thread.run_sync(trim)
                has_room = (await trio.to_thread.run_sync(room.look)).ratio < EVENTS_ROOM_ALARM
                is_told = False
            except redis.RedisError as error:
                if not is_told:
                    is_told = True
                    log.warning(
                        "streams_not_cared_for",
                        reason=str(error),
                        remedy="charge events pile up until the store answers; look at the store's entries",
                    )
            await trio.sleep(TRIM_INTERVAL_S)
    finally:
        client.close()
