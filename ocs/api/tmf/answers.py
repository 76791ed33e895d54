"""Answers of TM Forum resources: one of them, a page of them with its counts, or what was made."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar import Request, Response

from ocs.api.tmf.errors import MEDIA_TYPE, TmfError
from ocs.api.tmf.query import Query, QueryError, Resource, parse_query
from ocs.api.tmf.resources import ResourceType, encode_body

AnyRequest = Request[Any, Any, Any]


def read_query(request: AnyRequest, kind: ResourceType, *, is_list: bool) -> Query:
    """What a request asks for.

    Raises:
        TmfError: 400, naming the parameter.
    """
    try:
        return parse_query(request.scope["query_string"], kind.attributes, is_list=is_list)
    except QueryError as error:
        raise TmfError(400, str(error)) from None


def json_response(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """Answer with a body; numbers keep their digits."""
    return Response(encode_body(body), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def one_response(query: Query, resource: Resource) -> Response[bytes]:
    """Answer with the chosen fields of one resource."""
    return json_response(query.shown(resource))


def page_response(request: AnyRequest, query: Query, resources: Iterable[Resource]) -> Response[bytes]:
    """Answer with one page of what matches: 200 when that is all of it, 206 when it is a part."""
    found = [resource for resource in resources if query.matches(resource)]
    page = found[query.offset : query.offset + query.limit]
    headers = {"X-Total-Count": str(len(found)), "X-Result-Count": str(len(page))}
    links = ", ".join(_links(request, query, len(found)))
    if links:
        headers["Link"] = links
    status = 200 if len(page) == len(found) else 206
    return json_response([query.shown(resource) for resource in page], status=status, headers=headers)


def created_response(resource: Resource) -> Response[bytes]:
    """Answer that a resource was made, and where it is found."""
    return json_response(resource, status=201, headers={"Location": resource["href"]})


def _links(request: AnyRequest, query: Query, total: int) -> Iterable[str]:
    """The pages before and after this one (RFC 8288)."""
    kept = [
        pair
        for pair in parse_qsl(request.scope["query_string"].decode("ascii"), keep_blank_values=True)
        if pair[0] not in {"offset", "limit"}
    ]

    def link(relation: str, offset: int) -> str:
        target = urlencode([*kept, ("offset", offset), ("limit", query.limit)])
        return f'<{request.scope["path"]}?{target}>; rel="{relation}"'

    if query.offset + query.limit < total:
        yield link("next", query.offset + query.limit)
    if query.offset > 0:
        yield link("prev", max(0, query.offset - query.limit))
