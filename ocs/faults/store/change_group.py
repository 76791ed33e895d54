"""A reader of alarm changes that gets each at least once: a consumer group of the stream.

What was read and not acknowledged is read again by whoever comes next. A group that is not read holds the stream up to
its bound, so one that nobody needs is given up. Blocking, by redis-py.
"""

from typing import Any, Final

import msgspec
import redis
import structlog
from redis.exceptions import ResponseError

from ocs.balance.store_client import StoreClient
from ocs.faults.store import keys
from ocs.faults.store.batch import FollowedChange, decode_change
from ocs.metrics import Counter

log = structlog.get_logger()

_UNREADABLE: Final = Counter(
    "ocs_alarm_changes_unreadable_total",
    "Changes that a reader left out because they could not be read.",
    ("group",),
)

# One name for whoever reads: what a crashed one had been given is its successor's first.
_CONSUMER: Final = "reader"


class ChangeGroup:
    """One group of readers; one process at a time reads for it, by a lease of its own.

    Args:
        name: of the group.
        from_beginning: whether a new group begins with the oldest change that is there, and not with the next one.
    """

    def __init__(self, client: StoreClient, name: str, *, from_beginning: bool = False) -> None:
        self._client: Any = client
        self._name = name
        self._begins = "0" if from_beginning else "$"
        self._is_open = False
        self._has_pending = True

    def open(self) -> None:
        """Make the group; one that exists goes on where it stands."""
        if self._is_open:
            return
        try:
            self._client.xgroup_create(keys.CHANGES, self._name, id=self._begins, mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._is_open, self._has_pending = True, True

    def forget(self) -> None:
        """Look again at the next opening: somebody else may have read meanwhile."""
        self._is_open = False

    def close(self) -> None:
        """Give the group up."""
        self._is_open = False
        if self._client.exists(keys.CHANGES):
            self._client.xgroup_destroy(keys.CHANGES, self._name)

    def read(self, count: int) -> list[FollowedChange]:
        """The next changes, those first that were read before and not acknowledged; empty when there are none.

        What cannot be read is told, acknowledged and left out.

        Raises:
            redis.RedisError: no answer; open again.
        """
        try:
            while entries := self._next(count):
                if found := self._decoded(entries):
                    return found
        except redis.RedisError:
            self._is_open, self._has_pending = False, True
            raise
        return []

    def done(self, last: list[FollowedChange]) -> None:
        """Acknowledge what was read."""
        if last:
            self._client.xack(keys.CHANGES, self._name, *[followed.entry_id for followed in last])
        self._has_pending = False

    def _next(self, count: int) -> list[tuple[bytes, Any]]:
        entries = self._read_from("0", count) if self._has_pending else []
        if not entries:
            self._has_pending = False
            entries = self._read_from(">", count)
        self._has_pending = self._has_pending or bool(entries)
        return entries

    def _decoded(self, entries: list[tuple[bytes, Any]]) -> list[FollowedChange]:
        found: list[FollowedChange] = []
        for entry_id, fields in entries:
            try:
                found.append(FollowedChange(entry_id.decode(), decode_change(fields[b"c"])))
            except (KeyError, TypeError, msgspec.MsgspecError) as error:
                _UNREADABLE.inc(self._name)
                log.warning("alarm_change_unreadable", entry=entry_id.decode(), reason=str(error))
                self._client.xack(keys.CHANGES, self._name, entry_id)
        return found

    def _read_from(self, start: str, count: int) -> list[tuple[bytes, Any]]:
        found: Any = self._client.xreadgroup(self._name, _CONSUMER, {keys.CHANGES: start}, count=count)
        return found[0][1] if found else []
