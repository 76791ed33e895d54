"""The routes of TMF641 Service Ordering v4.0.0.

An order is taken on as a whole or refused; each of its items is then a transaction of its own, so that some may be
completed and others not: the order is ``partial`` then.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from litestar import Response, delete, patch, post
from litestar.params import FromPath

from ocs.api.access import caller_name_of, needs
from ocs.api.bodies import read_json
from ocs.api.service_activation.routes import transaction_id_of
from ocs.api.service_ordering import examples
from ocs.api.service_ordering.resources import (
    BASE,
    CANCEL_SERVICE_ORDER,
    SERVICE_ORDER,
    CancelBody,
    ServiceOrderBody,
    ServiceOrderPatch,
)
from ocs.api.tmf.answers import AnyRequest, created_response, one_response, read_query
from ocs.api.tmf.api import Api
from ocs.api.tmf.event_desk import EventDesk
from ocs.api.tmf.hub_routes import HubDesk, hub_routes
from ocs.api.tmf.paging import FoundPage, identifier_in, paged_routes
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes
from ocs.api.tmf.sql_side import SqlSide
from ocs.api.tokens import Scope

if TYPE_CHECKING:
    from ocs.api.service_activation.finding import Request
    from ocs.provisioning.services.planner import ServicePlanner

TAG: Final = "TMF641 service ordering"


class OrderDesk:
    """What the routes of TMF641 ask; see :class:`~ocs.api.service_activation.routes.ActivationDesk`."""

    def __init__(self, sql: SqlSide, events: EventDesk, planner: "Callable[[], ServicePlanner]") -> None:
        self._sql = sql
        self._events = events
        self._planner = planner

    async def orders(self, query: Query) -> FoundPage:
        """A page of orders."""

        def work(connection: Any) -> FoundPage:
            from ocs.api.service_ordering.finding import find_orders

            return find_orders(connection, query)

        return await self._sql.read(work)

    async def order(self, order_id: str) -> Attributes:
        """One order.

        Raises:
            TmfError: 404.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.service_ordering.finding import show_order

            return show_order(connection, order_id)

        return await self._sql.read(work)

    async def cancellations(self, query: Query) -> FoundPage:
        """A page of cancellations."""

        def work(connection: Any) -> FoundPage:
            from ocs.api.service_ordering.finding import find_cancellations

            return find_cancellations(connection, query)

        return await self._sql.read(work)

    async def cancellation(self, cancellation_id: str) -> Attributes:
        """One cancellation.

        Raises:
            TmfError: 404.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.service_ordering.finding import show_cancellation

            return show_cancellation(connection, cancellation_id)

        return await self._sql.read(work)

    async def take(self, request: AnyRequest, body: ServiceOrderBody) -> Attributes:
        """Take an order on.

        Raises:
            TmfError: 400, 409.
        """
        asked = self._asked(request)

        def work(connection: Any) -> tuple[Attributes, bool]:
            from ocs.api.service_ordering.finding import take_order

            return take_order(connection, body, asked(), self._planner())

        order, is_new = await self._sql.write(work)
        if is_new:
            await self._events.tell(SERVICE_ORDER, "Create", order)
        return order

    async def change(self, order_id: str, body: ServiceOrderPatch) -> Attributes:
        """Change what is said about an order.

        Raises:
            TmfError: 400, 404.
        """

        def work(connection: Any) -> tuple[Attributes, Attributes]:
            from ocs.api.service_ordering.finding import change_order

            return change_order(connection, order_id, body)

        before, after = await self._sql.write(work)
        if before != after:
            await self._events.tell(SERVICE_ORDER, "AttributeValueChange", after)
        return after

    async def forget(self, order_id: str) -> None:
        """Forget an order that has ended.

        Raises:
            TmfError: 404, 409.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.service_ordering.finding import forget_order

            return forget_order(connection, order_id)

        await self._events.tell(SERVICE_ORDER, "Delete", await self._sql.write(work))

    async def cancel(self, request: AnyRequest, body: CancelBody) -> Attributes:
        """Cancel what has not begun of an order.

        Raises:
            TmfError: 400.
        """
        asked = self._asked(request)

        def work(connection: Any) -> Attributes:
            from ocs.api.service_ordering.finding import cancel_order

            return cancel_order(
                connection, body.service_order.id, body.cancellation_reason, asked(), self._planner()
            )

        cancellation: Attributes = await self._sql.write(work)
        await self._events.tell(CANCEL_SERVICE_ORDER, "Create", cancellation)
        return cancellation

    def _asked(self, request: AnyRequest) -> "Callable[[], Request]":
        # Nine characters are left for the place of an item.
        name, caller = transaction_id_of(request)[:22], caller_name_of(request)
        now_ms = self._events.clock.now_ms()

        def make() -> "Request":
            from ocs.api.service_activation.finding import Request

            return Request(name, caller, now_ms)

        return make


