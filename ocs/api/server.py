"""The HTTP process: Litestar behind hypercorn's connections, each of them in a bulkhead of its own."""

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib import metadata
from typing import Any, cast

import hypercorn
import hypercorn.trio.tcp_server
import hypercorn.trio.worker_context
import hypercorn.typing
import hypercorn.utils
import trio
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Tag

from ocs.api.access import refuse_unknown_parameters
from ocs.api.gate import Gate
from ocs.api.movement_routes import ROUTES as MOVEMENT_ROUTES
from ocs.api.native_routes import ROUTES as NATIVE_ROUTES
from ocs.api.parts import Parts
from ocs.api.payment_routes import ROUTES as PAYMENT_ROUTES
from ocs.api.problems import EXCEPTION_HANDLERS, AnyRequest
from ocs.api.routes import ROUTES
from ocs.api.term_routes import ROUTES as TERM_ROUTES
from ocs.api.tmf.api import Api
from ocs.api.voucher_routes import ROUTES as VOUCHER_ROUTES
from ocs.clock import SystemClock
from ocs.limits import HTTP_BODY_OCTETS_MAX, HTTP_IDLE_TIMEOUT_S, LOG_TEXT_CHARACTERS_MAX
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Counter
from ocs.settings import HttpSettings, Settings
from ocs.settings_checks import is_loopback

log = get_logger(__name__)

REQUESTS = Counter("ocs_http_requests_total", "HTTP requests begun, by route.", ("route",))
FAILED = Counter(
    "ocs_http_connections_failed_total",
    "HTTP connections that ended in an error of the library that reads them.",
)


class HttpAddressError(OSError):
    """``[http]`` names an address that cannot be listened on; ``str()`` is one line with the remedy."""


def create_app(parts: Parts) -> Litestar:
    """Build the application."""

    def given(part: object) -> Provide:
        return Provide(lambda: part, sync_to_thread=False)

    return Litestar(
        route_handlers=[
            *ROUTES,
            *NATIVE_ROUTES,
            *MOVEMENT_ROUTES,
            *TERM_ROUTES,
            *VOUCHER_ROUTES,
            *PAYMENT_ROUTES,
            *[route for api in parts.apis for route in api.routes],
        ],
        dependencies={
            "reader": given(parts.reader),
            "workers": given(parts.workers),
            "operations": given(parts.operations),
            "payments": given(parts.payments),
        },
        guards=[parts.guard, refuse_unknown_parameters],
        exception_handlers=EXCEPTION_HANDLERS,
        before_request=_count,
        request_max_body_size=HTTP_BODY_OCTETS_MAX,
        openapi_config=_openapi_config(parts.apis),
        logging_config=None,
        debug=False,
    )


def _openapi_config(apis: Sequence[Api]) -> OpenAPIConfig:
    """What the description of the API says beside its routes; `ocs.api.description` completes and serves it."""
    token = SecurityScheme(
        type="http", scheme="bearer", description="`ocs token create` makes one; a scope says what it may do."
    )
    return OpenAPIConfig(
        title="OCS",
        version=metadata.version("ocs-bss"),
        description="The online side: balances, top-ups, live sessions, health. Money is decimal, never a float.",
        components=Components(security_schemes={"token": token}),
        tags=[
            Tag("balance", "Accounts, subscribers, sessions, what moved a balance."),
            Tag("catalogue", "Which offers and prices are in force."),
            Tag("operation", "Health, metrics, peers, live sessions."),
            *[Tag(api.tag, api.description) for api in apis],
        ],
        render_plugins=[],
        path="/schema",
        use_handler_docstrings=True,
    )


def _count(request: AnyRequest) -> None:
    """Count by route template: a label made of what the caller wrote would have no bound."""
    REQUESTS.inc(request.scope["path_template"])


