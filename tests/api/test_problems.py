"""Errors as RFC 9457 problems that tell the caller what to do and nothing about our insides."""

from http import HTTPStatus

from litestar.exceptions import HTTPException, InternalServerException, NotFoundException
from litestar.testing import RequestFactory

from ocs.api.problems import MEDIA_TYPE, on_bad_cursor, on_fault, on_http_exception, on_unavailable
from ocs.api.reader import CursorError, ReaderUnavailableError

REQUEST = RequestFactory().get("/")


def test_refusal_names_its_status_and_reason():
    response = on_http_exception(REQUEST, NotFoundException("there is no such account"))
    assert (response.status_code, response.media_type) == (404, MEDIA_TYPE)
    assert (response.content.title, response.content.detail) == ("Not Found", "there is no such account")


def test_refused_parameters_are_named():
    error = HTTPException(status_code=400, extra=[{"key": "limit", "message": "Expected `int` <= 500"}])
    assert on_http_exception(REQUEST, error).content.detail == "limit: Expected `int` <= 500"


def test_detail_that_only_repeats_the_title_is_left_out():
    assert on_http_exception(REQUEST, NotFoundException("Not Found")).content.detail == ""


def test_long_detail_is_cut():
    assert len(on_http_exception(REQUEST, NotFoundException("x" * 9_999)).content.detail) == 500


def test_fault_of_ours_shows_nothing_of_itself():
    for response in (
        on_fault(REQUEST, RuntimeError("hunter2")),
        on_http_exception(REQUEST, InternalServerException("hunter2")),
    ):
        assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
        assert response.content.detail == ""


def test_store_that_is_away_asks_to_come_again():
    response = on_unavailable(REQUEST, ReaderUnavailableError("hunter2"))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert response.content.detail == "the store does not answer"


def test_made_up_cursor_is_refused_without_repeating_it():
    response = on_bad_cursor(REQUEST, CursorError("<script>"))
    assert (response.status_code, "script" in response.content.detail) == (400, False)
