"""The native resources that change something, and what only portals ask for: subscribers, events, catalogues."""

from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import QueryParameter

from ocs.api import examples
from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.operations import (
    AccountBody,
    Operating,
    ReauthorisationBody,
    ReauthorisationView,
    SubscriberBody,
    TopUpBody,
)
from ocs.api.problems import AnyRequest
from ocs.api.routes import Cursor, Limit, Reader
from ocs.api.threads import read_in_thread, write_in_thread
from ocs.api.tokens import Scope
from ocs.api.views import (
    AccountView,
    CatalogueView,
    EventView,
    PageView,
    ReceiptView,
    SubscriberView,
    event_view,
    subscriber_view,
)

Name = Annotated[str, QueryParameter(max_length=256)]


@post(
    "/api/v1/accounts",
    tags=["balance"],
    **needs(Scope.ACCOUNT_WRITE, body=AccountBody, example=examples.ACCOUNT, errors=(409,)),
)
async def open_account(request: AnyRequest, operations: Operating) -> AccountView:
    """Open an account with its first subscriber. One that exists is refused (409)."""
    return await write_in_thread(operations.open_account, await read_json(request, AccountBody))


@get("/api/v1/subscribers", tags=["balance"], **needs(Scope.BALANCE_READ))
async def list_subscribers(
    reader: Reader,
    operations: Operating,
    identity: Name = "",
    account_id: Name = "",
    cursor: Name = "",
    limit: Limit = 50,
) -> PageView[SubscriberView]:
    """Find who has an identity, such as `e164:491710000001`, or list the subscribers of an account by id."""
    if bool(identity) == bool(account_id):
        raise HTTPException(status_code=400, detail="either identity or account_id is expected")
    if account_id:
        found = await read_in_thread(operations.subscribers, account_id, cursor, limit)
        return PageView(found, found[-1].subscriber_id if len(found) == limit else None)
    location = await reader.locate(identity)
    subscriber = None if location is None else await reader.get_subscriber(*location)
    # The directory is a hint: the subscriber's own list decides.
    is_found = subscriber is not None and identity in subscriber.identities
    return PageView((subscriber_view(subscriber),) if subscriber is not None and is_found else (), None)


@post(
    "/api/v1/subscribers",
    tags=["balance"],
    **needs(Scope.ACCOUNT_WRITE, body=SubscriberBody, example=examples.SUBSCRIBER, errors=(409,)),
)
async def add_subscriber(request: AnyRequest, operations: Operating) -> AccountView:
    """Add a subscriber who shares an account's balance."""
    return await write_in_thread(operations.add_subscriber, await read_json(request, SubscriberBody))


@post(
    "/api/v1/topups",
    tags=["balance"],
    **needs(Scope.BALANCE_TOPUP, body=TopUpBody, example=examples.TOP_UP, errors=(409,)),
)
async def top_up(request: AnyRequest, operations: Operating) -> ReceiptView:
    """Put money on an account, once per reference: a repeat gets the first receipt, marked `repeated`."""
    return await write_in_thread(operations.top_up, await read_json(request, TopUpBody))


@get("/api/v1/events", tags=["balance"], **needs(Scope.BALANCE_READ, errors=(404,)))
async def list_events(
    reader: Reader, account_id: Name, cursor: Cursor = "", limit: Limit = 50
) -> PageView[EventView]:
    """List what moved an account's balance, newest first, as far as the store still holds it.

    A page may be short, even empty, and not be the last: `next_cursor` tells.
    """
    if await reader.get_account(account_id) is None:
        raise NotFoundException("there is no such account")
    page = await reader.list_events(account_id, cursor, limit)
    return PageView(tuple(map(event_view, page.items)), page.next_cursor or None)


@post(
    "/api/v1/reauthorisations",
    tags=["operation"],
    status_code=202,
    **needs(Scope.SESSION_WRITE, body=ReauthorisationBody, example=examples.REAUTHORISATION, errors=(409,)),
)
async def reauthorise(request: AnyRequest, operations: Operating) -> Response[ReauthorisationView]:
    """Have the gateway of a session, or of all sessions of an account, report and ask for a new quota (RAR)."""
    body = await read_json(request, ReauthorisationBody)
    if bool(body.session_id) == bool(body.account_id):
        raise HTTPException(status_code=400, detail="either session_id or account_id is expected")
    return Response(await write_in_thread(operations.reauthorise, body), status_code=202)


@get("/api/v1/catalogues", tags=["catalogue"], **needs(Scope.CATALOGUE_READ))
async def list_catalogues(operations: Operating) -> PageView[CatalogueView]:
    """List which catalogues are, were and will be in force."""
    return PageView(await read_in_thread(operations.catalogues), None)


ROUTES: Final[list[Any]] = [
    open_account,
    list_subscribers,
    add_subscriber,
    top_up,
    list_events,
    reauthorise,
    list_catalogues,
]
