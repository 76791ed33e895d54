"""Forgets alarm changes that every reader has acknowledged, and bounds what one that does not may hold up.

Consumer groups of the stream (the history, notices) say what they are done with; views do not, and are given a minute
behind. Run by the owner of the list, whatever its followers do; several at once do no harm. Blocking, by redis-py.
"""

from typing import Any, Final

import redis
import structlog
import trio

from ocs.balance.store_client import StoreClient
from ocs.balance.trimming import parse_id, successor
from ocs.clock import Clock
from ocs.faults.store import keys
from ocs.limits import ALARM_CHANGES_KEPT_S, ALARM_CHANGES_MAX, ALARM_TRIM_INTERVAL_S
from ocs.metrics import Counter, Gauge

log = structlog.get_logger()

_WAITING: Final = Gauge(
    "ocs_alarm_changes", "Changes of alarms that the store holds for those who follow them."
)
_MISSED: Final = Counter(
    "ocs_alarm_changes_missed_total", "Changes forgotten before a reader had acknowledged them.", ("group",)
)


class ChangeTrimmer:
    """Trims the stream of alarm changes."""

    def __init__(self, client: StoreClient) -> None:
        self._client: Any = client
        self._told = False

    def trim(self, now_ms: int) -> int:
        """Forget what may go; returns how many changes went.

        Args:
            now_ms: our clock; the store's, which made the ids, is to agree within seconds.

        Raises:
            redis.RedisError: the store did not answer.
        """
        (exists,) = self._client.ask((("EXISTS", keys.CHANGES),))
        if not exists:
            _WAITING.set(0)
            return 0
        # The last one stays, whoever has acknowledged it: who follows finds there that nothing is missing.
        last = parse_id(self._client.xinfo_stream(keys.CHANGES)["last-generated-id"])
        kept_ms = max(now_ms - ALARM_CHANGES_KEPT_S * 1000, 0)
        end = min([(kept_ms, 0), last, *self._unacknowledged()])
        gone: int = self._client.xtrim(keys.CHANGES, minid=f"{end[0]}-{end[1]}", approximate=True)
        left: int = self._client.xlen(keys.CHANGES)
        if left > ALARM_CHANGES_MAX:
            gone += self._cut(left - ALARM_CHANGES_MAX)
        _WAITING.set(min(left, ALARM_CHANGES_MAX))
        self._told = left > ALARM_CHANGES_MAX
        return gone

    def _unacknowledged(self) -> list[tuple[int, int]]:
        """Of each group the first id that it is not done with."""
        ends: list[tuple[int, int]] = []
        for group in self._client.xinfo_groups(keys.CHANGES):
            # Asked after what was delivered: a change delivered in between is among the pending, and stays.
            lowest: bytes | None = None
            if group["pending"]:
                lowest = self._client.xpending(keys.CHANGES, group["name"])["min"]
            ends.append(
                successor(parse_id(group["last-delivered-id"])) if lowest is None else parse_id(lowest)
            )
        return ends

    def _cut(self, count: int) -> int:
        """Forget the oldest changes although somebody has not acknowledged them."""
        groups: list[dict[str, Any]] = self._client.xinfo_groups(keys.CHANGES)
        behind = [group for group in groups if group["pending"] or group.get("lag")]
        gone: int = self._client.xtrim(keys.CHANGES, maxlen=ALARM_CHANGES_MAX, approximate=False)
        for group in behind:
            _MISSED.inc(group["name"].decode(errors="replace"), by=count)
        if not self._told:
            log.error(
                "alarm_changes_missed",
                groups=[group["name"].decode(errors="replace") for group in behind],
                changes=count,
                remedy="the database of the history is away or too slow: see [sql] url; alarms themselves are not lost",
            )
        return gone


async def keep_trimmed(trimmer: ChangeTrimmer, clock: Clock) -> None:
    """Trim now and then, for ever, in a thread; a store that is away is asked again."""
    while True:
        try:
            await trio.to_thread.run_sync(trimmer.trim, clock.now_ms())
        except redis.RedisError as error:
            log.debug("alarm_changes_not_trimmed", reason=str(error))  # who commits tells of it
        await trio.sleep(ALARM_TRIM_INTERVAL_S)
