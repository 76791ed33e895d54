"""Where sessions are held, for orders that come of no packet of theirs."""

from ocs.limits import RADIUS_SESSIONS_KNOWN_MAX
from ocs.radius import codes
from ocs.radius.clients import Clients, parse_network
from ocs.radius.known_sessions import KnownSessions
from ocs.radius.packet import attribute, decode
from ocs.radius.session_name import SessionName

HOST = "192.0.2.1"


def test_a_session_is_known_by_what_its_packets_say(nas, client):
    known = KnownSessions(Clients((client,)))
    packet = decode(
        nas.accounting_request("Start", "s1", User_Name="anna", Framed_IP_Address="10.0.0.7").RequestPacket()
    )
    name = SessionName("lab", "ap-1", "s1")
    place = known.note(name, packet, client, HOST)
    assert known.find(name.session_id) == place
    assert (place.client, place.host) == (client, HOST)
    assert place.attributes == (
        attribute(codes.USER_NAME, b"anna"),
        attribute(codes.NAS_IDENTIFIER, b"ap-1"),
        attribute(codes.FRAMED_IP_ADDRESS, bytes((10, 0, 0, 7))),
        attribute(codes.ACCT_SESSION_ID, b"s1"),
    )
    known.forget(name)
    assert known.find(name.session_id) != place


def test_one_that_another_worker_has_seen_is_known_by_its_name(client):
    known = KnownSessions(Clients((client,)))
    place = known.find(SessionName("lab", "ap%201", "s1", "00ff").session_id)
    assert place is not None
    assert place.host == HOST
    assert place.attributes == (
        attribute(codes.ACCT_SESSION_ID, b"s1"),
        attribute(codes.NAS_IDENTIFIER, b"ap 1"),
    )


def test_nobody_knows_a_session_without_number_of_a_stranger_or_of_a_client_with_many_addresses(client):
    known = KnownSessions(Clients((client, client._replace(name="net", network=parse_network("10.0.0.0/8")))))
    assert known.find(SessionName("lab", "ap-1", "", "00ff").session_id) is None
    assert known.find(SessionName("gone", "ap-1", "s1").session_id) is None
    assert known.find(SessionName("net", "ap-1", "s1").session_id) is None
    assert known.find("pgw.example;1") is None


def test_those_silent_for_longest_are_forgotten(nas, client):
    known = KnownSessions(Clients((client._replace(network=parse_network("192.0.2.0/24")),)))
    packet = decode(nas.accounting_request("Start", "s1").RequestPacket())
    for number in range(RADIUS_SESSIONS_KNOWN_MAX + 1):
        known.note(SessionName("lab", "ap-1", str(number)), packet, client, HOST)
    assert known.find(SessionName("lab", "ap-1", "0").session_id) is None
    assert known.find(SessionName("lab", "ap-1", "1").session_id) is not None
