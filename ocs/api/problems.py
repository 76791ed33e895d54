"""Errors as ``application/problem+json`` (RFC 9457): a title and a status for the caller, details for our log only."""

from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from ocs.api.reader import CursorError, ReaderUnavailableError
from ocs.log import get_logger

log = get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_DETAIL_CHARACTERS_MAX: Final = 500

AnyRequest = Request[Any, Any, Any]


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem details object (RFC 9457 section 3.1); ``title`` is the status code's own name."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"


def problem_response(
    status: int, detail: str = "", headers: dict[str, str] | None = None
) -> Response[Problem]:
    """Answer with a problem whose type is its status code (RFC 9457 section 4.2.1)."""
    title = HTTPStatus(status).phrase
    problem = Problem(title, status, "" if detail == title else detail[:_DETAIL_CHARACTERS_MAX])
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def on_http_exception(_request: AnyRequest, error: HTTPException) -> Response[Problem]:
    """What litestar refuses by itself: no such page, wrong method, a parameter out of range."""
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("http_request_failed", path=_request.url.path, exc_info=error)
        return problem_response(error.status_code)
    wrong: list[dict[str, str]] = cast("Any", error).extra or []  # which parameters, and why
    reasons = [f"{parameter.get('key')}: {parameter.get('message')}" for parameter in wrong]
    return problem_response(error.status_code, "; ".join(reasons) or error.detail, error.headers)


def on_unavailable(_request: AnyRequest, _error: ReaderUnavailableError) -> Response[Problem]:
    """The store does not answer; its own words are for the log."""
    log.warning("http_store_unavailable", reason=str(_error), remedy="look at the store")
    return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer", {"Retry-After": "1"})


def on_bad_cursor(_request: AnyRequest, _error: CursorError) -> Response[Problem]:
    """A cursor that somebody made up."""
    return problem_response(HTTPStatus.BAD_REQUEST, "cursor: take next_cursor of an earlier page, unchanged")


def on_fault(request: AnyRequest, error: Exception) -> Response[Problem]:
    """A fault of ours: the traceback goes to the log, nothing of it to the caller."""
    log.error("http_request_failed", path=request.url.path, exc_info=error)
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR)


EXCEPTION_HANDLERS: Final[dict[Any, Any]] = {
    HTTPException: on_http_exception,
    ReaderUnavailableError: on_unavailable,
    CursorError: on_bad_cursor,
    Exception: on_fault,
}
