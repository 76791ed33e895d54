"""The alarm list for our own clients: pages, counters, a live stream, one route for all that operators do."""

import contextlib
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.response import Stream

from ocs.api.access import caller_name_of, needs
from ocs.api.alarm_stream import AlarmEvents
from ocs.api.alarms import examples
from ocs.api.alarms.conditions import ConditionError, each_once, read_filter, read_page
from ocs.api.alarms.history import history_route
from ocs.api.alarms.office import AlarmOffice
from ocs.api.alarms.views import (
    NativeAlarmView,
    OperatorView,
    SummaryView,
    epoch_ms,
    native_alarm,
    operator_view,
    summary_view,
)
from ocs.api.bodies import read_json
from ocs.api.event_stream import EventStreams
from ocs.api.problems import AnyRequest
from ocs.api.tmf.api import Api
from ocs.api.tokens import Scope
from ocs.faults.store.batch import parse_entry_id

TAG: Final = "alarms"
_PAGING: Final = ("sort", "offset", "limit")


class AlarmPageView(msgspec.Struct, frozen=True):
    """A part of the list; `is_current` is false while the store does not answer."""

    items: tuple[NativeAlarmView, ...]
    total: int
    is_current: bool


class ActionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator does to an alarm.

    Attributes:
        operator: who; the token's name when it is not said.
        until: end of a shelf. assigned_to: a person or a group; empty for nobody. parent: of a group.
    """

    action: Literal[
        "acknowledge",
        "unacknowledge",
        "assign",
        "comment",
        "shelve",
        "unshelve",
        "close",
        "clear",
        "group",
        "ungroup",
    ]
    text: str = ""
    operator: str = ""
    until: datetime | None = None
    assigned_to: str | None = None
    parent: str | None = None


def native_alarm_api(office: AlarmOffice, streams: EventStreams) -> Api:
    """The native routes of alarms."""

    @get("/api/v1/alarms", tags=[TAG], **needs(Scope.ALARM_READ, reads_own_query=True, errors=(400,)))
    async def list_alarms(request: AnyRequest) -> AlarmPageView:
        """List alarms, cut by `sort` (`-changed`, `raised`, `severity`, `resource`, `alarm_type`), `offset`, `limit`.

        Conditions: `severity`, `cleared`, `seen_to`, `shelved`, `operator_state`, `assigned_to`, `resource` (with what
        is within), `alarm_type`, `source`, `symptom`, `root_cause`, `parent` (that, or grouped there by operators),
        `suppressed`, `service`, `since`, `before`, `text`.
        """
        try:
            parameters = each_once(request.query_params.multi_items())
            paging = {name: parameters.pop(name) for name in _PAGING if name in parameters}
            wanted, page = read_filter(parameters), read_page(paging)
        except ConditionError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None
        found = office.view.find(wanted, page, office.now_ms())
        return AlarmPageView(tuple(map(native_alarm, found.rows)), found.total, office.follower.is_current)

    @get("/api/v1/alarms/summary", tags=[TAG], **needs(Scope.ALARM_READ))
    async def get_alarm_summary() -> SummaryView:
        """Count alarms by severity, whether they are over and whether they are closed (RFC 8632, alarm-summary)."""
        return summary_view(office.view.summary(office.now_ms()), is_current=office.follower.is_current)

    @get("/api/v1/alarms/{alarm_id:str}", tags=[TAG], **needs(Scope.ALARM_READ))
    async def get_alarm(alarm_id: FromPath[str]) -> NativeAlarmView:
        """Show one alarm on all its axes."""
        return native_alarm(office.row(alarm_id))

    @post(
        "/api/v1/alarms/{alarm_id:str}/actions",
        tags=[TAG],
        status_code=200,
        **needs(Scope.ALARM_OPERATE, body=ActionBody, example=examples.ACTION, errors=(409,)),
    )
    async def act_on_alarm(request: AnyRequest, alarm_id: FromPath[str]) -> Response[OperatorView | None]:
        """Do one thing to an alarm; shows the operator's axis after it. A clear takes a moment (202)."""
        body = await read_json(request, ActionBody)
        more = _more(body)
        operator = body.operator or caller_name_of(request)
        record = await office.act(alarm_id, body.action, operator, body.text, more)
        shown = None if record is None else operator_view(record)
        return Response(shown, status_code=202 if record is None else 200)

    stream = _stream_route(office, streams)
    about = "The alarm list as it is now, its counters, a live stream, its history, what operators do."
    history = history_route(office.history, office.turns)
    return Api(TAG, about, (list_alarms, get_alarm_summary, stream, history, get_alarm, act_on_alarm))


def _stream_route(office: AlarmOffice, streams: EventStreams) -> Any:
    @get(
        "/api/v1/alarms/stream",
        tags=[TAG],
        media_type="text/event-stream",
        **needs(Scope.ALARM_READ, reads_own_query=True, errors=(400,)),
    )
    async def stream_alarms(request: AnyRequest) -> Stream:
        """Send each change of an alarm as it happens (server-sent events); conditions as of the list.

        `Last-Event-ID` goes on behind an event that was seen. An event `reload` says that some were missed: the list is
        to be read again. `matches` says whether an alarm fulfils the conditions now; one that does not any more leaves.
        """
        after_id = request.headers.get("last-event-id") or None
        try:
            wanted = read_filter(each_once(request.query_params.multi_items()))
            if after_id is not None:
                parse_entry_id(after_id)
        except ConditionError as error:
            raise HTTPException(status_code=400, detail=str(error)) from None
        except ValueError:
            raise HTTPException(
                status_code=400, detail="Last-Event-ID: the id of an event is expected"
            ) from None
        watching = contextlib.ExitStack()
        watch = watching.enter_context(office.follower.watch(after_id))
        events = AlarmEvents(
            watch, wanted, office.now_ms, lambda: office.follower.last_id, office.follower.view.row_of
        )
        try:
            return streams.response(request, events.next, watching.close)
        except HTTPException:
            watching.close()
            raise

    return stream_alarms


def _more(body: ActionBody) -> dict[str, Any]:
    """What an action takes beside its text.

    Raises:
        HTTPException: 400, it lacks or has what it may not.
    """
    if (body.action == "shelve") is not (body.until is not None):
        raise HTTPException(status_code=400, detail="until: a shelf has an end, and nothing else has")
    if (body.action == "assign") is not (body.assigned_to is not None):
        raise HTTPException(
            status_code=400, detail="assigned_to: an assignment names whom, and nothing else does"
        )
    if body.action.endswith("group") is not (body.parent is not None):
        raise HTTPException(status_code=400, detail="parent: a group has one, and nothing else has")
    if body.parent is not None:
        return {"parent": body.parent}
    if body.until is not None:
        return {"until_ms": epoch_ms(body.until)}
    return {} if body.assigned_to is None else {"to": body.assigned_to}
