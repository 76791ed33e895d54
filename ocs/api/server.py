"""The HTTP process: Litestar under hypercorn's trio worker."""

import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib import metadata
from typing import Any, cast

import hypercorn
import hypercorn.trio
import trio
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from ocs.api.problems import EXCEPTION_HANDLERS, AnyRequest
from ocs.api.reader import BalanceReader
from ocs.api.routes import ROUTES
from ocs.api.workers import WorkerOverview
from ocs.clock import SystemClock
from ocs.limits import HTTP_BODY_OCTETS_MAX, HTTP_IDLE_TIMEOUT_S
from ocs.log import get_logger
from ocs.metrics import REGISTRY, Counter, Registry
from ocs.settings import HttpSettings, Settings
from ocs.settings_file import is_loopback
from ocs.worker_channel import WorkerChannel

log = get_logger(__name__)

REQUESTS = Counter("ocs_http_requests_total", "HTTP requests begun, by route.", ("route",))


class HttpAddressError(OSError):
    """``[http]`` names an address that cannot be listened on; ``str()`` is one line with the remedy."""


def create_app(reader: BalanceReader, workers: WorkerOverview) -> Litestar:
    """Build the application.

    Args:
        reader: where accounts and sessions are read.
        workers: the processes that charge.
    """
    return Litestar(
        route_handlers=ROUTES,
        dependencies={
            "reader": Provide(lambda: reader, sync_to_thread=False),
            "workers": Provide(lambda: workers, sync_to_thread=False),
        },
        exception_handlers=EXCEPTION_HANDLERS,
        before_request=_count,
        request_max_body_size=HTTP_BODY_OCTETS_MAX,
        openapi_config=OpenAPIConfig(
            title="OCS",
            version=metadata.version("ocs-bss"),
            description="The online side: health, metrics, peers, live sessions, accounts.",
            path="/openapi.json",
            render_plugins=[JsonRenderPlugin(path="/")],
            use_handler_docstrings=True,
        ),
        logging_config=None,
        debug=False,
    )


def _count(request: AnyRequest) -> None:
    """Count by route template: a label made of what the caller wrote would have no bound."""
    REQUESTS.inc(request.scope["path_template"])


async def run_http(
    settings: Settings,
    reader: BalanceReader,
    channels: Sequence[WorkerChannel],
    *,
    ready: Callable[[str], None],
    shutdown: Callable[[], Awaitable[object]] = trio.sleep_forever,
    registry: Registry = REGISTRY,
) -> None:
    """Serve HTTP until ``shutdown`` returns; requests under way are then given a moment.

    Cancellation closes the listener and cuts connections; nothing else is lost, since nothing is written.

    Args:
        settings: ``[http]`` says where; port 0 is any free one.
        reader: where accounts and sessions are read.
        channels: the processes that answer for metrics, peers and health.
        ready: called with ``HOST:PORT`` as bound, when connections are accepted.
        shutdown: returns when it is time to end.
        registry: what this process itself counts.

    Raises:
        HttpAddressError: the address is taken, or not ours.
    """
    listening = _bind(settings.http)
    address = _address_text(listening)
    if not is_loopback(settings.http.host):
        log.warning(
            "http_open_to_the_network",
            address=address,
            remedy="balances are readable without a password: listen on loopback behind a proxy that asks for one",
        )
    workers = WorkerOverview(channels, reader, SystemClock(), registry=registry)
    config = hypercorn.Config()
    config.bind = [f"fd://{listening.detach()}"]
    config.errorlog = logging.getLogger("hypercorn.error")
    config.accesslog = None
    config.include_server_header = False
    config.keep_alive_timeout = HTTP_IDLE_TIMEOUT_S

    async def until_shutdown() -> None:
        await shutdown()

    serve: Any = cast("Any", hypercorn.trio).serve  # its types for ASGI and litestar's differ in name only
    serving = partial(
        serve, create_app(reader, workers), config, shutdown_trigger=until_shutdown, mode="asgi"
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(serving)
        ready(address)


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
