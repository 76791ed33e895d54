"""The routes of TMF640 Service Activation and Configuration v4.0.0.

A service is made, changed and deleted by a transaction on every element that it needs, or on none: a request queues
one and is answered 202 with its monitor, which tells how far it has come and what became of it.
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from litestar import Response, delete, patch, post
from litestar.params import FromPath

from ocs.api.access import caller_name_of, caller_of, needs
from ocs.api.bodies import read_json
from ocs.api.service_activation import examples
from ocs.api.service_activation.resources import BASE, MONITOR, SERVICE, ActivationBody, ActivationPatch
from ocs.api.tmf.answers import AnyRequest, idempotency_key, json_response
from ocs.api.tmf.api import Api
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.event_desk import EventDesk
from ocs.api.tmf.hub_routes import HubDesk, hub_routes
from ocs.api.tmf.paging import FoundPage, identifier_in, paged_routes
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes
from ocs.api.tmf.sql_side import SqlSide
from ocs.api.tokens import Scope
from ocs.limits import SERVICE_ID_CHARACTERS_MAX

if TYPE_CHECKING:
    from ocs.provisioning.services.planner import ServiceOrder, ServicePlanner

TAG: Final = "TMF640 service activation"

MakeOrder = Callable[[Any], "ServiceOrder"]


class ActivationDesk:
    """What the routes of TMF640 ask.

    Args:
        planner: who knows which elements an order concerns.
    """

    def __init__(self, sql: SqlSide, events: EventDesk, planner: "Callable[[], ServicePlanner]") -> None:
        self._sql = sql
        self._events = events
        self._planner = planner

    async def services(self, query: Query) -> FoundPage:
        """A page of services."""

        def work(connection: Any) -> FoundPage:
            from ocs.api.service_inventory.finding import find_services

            return find_services(connection, SERVICE, query)

        return await self._sql.read(work)

    async def service(self, service_id: str) -> Attributes:
        """One service.

        Raises:
            TmfError: 404.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.service_inventory.finding import show_service

            return show_service(connection, SERVICE, service_id)

        return await self._sql.read(work)

    async def monitors(self, query: Query) -> FoundPage:
        """A page of monitors."""

        def work(connection: Any) -> FoundPage:
            from ocs.api.service_activation.finding import find_monitors

            return find_monitors(connection, query)

        return await self._sql.read(work)

    async def monitor(self, monitor_id: str) -> Attributes:
        """One monitor.

        Raises:
            TmfError: 404.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.service_activation.finding import show_monitor

            return show_monitor(connection, monitor_id)

        return await self._sql.read(work)

    # --- Orders -----------------------------------------------------------------------------------------

    async def create(self, request: AnyRequest, body: ActivationBody) -> Attributes:
        """Queue the making of a service; its monitor.

        Raises:
            TmfError: 400, 409.
        """
        name = body.name or f"service-{transaction_id_of(request)}"
        if len(name) > SERVICE_ID_CHARACTERS_MAX or not name.isprintable():
            raise TmfError(
                400, f"name: at most {SERVICE_ID_CHARACTERS_MAX} printable characters are expected"
            )

        def make(_connection: Any) -> "ServiceOrder":
            from ocs.api.service_activation.finding import order_creation

            return order_creation(name, body)

        return await self._queue(request, make)

    async def change(self, request: AnyRequest, service_id: str, body: ActivationPatch) -> Attributes:
        """Queue a change of a service; its monitor.

        Raises:
            TmfError: 400, 404, 409.
        """

        def make(connection: Any) -> "ServiceOrder":
            from ocs.api.service_activation.finding import order_change

            return order_change(connection, service_id, body)

        return await self._queue(request, make)

    async def delete(self, request: AnyRequest, service_id: str) -> Attributes:
        """Queue the end of a service; its monitor.

        Raises:
            TmfError: 404, 409.
        """

        def make(connection: Any) -> "ServiceOrder":
            from ocs.api.service_activation.finding import order_deletion

            return order_deletion(connection, service_id)

        return await self._queue(request, make)

    async def _queue(self, request: AnyRequest, make: MakeOrder) -> Attributes:
        transaction_id = transaction_id_of(request)
        now_ms = self._events.clock.now_ms()
        caller = caller_name_of(request)

        def work(connection: Any) -> tuple[Attributes, bool]:
            from ocs.api.service_activation.finding import Request, queue_order

            asked = Request(transaction_id, caller, now_ms)
            return queue_order(connection, make(connection), asked, self._planner())

        monitor, is_new = await self._sql.write(work)
        if is_new:
            await self._events.tell(MONITOR, "Create", monitor)
        return monitor


def transaction_id_of(request: AnyRequest) -> str:
    """What the transaction of a request is called: the same for a repeat, which has the same ``Idempotency-Key``.

    Raises:
        TmfError: 400, the key is none.
    """
    state = request.scope["state"]
    if "ocs_transaction_id" not in state:
        key = idempotency_key(request)
        digest = hashlib.sha256(f"{caller_of(request)}\n{key}".encode()).hexdigest()
        state["ocs_transaction_id"] = f"k{digest[:31]}" if key else secrets.token_hex(12)
    found: str = state["ocs_transaction_id"]
    return found


def service_activation_api(desk: ActivationDesk, hubs: HubDesk) -> Api:
    """TMF640 as the application serves it."""
    reading = [
        *paged_routes(
            SERVICE,
            TAG,
            Scope.INVENTORY_READ,
            page=desk.services,
            one=desk.service,
            about="List services by id, as serviceInventory does.",
            noun="ActivatedService",
        ),
        *paged_routes(
            MONITOR,
            TAG,
            Scope.INVENTORY_READ,
            page=desk.monitors,
            one=desk.monitor,
            about="List by id what was asked for of services, by whatever door. Fast are `id` and `state`.",
        ),
    ]
    told = "TM Forum TMF640 v4.0.0: services made, changed and deleted in the network."
    hub = hub_routes(hubs, TAG, scope=Scope.INVENTORY_READ)
    return Api(TAG, told, (*reading, *_ordering_routes(desk), *hub))


def _ordering_routes(desk: ActivationDesk) -> list[Any]:
    path = f"{BASE}/{SERVICE.path}"

    @post(
        path,
        tags=[TAG],
        status_code=202,
        operation_id="activateService",
        **needs(
            Scope.SERVICE_ORDER, body=ActivationBody, example=examples.CREATE, answers=MONITOR, errors=(409,)
        ),
    )
    async def create_service(request: AnyRequest) -> Response[bytes]:
        """Make a service in the network: 202 with the monitor of its transaction.

        The same `Idempotency-Key` again finds what was queued, and nothing is done twice.
        """
        return _taken_on(await desk.create(request, await read_json(request, ActivationBody)))

    @patch(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        status_code=202,
        operation_id="configureService",
        **needs(
            Scope.SERVICE_ORDER,
            reads_own_query=True,
            body=ActivationPatch,
            example=examples.PATCH,
            answers=MONITOR,
            errors=(409,),
        ),
    )
    async def patch_service(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:  # noqa: ARG001
        """Change a service in the network: 202 with the monitor of its transaction."""
        body = await read_json(request, ActivationPatch)
        return _taken_on(await desk.change(request, identifier_in(request, SERVICE), body))

    @delete(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        status_code=202,
        operation_id="deactivateService",
        **needs(Scope.SERVICE_ORDER, reads_own_query=True, answers=MONITOR, errors=(409,)),
    )
    async def delete_service(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:  # noqa: ARG001
        """Take a service out of the network: 202 with the monitor of its transaction."""
        return _taken_on(await desk.delete(request, identifier_in(request, SERVICE)))

    return [create_service, patch_service, delete_service]


def _taken_on(monitor: Attributes) -> Response[bytes]:
    return json_response(monitor, status=202, headers={"Location": monitor["href"]})
