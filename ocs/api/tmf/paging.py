"""Routes that show lists which are cut where they are found: in a database, not here."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from litestar import Response, get
from litestar.params import FromPath

from ocs.api.access import needs
from ocs.api.routes import rest_of_path
from ocs.api.tmf.answers import AnyRequest, cut_response, one_response, read_query
from ocs.api.tmf.errors import TmfError
from ocs.api.tmf.query import Query, Resource
from ocs.api.tmf.resources import ResourceType
from ocs.api.tokens import Scope


class FoundPage(NamedTuple):
    """A page of resources, and how many match in all."""

    resources: Sequence[Resource]
    total: int


def identifier_in(request: AnyRequest, kind: ResourceType) -> str:
    """The id in a request's path; it may hold slashes, percent-encoded or not.

    Raises:
        TmfError: 404, nothing has such an id.
    """
    identifier = rest_of_path(request, f"{kind.base}/{kind.path}/".encode())
    if not identifier or "\x00" in identifier:
        raise TmfError(404, f"there is no such {kind.path}")
    return identifier


def paged_routes(
    kind: ResourceType,
    tag: str,
    scope: Scope,
    *,
    page: Callable[[Query], Awaitable[FoundPage]],
    one: Callable[[str], Awaitable[Resource]],
    about: str,
    noun: str = "",
) -> list[Any]:
    """Routes that list a kind of resource and show one of it.

    Args:
        scope: that a reader's token needs. page: what a query finds. one: the resource of an id; raises TmfError 404.
        about: what is listed, a sentence. noun: for the names of the operations, where the kind's is another API's.
    """
    path = f"{kind.base}/{kind.path}"

    @get(
        path,
        tags=[tag],
        operation_id=f"list{noun or kind.name}",
        description=about,
        **needs(scope, reads_own_query=True, answers=kind, is_list=True),
    )
    async def list_resources(request: AnyRequest) -> Response[bytes]:
        query = read_query(request, kind, is_list=True)
        found = await page(query)
        return cut_response(request, query, found.resources, total=found.total)

    @get(
        f"{path}/{{identifier:path}}",
        tags=[tag],
        operation_id=f"retrieve{noun or kind.name}",
        description=f"Show one {kind.path} by its id, percent-encoded as far as a path demands.",
        **needs(scope, reads_own_query=True, answers=kind),
    )
    async def retrieve_resource(request: AnyRequest, identifier: FromPath[str]) -> Response[bytes]:  # noqa: ARG001
        query = read_query(request, kind, is_list=False)
        return one_response(query, await one(identifier_in(request, kind)))

    return [list_resources, retrieve_resource]
