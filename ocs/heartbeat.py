"""Notices a process of ours that runs and does not answer: one that was stopped, or is stuck, does not end by itself.

It is told and not killed: whoever stopped it may be looking at it. Another node takes over what it owned when its lease
is over.
"""

from collections.abc import Sequence
from typing import Final

import trio

from ocs.limits import PROCESS_BEAT_INTERVAL_S, PROCESS_BEATS_MISSED
from ocs.log import get_logger
from ocs.metrics import Gauge
from ocs.worker_channel import WorkerChannel, WorkerSilentError

log = get_logger(__name__)

_SILENT: Final = Gauge("ocs_process_silent", "1 where a process of ours does not answer.", ("process",))


async def watch_heartbeats(channels: Sequence[WorkerChannel]) -> None:
    """Ask processes again and again whether they are there, until cancelled; tell who is silent, and who is back."""
    async with trio.open_nursery() as nursery:
        for channel in channels:
            nursery.start_soon(_watch, channel)


async def _watch(channel: WorkerChannel) -> None:
    missed = 0
    while True:
        _SILENT.set(missed >= PROCESS_BEATS_MISSED, channel.name)
        await trio.sleep(PROCESS_BEAT_INTERVAL_S)
        try:
            await channel.ask("health")
        except WorkerSilentError as error:
            missed += 1
            if missed == PROCESS_BEATS_MISSED:
                log.error(  # noqa: TRY400 - it is the other process that has a fault
                    "process_silent",
                    process=channel.name,
                    reason=str(error),
                    remedy="it is stopped or stuck: continue it (SIGCONT) or end it (SIGKILL), and it is started again",
                )
        else:
            if missed >= PROCESS_BEATS_MISSED:
                log.info("process_answers_again", process=channel.name)
            missed = 0
