"""Who may do what: each route names the scope that it asks for, and a request without it is refused (RFC 6750).

What only reads is open without a token to whoever sits on this machine: while the listener is a loopback address, the
request comes to it by such a name (so that no web page reaches it through a name of its own), no proxy says that it
handed the request on, and ``[http] reads_need_token`` is not set. Whatever writes needs a token always. Health is open
to everybody: load balancers ask it.
"""

import inspect
import re
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import trio
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from ocs.api.gate import CALLER
from ocs.api.problems import AccessError
from ocs.api.tmf.resources import ResourceType
from ocs.api.token_lookup import TokenLookup
from ocs.api.tokens import Scope, Token, TokenStore
from ocs.clock import Clock
from ocs.limits import (
    TOKEN_FAILURE_WINDOW_S,
    TOKEN_FAILURES_MAX,
    TOKEN_REFUSAL_DELAY_S,
    TOKEN_REFUSALS_DELAYED_MAX,
    TOKEN_SOURCES_MAX,
)
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Counter
from ocs.settings_checks import is_loopback

log = get_logger(__name__)

REFUSED = Counter(
    "ocs_http_refused_total", "HTTP requests refused for want of a right, by status.", ("status",)
)

AnyConnection = ASGIConnection[Any, Any, Any, Any]
AnyHandler = BaseRouteHandler

_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")
_READS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
# Host and port; IPv6 in brackets (RFC 9110 section 7.2).
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::[0-9]+)?")
_REALM: Final = 'Bearer realm="ocs"'


def needs(
    scope: Scope,
    *,
    reads_own_query: bool = False,
    body: type | None = None,
    example: Mapping[str, Any] | None = None,
    answers: ResourceType | None = None,
    is_list: bool = False,
    errors: tuple[int, ...] = (),
) -> dict[str, Any]:
    """Arguments of a route that needs a scope.

    Args:
        reads_own_query: it has other parameters than its function's, and refuses what it does not know itself.

    The others are for the description of the API:
        body: what it reads, and an example of that. answers: what it shows, in a list or one.
        errors: statuses that it may answer beside those that follow from the rest.
    """
    opt = {
        "scope": scope,
        "reads_own_query": reads_own_query,
        "body": body,
        "example": example,
        "answers": answers,
        "is_list": is_list,
        "errors": errors,
    }
    return {"opt": opt, "security": [{"token": [str(scope)]}]}


def open_to_all(*, errors: tuple[int, ...] = ()) -> dict[str, Any]:
    """Arguments of a route that anybody may ask."""
    return {"opt": {"scope": None, "errors": errors}, "security": [{}]}


