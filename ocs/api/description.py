"""The API described for programs (OpenAPI 3.1): what litestar knows of the routes, completed by what they say of it.

Each route's options (:func:`ocs.api.access.needs`) tell what it reads and shows, with an example; which errors it may
answer follows from what it needs and takes. Operations are called as generated clients call them: ``topUp``.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from ocs.api.problems import MEDIA_TYPE as PROBLEM_MEDIA_TYPE
from ocs.api.problems import Problem
from ocs.api.tmf.answers import IDEMPOTENCY_KEY_CHARACTERS_MAX
from ocs.api.tmf.errors import PREFIX, error_body
from ocs.api.tmf.query import PAGE_ITEMS
from ocs.api.tmf.resources import ResourceType
from ocs.limits import HTTP_PAGE_ITEMS_MAX

_REFERENCES: Final = "#/components/schemas/{name}"
_SENTENCE: Final = re.compile(r"(.+?)(?:[.:;](?=\s|$)|$)", re.DOTALL)
_PAGE_NAME: Final = re.compile(r"PageView_ocs\.api\.views\.(\w+)View_")
_OUTCOMES: Final = {
    "200": "As asked for.",
    "201": "Done; what was made.",
    "202": "Taken on.",
    "204": "Done; there is nothing to show.",
}
# Status: what it means here, and what a caller reads, for example.
_ERRORS: Final = {
    400: (
        "It cannot be meant so: the detail names the attribute or parameter.",
        "limit: Expected `int` >= 1",
    ),
    401: ("No token, or one that is not valid.", "the token is not valid"),
    403: ("The token does not carry the scope.", "the token does not carry the scope"),
    404: ("There is no such thing.", "there is no such account"),
    409: (
        "What stands there does not allow it, or the reference or key was used for something else.",
        "account A1 is closed",
    ),
    413: ("The body is too large.", "Request Entity Too Large"),
    415: ("The body is no JSON by its Content-Type.", "Content-Type: application/json is expected"),
    429: (
        "A wrong token, after too many of them; `Retry-After` says when to come again.",
        "too many wrong tokens from this address",
    ),
    503: (
        "The store does not answer, or not clearly: a write is sent again with the same reference or key.",
        "the store does not answer",
    ),
}

_Handler = HTTPRouteHandler


def describe(app: Litestar) -> bytes:
    """The description as JSON."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    handlers = list(_handlers(app, document["paths"]))
    kinds: list[type] = list(
        dict.fromkeys(handler.opt["body"] for _, _, handler in handlers if handler.opt.get("body"))
    )
    written, components = msgspec.json.schema_components((*kinds, Problem), ref_template=_REFERENCES)
    schemas.update(components)
    bodies = dict(zip(kinds, written, strict=False))
    for path, method, handler in handlers:
        operation: dict[str, Any] = document["paths"][path][method]
        _name(operation, handler)
        if handler.opt.get("body") is not None:
            _add_body(operation, handler, bodies)
        kind: ResourceType | None = handler.opt.get("answers")
        if kind is not None:
            schemas.setdefault(kind.name, _resource_schema(kind, schemas))
            _add_resource(operation, kind, method, is_list=handler.opt["is_list"])
        _add_errors(operation, path, _statuses(path, method, handler, operation))
    schemas["Error"] = _tmf_error_schema()
    document["components"]["responses"] = dict(_error_responses())
    return _PAGE_NAME.sub(r"\1Page", msgspec.json.encode(document).decode()).encode()


