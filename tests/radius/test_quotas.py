"""Grants become limits that count from a session's beginning."""

from pyrad.packet import Packet

from ocs.messages import ChargingAnswer, Outcome, ServiceAnswer, ServiceUnit
from ocs.radius.quotas import quota_attributes
from tests.radius.access_server import DICTIONARY
from tests.radius.conftest import granted, refused

NOTHING = ServiceUnit(0, 0, 0, 0)


def read(attributes):
    body = b"".join(attributes)
    octets = b"\x02\x01" + (20 + len(body)).to_bytes(2) + bytes(16) + body
    return Packet(packet=octets, dict=DICTIONARY)


def test_time_is_counted_from_the_session_s_beginning():
    assert read(quota_attributes(granted(time_s=600), NOTHING))["Session-Timeout"] == [600]
    assert read(quota_attributes(granted(time_s=600), ServiceUnit(0, 0, 0, 900)))["Session-Timeout"] == [1500]


def test_volume_is_told_to_both_families_of_servers():
    found = read(quota_attributes(granted(1000), ServiceUnit(500, 100, 400, 60)))
    assert found["ChilliSpot-Max-Total-Octets"] == found["Mikrotik-Total-Limit"] == [1500]
    assert "ChilliSpot-Max-Total-Gigawords" not in found
    assert "Session-Timeout" not in found


def test_volume_beyond_32_bits_has_gigawords():
    found = read(quota_attributes(granted(1 << 32), ServiceUnit(5, 5, 0, 60)))
    assert found["ChilliSpot-Max-Total-Octets"] == found["Mikrotik-Total-Limit"] == [5]
    assert found["ChilliSpot-Max-Total-Gigawords"] == found["Mikrotik-Total-Limit-Gigawords"] == [1]


def test_one_direction_alone_limits_the_total():
    unit = ServiceUnit(input_octets=700)
    answer = ChargingAnswer(Outcome.SUCCESS, (ServiceAnswer(Outcome.SUCCESS, granted=unit),))
    assert read(quota_attributes(answer, NOTHING))["Mikrotik-Total-Limit"] == [700]


def test_without_a_grant_nothing_is_limited():
    assert quota_attributes(refused(Outcome.CREDIT_CONTROL_NOT_APPLICABLE), NOTHING) == []
    assert quota_attributes(ChargingAnswer(Outcome.SUCCESS), NOTHING) == []
