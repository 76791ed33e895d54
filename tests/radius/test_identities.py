"""Who pays, from the attributes of a packet."""

import pytest

from ocs.radius.identities import context_of, identities_of
from ocs.radius.packet import decode


@pytest.mark.parametrize(
    ("attributes", "identities"),
    [
        ({"User_Name": "anna@wifi.example"}, ("nai:anna@wifi.example",)),
        ({"User_Name": "+491710000001"}, ("e164:491710000001",)),
        ({"User_Name": "anna"}, ("private:anna",)),
        ({"User_Name": "00-10-A4-23-19-C0"}, ("private:00-10-a4-23-19-c0",)),
        ({"User_Name": "0010A42319C0"}, ("private:00-10-a4-23-19-c0",)),
        (
            {"User_Name": "0262011234567890@wlan.mnc001.mcc262.3gppnetwork.org"},
            ("imsi:262011234567890", "nai:0262011234567890@wlan.mnc001.mcc262.3gppnetwork.org"),
        ),
        (
            {
                "User_Name": "anna@a.example",
                "3GPP-IMSI": "262011234567890",
                "Chargeable_User_Identity": b"c7",
            },
            ("imsi:262011234567890", "private:c7", "nai:anna@a.example"),
        ),
        ({"User_Name": "anna@a.example", "Calling_Station_Id": "491710000001"}, ("nai:anna@a.example",)),
        ({"Calling_Station_Id": "00:10:A4:23:19:C0"}, ("private:00-10-a4-23-19-c0",)),
        ({"Calling_Station_Id": "491710000001"}, ("e164:491710000001",)),
        ({"Chargeable_User_Identity": b"\0"}, ()),  # RFC 4372 section 2.1: the NAS only asks for it
        ({}, ()),
    ],
)
def test_identities_come_in_the_order_of_their_worth(nas, attributes, identities):
    packet = decode(nas.accounting_request("Start", "s1", **attributes).RequestPacket())
    assert identities_of(packet) == identities


def test_a_name_that_is_not_text_is_nobody_s(nas):
    request = nas.accounting_request("Start", "s1")
    request[1] = [b"\xff\xfe"]
    assert identities_of(decode(request.RequestPacket())) == ()


def test_the_network_s_name_and_wifi_are_told(nas):
    request = nas.accounting_request(
        "Start", "s1", Called_Station_Id="00-10-A4-23-19-C0:Guest WiFi", NAS_Port_Type="Wireless-802.11"
    )
    context = context_of(decode(request.RequestPacket()))
    assert (context.access_point_name, context.rat_type) == ("guest wifi", "wlan")
    wired = nas.accounting_request("Start", "s1", Called_Station_Id="BRAS7", NAS_Port_Type="Ethernet")
    context = context_of(decode(wired.RequestPacket()))
    assert (context.access_point_name, context.rat_type) == ("bras7", "")
