"""The live list of alarms: each change as it happens, to so many clients (server-sent events)."""

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from ocs.api.alarms.views import change_record
from ocs.api.event_stream import StreamEvent
from ocs.faults.alarm import Alarm
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store.batch import FollowedChange
from ocs.faults.view.follower import Watch
from ocs.faults.view.selection import AlarmFilter, AlarmRow

# What a filter says of an alarm that never changes for it: others are told with whether they match now, so that a
# client can take away what does not any more.
_LASTING: Final = ("resource", "alarm_type", "source")
RowMaker = Callable[[Alarm, OperatorRecord | None], AlarmRow]
RELOAD: Final = "reload"


class AlarmEvents:
    """The events of one client, from what its watch is told. One task may ask it for the next.

    Args:
        last_id: gives the id of the last change that the view has taken.
        row_of: makes a row of a changed alarm.
    """

    def __init__(
        self,
        watch: Watch,
        wanted: AlarmFilter,
        now_ms: Callable[[], int],
        last_id: Callable[[], str],
        row_of: RowMaker = AlarmRow,
    ) -> None:
        self._row_of = row_of
        self._watch = watch
        self._wanted = wanted
        self._lasting = AlarmFilter(**{name: getattr(wanted, name) for name in _LASTING})
        self._now_ms = now_ms
        self._last_id = last_id
        self._waiting: deque[StreamEvent] = deque()

    async def next(self) -> StreamEvent:
        """The next event; cancelled, none is lost."""
        while not self._waiting:
            found = await self._watch.receive()
            if found is None:
                return StreamEvent(self._last_id(), RELOAD, b"{}")
            for followed in found:
                event = self._event(followed)
                if event is not None:
                    self._waiting.append(event)
        return self._waiting.popleft()

    def _event(self, followed: FollowedChange) -> StreamEvent | None:
        """What the client is told of a change; None for nothing. Counters that moved are in the list."""
        change = followed.change
        if change.kind in {ChangeKind.REPEATED, ChangeKind.PASSED}:
            return None
        matches, row = False, None
        if change.alarm is not None:
            now_ms = self._now_ms()
            row = self._row_of(change.alarm, change.operator)
            if not self._lasting.matches(row, now_ms):
                return None
            matches = change.kind is not ChangeKind.PURGED and self._wanted.matches(row, now_ms)
        body = change_record(change, row) | {"matches": matches}
        return StreamEvent(followed.entry_id, str(change.kind), msgspec.json.encode(body))
