"""Reading a request, or only its route."""

import pytest

from ocs.diameter_gy.avp import encode_avp, enumerated, unsigned32, utf8
from ocs.diameter_gy.ccr import decode_ccr, routing_of
from ocs.diameter_gy.errors import InvalidAvpLength, InvalidAvpValue
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.policy import GyPolicy

ORIGIN = utf8(263, "s;1") + utf8(264, "pgw.example") + utf8(296, "example")
ROUTE = (
    utf8(283, "lab.example")
    + utf8(293, "ocs.lab.example")
    + utf8(282, "r1.example")
    + utf8(282, "r2.example")
)


def test_request_is_decoded_under_a_policy():
    body = (
        ORIGIN
        + ROUTE
        + unsigned32(258, 4)
        + utf8(461, "32251@3gpp.org")
        + enumerated(416, 1)
        + unsigned32(415, 0)
    )
    message = encode_message(272, 4, 0xC0, 1, 2, body)
    request = decode_ccr(message, parse_header(message), GyPolicy())
    assert request.charging.session_id == "s;1"
    assert request.route_records == routing_of(message).route_records


def test_route_of_any_request_is_told_without_judging_its_content():
    message = encode_message(4711, 12, 0xC0, 1, 2, ORIGIN + encode_avp(9999, b"", 666) + ROUTE)
    assert routing_of(message) == ("ocs.lab.example", "lab.example", ("r1.example", "r2.example"))
    assert routing_of(encode_message(4711, 12, 0xC0, 1, 2, b"")) == ("", "", ())
    assert routing_of(encode_message(4711, 12, 0xC0, 1, 2, encode_avp(293, b"x", 666))) == ("", "", ())


def test_route_that_cannot_be_read_is_refused():
    with pytest.raises(InvalidAvpLength):
        routing_of(encode_message(272, 4, 0xC0, 1, 2, ORIGIN + b"\0\0\1\1"))
    with pytest.raises(InvalidAvpValue):
        routing_of(encode_message(272, 4, 0xC0, 1, 2, utf8(293, "")))
