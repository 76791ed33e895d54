"""Errors as RFC 9457 problems that tell the caller what to do and nothing about our insides."""

from http import HTTPStatus

import msgspec
from litestar.exceptions import HTTPException, InternalServerException, NotFoundException
from litestar.testing import RequestFactory

from ocs.api.problems import (
    MEDIA_TYPE,
    AccessError,
    on_bad_amount,
    on_bad_cursor,
    on_fault,
    on_http_exception,
    on_refused_access,
    on_refused_operation,
    on_tmf_error,
    on_unavailable,
    on_unclear,
    plain_problem,
)
from ocs.api.reader import CursorError
from ocs.api.threads import ReaderUnavailableError
from ocs.api.tmf.errors import TmfError
from ocs.balance.client import StoreBusyError
from ocs.subscribers.operations import OperationError
from ocs.units import AmountError
from tests.support.swagger import Definitions

REQUEST = RequestFactory().get("/")
TMF_REQUEST = RequestFactory().get("/tmf-api/prepayBalanceManagement/v4/bucket")


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


def test_below_tmf_api_errors_have_the_tm_forums_body():
    """See ocs.api.tmf.errors."""
    for response, status in (
        (on_http_exception(TMF_REQUEST, NotFoundException("there is no such bucket")), 404),
        (on_tmf_error(TMF_REQUEST, TmfError(409, "used")), 409),
        (on_fault(TMF_REQUEST, RuntimeError("hunter2")), 500),
        (on_unavailable(TMF_REQUEST, ReaderUnavailableError("hunter2")), 503),
        (on_refused_access(TMF_REQUEST, AccessError(401, "a token", {"WWW-Authenticate": "Bearer"})), 401),
        (on_bad_amount(TMF_REQUEST, AmountError("fine")), 400),
    ):
        body = msgspec.json.decode(response.content)
        Definitions("TMF654-PrepayBalance-v4.0.0.swagger.json").check(body, "Error")
        assert (response.status_code, body["code"], body["status"]) == (status, str(status), str(status))
        assert "hunter2" not in str(body)


def test_unclear_write_may_be_sent_again():
    response = on_unclear(REQUEST, StoreBusyError("hunter2"))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert "same reference" in response.content.detail and "hunter2" not in response.content.detail


def test_refused_operation_is_a_conflict_that_says_why():
    response = on_refused_operation(REQUEST, OperationError("account A1 is closed"))
    assert (response.status_code, response.content.detail) == (409, "account A1 is closed")


def test_refused_access_carries_its_challenge():
    response = on_refused_access(REQUEST, AccessError(401, "a token", {"WWW-Authenticate": "Bearer"}))
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_plain_problem_is_an_answer_of_its_own():
    head, body = plain_problem("/x", 503, "late", {"Retry-After": "1"})
    assert (head["status"], dict(head["headers"])[b"content-type"]) == (503, MEDIA_TYPE.encode())
    assert msgspec.json.decode(body["body"])["detail"] == "late"
