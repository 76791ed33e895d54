"""RADIUS packets: octets <-> attributes, and the digests that tell who wrote them. No I/O, no state.

Source: RFC 2865 sections 3 and 5, RFC 2866 section 3, RFC 3579 section 3.2, RFC 5176 section 2.3.
"""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final, NamedTuple

from ocs.limits import RADIUS_PACKET_OCTETS_MAX
from ocs.radius.codes import MESSAGE_AUTHENTICATOR, PROXY_STATE, VENDOR_SPECIFIC, Code

HEADER_OCTETS: Final = 20
AUTHENTICATOR_OCTETS: Final = 16
ATTRIBUTE_VALUE_OCTETS_MAX: Final = 253
NO_AUTHENTICATOR: Final = bytes(AUTHENTICATOR_OCTETS)
_VENDOR_OCTETS: Final = 4
_UNSIGNED32_MAX: Final = 0xFFFF_FFFF


class MalformedPacketError(ValueError):
    """A datagram is no RADIUS packet: it is silently discarded (RFC 2865 section 3); ``str()`` says why."""


class Attribute(NamedTuple):
    """One attribute of a packet, its value as sent."""

    type: int
    value: bytes


class Packet(NamedTuple):
    """A packet that could be read; whether somebody who knows the secret wrote it is another question.

    Attributes:
        octets: the whole packet, without what padded the datagram.
    """

    code: int
    identifier: int
    authenticator: bytes
    attributes: tuple[Attribute, ...]
    octets: bytes

    def first(self, attribute_type: int) -> bytes | None:
        """The first value of an attribute, None when it is absent."""
        for attribute in self.attributes:
            if attribute.type == attribute_type:
                return attribute.value
        return None

    def has(self, attribute_type: int) -> bool:
        """Whether the packet has such an attribute."""
        return self.first(attribute_type) is not None

    def integer(self, attribute_type: int) -> int | None:
        """The first value of an integer attribute; None when it is absent or has not four octets."""
        value = self.first(attribute_type)
        return int.from_bytes(value) if value is not None and len(value) == 4 else None

    def text(self, attribute_type: int) -> str:
        """The first value of a text attribute; empty when it is absent or not UTF-8."""
        return _text(self.first(attribute_type))

    def vendor_text(self, attribute: tuple[int, int]) -> str:
        """The first value of a vendor's text attribute, without the zero octet that some append; empty if absent."""
        vendor, wanted = attribute
        for value in [found.value for found in self.attributes if found.type == VENDOR_SPECIFIC]:
            if len(value) > _VENDOR_OCTETS and int.from_bytes(value[:_VENDOR_OCTETS]) == vendor:
                try:
                    inner = _attributes(value[_VENDOR_OCTETS:])
                except MalformedPacketError:
                    continue  # of a vendor that writes another format (RFC 2865 section 5.26: SHOULD)
                for code, content in inner:
                    if code == wanted:
                        return _text(content.rstrip(b"\0"))
        return ""


def decode(datagram: bytes) -> Packet:
    """Read a packet; what stands behind its Length is padding (RFC 2865 section 3).

    Raises:
        MalformedPacketError: it is to be discarded without an answer.
    """
    if len(datagram) < HEADER_OCTETS:
        raise MalformedPacketError(f"{len(datagram)} octets are no header")
    length = int.from_bytes(datagram[2:4])
    if not HEADER_OCTETS <= length <= RADIUS_PACKET_OCTETS_MAX:
        raise MalformedPacketError(
            f"Length {length} is not from {HEADER_OCTETS} to {RADIUS_PACKET_OCTETS_MAX}"
        )
    if length > len(datagram):
        raise MalformedPacketError(f"Length {length} is more than the {len(datagram)} octets that came")
    octets = datagram[:length]
    return Packet(octets[0], octets[1], octets[4:HEADER_OCTETS], _attributes(octets[HEADER_OCTETS:]), octets)


def attribute(attribute_type: int, value: bytes) -> bytes:
    """Encode one attribute; the value is cut where an attribute ends (253 octets)."""
    value = value[:ATTRIBUTE_VALUE_OCTETS_MAX]
    return bytes((attribute_type, len(value) + 2)) + value


def text_attribute(attribute_type: int, text: str) -> bytes:
    """Encode text as UTF-8, cut between characters."""
    value = text.encode()[:ATTRIBUTE_VALUE_OCTETS_MAX].decode(errors="ignore").encode()
    return attribute(attribute_type, value)


def integer_attribute(attribute_type: int, number: int) -> bytes:
    """Encode an integer; one that does not fit into 32 bits says the largest."""
    return attribute(attribute_type, min(number, _UNSIGNED32_MAX).to_bytes(4))


def vendor_integer(code: tuple[int, int], number: int) -> bytes:
    """Encode a vendor's integer in its Vendor-Specific (RFC 2865 section 5.26)."""
    vendor, attribute_type = code
    return attribute(VENDOR_SPECIFIC, vendor.to_bytes(4) + integer_attribute(attribute_type, number))


