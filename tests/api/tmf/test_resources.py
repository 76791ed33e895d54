"""What all TM Forum resources share: identity, exact numbers, times."""

from decimal import Decimal

import pytest

from ocs.api.tmf.resources import ResourceType, date_time, encode_body, identified, period

KIND = ResourceType("Bucket", "bucket", "/tmf-api/x/v4", "x", frozenset(("id",)))


def test_resource_has_its_id_href_and_type_and_nothing_that_is_none():
    assert identified(KIND, "A1:main", {"name": "main", "validFor": None}) == {
        "id": "A1:main", "href": "/tmf-api/x/v4/bucket/A1:main", "@type": "Bucket", "name": "main",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("identifier", "segment"),
    [("A1:bonus#2", "A1:bonus%232"), ("a?b", "a%3Fb"), ("a%b", "a%25b"), ("a/b", "a%2Fb"), ("Zoë 1", "Zo%C3%AB%201"),
     ("a+b@c", "a+b@c")],
)  # fmt: skip
def test_href_leads_to_the_resource_whatever_its_id_holds(identifier: str, segment: str):
    assert KIND.href(identifier) == f"/tmf-api/x/v4/bucket/{segment}"


@pytest.mark.parametrize("digits", ["0.10", "12345678901234567890.123456", "-0.000001", "7"])
def test_decimal_is_written_as_a_number_with_its_digits(digits: str):
    assert encode_body({"amount": Decimal(digits)}) == f'{{"amount":{digits}}}'.encode()


def test_time_is_rfc_3339_in_utc():
    assert date_time(0) == "1970-01-01T00:00:00.000Z"
    assert date_time(1 << 62) == "9999-12-31T23:59:59.000Z"


def test_period_has_the_bounds_that_there_are():
    assert period(0, 0) is None
    assert period(0, 1_000) == {"endDateTime": "1970-01-01T00:00:01.000Z"}
    assert period(1_000, 0) == {"startDateTime": "1970-01-01T00:00:01.000Z"}
