"""What access servers put on the wire and how they read replies: an encoder and a reader that are not the server's.

Source: RFC 2865 sections 3 and 5, RFC 2866 sections 3 and 5, RFC 3579 section 3.2.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterator
from random import Random

ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT, ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE = 1, 2, 3, 4, 5
DISCONNECT_REQUEST, COA_REQUEST = 40, 43
START, STOP, INTERIM_UPDATE, ACCOUNTING_ON = 1, 2, 3, 7
USER_NAME, SERVICE_TYPE, CLASS, NAS_IDENTIFIER, ACCT_SESSION_ID = 1, 6, 25, 32, 44
ACCT_STATUS_TYPE, ACCT_DELAY_TIME, ACCT_SESSION_TIME = 40, 41, 46
ACCT_INPUT_OCTETS, ACCT_OUTPUT_OCTETS, ACCT_INPUT_GIGAWORDS, ACCT_OUTPUT_GIGAWORDS = 42, 43, 52, 53
AUTHORIZE_ONLY = 17
_VENDOR_SPECIFIC, _MESSAGE_AUTHENTICATOR = 26, 80
_CHILLISPOT, _MAX_TOTAL_OCTETS, _MAX_TOTAL_GIGAWORDS = 14559, 3, 23
_HEAD = 20


def text(code: int, value: str | bytes) -> bytes:
    """An attribute of text, or of octets."""
    octets = value.encode() if isinstance(value, str) else value
    return bytes((code, len(octets) + 2)) + octets


def integer(code: int, number: int) -> bytes:
    """An attribute of four octets."""
    return text(code, struct.pack(">I", number))


def access_request(random: Random, identifier: int, secret: bytes, attributes: bytes) -> bytes:
    """An Access-Request with its Message-Authenticator."""
    authenticator = random.randbytes(16)
    body = attributes + text(_MESSAGE_AUTHENTICATOR, bytes(16))
    head = struct.pack(">BBH", ACCESS_REQUEST, identifier, _HEAD + len(body)) + authenticator
    digest = hmac.new(secret, head + body, "md5").digest()
    return head + body[:-16] + digest


def accounting_request(identifier: int, secret: bytes, attributes: bytes) -> bytes:
    """An Accounting-Request; its Authenticator is a digest of the whole."""
    head = struct.pack(">BBH", ACCOUNTING_REQUEST, identifier, _HEAD + len(attributes))
    digest = hashlib.md5(head + bytes(16) + attributes + secret, usedforsecurity=False).digest()
    return head + digest + attributes


def attributes_of(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each attribute."""
    at = 0
    while at < len(octets):
        length = octets[at + 1]
        yield octets[at], octets[at + 2 : at + length]
        at += length


def reply_attributes(reply: bytes) -> bytes:
    """What a reply says behind its header."""
    return reply[_HEAD:]


def is_reply(reply: bytes, request: bytes, secret: bytes) -> bool:
    """Whether a reply belongs to a request and was written by who knows the secret."""
    digest = hashlib.md5(reply[:4] + request[4:20] + reply[_HEAD:] + secret, usedforsecurity=False).digest()
    return reply[1] == request[1] and digest == reply[4:20]


def total_octets_max(attributes: bytes) -> int | None:
    """How far a session may go: ChilliSpot-Max-Total-Octets with its Gigawords; None when nothing is said."""
    words: dict[int, int] = {}
    for code, value in attributes_of(attributes):
        if code == _VENDOR_SPECIFIC and int.from_bytes(value[:4]) == _CHILLISPOT:
            words[value[4]] = int.from_bytes(value[6:10])
    if _MAX_TOTAL_OCTETS not in words:
        return None
    return words[_MAX_TOTAL_OCTETS] + (words.get(_MAX_TOTAL_GIGAWORDS, 0) << 32)