def _handlers(app: Litestar, described: dict[str, Any]) -> Iterator[tuple[str, str, _Handler]]:
    """Path, method and handler of all that is described."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(cast("HTTPRouteHandler", handler).http_methods):
                if method.lower() in described.get(route.path_format, {}):
                    yield route.path_format, method.lower(), handler


def _name(operation: dict[str, Any], handler: _Handler) -> None:
    """Give an operation the name by which clients call it, and a line that says what it is for."""
    text = operation["description"]
    sentence = _SENTENCE.match(text)
    operation["summary"] = " ".join(sentence[1].split()) if sentence else text
    if not handler.operation_id:
        first, *others = handler.handler_name.split("_")
        operation["operationId"] = first + "".join(other.capitalize() for other in others)
    responses: dict[str, Any] = operation["responses"]
    responses.pop("400", None)  # litestar's own, which is never answered
    for status, response in responses.items():
        response["description"] = _OUTCOMES[status]


def _add_body(operation: dict[str, Any], handler: _Handler, bodies: dict[type, dict[str, Any]]) -> None:
    content = {"schema": bodies[handler.opt["body"]], "example": handler.opt["example"]}
    operation["requestBody"] = {"required": True, "content": {"application/json": content}}


# --- Answers ----------------------------------------------------------------------------------------------


def _statuses(path: str, method: str, handler: _Handler, operation: dict[str, Any]) -> set[int]:
    """The errors that a route may answer."""
    found = set(handler.opt["errors"])
    if handler.opt["scope"] is not None:
        found |= {401, 403, 429, 503}
    if operation.get("parameters") or handler.opt.get("body"):
        found.add(400)
    if handler.opt.get("body"):
        found |= {413, 415}
    if "{" in path and (method != "patch" or path.startswith(PREFIX)):
        found.add(404)
    return found


def _add_errors(operation: dict[str, Any], path: str, statuses: set[int]) -> None:
    family = "tmf" if path.startswith(PREFIX) else "native"
    for status in sorted(statuses):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{family}{status}"}


def _error_responses() -> Iterator[tuple[str, dict[str, Any]]]:
    """What errors look like, once for each kind of API."""
    for status, (meaning, detail) in _ERRORS.items():
        problem = {"title": error_body(status)["reason"], "status": status, "detail": detail}
        for family, media_type, schema, example in (
            ("native", PROBLEM_MEDIA_TYPE, "Problem", problem),
            ("tmf", "application/json", "Error", error_body(status, detail)),
        ):
            content = {"schema": {"$ref": _REFERENCES.format(name=schema)}, "example": example}
            yield f"{family}{status}", {"description": meaning, "content": {media_type: content}}


def _tmf_error_schema() -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in (*error_body(400), "message")}
    return {"type": "object", "required": ["code", "reason"], "properties": properties}


# --- Resources of TM Forum APIs ---------------------------------------------------------------------------


def _resource_schema(kind: ResourceType, schemas: dict[str, Any]) -> dict[str, Any]:
    """A resource: of what clients write the types are known, of the rest the names and what names say."""
    written: dict[str, Any] = {} if kind.written is None else schemas[kind.written.__name__]["properties"]
    properties = {
        name: written.get(name) or _type_by_name(name)
        for name in sorted(kind.attributes | {"id", "href", "@type"})
    }
    return {"type": "object", "required": ["id", "href"], "properties": properties}


def _type_by_name(name: str) -> dict[str, Any]:
    if name.endswith(("Date", "Time")):
        return {"type": "string", "format": "date-time"}
    is_text = name in {"id", "href", "name", "status", "description"} or name.startswith("@")
    return {"type": "string"} if is_text else {}


def _add_resource(operation: dict[str, Any], kind: ResourceType, method: str, *, is_list: bool) -> None:
    schema: dict[str, Any] = {"$ref": _REFERENCES.format(name=kind.name)}
    if is_list:
        schema = {"type": "array", "items": schema}
    shown = {"application/json": {"schema": schema}}
    for response in operation["responses"].values():
        response["content"] = shown
    parameters: list[Any] = operation.setdefault("parameters", [])
    if method == "post":
        parameters.append(_IDEMPOTENCY_KEY)
        return
    parameters.append(
        _query("fields", "attributes to show beside id and href, with commas between", "string")
    )
    if is_list:
        operation["responses"]["200"]["headers"] = _COUNTS
        part = {"description": "A part; `Link` leads to the pages before and after it.", "headers": _COUNTS}
        operation["responses"]["206"] = {**part, "content": shown}
        parameters += _LIST_PARAMETERS


def _query(name: str, description: str, kind: str, **more: Any) -> dict[str, Any]:
    schema = {"type": kind, **more}
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_COUNTS: Final = {
    name: {"description": meaning, "schema": {"type": "integer"}}
    for name, meaning in (("X-Total-Count", "how many match"), ("X-Result-Count", "how many are shown"))
}
_LIST_PARAMETERS: Final = (
    _query("offset", "how many to pass over", "integer", minimum=0, default=0),
    _query(
        "limit", "how many to show", "integer", minimum=1, maximum=HTTP_PAGE_ITEMS_MAX, default=PAGE_ITEMS
    ),
    _query("sort", "attributes to sort by, with commas between; a minus before one: falling", "string"),
    {
        "name": "conditions",
        "in": "query",
        "required": False,
        "description": "any attribute, also an inner one, with the values that it may have: `partyAccount.id=A1`,"
        " `usageType=monetary,data`; `.gt`, `.gte`, `.lt` and `.lte` behind it compare numbers and times",
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "style": "form",
        "explode": True,
    },
)
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "the request's own name: sent again under the same name it is done once, and answered alike",
    "schema": {"type": "string", "maxLength": IDEMPOTENCY_KEY_CHARACTERS_MAX},
}
