"""The routes of TMF639 Resource Inventory Management v4.0.0.

Sites are resources and the places of others. Numbers and SIMs are shown, without keys, and written elsewhere.
"""

from typing import Any, Final

from litestar import Response, delete, patch, post
from litestar.params import FromPath

from ocs.api.access import needs
from ocs.api.bodies import read_json
from ocs.api.resource_inventory import examples
from ocs.api.resource_inventory.resources import BASE, KINDS, ResourceBody, ResourcePatch
from ocs.api.tmf.answers import AnyRequest, created_response, one_response, read_query
from ocs.api.tmf.api import Api
from ocs.api.tmf.event_desk import EventDesk
from ocs.api.tmf.hub_routes import HubDesk, hub_routes
from ocs.api.tmf.paging import FoundPage, identifier_in, paged_routes
from ocs.api.tmf.query import Query
from ocs.api.tmf.resources import Attributes, ResourceType
from ocs.api.tmf.sql_side import SqlSide
from ocs.api.tokens import Scope

TAG: Final = "TMF639 resource inventory"
# A change of one of these is a change of state.
_STATES: Final = ("administrativeState", "operationalState", "resourceStatus", "usageState")


class ResourceRecords:
    """What the routes of one kind of resource ask."""

    def __init__(self, sql: SqlSide, events: EventDesk, kind: ResourceType) -> None:
        self._sql = sql
        self._events = events
        self._kind = kind

    async def page(self, query: Query) -> FoundPage:
        """A page of what is of the kind."""

        def work(connection: Any) -> FoundPage:
            from ocs.api.resource_inventory.finding import find_resources

            return find_resources(connection, self._kind, query)

        return await self._sql.read(work)

    async def one(self, identifier: str) -> Attributes:
        """One of the kind.

        Raises:
            TmfError: 404.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.resource_inventory.finding import show_resource

            return show_resource(connection, self._kind, identifier)

        return await self._sql.read(work)

    async def create(self, body: ResourceBody) -> Attributes:
        """Put one into the inventory.

        Raises:
            TmfError: 400, 409.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.resource_inventory.writing import create_resource

            return create_resource(connection, self._kind, body)

        made: Attributes = await self._sql.write(work)
        await self._events.tell(self._kind, "Create", made)
        return made

    async def change(self, identifier: str, body: ResourcePatch) -> Attributes:
        """Change one.

        Raises:
            TmfError: 400, 404, 409.
        """

        def work(connection: Any) -> tuple[Attributes, Attributes]:
            from ocs.api.resource_inventory.writing import change_resource

            return change_resource(connection, self._kind, identifier, body)

        before, after = await self._sql.write(work)
        if before != after:
            is_moved = any(before.get(name) != after.get(name) for name in _STATES)
            await self._events.tell(self._kind, "StateChange" if is_moved else "AttributeValueChange", after)
        return after

    async def forget(self, identifier: str) -> None:
        """Take one out of the inventory.

        Raises:
            TmfError: 404, 409.
        """

        def work(connection: Any) -> Attributes:
            from ocs.api.resource_inventory.writing import forget_resource

            return forget_resource(connection, self._kind, identifier)

        await self._events.tell(self._kind, "Delete", await self._sql.write(work))


def resource_inventory_api(sql: SqlSide, events: EventDesk, hubs: HubDesk) -> Api:
    """TMF639 as the application serves it."""
    routes: list[Any] = []
    for kind in KINDS:
        records = ResourceRecords(sql, events, kind)
        about = (
            f"List each {kind.path} by id. Fast are `id`, `name`, `category`, `lifecycle`, `place.id`,"
            " `resourceStatus`, `usageState` and the states of X.731; others are refused (400) where they must be"
            " asked of too many."
        )
        routes += paged_routes(
            kind, TAG, Scope.INVENTORY_READ, page=records.page, one=records.one, about=about
        )
        routes += _writing_routes(kind, records)
    told = "TM Forum TMF639 v4.0.0: what the network consists of, addresses, VLANs, numbers, SIMs."
    return Api(TAG, told, (*routes, *hub_routes(hubs, TAG, scope=Scope.INVENTORY_READ)))


def _writing_routes(kind: ResourceType, records: ResourceRecords) -> list[Any]:
    path = f"{BASE}/{kind.path}"

    @post(
        path,
        tags=[TAG],
        operation_id=f"create{kind.name}",
        description="Put a resource into the inventory; its name becomes its id, and its category is its kind.",
        **needs(
            Scope.INVENTORY_WRITE,
            body=ResourceBody,
            example=examples.CREATE[kind.path],
            answers=kind,
            errors=(409,),
        ),
    )
    async def create_resource(request: AnyRequest) -> Response[bytes]:
        return created_response(await records.create(await read_json(request, ResourceBody)))

    @patch(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        operation_id=f"patch{kind.name}",
        description="Change a resource; numbers and SIMs answer 409.",
        **needs(
            Scope.INVENTORY_WRITE,
            reads_own_query=True,
            body=ResourcePatch,
            example=examples.PATCH,
            answers=kind,
            errors=(409,),
        ),
    )
    async def patch_resource(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:  # noqa: ARG001
        query = read_query(request, kind, is_list=False)
        body = await read_json(request, ResourcePatch)
        return one_response(query, await records.change(identifier_in(request, kind), body))

    @delete(
        f"{path}/{{identifier:path}}",
        tags=[TAG],
        operation_id=f"delete{kind.name}",
        description="Take a resource out of the inventory; one that something needs answers 409.",
        **needs(Scope.INVENTORY_WRITE, reads_own_query=True, errors=(409,)),
    )
    async def delete_resource(request: AnyRequest, identifier: FromPath[str]) -> None:  # noqa: ARG001
        await records.forget(identifier_in(request, kind))

    return [create_resource, patch_resource, delete_resource]
