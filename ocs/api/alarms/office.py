"""What the routes of alarms ask: the list as it is now, the deeds of operators, tasks that were done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import trio
from litestar.exceptions import HTTPException

from ocs.api.alarms.deeds import Deeds, deed_in_thread
from ocs.api.alarms.finding import FoundPage, find_ids, find_page, is_search, pattern_filters
from ocs.api.alarms.history import AlarmHistory
from ocs.api.alarms.resources import ALARM, BASE, AlarmRefBody, Pattern
from ocs.api.alarms.sifting import Turns
from ocs.api.alarms.tasks import AlarmTasks
from ocs.api.alarms.views import tmf_alarm
from ocs.api.threads import ReaderUnavailableError, read_in_thread, write_in_thread
from ocs.api.tmf.delivery import announce, make_event
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.hubs import HubStore
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes, ResourceType
from ocs.clock import Clock
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store.desk import AlarmDesk
from ocs.faults.view.alarm_view import AlarmView
from ocs.faults.view.follower import AlarmFollower
from ocs.faults.view.selection import AlarmRow, PageRequest
from ocs.limits import ALARM_ORDER_WAIT_S, ALARM_TASK_ALARMS_MAX, HTTP_PAGE_ITEMS_MAX

_SYMPTOMS: Final = PageRequest(limit=HTTP_PAGE_ITEMS_MAX)


@dataclass(frozen=True)
class AlarmSide:
    """What the process around the API brings to it.

    Attributes:
        follower: of the list; the API runs it. desk: operators' deeds. history: what happened.
    """

    follower: AlarmFollower
    desk: AlarmDesk
    history: AlarmHistory


class AlarmOffice:
    """Looks at alarms and acts on them for clients."""

    def __init__(self, side: AlarmSide, tasks: AlarmTasks, hubs: HubStore, clock: Clock) -> None:
        self.follower = side.follower
        self.deeds = Deeds(side.desk, clock)
        self._tasks = tasks
        self._hubs = hubs
        self._clock = clock
        self.history = side.history
        self.turns = Turns()

    def now_ms(self) -> int:
        """Our clock."""
        return self._clock.now_ms()

    @property
    def view(self) -> AlarmView:
        """The list.

        Raises:
            ReaderUnavailableError: it was never loaded, because the store does not answer.
        """
        if not self.follower.is_loaded:
            raise ReaderUnavailableError("the alarm list was not loaded yet")
        return self.follower.view

    def row(self, alarm_id: str) -> AlarmRow:
        """One alarm of the view.

        Raises:
            HTTPException: 404, there is none.
        """
        row = self.view.get(alarm_id)
        if row is None:
            raise HTTPException(status_code=404, detail="there is no such alarm")
        return row

    def shown(self, row: AlarmRow) -> Attributes:
        """One alarm as TMF642 shows it, with what is grouped under it."""
        page = self.view.symptoms(row.alarm.alarm_id, _SYMPTOMS, self.now_ms())
        symptoms = [symptom.alarm.alarm_id for symptom in page.rows]
        return tmf_alarm(row.alarm, self.view.said_of(row), symptoms, name=row.name)

    async def page(self, query: Query, caller: str) -> FoundPage:
        """The page of the list that a query asks for.

        Raises:
            TmfError: 400 for more work than one request may cost, 429 when too many searches of the caller wait.
        """
        if not is_search(query):
            return await find_page(self.view, query, self.now_ms())
        async with self.turns.turn_of(caller):
            return await find_page(self.view, query, self.now_ms())

    async def act(
        self, alarm_id: str, action: str, operator: str, text: str, more: Mapping[str, Any]
    ) -> OperatorRecord | None:
        """Do one thing to an alarm; see :meth:`Deeds.act`."""
        return await deed_in_thread(self.deeds.act, alarm_id, action, operator, text, dict(more))

    async def until(self, is_so: Callable[[AlarmView], bool]) -> bool:
        """Wait a moment for the owner of the list to have done what it was asked for; whether it has."""
        with trio.move_on_after(ALARM_ORDER_WAIT_S), self.follower.watch() as watch:
            while not is_so(self.follower.view):
                await watch.receive()
        return is_so(self.follower.view)

    # --- Tasks ------------------------------------------------------------------------------------------

    async def meant(self, patterns: tuple[Pattern, ...], caller: str) -> list[str]:
        """The alarms that a task means.

        Raises:
            TmfError: 400 for a pattern that is none or costs too much, 409 when too many are meant, 429 as of a page.
        """
        for pattern in patterns:
            unknown = sorted(pattern.keys() - ALARM.attributes)
            if unknown or not pattern:
                raise TmfError(400, f"alarmPattern: attributes of an alarm are expected, not {unknown}")
        filters = [pattern_filters(pattern) for pattern in patterns]
        async with self.turns.turn_of(caller):
            found = await find_ids(self.view, filters, self.now_ms())
        if len(found) > ALARM_TASK_ALARMS_MAX:
            raise TmfError(409, f"{len(found)} alarms are meant: {ALARM_TASK_ALARMS_MAX} at most at a time")
        return found

    def referred(self, parent: AlarmRefBody, members: tuple[AlarmRefBody, ...]) -> list[str]:
        """The alarms that are to be grouped under a parent, or not any more.

        Raises:
            TmfError: 400 for a parent that the list does not have or an alarm that is not named, 409 for too many.
        """
        if self.view.get(parent.alarm_id) is None:
            raise TmfError(400, "parentAlarm: the id of an alarm of the list is expected")
        if not members or not all(member.alarm_id for member in members):
            raise TmfError(400, "correlatedAlarm: the ids of one alarm or more are expected")
        if len(members) > ALARM_TASK_ALARMS_MAX:
            raise TmfError(409, f"{len(members)} alarms are meant: {ALARM_TASK_ALARMS_MAX} at most at a time")
        return list(dict.fromkeys(member.alarm_id for member in members))

    async def perform(self, alarm_ids: list[str], doing: Callable[[str], object]) -> list[str]:
        """Do something to alarms; returns those to which it was done."""
        return await deed_in_thread(self.deeds.perform, alarm_ids, doing)

    async def keep_task(self, kind: ResourceType, attributes: Attributes) -> Attributes:
        """Remember a task that was done, and tell listeners of it."""
        task: Attributes = await write_in_thread(self._tasks.add, kind, attributes)
        event_id = f"{kind.path}:{task['id']}"
        event = make_event(kind, "Create", task, event_id=event_id, now_ms=self.now_ms())
        await write_in_thread(announce, self._hubs, BASE, event)
        return task

    def tasks(self, kind: ResourceType) -> Awaitable[list[Attributes]]:
        """Tasks of a kind that were done, newest first."""
        return read_in_thread(self._tasks.all, kind)

    async def task(self, kind: ResourceType, task_id: str) -> Attributes:
        """One task.

        Raises:
            TmfError: 404, there is none.
        """
        found = await read_in_thread(self._tasks.get, kind, task_id)
        if found is None:
            raise TmfError(404, "there is no such task")
        return found
