"""The routes of TMF654 Prepay Balance Management v4.0.0."""

from functools import partial
from typing import Any, Final

from litestar import Response, delete, patch, post
from litestar.params import FromPath

from ocs.api.access import caller_of, needs
from ocs.api.bodies import read_json
from ocs.api.prepay_balance import examples
from ocs.api.prepay_balance.desk import PrepayBalanceDesk
from ocs.api.prepay_balance.resources import (
    ACCUMULATED_BALANCE,
    ADJUST_BALANCE,
    BALANCE_ACTION_HISTORY,
    BODIES,
    BUCKET,
    RESERVE_BALANCE,
    TOPUP_BALANCE,
    TRANSFER_BALANCE,
    PatchBody,
)
from ocs.api.prepay_balance.views import action_view
from ocs.api.threads import write_in_thread
from ocs.api.tmf.answers import (
    AnyRequest,
    created_response,
    idempotency_key,
    one_response,
    read_query,
)
from ocs.api.tmf.api import Api
from ocs.api.tmf.errors import TmfError, error_response
from ocs.api.tmf.hub_routes import HubDesk, hub_routes
from ocs.api.tmf.query import Query
from ocs.api.tmf.records import ActionRecord, ActionStatus
from ocs.api.tmf.resource_routes import reading_routes
from ocs.api.tmf.resources import Attributes, ResourceType
from ocs.api.tokens import Scope

TAG: Final = "TMF654 prepay balance"
# What each kind of action is called, with its article, and the scope that making it needs.
_ACTIONS: Final = (
    (TOPUP_BALANCE, "a top-up", Scope.BALANCE_TOPUP),
    (ADJUST_BALANCE, "an adjustment", Scope.BALANCE_ADJUST),
    (TRANSFER_BALANCE, "a transfer", Scope.BALANCE_ADJUST),
    (RESERVE_BALANCE, "a reservation", Scope.BALANCE_ADJUST),
)


def prepay_balance_api(desk: PrepayBalanceDesk, hubs: HubDesk) -> Api:
    """TMF654 as the application serves it."""
    routes: list[Any] = [
        *reading_routes(
            BUCKET,
            TAG,
            Scope.BALANCE_READ,
            listed=desk.buckets,
            one=desk.bucket,
            about="List buckets, of all accounts or of those that `partyAccount.id` or `logicalResource.id` names.",
        ),
        *reading_routes(
            ACCUMULATED_BALANCE,
            TAG,
            Scope.BALANCE_READ,
            listed=desk.accumulated_balances,
            one=desk.accumulated_balance,
            about="List what accounts have in all, a sum for each kind of unit.",
        ),
        *reading_routes(
            BALANCE_ACTION_HISTORY,
            TAG,
            Scope.BALANCE_READ,
            listed=desk.history,
            one=desk.history_entry,
            about="List what was done to an account from outside its sessions, newest first."
            " `partyAccount.id` names it.",
        ),
    ]
    for kind, doing, scope in _ACTIONS:
        routes += _action_routes(desk, kind, doing, scope)
    about = "TM Forum TMF654 v4.0.0, by the guidelines of TMF630."
    return Api(TAG, about, (*routes, *hub_routes(hubs, TAG)))


def _action_routes(desk: PrepayBalanceDesk, kind: ResourceType, doing: str, scope: Scope) -> list[Any]:
    """List, show and make one kind of action, cancel and forget one."""
    path = f"{kind.base}/{kind.path}"

    async def one(identifier: str) -> Attributes:
        return action_view(await desk.record(kind.path, identifier))

    async def listed(query: Query) -> list[Attributes]:
        return await desk.listed(kind.path, query)

    @post(
        path,
        tags=[TAG],
        operation_id=f"create{kind.name}",
        description=f"Make {doing}. The same `Idempotency-Key` again gets the first answer, and nothing is done twice.",
        **needs(
            scope,
            body=BODIES[kind.path],
            example=examples.MADE[kind.path],
            answers=kind,
            errors=(409,),
        ),
    )
    async def create_action(request: AnyRequest) -> Response[bytes]:
        body: Any = await read_json(request, BODIES[kind.path])
        create = partial(
            desk.actions.create, kind.path, body, caller=caller_of(request), key=idempotency_key(request)
        )
        record: ActionRecord = await write_in_thread(create)
        if record.status is ActionStatus.FAILED:
            return error_response(409, record.reason, {"Location": kind.href(record.record_id)})
        return created_response(action_view(record))

    noun = doing.partition(" ")[2]
    reading = reading_routes(
        kind, TAG, Scope.BALANCE_READ, listed=listed, one=one, about=f"List {noun}s, newest first."
    )
    return [*reading, create_action, *_changing_routes(desk, kind, doing, scope)]


def _changing_routes(desk: PrepayBalanceDesk, kind: ResourceType, doing: str, scope: Scope) -> list[Any]:
    """Cancel and forget one kind of action."""
    path = f"{kind.base}/{kind.path}/{{identifier:str}}"

    @patch(
        path,
        tags=[TAG],
        operation_id=f"patch{kind.name}",
        description=f"Cancel {doing}, where it can be undone.",
        **needs(
            scope,
            reads_own_query=True,
            body=PatchBody,
            example=examples.CANCELLED,
            answers=kind,
            errors=(409,),
        ),
    )
    async def patch_action(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:
        body = await read_json(request, PatchBody)
        if body.status != ActionStatus.CANCELLED:
            raise TmfError(400, "status: `cancelled` is all that can be asked for")
        record = await desk.record(kind.path, identifier)
        query = read_query(request, kind, is_list=False)
        return one_response(query, action_view(await write_in_thread(desk.actions.cancel, record)))

    @delete(
        path,
        tags=[TAG],
        operation_id=f"delete{kind.name}",
        description=f"Forget {doing}; what it moved stays moved.",
        **needs(scope, reads_own_query=True, errors=(409,)),
    )
    async def delete_action(identifier: FromPath[str]) -> None:
        record = await desk.record(kind.path, identifier)
        if record.status is ActionStatus.CREATED:
            raise TmfError(409, "it is not known yet what became of it")
        await write_in_thread(desk.actions.records.delete, record)

    return [patch_action, delete_action]