def is_genuine(packet: Packet, secret: bytes) -> bool:
    """Whether the Request Authenticator of an accounting, CoA or Disconnect request is that of our secret.

    An Access-Request's is a random number: only its Message-Authenticator proves anything.

    Source: RFC 2866 section 3, RFC 5176 section 2.3.
    """
    digest = _digest(packet.octets[:4], NO_AUTHENTICATOR, packet.octets[HEADER_OCTETS:], secret)
    return hmac.compare_digest(digest, packet.authenticator)


def is_genuine_reply(packet: Packet, request_authenticator: bytes, secret: bytes) -> bool:
    """Whether a reply is to our request and of our secret (RFC 2865 section 3, Response Authenticator)."""
    digest = _digest(packet.octets[:4], request_authenticator, packet.octets[HEADER_OCTETS:], secret)
    return hmac.compare_digest(digest, packet.authenticator)


def has_valid_message_authenticator(packet: Packet, authenticator: bytes, secret: bytes) -> bool:
    """Whether the packet carries one Message-Authenticator, and the right one.

    Args:
        authenticator: what stood in the header's place when it was calculated: the packet's own in an Access-Request
            and Status-Server, zeros in other requests, in a reply that of the request.

    Source: RFC 3579 section 3.2, RFC 5176 section 3.4.
    """
    places: list[int] = []
    at = HEADER_OCTETS
    for found in packet.attributes:
        if found.type == MESSAGE_AUTHENTICATOR:
            places.append(at)
        at += len(found.value) + 2
    if len(places) != 1 or packet.octets[places[0] + 1] != AUTHENTICATOR_OCTETS + 2:
        return False
    begin = places[0] + 2
    end = begin + AUTHENTICATOR_OCTETS
    octets = packet.octets
    signed = octets[:4] + authenticator + octets[HEADER_OCTETS:begin] + NO_AUTHENTICATOR + octets[end:]
    return hmac.compare_digest(hmac.digest(secret, signed, "md5"), octets[begin:end])


def encode_reply(
    code: Code, request: Packet, attributes: Iterable[bytes], secret: bytes, *, is_signed: bool
) -> bytes | None:
    """Encode the reply to a request, with its Proxy-State attributes in their order (RFC 2865 section 5.33).

    Args:
        is_signed: put a Message-Authenticator first, where an attacker cannot move what stands before it (the
            remedy for CVE-2024-3596).

    Returns:
        None when it does not fit into a packet: the client wrote so much Proxy-State that nobody can answer it.
    """
    echoed = [attribute(*found) for found in request.attributes if found.type == PROXY_STATE]
    body = b"".join((*attributes, *echoed))
    signature = attribute(MESSAGE_AUTHENTICATOR, NO_AUTHENTICATOR) if is_signed else b""
    length = HEADER_OCTETS + len(signature) + len(body)
    if length > RADIUS_PACKET_OCTETS_MAX:
        return None
    header = bytes((code, request.identifier)) + length.to_bytes(2)
    if is_signed:
        signature = _signed(header, request.authenticator, body, secret)
    return header + _digest(header, request.authenticator, signature + body, secret) + signature + body


def encode_request(code: Code, identifier: int, attributes: Iterable[bytes], secret: bytes) -> bytes:
    """Encode a request of ours (CoA, Disconnect), signed twice as RFC 5176 sections 2.3 and 3.4 say."""
    body = b"".join(attributes)
    header = bytes((code, identifier)) + (HEADER_OCTETS + AUTHENTICATOR_OCTETS + 2 + len(body)).to_bytes(2)
    content = _signed(header, NO_AUTHENTICATOR, body, secret) + body
    return header + _digest(header, NO_AUTHENTICATOR, content, secret) + content


def _signed(header: bytes, authenticator: bytes, body: bytes, secret: bytes) -> bytes:
    """The Message-Authenticator that stands before a packet's other attributes."""
    unsigned = attribute(MESSAGE_AUTHENTICATOR, NO_AUTHENTICATOR)
    return attribute(
        MESSAGE_AUTHENTICATOR, hmac.digest(secret, header + authenticator + unsigned + body, "md5")
    )


def _digest(header: bytes, authenticator: bytes, attributes: bytes, secret: bytes) -> bytes:
    # MD5 is what the protocol has; Message-Authenticator is what protects (RFC 2865 section 3, CVE-2024-3596).
    return hashlib.md5(header + authenticator + attributes + secret, usedforsecurity=False).digest()


def _attributes(octets: bytes) -> tuple[Attribute, ...]:
    found: list[Attribute] = []
    at, end = 0, len(octets)
    while at < end:
        length = octets[at + 1] if at + 2 <= end else 0
        if length < 2 or at + length > end:
            raise MalformedPacketError(f"attribute {octets[at]} has a length that cannot be")
        found.append(Attribute(octets[at], octets[at + 2 : at + length]))
        at += length
    return tuple(found)


def _text(value: bytes | None) -> str:
    try:
        return "" if value is None else value.decode()
    except UnicodeDecodeError:
        return ""
