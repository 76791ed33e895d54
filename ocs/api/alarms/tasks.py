"""Tasks of TMF642 that were done, as they were answered: the last so many of each kind, in the store."""

from typing import Any, Final, cast

import msgspec

from ocs.api.tmf.resources import Attributes, ResourceType, encode_body, identified
from ocs.balance.store_client import StoreClient
from ocs.limits import ALARM_TASKS_KEPT

_ENTRY_ID_CHARACTERS: Final = frozenset("0123456789-")
_FIELD: Final = b"t"


class AlarmTasks:
    """Keeps tasks in a stream of each kind: an entry's id is the task's. Blocks; threads may share it."""

    def __init__(self, store: StoreClient) -> None:
        self._redis: Any = store

    def add(self, kind: ResourceType, attributes: Attributes) -> Attributes:
        """Keep a task; returns it with its id."""
        entry_id: bytes = self._redis.xadd(
            _key(kind), {_FIELD: encode_body(attributes)}, maxlen=ALARM_TASKS_KEPT, approximate=True
        )
        return identified(kind, entry_id.decode(), attributes)

    def get(self, kind: ResourceType, task_id: str) -> Attributes | None:
        """One task; None when there is none (any more)."""
        if "-" not in task_id or not _ENTRY_ID_CHARACTERS.issuperset(task_id) or len(task_id) > 32:
            return None
        milliseconds, _, number = task_id.partition("-")
        if not (milliseconds.isdigit() and number.isdigit()):
            return None
        entries = self._redis.xrange(_key(kind), task_id, task_id)
        return _task(kind, entries[0]) if entries else None

    def all(self, kind: ResourceType) -> list[Attributes]:
        """Those that are kept, newest first."""
        return [_task(kind, entry) for entry in self._redis.xrevrange(_key(kind), count=ALARM_TASKS_KEPT)]


def _key(kind: ResourceType) -> str:
    return f"alarm_tasks:{kind.path}"


def _task(kind: ResourceType, entry: Any) -> Attributes:
    entry_id, fields = entry
    return identified(kind, entry_id.decode(), cast("Attributes", msgspec.json.decode(fields[_FIELD])))
