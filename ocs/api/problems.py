"""Errors as ``application/problem+json`` (RFC 9457), or as TMF630 wants them below ``/tmf-api/``.

A title and a status are for the caller, details for our log only.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from ocs.api.reader import CursorError
from ocs.api.threads import ReaderUnavailableError
from ocs.api.tmf.errors import MEDIA_TYPE as TMF_MEDIA_TYPE
from ocs.api.tmf.errors import PREFIX, TmfError, error_body, error_response
from ocs.balance.client import StoreBusyError
from ocs.log import get_logger
from ocs.subscribers.operations import OperationError
from ocs.units import AmountError, CurrencyMismatchError

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


class AccessError(Exception):
    """A request may not be served.

    Attributes:
        headers: what the answer carries beside its status.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def refusal(
    request: AnyRequest, status: int, detail: str = "", headers: Mapping[str, str] | None = None
) -> Response[Any]:
    """Answer with an error in the words of the API that was asked."""
    if request.url.path.startswith(PREFIX):
        return error_response(status, detail, headers)
    return problem_response(status, detail, dict(headers or {}))


def plain_problem(
    path: str, status: int, detail: str, headers: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same as ASGI messages, where there is no request to answer any more."""
    is_tmf = path.startswith(PREFIX)
    body = error_body(status, detail) if is_tmf else Problem(HTTPStatus(status).phrase, status, detail)
    octets = msgspec.json.encode(body)
    shown = {
        "Content-Type": TMF_MEDIA_TYPE if is_tmf else MEDIA_TYPE,
        "Content-Length": str(len(octets)),
        **headers,
    }
    named = [(name.lower().encode(), value.encode()) for name, value in shown.items()]
    return (
        {"type": "http.response.start", "status": status, "headers": named},
        {"type": "http.response.body", "body": octets},
    )


def problem_response(
    status: int, detail: str = "", headers: dict[str, str] | None = None
) -> Response[Problem]:
    """Answer with a problem whose type is its status code (RFC 9457 section 4.2.1)."""
    title = HTTPStatus(status).phrase
    problem = Problem(title, status, "" if detail == title else detail[:_DETAIL_CHARACTERS_MAX])
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def on_http_exception(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """What litestar refuses by itself: no such page, wrong method, a parameter out of range."""
    if error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # said on purpose: there is no room for one more
        return refusal(request, error.status_code, error.detail, error.headers)
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("http_request_failed", path=request.url.path, exc_info=error)
        return refusal(request, error.status_code)
    wrong: list[dict[str, str]] = cast("Any", error).extra or []  # which parameters, and why
    reasons = [f"{parameter.get('key')}: {parameter.get('message')}" for parameter in wrong]
    return refusal(request, error.status_code, "; ".join(reasons) or error.detail, error.headers)


def on_unavailable(request: AnyRequest, _error: ReaderUnavailableError) -> Response[Any]:
    """The store does not answer; its own words are for the log."""
    log.warning("http_store_unavailable", reason=str(_error), remedy="look at the store")
    return refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer", {"Retry-After": "1"})


def on_bad_cursor(request: AnyRequest, _error: CursorError) -> Response[Any]:
    """A cursor that somebody made up."""
    return refusal(request, HTTPStatus.BAD_REQUEST, "cursor: take next_cursor of an earlier page, unchanged")


def on_unclear(request: AnyRequest, error: StoreBusyError) -> Response[Any]:
    """The store gave no clear answer to a write: its reference makes it safe to ask again."""
    log.warning("http_write_unclear", reason=str(error), remedy="look at the store")
    detail = "it is not known whether it was done: send it again, with the same reference"
    return refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"})


def on_refused_operation(request: AnyRequest, error: Exception) -> Response[Any]:
    """What the state of an account does not allow."""
    return refusal(request, HTTPStatus.CONFLICT, str(error))


def on_bad_amount(request: AnyRequest, error: AmountError) -> Response[Any]:
    """An amount that micro-units cannot hold exactly."""
    return refusal(request, HTTPStatus.BAD_REQUEST, f"amount: {error}")


def on_refused_access(request: AnyRequest, error: AccessError) -> Response[Any]:
    """No token, a wrong one, or one with too little scope."""
    return refusal(request, error.status, error.message, error.headers)


def on_tmf_error(request: AnyRequest, error: TmfError) -> Response[Any]:
    """What a TM Forum API refuses."""
    return refusal(request, error.status, error.message)


def on_fault(request: AnyRequest, error: Exception) -> Response[Any]:
    """A fault of ours: the traceback goes to the log, nothing of it to the caller."""
    log.error("http_request_failed", path=request.url.path, exc_info=error)
    return refusal(request, HTTPStatus.INTERNAL_SERVER_ERROR)


EXCEPTION_HANDLERS: Final[dict[Any, Any]] = {
    HTTPException: on_http_exception,
    ReaderUnavailableError: on_unavailable,
    CursorError: on_bad_cursor,
    StoreBusyError: on_unclear,
    OperationError: on_refused_operation,
    CurrencyMismatchError: on_refused_operation,
    AmountError: on_bad_amount,
    AccessError: on_refused_access,
    TmfError: on_tmf_error,
    Exception: on_fault,
}
