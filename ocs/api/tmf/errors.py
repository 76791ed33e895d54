"""Errors as the TM Forum writes them (TMF630): code, reason, message, status."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Response

PREFIX: Final = "/tmf-api/"
MEDIA_TYPE: Final = "application/json;charset=utf-8"
_MESSAGE_CHARACTERS_MAX: Final = 500


class TmfError(Exception):
    """A request is refused.

    Attributes:
        status: of HTTP. message: what the caller can do about it.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_body(status: int, message: str = "") -> dict[str, Any]:
    """The error's attributes: ``code`` and ``status`` are the HTTP status, ``reason`` its name."""
    body = {"@type": "Error", "code": str(status), "reason": HTTPStatus(status).phrase, "status": str(status)}
    if message and message != body["reason"]:
        body["message"] = message[:_MESSAGE_CHARACTERS_MAX]
    return body


def error_response(
    status: int, message: str = "", headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """Answer with an error."""
    body = msgspec.json.encode(error_body(status, message))
    return Response(body, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))
