"""Answers of TM Forum resources: one of them, a page of them with its counts, or what was made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from litestar import Request, Response

from ocs.api.tmf.errors import MEDIA_TYPE, TmfError
from ocs.api.tmf.query import Query, QueryError, Resource, parse_query
from ocs.api.tmf.resources import ResourceType, encode_body

AnyRequest = Request[Any, Any, Any]

IDEMPOTENCY_KEY_CHARACTERS_MAX: Final = 128


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
    """Answer with one page of what matches, sorted if that is asked for."""
    found = query.sorted([resource for resource in resources if query.matches(resource)])
    return cut_response(request, query, found[query.offset : query.offset + query.limit], total=len(found))


def cut_response(
    request: AnyRequest, query: Query, page: Sequence[Resource], *, total: int
) -> Response[bytes]:
    """Answer with a page that was cut already: 200 when that is all of it, 206 when it is a part.

    Args:
        page: resources that match, from the query's offset on. total: how many match.
    """
    headers = {"X-Total-Count": str(total), "X-Result-Count": str(len(page))}
    links = ", ".join(_links(request, query, total))
    if links:
        headers["Link"] = links
    status = 200 if len(page) == total else 206
    return json_response([query.shown(resource) for resource in page], status=status, headers=headers)


def idempotency_key(request: AnyRequest) -> str:
    """What a client calls its request; a repeat calls it the same. Empty when it does not.

    Raises:
        TmfError: 400, it is none.
    """
    key = request.headers.get("idempotency-key", "").strip('"')
    if len(key) > IDEMPOTENCY_KEY_CHARACTERS_MAX or not key.isprintable():
        raise TmfError(400, f"Idempotency-Key: {IDEMPOTENCY_KEY_CHARACTERS_MAX} printable characters at most")
    return key


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
