"""The routes by which any resource of a TM Forum API is read: a list with conditions and pages, and one by its id."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from ocs.api.access import needs
from ocs.api.tmf.answers import AnyRequest, one_response, page_response, read_query
from ocs.api.tmf.query import Query, Resource
from ocs.api.tmf.resources import ResourceType
from ocs.api.tokens import Scope

FindResources = Callable[[Query], Awaitable[Iterable[Resource]]]
FindResource = Callable[[str], Awaitable[Resource]]


def reading_routes(
    kind: ResourceType, tag: str, scope: Scope, *, listed: FindResources, one: FindResource, about: str
) -> list[Any]:
    """Routes that list a kind of resource and show one of it.

    Args:
        scope: that a reader's token needs.
        listed: what a query may find, in the order in which it is shown; conditions and page are applied to it.
        one: the resource of an id; raises TmfError 404.
        about: what is listed, a sentence for the description: ``List buckets, ...``.
    """
    path = f"{kind.base}/{kind.path}"

    @get(
        path,
        tags=[tag],
        operation_id=f"list{kind.name}",
        description=about,
        **needs(scope, reads_own_query=True, answers=kind, is_list=True),
    )
    async def list_resources(request: AnyRequest) -> Response[bytes]:
        query = read_query(request, kind, is_list=True)
        return page_response(request, query, await listed(query))

    @get(
        f"{path}/{{identifier:str}}",
        tags=[tag],
        operation_id=f"retrieve{kind.name}",
        description=f"Show one {kind.path} by its id.",
        **needs(scope, reads_own_query=True, answers=kind),
    )
    async def retrieve_resource(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:
        query = read_query(request, kind, is_list=False)
        return one_response(query, await one(identifier))

    return [list_resources, retrieve_resource]
