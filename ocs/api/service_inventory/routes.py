"""The routes of TMF638 Service Inventory v4.0.0.

The network is changed by TMF640 and TMF641 alone: here a service that is in it is shown, and one that is not in it is
recorded, changed and forgotten.
"""

import secrets
from typing import Any, Final

from litestar import Response, delete, patch, post
from litestar.params import FromPath

from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.service_inventory import examples
from ocs.api.service_inventory.resources import BASE, SERVICE, ServiceBody, ServicePatch
from ocs.api.tmf.answers import AnyRequest, created_response, one_response, read_query
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

TAG: Final = "TMF638 service inventory"


class ServiceRecords:
    """What the routes of TMF638 ask."""

    def __init__(self, sql: SqlSide, events: EventDesk) -> None:
        self._sql = sql
        self._events = events

    async def page(self, query: Query) -> FoundPage:
        """A page of services."""

        def work(connection: Any) -> FoundPage:
            from ocs.api.service_inventory.finding import find_services

            return find_services(connection, SERVICE, query)

        return await self._sql.read(work)

    async def one(self, service_id: str) -> Attributes:
        """One service.

        Raises:
            TmfError: 404.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.service_inventory.finding import show_service

            return show_service(connection, SERVICE, service_id)

        return await self._sql.read(work)

    async def create(self, body: ServiceBody) -> Attributes:
        """Record a service that is not in the network.

        Raises:
            TmfError: 400, 409.
        """
        name = body.name or secrets.token_hex(8)
        if len(name) > SERVICE_ID_CHARACTERS_MAX or not name.isprintable():
            raise TmfError(
                400, f"name: at most {SERVICE_ID_CHARACTERS_MAX} printable characters are expected"
            )

        def work(connection: Any) -> Attributes:
            from ocs.api.service_inventory.finding import add_service

            return add_service(connection, body, name)

        made: Attributes = await self._sql.write(work)
        await self._events.tell(SERVICE, "Create", made)
        return made

    async def change(self, service_id: str, body: ServicePatch) -> Attributes:
        """Change the record of a service that is not in the network.

        Raises:
            TmfError: 400, 404, 409.
        """

        def work(connection: Any) -> tuple[Attributes, Attributes]:
            from ocs.api.service_inventory.finding import change_service

            return change_service(connection, service_id, body)

        before, after = await self._sql.write(work)
        if before != after:
            is_moved = before["state"] != after["state"]
            await self._events.tell(SERVICE, "StateChange" if is_moved else "AttributeValueChange", after)
        return after

    async def forget(self, service_id: str) -> None:
        """Take a service that is not in the network out of the inventory.

        Raises:
            TmfError: 404, 409.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.service_inventory.finding import forget_service

            return forget_service(connection, service_id)

        await self._events.tell(SERVICE, "Delete", await self._sql.write(work))


def service_inventory_api(records: ServiceRecords, hubs: HubDesk) -> Api:
    """TMF638 as the application serves it."""
    about = (
        "List services by id. Fast are `id`, `name`, `state`, `serviceType`, `serviceSpecification.id`,"
        " `relatedParty.id` and `supportingResource.id`; others are refused (400) where they must be asked of too many."
    )
    reading = paged_routes(
        SERVICE, TAG, Scope.INVENTORY_READ, page=records.page, one=records.one, about=about
    )
    told = "TM Forum TMF638 v4.0.0: services as they are in the network, and what each uses."
    hub = hub_routes(hubs, TAG, scope=Scope.INVENTORY_READ)
    return Api(TAG, told, (*reading, *_writing_routes(records), *hub))


def _writing_routes(records: ServiceRecords) -> list[Any]:
    path = f"{BASE}/{SERVICE.path}"

    @post(
        path,
        tags=[TAG],
        operation_id="createService",
        **needs(
            Scope.INVENTORY_WRITE, body=ServiceBody, example=examples.CREATE, answers=SERVICE, errors=(409,)
        ),
    )
    async def create_service(request: AnyRequest) -> Response[bytes]:
        """Record a service that is not in the network yet; its name becomes its id."""
        return created_response(await records.create(await read_json(request, ServiceBody)))

    @patch(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        operation_id="patchService",
        **needs(
            Scope.INVENTORY_WRITE,
            reads_own_query=True,
            body=ServicePatch,
            example=examples.PATCH,
            answers=SERVICE,
            errors=(409,),
        ),
    )
    async def patch_service(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:  # noqa: ARG001
        """Change the record of a service that is not in the network; one that is there answers 409."""
        query = read_query(request, SERVICE, is_list=False)
        body = await read_json(request, ServicePatch)
        return one_response(query, await records.change(identifier_in(request, SERVICE), body))

    @delete(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        operation_id="deleteService",
        **needs(Scope.INVENTORY_WRITE, reads_own_query=True, errors=(409,)),
    )
    async def delete_service(request: AnyRequest, identifier: FromPath[str]) -> None:  # noqa: ARG001
        """Forget a service that is not in the network; one that is there answers 409."""
        await records.forget(identifier_in(request, SERVICE))

    return [create_service, patch_service, delete_service]
