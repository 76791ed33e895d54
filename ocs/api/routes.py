"""The pages and resources of the online side."""

from http import HTTPStatus
from importlib import resources
from typing import Annotated, Any, Final
from urllib.parse import unquote_to_bytes

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter, SkipValidation

from ocs.api.access import needs, open_to_all
from ocs.api.description import describe
from ocs.api.problems import MEDIA_TYPE, AnyRequest
from ocs.api.prometheus import PROMETHEUS_CONTENT_TYPE, render_prometheus
from ocs.api.reader import BalanceReader
from ocs.api.tokens import Scope
from ocs.api.views import (
    AccountView,
    PageView,
    PeersView,
    SessionView,
    StatusView,
    account_view,
    session_view,
)
from ocs.api.workers import WorkerOverview
from ocs.limits import HTTP_PAGE_ITEMS_MAX

# Given by the application; not part of any request.
Reader = NamedDependency[SkipValidation[BalanceReader]]
Workers = NamedDependency[SkipValidation[WorkerOverview]]

Cursor = Annotated[
    str, QueryParameter(max_length=64, description="`next_cursor` of the page before; empty to start")
]
Limit = Annotated[
    int, QueryParameter(ge=1, le=HTTP_PAGE_ITEMS_MAX, description="about how many items to return")
]

ACCOUNTS: Final = b"/api/v1/accounts/"
_SESSIONS: Final = b"/api/v1/sessions/"
_ASSETS: Final = resources.files("ocs.api").joinpath("assets")
# Everything that the status page needs comes from here; it runs no script that is not ours.
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def _asset(name: str, media_type: str) -> Response[bytes]:
    content = _ASSETS.joinpath(name).read_bytes()
    return Response(content, media_type=media_type, headers=_PAGE_HEADERS)


@get("/", include_in_schema=False, sync_to_thread=False, **open_to_all())
def status_page() -> Response[bytes]:
    """Show the status page for people."""
    return _asset("status.html", "text/html")


@get("/assets/status.css", include_in_schema=False, sync_to_thread=False, **open_to_all())
def status_style() -> Response[bytes]:
    """Style the status page."""
    return _asset("status.css", "text/css")


@get("/assets/status.js", include_in_schema=False, sync_to_thread=False, **open_to_all())
def status_script() -> Response[bytes]:
    """Fill the status page."""
    return _asset("status.js", "text/javascript")


@get("/docs", include_in_schema=False, sync_to_thread=False, **open_to_all())
def docs_page() -> Response[bytes]:
    """Describe the API for people."""
    return _asset("docs.html", "text/html")


@get("/assets/docs.js", include_in_schema=False, sync_to_thread=False, **open_to_all())
def docs_script() -> Response[bytes]:
    """Fill that description from `/openapi.json`."""
    return _asset("docs.js", "text/javascript")


@get("/openapi.json", include_in_schema=False, sync_to_thread=False, **open_to_all())
def openapi(request: AnyRequest) -> Response[bytes]:
    """Describe the API for programs."""
    return Response(describe(request.app), media_type="application/vnd.oai.openapi+json")


@get("/healthz", tags=["operation"], sync_to_thread=False, **open_to_all())
def get_health() -> dict[str, str]:
    """Tell that the HTTP process lives; restart it when this does not answer."""
    return {"status": "ok"}


@get("/readyz", tags=["operation"], **open_to_all(errors=(503,)))
async def get_readiness(workers: Workers) -> Response[Any]:
    """Tell whether gateways get their answers: the store answers, and so does every worker (else 503)."""
    readiness = await workers.readiness()
    if readiness.ready:
        return Response(readiness)
    status = HTTPStatus.SERVICE_UNAVAILABLE
    failing = "; ".join(check.detail for check in readiness.checks if not check.ok)
    problem = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": failing,
        "checks": readiness.checks,
    }
    return Response(problem, status_code=status, media_type=MEDIA_TYPE)


@get("/metrics", tags=["operation"], media_type=MediaType.TEXT, **needs(Scope.OPERATION_READ))
async def get_metrics(workers: Workers) -> Response[bytes]:
    """Show what all processes count, in Prometheus' text format."""
    return Response(render_prometheus(await workers.metrics()), media_type=PROMETHEUS_CONTENT_TYPE)


@get("/api/v1/status", tags=["operation"], **needs(Scope.OPERATION_READ))
async def get_status(workers: Workers) -> StatusView:
    """Take one look at the whole system."""
    return await workers.status()


@get("/api/v1/peers", tags=["operation"], **needs(Scope.OPERATION_READ))
async def list_peers(workers: Workers) -> PeersView:
    """List the connections of all Diameter peers."""
    return await workers.peers()


@get("/api/v1/accounts", tags=["balance"], **needs(Scope.BALANCE_READ))
async def list_accounts(reader: Reader, cursor: Cursor = "", limit: Limit = 50) -> PageView[AccountView]:
    """List accounts, in no order."""
    page = await reader.list_accounts(cursor, limit)
    return PageView(tuple(map(account_view, page.items)), page.next_cursor or None)


# An account's id is the operator's choice, and Session-Id may hold slashes too (RFC 6733 section 8.8): both are the
# rest of the path.
@get("/api/v1/accounts/{account_id:path}", tags=["balance"], **needs(Scope.BALANCE_READ))
async def get_account(request: AnyRequest, reader: Reader, account_id: FromPath[str]) -> AccountView:  # noqa: ARG001
    """Show one account; the id is percent-encoded as far as a path demands."""
    account = await reader.get_account(rest_of_path(request, ACCOUNTS))
    if account is None:
        raise NotFoundException("there is no such account")
    return account_view(account)


@get("/api/v1/sessions", tags=["balance"], **needs(Scope.BALANCE_READ))
async def list_sessions(reader: Reader, cursor: Cursor = "", limit: Limit = 50) -> PageView[SessionView]:
    """List open sessions."""
    page = await reader.list_sessions(cursor, limit)
    return PageView(tuple(map(session_view, page.items)), page.next_cursor or None)


@get("/api/v1/sessions/{session_id:path}", tags=["balance"], **needs(Scope.BALANCE_READ))
async def get_session(request: AnyRequest, reader: Reader, session_id: FromPath[str]) -> SessionView:  # noqa: ARG001
    """Show one session, open or closed and still remembered; its id is percent-encoded as far as a path demands."""
    session = await reader.get_session(rest_of_path(request, _SESSIONS))
    if session is None:
        raise NotFoundException("there is no such session")
    return session_view(session)


def rest_of_path(request: AnyRequest, prefix: bytes) -> str:
    """What follows the prefix in the path as it was sent: routing folds slashes, which are part of a name."""
    return unquote_to_bytes(request.scope["raw_path"].removeprefix(prefix)).decode("utf-8", "replace")


ROUTES: Final[list[Any]] = [
    status_page,
    status_style,
    status_script,
    docs_page,
    docs_script,
    openapi,
    get_health,
    get_readiness,
    get_metrics,
    get_status,
    list_peers,
    list_accounts,
    get_account,
    list_sessions,
    get_session,
]
