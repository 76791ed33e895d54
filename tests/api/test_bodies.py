"""Bodies are JSON, their numbers exact, their faults named."""

from decimal import Decimal

import msgspec
import pytest
from litestar.exceptions import HTTPException
from litestar.testing import RequestFactory

from ocs.api.bodies import read_json


class Body(msgspec.Struct):
    amount: Decimal


def request(content: bytes, content_type: str = "application/json"):
    made = RequestFactory().post("/", headers={"content-type": content_type})
    made._body = content
    return made


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/merge-patch+json",
    ],
)
async def test_decimal_keeps_its_digits(content_type: str):
    content = b'{"amount": 12345678901234567890.123456}'
    body = await read_json(request(content, content_type), Body)
    assert body.amount == Decimal("12345678901234567890.123456")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"amount": "x"}',
        b'{"amount": {}}',
        b"\xff",
        b'{"amount": 1, "other": "\xff"}',
        b"{}",
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"amount": 1, "amount": 1000}',
        b'{"amount": 1, "am\\u006funt": 1000}',
        b'{"amount": 1, "other": [{"a": {}, "a": 2}]}',
        b'{"amount": 1, "other": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    ],
)
async def test_what_is_not_the_body_expected_is_a_400_that_says_so(content: bytes):
    with pytest.raises(HTTPException) as caught:
        await read_json(request(content), Body)
    assert caught.value.status_code == 400
    assert caught.value.detail.startswith("the body: ")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonx"]
)
async def test_other_content_is_a_415(content_type: str):
    with pytest.raises(HTTPException) as caught:
        await read_json(request(b'{"amount": 1}', content_type), Body)
    assert caught.value.status_code == 415


async def test_body_that_breaks_off_is_no_fault_of_ours():
    async def gone():
        return {"type": "http.disconnect"}

    broken_off = RequestFactory().post("/", headers={"content-type": "application/json"})
    broken_off.receive = gone  # type: ignore[method-assign]
    with pytest.raises(HTTPException) as caught:
        await read_json(broken_off, Body)
    assert caught.value.status_code == 400