class AccessGuard:
    """Guards every route; one that does not say what it needs is closed to everybody.

    Args:
        tokens: of the store.
        reads_are_open: whether this machine's own users read without a token.
    """

    def __init__(self, tokens: TokenStore, clock: Clock, *, reads_are_open: bool) -> None:
        self._lookup = TokenLookup(tokens, clock)
        self._clock = clock
        self._reads_are_open = reads_are_open
        self._failures = FailureLimiter()
        self._limiter = RepeatLimiter(clock)
        self._delayed = 0

    async def __call__(self, connection: AnyConnection, handler: AnyHandler) -> None:
        """Let the request pass, noting whose it is.

        Raises:
            AccessError: 401 without a good token, 403 with too little scope, 429 for a bad one after too many.
            ReaderUnavailableError: the store does not answer.
        """
        if connection.scope["type"] != "http":
            return
        if "scope" not in handler.opt:
            raise self._refusal(connection, 403, "this is closed to everybody", _REALM)
        scope: Scope | None = handler.opt["scope"]
        if scope is None:
            return
        authorization = connection.headers.get("authorization", "")
        if not authorization and self._is_open_read(connection):
            return
        token = await self._identified(connection, authorization)
        if scope not in token.scopes:
            raise self._refusal(connection, 403, "the token does not carry the scope", _insufficient(scope))
        connection.scope["state"][CALLER] = token

    async def _identified(self, connection: AnyConnection, authorization: str) -> Token:
        if not authorization:
            raise self._refusal(connection, 401, "a token is needed: Authorization: Bearer ...", _REALM)
        kind, _, text = authorization.partition(" ")
        token = await self._lookup.find(text.strip()) if kind.lower() == "bearer" else None
        if token is None:
            await self._count_failure(connection)
            raise self._refusal(connection, 401, "the token is not valid", f'{_REALM}, error="invalid_token"')
        return token

    async def _count_failure(self, connection: AnyConnection) -> None:
        """Note a wrong token; an address that shows too many of them waits for its answers, right ones never do.

        Raises:
            AccessError: 429 for such an address.
        """
        source, now_ms = connection.client.host if connection.client else "", self._clock.steady_ms()
        wait_s = self._failures.wait_s(source, now_ms)
        if not wait_s:
            self._failures.note(source, now_ms)
            return
        REFUSED.inc(429)
        if self._delayed < TOKEN_REFUSALS_DELAYED_MAX:
            self._delayed += 1
            try:
                await trio.sleep(TOKEN_REFUSAL_DELAY_S)
            finally:
                self._delayed -= 1
        raise AccessError(429, "too many wrong tokens from this address", {"Retry-After": str(wait_s)})

    def _is_open_read(self, connection: AnyConnection) -> bool:
        scope: Any = connection.scope
        if not self._reads_are_open or scope["method"] not in _READS:
            return False
        names = {name.lower() for name, _ in scope["headers"]}
        return not names.intersection(_FORWARDED) and _is_local_host(connection.headers.get("host", ""))

    def _refusal(self, connection: AnyConnection, status: int, message: str, challenge: str) -> AccessError:
        REFUSED.inc(status)
        source = connection.client.host if connection.client else ""
        scope: Any = connection.scope
        swallowed = self._limiter.admit((source, status))
        if swallowed is not None:
            log.warning(
                "http_request_refused",
                source=source,
                status=status,
                route=scope.get("path_template", ""),
                reason=message,
                remedy="none needed, unless a program of yours is refused: `ocs token list` shows what exists",
                swallowed=swallowed,
            )
        return AccessError(status, message, {"WWW-Authenticate": challenge})


class FailureLimiter:
    """Counts wrong tokens by the address that they came from; the address silent for longest is forgotten first."""

    def __init__(self) -> None:
        # Address -> (when its window began, failures in it).
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def note(self, source: str, now_ms: int) -> None:
        """Count a failure."""
        began_ms, count = self._seen.pop(source, (now_ms, 0))
        if now_ms - began_ms >= TOKEN_FAILURE_WINDOW_S * 1000:
            began_ms, count = now_ms, 0
        self._seen[source] = (began_ms, count + 1)
        if len(self._seen) > TOKEN_SOURCES_MAX:
            self._seen.popitem(last=False)

    def wait_s(self, source: str, now_ms: int) -> int:
        """For how many seconds this address is one that guesses; 0 when it is not."""
        began_ms, count = self._seen.get(source, (0, 0))
        left_ms = began_ms + int(TOKEN_FAILURE_WINDOW_S * 1000) - now_ms
        return max(0, -(-left_ms // 1000)) if count >= TOKEN_FAILURES_MAX else 0


def caller_of(connection: AnyConnection) -> str:
    """Id of the token that a guarded request was let in with; empty for an open one."""
    token: Token | None = connection.scope["state"].get(CALLER)
    return "" if token is None else token.token_id


def caller_name_of(connection: AnyConnection) -> str:
    """Whose token a guarded request was let in with; empty for an open one."""
    token: Token | None = connection.scope["state"].get(CALLER)
    return "" if token is None else token.name


def _insufficient(scope: Scope) -> str:
    return f'{_REALM}, error="insufficient_scope", scope="{scope}"'


def _is_local_host(host: str) -> bool:
    """Whether a Host header is a name of this machine itself."""
    match = _HOST.fullmatch(host)
    return match is not None and is_loopback(match[1] or match[2])


def refuse_unknown_parameters(connection: AnyConnection, handler: AnyHandler) -> None:
    """Refuse a query with a parameter that the route does not have: a condition misspelt must not be stepped over.

    Raises:
        HTTPException: 400, naming it.
    """
    if handler.opt.get("reads_own_query"):
        return
    for name in connection.query_params:
        if name not in _parameters_of(handler):
            raise HTTPException(status_code=400, detail=f"{name}: there is no such parameter")


@cache
def _parameters_of(handler: AnyHandler) -> frozenset[str]:
    given = {"request", *handler.resolve_dependencies()}
    return frozenset(inspect.signature(handler.fn).parameters) - given
