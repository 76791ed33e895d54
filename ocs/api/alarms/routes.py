"""The routes of TMF642 Alarm Management v4.0.0.

Which alarm explains which follows from the topology; ``groupAlarms`` says more of it by hand, and takes nothing back.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import msgspec
import trio
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from ocs.api.access import caller_name_of, needs
from ocs.api.alarms import examples
from ocs.api.alarms.deeds import Deeds, deed_in_thread
from ocs.api.alarms.office import AlarmOffice
from ocs.api.alarms.resources import (
    ACK_ALARMS,
    ALARM,
    BASE,
    CLEAR_ALARMS,
    COMMENT_ALARMS,
    GROUP_ALARMS,
    UNACK_ALARMS,
    UNGROUP_ALARMS,
    AckBody,
    AlarmBody,
    AlarmPatch,
    ClearBody,
    CommentAlarmsBody,
    GroupBody,
)
from ocs.api.alarms.views import tmf_alarm
from ocs.api.bodies import read_json
from ocs.api.tmf.answers import (
    AnyRequest,
    created_response,
    cut_response,
    json_response,
    one_response,
    read_query,
)
from ocs.api.tmf.api import Api
from ocs.api.tmf.hub_routes import HubDesk, hub_routes
from ocs.api.tmf.query import Query
from ocs.api.tmf.resource_routes import reading_routes
from ocs.api.tmf.resources import Attributes, ResourceType, date_time, identified
from ocs.api.tokens import Scope
from ocs.faults.view.selection import AlarmRow

TAG: Final = "TMF642 alarms"

AnyBody = Any
# Makes what is done to each alarm that a task means, from its body and the caller's name.
MakeDoing = Callable[[AnyBody, str], Callable[[str], object]]


def alarm_management_api(office: AlarmOffice, hubs: HubDesk) -> Api:
    """TMF642 as the application serves it."""
    deeds = office.deeds
    routes: list[Any] = [*_alarm_routes(office), *_changing_routes(office)]
    for kind, body, done, doing in _TASKS:
        routes += _task_routes(office, kind, body, done, doing(deeds))
    about = "TM Forum TMF642 v4.0.0: alarms of the network, what operators say of them, events."
    return Api(TAG, about, (*routes, *hub_routes(hubs, TAG, scope=Scope.ALARM_READ)))


def _alarm_routes(office: AlarmOffice) -> list[Any]:
    """List and show alarms. A list is cut by the view: it may be a hundred thousand long."""

    @get(
        f"{BASE}/{ALARM.path}",
        tags=[TAG],
        operation_id="listAlarm",
        **needs(Scope.ALARM_READ, reads_own_query=True, answers=ALARM, is_list=True),
    )
    async def list_alarms(request: AnyRequest) -> Response[bytes]:
        """List alarms, those changed last first. `correlatedAlarm` is shown of a single alarm only.

        Fast are `id`, `state`, `perceivedSeverity`, `ackState`, `alarmedObject.id`, `sourceSystemId`, `parentAlarm.id`,
        `affectedService.id` and times. Others are refused (400) where they must be asked of too many alarms.
        """
        query = read_query(request, ALARM, is_list=True)
        page = await office.page(query, caller_name_of(request))
        return cut_response(request, query, page.alarms, total=page.total)

    @get(
        f"{BASE}/{ALARM.path}/{{identifier:str}}",
        tags=[TAG],
        operation_id="retrieveAlarm",
        **needs(Scope.ALARM_READ, reads_own_query=True, answers=ALARM),
    )
    async def retrieve_alarm(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:
        """Show one alarm by its id."""
        query = read_query(request, ALARM, is_list=False)
        await trio.lowlevel.checkpoint()
        return one_response(query, office.shown(office.row(identifier)))

    return [list_alarms, retrieve_alarm]


def _changing_routes(office: AlarmOffice) -> list[Any]:
    """Report, patch and purge alarms."""
    path = f"{BASE}/{ALARM.path}"

    @post(
        path,
        tags=[TAG],
        operation_id="createAlarm",
        **needs(Scope.ALARM_OPERATE, body=AlarmBody, example=examples.ALARM, answers=ALARM, errors=(409,)),
    )
    async def create_alarm(request: AnyRequest) -> Response[bytes]:
        """Report an alarm, or that it is over, as a device does by a trap. The same again is the same alarm.

        202 when it is taken, and the owner of the list has not had the time to do it yet.
        """
        signal = await deed_in_thread(office.deeds.report, await read_json(request, AlarmBody))
        alarm_id = signal.key.alarm_id
        if await office.until(lambda view: _has_taken(view.get(alarm_id), signal.at_ms)):
            return created_response(office.shown(office.row(alarm_id)))
        return json_response(identified(ALARM, alarm_id, {}), status=202)

    @patch(
        f"{path}/{{identifier:str}}",
        tags=[TAG],
        operation_id="patchAlarm",
        **needs(
            Scope.ALARM_OPERATE,
            reads_own_query=True,
            body=AlarmPatch,
            example=examples.PATCH,
            answers=ALARM,
            errors=(409,),
        ),
    )
    async def patch_alarm(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:
        """Acknowledge, comment, assign, shelve, close, or clear what its device never clears."""
        query = read_query(request, ALARM, is_list=False)
        body = await read_json(request, AlarmPatch)
        alarm, record = await deed_in_thread(office.deeds.patch, identifier, body, caller_name_of(request))
        return one_response(query, tmf_alarm(alarm, record, name=office.view.row_of(alarm, record).name))

    @delete(
        f"{path}/{{identifier:str}}",
        tags=[TAG],
        operation_id="deleteAlarm",
        **needs(Scope.ALARM_OPERATE, reads_own_query=True, errors=(409,)),
    )
    async def delete_alarm(request: AnyRequest, identifier: FromPath[str]) -> None:
        """Take an alarm that is over off the list (RFC 8632, purge-alarms); its history stays."""
        await deed_in_thread(office.deeds.purge, identifier, caller_name_of(request))

    return [create_alarm, patch_alarm, delete_alarm]


def _has_taken(row: AlarmRow | None, at_ms: int) -> bool:
    return row is not None and row.alarm.last_signal_ms >= at_ms


# --- Tasks --------------------------------------------------------------------------------------------------------


def _acknowledging(deeds: Deeds) -> MakeDoing:
    return lambda body, _caller: deeds.acknowledging(body.ack_user_id, body.ack_system_id)


def _unacknowledging(deeds: Deeds) -> MakeDoing:
    return lambda body, _caller: deeds.unacknowledging(body.ack_user_id, body.ack_system_id)


def _clearing(deeds: Deeds) -> MakeDoing:
    return lambda body, _caller: deeds.clearing(body.clear_user_id, body.clear_system_id)


def _commenting(deeds: Deeds) -> MakeDoing:
    return lambda body, caller: deeds.commenting(body.comment, caller)


def _grouping(action: str, deeds: Deeds) -> MakeDoing:
    return lambda body, caller: deeds.grouping(action, body.parent_alarm.alarm_id, caller)


# Each task with its body, the attribute that lists to which alarms it was done, and what it does.
_TASKS: Final[tuple[tuple[ResourceType, type[Any], str, Callable[[Deeds], MakeDoing]], ...]] = (
    (ACK_ALARMS, AckBody, "ackedAlarm", _acknowledging),
    (UNACK_ALARMS, AckBody, "unAckedAlarm", _unacknowledging),
    (CLEAR_ALARMS, ClearBody, "clearedAlarm", _clearing),
    (COMMENT_ALARMS, CommentAlarmsBody, "commentedAlarm", _commenting),
    (GROUP_ALARMS, GroupBody, "groupedAlarm", partial(_grouping, "group")),
    (UNGROUP_ALARMS, GroupBody, "unGroupedAlarm", partial(_grouping, "ungroup")),
)


def _task_routes(
    office: AlarmOffice, kind: ResourceType, body_type: type[Any], done: str, doing: MakeDoing
) -> list[Any]:
    """List, show and do one kind of task."""

    async def one(identifier: str) -> Attributes:
        return await office.task(kind, identifier)

    def listed(_query: Query) -> Awaitable[list[Attributes]]:
        return office.tasks(kind)

    reading = reading_routes(
        kind,
        TAG,
        Scope.ALARM_READ,
        listed=listed,
        one=one,
        about=f"List {kind.path} tasks that were done, newest first.",
    )

    @post(
        f"{BASE}/{kind.path}",
        tags=[TAG],
        operation_id=f"create{kind.name}",
        description=f"Do it to all alarms that are meant; `{done}` names those whose state allowed it.",
        **needs(
            Scope.ALARM_OPERATE,
            body=body_type,
            example=examples.TASKS[kind.path],
            answers=kind,
            errors=(409,),
        ),
    )
    async def create_task(request: AnyRequest) -> Response[bytes]:
        body = await read_json(request, body_type)
        caller = caller_name_of(request)
        if isinstance(body, GroupBody):
            meant = office.referred(body.parent_alarm, body.correlated_alarm)
        else:
            meant = await office.meant(body.alarm_pattern, caller)
        alarm_ids = await office.perform(meant, doing(body, caller))
        attributes: Attributes = {
            **{name: value for name, value in msgspec.to_builtins(body).items() if name != "state"},
            "state": "done",
            done: [{"href": ALARM.href(alarm_id)} for alarm_id in alarm_ids],
        }
        if kind is ACK_ALARMS or kind is UNACK_ALARMS:
            attributes["ackTime"] = date_time(office.now_ms())
        return created_response(await office.keep_task(kind, attributes))

    return [*reading, create_task]