async def run_http(
    settings: Settings,
    parts: Parts,
    *,
    ready: Callable[[str], None],
    shutdown: Callable[[], Awaitable[object]] = trio.sleep_forever,
) -> None:
    """Serve HTTP until ``shutdown`` returns; requests under way are then given a moment.

    Cancellation closes the listener and cuts connections; what a request has begun to write is finished first, and
    its client repeats it by its reference.

    Args:
        settings: ``[http]`` says where; port 0 is any free one.
        parts: what is served.
        ready: called with ``HOST:PORT`` as bound, when connections are accepted.
        shutdown: returns when it is time to end.

    Raises:
        HttpAddressError: the address is taken, or not ours.
    """
    listening = _bind(settings.http)
    address = _address_text(listening)
    if not is_loopback(settings.http.host):
        log.warning(
            "http_open_to_the_network",
            address=address,
            remedy="tokens and balances travel in clear text: listen on loopback behind a proxy that speaks TLS",
        )
    server = _Server(Gate(create_app(parts), parts.clock))
    listening.listen(server.config.backlog)
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            for background in parts.background:
                accepting.start_soon(background)
            accepting.start_soon(
                partial(trio.serve_listeners, server.serve, [listener], handler_nursery=connections)
            )
            ready(address)
            await shutdown()
            accepting.cancel_scope.cancel()
        await server.finish_requests()
        connections.cancel_scope.deadline = trio.current_time() + server.config.graceful_timeout


class _Server:
    """Serves connections by hypercorn's protocols, without its accept loop, which one bad connection ends.

    What a client sends can make those protocols raise (an HTTP/2 upgrade with settings that are none, a WebSocket
    with a subprotocol that is no ASCII, a body broken off), and they raise into the nursery they were started in.
    """

    def __init__(self, app: Gate) -> None:
        self._limiter = RepeatLimiter(SystemClock())
        self.config = config = hypercorn.Config()
        config.errorlog = _held_back_logger(self._limiter)
        config.accesslog = None
        config.include_server_header = False
        config.keep_alive_timeout = HTTP_IDLE_TIMEOUT_S
        wrapped: Any = cast("Any", hypercorn.utils).wrap_app(app, config.wsgi_max_body_size, "asgi")
        self._app = wrapped
        self._context = hypercorn.trio.worker_context.WorkerContext(None)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection until it ends; whatever is wrong with it ends nothing else."""
        state: Any = hypercorn.typing.ConnectionState(cast("Any", {}))
        connection = hypercorn.trio.tcp_server.TCPServer(
            self._app, self.config, self._context, state, cast("Any", stream)
        )
        try:
            await connection.run()
        except* Exception as errors:  # noqa: BLE001 - the bulkhead around a connection; a cancellation passes
            FAILED.inc()
            error = _first_of(errors)
            kind = type(error).__name__
            swallowed = self._limiter.admit(kind)
            if swallowed is not None:
                log.warning(
                    "http_connection_failed",
                    reason=f"{kind}: {error}"[:LOG_TEXT_CHARACTERS_MAX],
                    remedy="none needed, unless a client of yours is cut off: the connection alone was closed",
                    swallowed=swallowed,
                )

    async def finish_requests(self) -> None:
        """Have connections close after the request they are serving."""
        await self._context.terminated.set()


def _held_back_logger(limiter: RepeatLimiter) -> logging.Logger:
    """Hypercorn's log without repeats: it writes a traceback for each request that its client breaks off."""
    logger = logging.Logger("hypercorn.error")  # noqa: LOG001 - of this server alone, so that its filter is too
    logger.parent = logging.getLogger()
    logger.addFilter(lambda record: limiter.admit(record.getMessage()) is not None)
    return logger


def _first_of(error: BaseException) -> BaseException:
    """The first single error in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        error = group.exceptions[0]
    return error


def _bind(settings: HttpSettings) -> socket.socket:
    """Bind ourselves: the port is known before anybody listens, and the error is one line."""
    family = socket.AF_INET6 if _is_ipv6(settings.host) else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise HttpAddressError(
            f"[http] cannot listen on {settings.host} port {settings.port}: {error.strerror}:"
            " choose another host or port (0 is any free port)"
        ) from None
    return listening


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _address_text(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
