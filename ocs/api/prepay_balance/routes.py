"""The routes of TMF654 Prepay Balance Management v4.0.0."""

from collections.abc import Callable
from typing import Any, Final

from litestar import Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from ocs.api.access import caller_of, needs
from ocs.api.bodies import read_json
from ocs.api.prepay_balance.desk import PrepayBalanceDesk
from ocs.api.prepay_balance.resources import (
    ACCUMULATED_BALANCE,
    ADJUST_BALANCE,
    BALANCE_ACTION_HISTORY,
    BASE,
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
    one_response,
    page_response,
    read_query,
)
from ocs.api.tmf.errors import TmfError, error_response
from ocs.api.tmf.hub_routes import hub_routes
from ocs.api.tmf.records import ActionRecord, ActionStatus
from ocs.api.tmf.resources import ResourceType
from ocs.api.tokens import Scope

Desk = NamedDependency[SkipValidation[PrepayBalanceDesk]]

TAG: Final = "TMF654 prepay balance"
_KEY_CHARACTERS_MAX: Final = 128
_READ: Final = needs(Scope.BALANCE_READ, reads_own_query=True)


@get(f"{BASE}/bucket", tags=[TAG], **_READ)
async def list_buckets(request: AnyRequest, desk: Desk) -> Response[bytes]:
    """List buckets, of all accounts or of those that `partyAccount.id` or `logicalResource.id` names."""
    query = read_query(request, BUCKET, is_list=True)
    return page_response(request, query, await desk.buckets(query))


@get(f"{BASE}/bucket/{{identifier:str}}", tags=[TAG], **_READ)
async def get_bucket(request: AnyRequest, desk: Desk, identifier: FromPath[str]) -> Response[bytes]:
    """Show one bucket."""
    query = read_query(request, BUCKET, is_list=False)
    return one_response(query, await desk.bucket(identifier))


@get(f"{BASE}/accumulatedBalance", tags=[TAG], **_READ)
async def list_accumulated_balances(request: AnyRequest, desk: Desk) -> Response[bytes]:
    """List what accounts have in all, a sum for each kind of unit."""
    query = read_query(request, ACCUMULATED_BALANCE, is_list=True)
    return page_response(request, query, await desk.accumulated_balances(query))


@get(f"{BASE}/accumulatedBalance/{{identifier:str}}", tags=[TAG], **_READ)
async def get_accumulated_balance(
    request: AnyRequest, desk: Desk, identifier: FromPath[str]
) -> Response[bytes]:
    """Show one sum."""
    query = read_query(request, ACCUMULATED_BALANCE, is_list=False)
    return one_response(query, await desk.accumulated_balance(identifier))


@get(f"{BASE}/balanceActionHistory", tags=[TAG], **_READ)
async def list_history(request: AnyRequest, desk: Desk) -> Response[bytes]:
    """List what was done to an account from outside its sessions, newest first; `partyAccount.id` names it."""
    query = read_query(request, BALANCE_ACTION_HISTORY, is_list=True)
    return page_response(request, query, await desk.history(query))


@get(f"{BASE}/balanceActionHistory/{{identifier:str}}", tags=[TAG], **_READ)
async def get_history_entry(request: AnyRequest, desk: Desk, identifier: FromPath[str]) -> Response[bytes]:
    """Show one entry of the history."""
    query = read_query(request, BALANCE_ACTION_HISTORY, is_list=False)
    return one_response(query, await desk.history_entry(identifier))


def _action_routes(kind: ResourceType, scope: Scope, doing: str) -> list[Any]:
    """List, make, show, cancel and forget one kind of action."""
    named = f"{BASE}/{kind.path}/{{identifier:str}}"

    async def listed(request: AnyRequest, desk: Desk) -> Response[bytes]:
        query = read_query(request, kind, is_list=True)
        return page_response(request, query, await desk.listed(kind.path, query))

    async def made(request: AnyRequest, desk: Desk) -> Response[bytes]:
        body = await read_json(request, BODIES[kind.path])
        key, caller = _idempotency_key(request), caller_of(request)
        record: ActionRecord = await write_in_thread(_create, desk, kind.path, body, caller, key)
        if record.status is ActionStatus.FAILED:
            return error_response(409, record.reason, {"Location": kind.href(record.record_id)})
        return created_response(action_view(record))

    async def shown(request: AnyRequest, desk: Desk, identifier: FromPath[str]) -> Response[bytes]:
        query = read_query(request, kind, is_list=False)
        return one_response(query, action_view(await desk.record(kind.path, identifier)))

    async def cancelled(request: AnyRequest, desk: Desk, identifier: FromPath[str]) -> Response[bytes]:
        body = await read_json(request, PatchBody)
        if body.status != ActionStatus.CANCELLED:
            raise TmfError(400, "status: `cancelled` is all that can be asked for")
        record = await desk.record(kind.path, identifier)
        query = read_query(request, kind, is_list=False)
        return one_response(query, action_view(await write_in_thread(desk.actions.cancel, record)))

    async def forgotten(desk: Desk, identifier: FromPath[str]) -> None:
        record = await desk.record(kind.path, identifier)
        if record.status is ActionStatus.CREATED:
            raise TmfError(409, "it is not known yet what became of it")
        await write_in_thread(desk.actions.records.delete, record)

    def route(
        make: Callable[..., Any], path: str, handler: Any, description: str, needed: dict[str, Any]
    ) -> Any:
        handler.__doc__ = description
        handler.__name__ = f"{handler.__name__}_{kind.path}"
        return make(path, tags=[TAG], **needed)(handler)

    writing = needs(scope, reads_own_query=True)
    making = needs(scope, body=BODIES[kind.path])
    cancelling = needs(scope, reads_own_query=True, body=PatchBody)
    return [
        route(get, f"{BASE}/{kind.path}", listed, f"List {doing}s, newest first.", _READ),
        route(
            post,
            f"{BASE}/{kind.path}",
            made,
            f"Make a {doing}. The same `Idempotency-Key` again gets the first answer, and nothing is done twice.",
            making,
        ),
        route(get, named, shown, f"Show one {doing}.", _READ),
        route(patch, named, cancelled, f"Cancel a {doing}, where it can be undone.", cancelling),
        route(delete, named, forgotten, f"Forget a {doing}; what it moved stays moved.", writing),
    ]


def _create(desk: PrepayBalanceDesk, kind: str, body: Any, caller: str, key: str) -> ActionRecord:
    return desk.actions.create(kind, body, caller=caller, key=key)


def _idempotency_key(request: AnyRequest) -> str:
    """What a client calls its request; a repeat calls it the same."""
    key = request.headers.get("idempotency-key", "").strip('"')
    if len(key) > _KEY_CHARACTERS_MAX or not key.isprintable():
        raise TmfError(400, f"Idempotency-Key: {_KEY_CHARACTERS_MAX} printable characters at most")
    return key


ROUTES: Final[list[Any]] = [
    list_buckets,
    get_bucket,
    list_accumulated_balances,
    get_accumulated_balance,
    list_history,
    get_history_entry,
    *_action_routes(TOPUP_BALANCE, Scope.BALANCE_TOPUP, "top-up"),
    *_action_routes(ADJUST_BALANCE, Scope.BALANCE_ADJUST, "adjustment"),
    *_action_routes(TRANSFER_BALANCE, Scope.BALANCE_ADJUST, "transfer"),
    *_action_routes(RESERVE_BALANCE, Scope.BALANCE_ADJUST, "reservation"),
    *hub_routes(BASE, TAG),
]
