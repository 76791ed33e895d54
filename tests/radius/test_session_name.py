"""Names of sessions: unique, equal in every copy, and back from Class."""

import fnmatch

from ocs.radius.packet import decode
from ocs.radius.session_name import (
    SessionName,
    name_of_access,
    name_of_accounting,
    nas_of,
    sessions_pattern,
)

HOST = "192.0.2.1"


def access(nas, client, **attributes):
    return name_of_access(decode(nas.access_request("anna", **attributes).RequestPacket()), client, HOST)


def accounting(nas, client, session="s1", **attributes):
    packet = decode(nas.accounting_request("Start", session, **attributes).RequestPacket())
    return name_of_accounting(packet, client, HOST)


def test_class_brings_the_name_of_the_access_request_back(nas, client):
    name = access(nas, client)
    assert accounting(nas, client, Class=name.class_value) == name
    assert SessionName.parse(name.session_id) == name


def test_two_access_requests_begin_two_sessions(nas, client):
    assert access(nas, client) != access(nas, client)


def test_another_client_s_class_is_not_believed(nas, client):
    name = access(nas, client)._replace(client="other")
    assert accounting(nas, client, Class=name.class_value) == accounting(nas, client)


def test_without_class_the_acct_session_id_names_it_within_its_server(nas, client):
    assert accounting(nas, client) == SessionName("lab", "ap-1", "s1")
    assert SessionName("lab", "ap-1", "s1").session_id == "radius;lab;ap-1;s1;"
    assert accounting(nas, client, Class=b"of another server") == accounting(nas, client)
    assert accounting(nas, client, session="") is None


def test_no_name_is_longer_than_class_can_carry_nor_holds_what_separates(nas, client):
    name = access(nas, client, Acct_Session_Id=";*" * 60, NAS_Identifier="ü" * 60)
    assert len(name.class_value) <= 253
    assert name.session_id.count(";") == 4
    assert "*" not in name.session_id
    assert name.told_acct_session_id == ""
    short = access(nas, client, Acct_Session_Id="a;b*")
    assert short.told_acct_session_id == "a;b*"
    assert SessionName.parse(short.session_id) == short


def test_a_server_is_its_identifier_else_its_address_else_where_it_speaks_from(nas, client):
    def of(**attributes):
        nas.nas = attributes.pop("NAS_Identifier", "")
        request = nas.accounting_request("Start", "s1", **attributes)
        if not nas.nas:
            del request["NAS-Identifier"]
        return nas_of(decode(request.RequestPacket()), HOST)

    assert of(NAS_Identifier="ap-1", NAS_IP_Address="198.51.100.9") == "ap-1"
    assert of(NAS_IP_Address="198.51.100.9") == "198.51.100.9"
    assert of(NAS_IPv6_Address="2001:db8::9") == "2001%3Adb8%3A%3A9"
    assert of() == HOST


def test_the_pattern_of_a_server_matches_its_sessions_alone(nas, client):
    name = access(nas, client)
    pattern = sessions_pattern(name.origin_host)
    assert fnmatch.fnmatchcase(name.session_id, pattern)
    assert not fnmatch.fnmatchcase(name._replace(nas="ap-10").session_id, pattern)
    assert not fnmatch.fnmatchcase(name._replace(client="lab2").session_id, pattern)


def test_what_is_no_name_of_ours_is_none():
    assert SessionName.parse("pgw.example;1;2") is None
    assert SessionName.parse("radius;1;2") is None
    assert SessionName("lab", "192.0.2.9", "s").told_nas_identifier == ""
    assert SessionName("lab", "ap%201", "s").told_nas_identifier == "ap 1"