def service_ordering_api(desk: OrderDesk, hubs: HubDesk) -> Api:
    """TMF641 as the application serves it."""
    reading = [
        *paged_routes(
            SERVICE_ORDER,
            TAG,
            Scope.INVENTORY_READ,
            page=desk.orders,
            one=desk.order,
            about="List orders by id. Fast are `id`, `externalId`, `state` and `orderDate`.",
        ),
        *paged_routes(
            CANCEL_SERVICE_ORDER,
            TAG,
            Scope.INVENTORY_READ,
            page=desk.cancellations,
            one=desk.cancellation,
            about="List by id what was cancelled of orders. Fast are `id`, `state` and `serviceOrder.id`.",
        ),
    ]
    told = "TM Forum TMF641 v4.0.0: orders of several services, each item by a transaction of its own."
    hub = hub_routes(hubs, TAG, scope=Scope.INVENTORY_READ)
    return Api(TAG, told, (*reading, *_order_routes(desk), _cancel_route(desk), *hub))


def _order_routes(desk: OrderDesk) -> list[Any]:
    path = f"{BASE}/{SERVICE_ORDER.path}"

    @post(
        path,
        tags=[TAG],
        operation_id="createServiceOrder",
        **needs(
            Scope.SERVICE_ORDER,
            body=ServiceOrderBody,
            example=examples.ORDER,
            answers=SERVICE_ORDER,
            errors=(409,),
        ),
    )
    async def create_order(request: AnyRequest) -> Response[bytes]:
        """Order services: all items are taken on, or none.

        The same `Idempotency-Key` again finds what was ordered, and nothing is done twice.
        """
        return created_response(await desk.take(request, await read_json(request, ServiceOrderBody)))

    @patch(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        operation_id="patchServiceOrder",
        **needs(
            Scope.SERVICE_ORDER,
            reads_own_query=True,
            body=ServiceOrderPatch,
            example=examples.PATCH,
            answers=SERVICE_ORDER,
            errors=(409,),
        ),
    )
    async def patch_order(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:  # noqa: ARG001
        """Change what is said about an order; its items stay as they were ordered."""
        query = read_query(request, SERVICE_ORDER, is_list=False)
        body = await read_json(request, ServiceOrderPatch)
        return one_response(query, await desk.change(identifier_in(request, SERVICE_ORDER), body))

    @delete(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        operation_id="deleteServiceOrder",
        **needs(Scope.SERVICE_ORDER, reads_own_query=True, errors=(409,)),
    )
    async def delete_order(request: AnyRequest, identifier: FromPath[str]) -> None:  # noqa: ARG001
        """Forget an order that has ended; what it did stays."""
        await desk.forget(identifier_in(request, SERVICE_ORDER))

    return [create_order, patch_order, delete_order]


def _cancel_route(desk: OrderDesk) -> Any:
    @post(
        f"{BASE}/{CANCEL_SERVICE_ORDER.path}",
        tags=[TAG],
        operation_id="createCancelServiceOrder",
        **needs(
            Scope.SERVICE_ORDER,
            body=CancelBody,
            example=examples.CANCEL,
            answers=CANCEL_SERVICE_ORDER,
            errors=(409,),
        ),
    )
    async def cancel_order(request: AnyRequest) -> Response[bytes]:
        """Cancel what has not begun of an order; `terminatedWithError` when nothing of it could be."""
        return created_response(await desk.cancel(request, await read_json(request, CancelBody)))

    return cancel_order
