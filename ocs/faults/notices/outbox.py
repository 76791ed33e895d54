"""What recipients have not taken yet, and what they never will: two lists for each, in the store. Blocking.

An entry is a change as it stands in the stream. It leaves its list when it was sent: a crash between sends it again.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ocs.balance.store_client import StoreClient
from ocs.faults.alarm_change import AlarmChange
from ocs.faults.store.batch import decode_change
from ocs.limits import NOTICES_DEAD_MAX, NOTICES_WAITING_MAX
from ocs.metrics import Counter

DROPPED: Final = Counter(
    "ocs_notices_dropped_total",
    "Notices that were never sent: too many waited for their recipient.",
    ("recipient",),
)

# In the slot of the stream from which they come.
_WAITING: Final = "{alarms}notices:"
_DEAD: Final = "{alarms}dead:"
_encode: Final = msgspec.msgpack.Encoder().encode


class DeadNotice(msgspec.Struct, frozen=True, array_like=True):
    """A change that a recipient did not take, and why."""

    change: AlarmChange
    at_ms: int
    reason: str


_DEAD_DECODER: Final = msgspec.msgpack.Decoder(DeadNotice)


class Outbox:
    """The outboxes of all recipients. Threads may share it."""

    def __init__(self, client: StoreClient) -> None:
        self._redis: Any = client

    def put(self, name: str, changes: Sequence[AlarmChange]) -> None:
        """Put changes behind what waits for a recipient; of too many the oldest are dropped."""
        if not changes:
            return
        length: int = self._redis.rpush(_WAITING + name, *map(_encode, changes))
        if length > NOTICES_WAITING_MAX:
            self._redis.ltrim(_WAITING + name, -NOTICES_WAITING_MAX, -1)
            DROPPED.inc(name, by=length - NOTICES_WAITING_MAX)

    def waiting(self, name: str, count: int) -> list[AlarmChange]:
        """What waits longest."""
        return [decode_change(entry) for entry in self._redis.lrange(_WAITING + name, 0, count - 1)]

    def length(self, name: str) -> int:
        """How many wait."""
        return self._redis.llen(_WAITING + name)

    def done(self, name: str, changes: Sequence[AlarmChange]) -> None:
        """Take away what was sent; it may have been dropped meanwhile."""
        for change in changes:
            self._redis.lrem(_WAITING + name, 1, _encode(change))

    def bury(self, name: str, changes: Sequence[AlarmChange], reason: str, now_ms: int) -> None:
        """Give changes up; they are kept where people can see them."""
        entries = [_encode(DeadNotice(change, now_ms, reason)) for change in changes]
        self._redis.lpush(_DEAD + name, *entries)
        self._redis.ltrim(_DEAD + name, 0, NOTICES_DEAD_MAX - 1)
        self.done(name, changes)

    def dead(self, name: str) -> list[DeadNotice]:
        """What was given up, the latest first."""
        return [_DEAD_DECODER.decode(entry) for entry in self._redis.lrange(_DEAD + name, 0, -1)]
