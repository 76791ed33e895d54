"""RADIUS packets against the examples of the standard and against pyrad."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad import packet as pyrad

from ocs.radius import codes
from ocs.radius.codes import Code
from ocs.radius.packet import (
    NO_AUTHENTICATOR,
    MalformedPacketError,
    attribute,
    decode,
    encode_reply,
    encode_request,
    has_valid_message_authenticator,
    integer_attribute,
    is_genuine,
    is_genuine_reply,
    text_attribute,
    vendor_integer,
)
from tests.radius.access_server import DICTIONARY, SECRET

# RFC 2865 section 7.1: a user telnets to a host; section 7.2: a framed user with CHAP. The secret is of the RFC.
RFC_SECRET = b"xyzzy5461"
TELNET = bytes.fromhex(
    "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a 01 06 6e 65 6d 6f 02 12 0d be 70 8d 93 d4 13 ce"
    "31 96 e4 3f 78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03"
)
TELNET_ACCEPT = bytes.fromhex(
    "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2 06 06 00 00 00 01 0f 06 00 00 00 00 0e 06 c0 a8 01 03"
)
FRAMED = bytes.fromhex(
    "01 01 00 47 2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2 01 08 66 6c 6f 70 73 79 03 13 16 e9 75 57 c3 16"
    "18 58 95 f2 93 ff 63 44 07 72 75 04 06 c0 a8 01 10 05 06 00 00 00 14 06 06 00 00 00 02 07 06 00 00 00 01"
)
FRAMED_ACCEPT = bytes.fromhex(
    "02 01 00 38 15 ef bc 7d ab 26 cf a3 dc 34 d9 c0 3c 86 01 a4 06 06 00 00 00 02 07 06 00 00 00 01 08 06 ff ff"
    "ff fe 0a 06 00 00 00 02 0d 06 00 00 00 01 0c 06 00 00 05 dc"
)


@pytest.mark.parametrize(("request_", "reply"), [(TELNET, TELNET_ACCEPT), (FRAMED, FRAMED_ACCEPT)])
def test_replies_of_the_standard_s_examples_are_written_to_the_octet(request_, reply):
    request = decode(request_)
    assert is_genuine_reply(decode(reply), request.authenticator, RFC_SECRET)
    assert encode_reply(Code.ACCESS_ACCEPT, request, [reply[20:]], RFC_SECRET, is_signed=False) == reply
    assert not is_genuine_reply(decode(reply), request.authenticator, b"another")


def test_the_standard_s_requests_are_read():
    request = decode(TELNET)
    assert (request.code, request.identifier, request.text(codes.USER_NAME)) == (1, 0, "nemo")
    assert request.integer(codes.NAS_PORT) == 3
    assert request.first(codes.NAS_IP_ADDRESS) == bytes((192, 168, 1, 16))
    assert request.has(codes.USER_PASSWORD)
    assert request.integer(codes.USER_PASSWORD) is None  # sixteen octets are no integer


def test_octets_behind_the_length_are_padding():
    assert decode(TELNET + b"\0\0\0") == decode(TELNET)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        TELNET[:19],
        TELNET[:-1],
        TELNET[:2] + b"\x00\x13" + TELNET[4:],
        TELNET[:2] + b"\x10\x01" + TELNET[4:] + bytes(5000),
        TELNET[:2] + b"\x00\x15" + TELNET[4:20] + b"\x01",
        TELNET[:2] + b"\x00\x16" + TELNET[4:20] + b"\x01\x01",
        TELNET[:2] + b"\x00\x16" + TELNET[4:20] + b"\x01\x00",
        TELNET[:2] + b"\x00\x17" + TELNET[4:20] + b"\x01\x04\x00",
    ],
)
def test_what_is_no_packet_is_discarded(octets):
    with pytest.raises(MalformedPacketError):
        decode(octets)


@given(st.binary(max_size=200))
def test_no_datagram_does_more_than_be_refused(octets):
    try:
        packet = decode(octets)
    except MalformedPacketError:
        return
    assert len(packet.octets) <= len(octets)
    packet.text(codes.USER_NAME)
    packet.vendor_text(codes.THREE_GPP_IMSI)
    has_valid_message_authenticator(packet, packet.authenticator, SECRET)
    is_genuine(packet, SECRET)


def test_an_accounting_request_of_pyrad_is_genuine_until_an_octet_changes():
    request = pyrad.AcctPacket(id=7, secret=SECRET, dict=DICTIONARY, message_authenticator=True)
    request.AddAttribute("User-Name", "anna")
    request.AddAttribute("Acct-Status-Type", "Start")
    octets = request.RequestPacket()
    packet = decode(octets)
    assert is_genuine(packet, SECRET)
    assert has_valid_message_authenticator(packet, NO_AUTHENTICATOR, SECRET)
    for at in range(len(octets)):
        broken = bytearray(octets)
        broken[at] ^= 0x40
        try:
            packet = decode(bytes(broken))
        except MalformedPacketError:
            continue
        assert not is_genuine(packet, SECRET)


def test_an_access_request_of_pyrad_is_signed_and_one_signature_alone_counts():
    request = pyrad.AuthPacket(id=7, secret=SECRET, dict=DICTIONARY, message_authenticator=True)
    request.AddAttribute("User-Name", "anna")
    packet = decode(request.RequestPacket())
    assert has_valid_message_authenticator(packet, packet.authenticator, SECRET)
    assert not has_valid_message_authenticator(packet, packet.authenticator, b"another")
    # A second one that the first one covers: which of them is to be believed?
    twice = bytes((1, 7, 0, 56)) + bytes(16) + attribute(80, bytes(16)) + attribute(80, b"another one here")
    signature = hmac.digest(SECRET, twice, "md5")
    signed = decode(twice[:22] + signature + twice[38:])
    assert not has_valid_message_authenticator(signed, signed.authenticator, SECRET)


def test_a_signed_reply_begins_with_its_signature_and_ends_with_the_proxies_state():
    request = pyrad.AuthPacket(id=7, secret=SECRET, dict=DICTIONARY, message_authenticator=True)
    request.AddAttribute("Proxy-State", [b"one", b"two"])
    packet = decode(request.RequestPacket())
    reply = encode_reply(
        Code.ACCESS_ACCEPT, packet, [text_attribute(codes.REPLY_MESSAGE, "hello")], SECRET, is_signed=True
    )
    assert reply is not None
    assert request.VerifyReply(request.CreateReply(packet=reply), reply, enforce_ma=True)
    types = [found.type for found in decode(reply).attributes]
    assert types == [
        codes.MESSAGE_AUTHENTICATOR,
        codes.REPLY_MESSAGE,
        codes.PROXY_STATE,
        codes.PROXY_STATE,
    ]


def test_a_reply_that_does_not_fit_is_not_written():
    states = b"".join(attribute(codes.PROXY_STATE, bytes(253)) for _ in range(15))
    header = bytes((1, 1)) + (4096).to_bytes(2) + bytes(16)
    packet = decode(header + states + attribute(codes.USER_NAME, bytes(249)))
    long = [text_attribute(codes.REPLY_MESSAGE, "x" * 300)]
    assert encode_reply(Code.ACCESS_REJECT, packet, long, SECRET, is_signed=True) is None


def test_orders_are_genuine_to_pyrad():
    octets = encode_request(Code.COA_REQUEST, 9, [text_attribute(codes.USER_NAME, "anna")], SECRET)
    order = pyrad.CoAPacket(packet=octets, secret=SECRET, dict=DICTIONARY)
    assert order.VerifyCoARequest()
    assert order.verify_message_authenticator()
    assert order["User-Name"] == ["anna"]


def test_values_keep_within_their_attributes():
    assert attribute(1, bytes(300)) == b"\x01\xff" + bytes(253)
    assert text_attribute(18, "ä" * 200)[2:].decode() == "ä" * 126
    assert integer_attribute(27, 1 << 40) == b"\x1b\x06\xff\xff\xff\xff"
    assert vendor_integer((14559, 3), 5) == b"\x1a\x0c\x00\x00\x38\xdf\x03\x06\x00\x00\x00\x05"


def test_a_vendor_s_text_is_found_among_others_and_in_no_other_vendor():
    request = pyrad.AuthPacket(id=7, secret=SECRET, dict=DICTIONARY)
    request.AddAttribute("ChilliSpot-Max-Total-Octets", 5)
    request.AddAttribute("3GPP-IMSI", "262011234567890\0")
    packet = decode(request.RequestPacket())
    assert packet.vendor_text(codes.THREE_GPP_IMSI) == "262011234567890"
    assert packet.vendor_text((10416, 1)) == ""
