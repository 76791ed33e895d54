"""Names of RADIUS sessions: what charging knows them by, and what comes back to us in Class.

An Access-Request is the first of its session that we see, often before there is an Acct-Session-Id. Its session is
named after its Request Authenticator, which is unique and equal in every copy, and the client carries the name in Class
to each accounting packet (RFC 2865 section 5.25). A session without Class is named after its Acct-Session-Id, which is
unique within its NAS (RFC 2866 section 5.5).
"""

import hashlib
import ipaddress
from typing import Final, NamedTuple, Self
from urllib.parse import quote, unquote

from ocs.radius import codes
from ocs.radius.clients import Client
from ocs.radius.packet import Packet

ORIGIN_PREFIX: Final = "radius:"
_SCHEME: Final = "radius"
_CLASS_MARK: Final = b"ocs1;"
# Five parts and a mark stay within the 253 octets of one Class.
_PART_OCTETS_MAX: Final = 64


class SessionName(NamedTuple):
    """A session's name in its parts; empty parts were not told.

    Attributes:
        nas: NAS-Identifier, else the NAS's address.
        authenticator: hexadecimal digits, of the Access-Request that began it; empty when none did.
    """

    client: str
    nas: str
    acct_session_id: str
    authenticator: str = ""

    @property
    def session_id(self) -> str:
        """The name as one text, for charging."""
        return ";".join((_SCHEME, *self))

    @property
    def origin_host(self) -> str:
        """The NAS, as charging knows it: ``radius:CLIENT/NAS``."""
        return origin_of(self.client, self.nas)

    @property
    def class_value(self) -> bytes:
        """The name as a Class attribute."""
        return _CLASS_MARK + ";".join(self).encode()

    @classmethod
    def parse(cls, session_id: str) -> Self | None:
        """Read :attr:`session_id` again; None when it is none of ours."""
        scheme, *parts = session_id.split(";")
        return cls(*parts) if scheme == _SCHEME and len(parts) == 4 else None

    @property
    def told_acct_session_id(self) -> str:
        """Acct-Session-Id as the NAS wrote it; empty when we do not know it."""
        return "" if self.acct_session_id.startswith("#") else unquote(self.acct_session_id)

    @property
    def told_nas_identifier(self) -> str:
        """NAS-Identifier as the NAS wrote it; empty when it told an address, or what we do not know."""
        name = "" if self.nas.startswith("#") else unquote(self.nas)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name
        return ""


def origin_of(client: str, nas: str) -> str:
    """A NAS, as charging knows it."""
    return f"{ORIGIN_PREFIX}{client}/{nas}"


def sessions_pattern(origin_host: str) -> str:
    """What the session ids of a NAS look like, as the store matches names; its parts hold no wild card."""
    client, _, nas = origin_host.removeprefix(ORIGIN_PREFIX).partition("/")
    return f"{_SCHEME};{client};{nas};*"


def name_of_access(packet: Packet, client: Client, host: str) -> SessionName:
    """Name the session that an Access-Request begins."""
    acct_session_id = _part(packet.first(codes.ACCT_SESSION_ID) or b"")
    return SessionName(client.name, nas_of(packet, host), acct_session_id, packet.authenticator.hex())


def name_of_accounting(packet: Packet, client: Client, host: str) -> SessionName | None:
    """Name the session that an Accounting-Request is of; None when it has neither Class nor Acct-Session-Id."""
    for attribute in packet.attributes:
        if attribute.type == codes.CLASS and attribute.value.startswith(_CLASS_MARK):
            parts = attribute.value[len(_CLASS_MARK) :].decode(errors="replace").split(";")
            if len(parts) == 4 and parts[0] == client.name:  # never another client's
                return SessionName(*parts)
    acct_session_id = packet.first(codes.ACCT_SESSION_ID)
    return SessionName(client.name, nas_of(packet, host), _part(acct_session_id)) if acct_session_id else None


def nas_of(packet: Packet, host: str) -> str:
    """Which NAS a packet is of: NAS-Identifier, else its address, else where the packet came from."""
    identifier = packet.first(codes.NAS_IDENTIFIER)
    if identifier:
        return _part(identifier)
    for attribute_type, octets in ((codes.NAS_IP_ADDRESS, 4), (codes.NAS_IPV6_ADDRESS, 16)):
        value = packet.first(attribute_type)
        if value is not None and len(value) == octets:
            return quote(str(ipaddress.ip_address(value)), safe="")
    return quote(host, safe="")


def _part(value: bytes) -> str:
    """A value as a part of a name: readable where it can be, its digest where it is too long."""
    text = quote(value, safe="")
    return text if len(text) <= _PART_OCTETS_MAX else f"#{hashlib.sha256(value).hexdigest()[:32]}"
