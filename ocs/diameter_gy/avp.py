"""AVPs as bytes: split, decode, encode. No I/O, no state; whatever the input, only DiameterError is raised.

The layout (RFC 6733 section 4.1): code (4 octets), flags (1), length (3), vendor (4, with the V bit), data,
padding to a multiple of four. Length counts the header and the data, not the padding.
"""

import re
import struct
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from ocs.diameter_gy.dictionary import minimum_data_octets
from ocs.diameter_gy.errors import (
    AvpOccursTooManyTimes,
    DiameterError,
    InvalidAvpBits,
    InvalidAvpLength,
    InvalidAvpValue,
)
from ocs.limits import AVP_DEPTH_MAX, AVPS_PER_MESSAGE_MAX, IDENTITY_OCTETS_MAX

VENDOR_FLAG: Final = 0x80
MANDATORY: Final = 0x40
PROTECTED: Final = 0x20
RESERVED_FLAGS: Final = 0x1F
HEADER_OCTETS: Final = 8
VENDOR_HEADER_OCTETS: Final = 12

# Seconds from 1900 to 1970, and the era that follows when the 32 bits are used up (RFC 6733 section 4.3.1).
NTP_TO_UNIX_S: Final = 2_208_988_800
NTP_ERA_S: Final = 1 << 32
NTP_FIRST_ERA_BIT: Final = 1 << 31

_HEADER: Final = struct.Struct(">II")
_VENDOR_HEADER: Final = struct.Struct(">III")
_PADDING: Final[tuple[bytes, ...]] = (b"", b"\0\0\0", b"\0\0", b"\0")
_INTEGER32: Final = struct.Struct(">i")
_INTEGER64: Final = struct.Struct(">q")
_UNSIGNED32: Final = struct.Struct(">I")
_UNSIGNED64: Final = struct.Struct(">Q")
_FLOAT32: Final = struct.Struct(">f")
_FLOAT64: Final = struct.Struct(">d")

unpack_header: Final[Callable[[bytes, int], tuple[int, int]]] = _HEADER.unpack_from


class Avp(NamedTuple):
    """One AVP as it came: ``vendor_id`` is 0 without a vendor, ``flags`` are the octet of the header."""

    code: int
    vendor_id: int
    flags: int
    data: bytes

    @property
    def encoded(self) -> bytes:
        """The AVP's octets, header and padding included."""
        data = self.data
        if self.flags & VENDOR_FLAG:
            length = VENDOR_HEADER_OCTETS + len(data)
            header = _VENDOR_HEADER.pack(self.code, self.flags << 24 | length, self.vendor_id)
        else:
            length = HEADER_OCTETS + len(data)
            header = _HEADER.pack(self.code, self.flags << 24 | length)
        return header + data + _PADDING[length & 3]

    @property
    def is_mandatory(self) -> bool:
        """Whether the M bit is set."""
        return bool(self.flags & MANDATORY)


# --- Splitting -----------------------------------------------------------------------------------------


def fault_at(buffer: bytes, start: int, end: int) -> DiameterError | None:
    """Say what is wrong with the AVP header at ``start``, None when nothing is.

    Failed-AVP gets the header and the shortest data that the AVP's type allows, filled with zeros, as a
    wrong length leaves no data to be trusted (RFC 6733 section 7.1.5, 5014).
    """
    if end - start < HEADER_OCTETS:
        header = buffer[start:end].ljust(HEADER_OCTETS, b"\0")
        code, _ = unpack_header(header, 0)
        failed = encode_avp(code, bytes(minimum_data_octets(0, code)), flags=header[4] & ~VENDOR_FLAG)
        return InvalidAvpLength(f"{end - start} octets are too few for an AVP header", failed)
    code, word = unpack_header(buffer, start)
    flags, length = word >> 24, word & 0xFFFFFF
    header_octets = VENDOR_HEADER_OCTETS if flags & VENDOR_FLAG else HEADER_OCTETS
    if header_octets <= length <= end - start:
        if flags & RESERVED_FLAGS:
            whole = buffer[start : start + length].ljust(length + 3 & ~3, b"\0")
            return InvalidAvpBits(f"AVP {code} has reserved flag bits set (flags 0x{flags:02x})", whole)
        return None
    vendor_id = 0
    if flags & VENDOR_FLAG:
        vendor_id = int.from_bytes(buffer[start + 8 : min(start + 12, end)].ljust(4, b"\0"), "big")
    failed = Avp(code, vendor_id, flags, bytes(minimum_data_octets(vendor_id, code))).encoded
    return InvalidAvpLength(f"AVP {code} says {length} octets where {end - start} are left", failed)


def split_avps(buffer: bytes, start: int = 0, end: int | None = None) -> list[Avp]:
    """Cut a message body, or the data of a group, into its AVPs, known and unknown, in order.

    The padding of the last AVP may be missing: some stacks leave it out of a group's length.

    Raises:
        InvalidAvpLength: an AVP is shorter than its header or longer than what is left.
        InvalidAvpBits: reserved flag bits are set.
        AvpOccursTooManyTimes: more AVPs than one message may hold (limits.AVPS_PER_MESSAGE_MAX).
    """
    end = len(buffer) if end is None else end
    avps: list[Avp] = []
    while start < end:
        if end - start < HEADER_OCTETS:
            raise _fault(buffer, start, end)
        code, word = unpack_header(buffer, start)
        flags, stop = word >> 24, start + (word & 0xFFFFFF)
        vendor_id, data = 0, start + HEADER_OCTETS
        if flags & VENDOR_FLAG:
            data = start + VENDOR_HEADER_OCTETS
            vendor_id = int.from_bytes(buffer[start + HEADER_OCTETS : data], "big")
        if not data <= stop <= end or flags & RESERVED_FLAGS:
            raise _fault(buffer, start, end)
        if len(avps) >= AVPS_PER_MESSAGE_MAX:
            failed = Avp(code, vendor_id, flags, buffer[data:stop]).encoded
            raise AvpOccursTooManyTimes(f"more than {AVPS_PER_MESSAGE_MAX} AVPs in one message", failed)
        avps.append(Avp(code, vendor_id, flags, buffer[data:stop]))
        start += stop - start + 3 & ~3
    return avps


def _fault(buffer: bytes, start: int, end: int) -> DiameterError:
    fault = fault_at(buffer, start, end)
    if fault is None:
        raise AssertionError("an AVP that was not passed has no fault")
    return fault


class AvpTree(NamedTuple):
    """An AVP with what its group holds; ``children`` is empty for what is not a group."""

    avp: Avp
    children: "tuple[AvpTree, ...]"


def split_tree(
    buffer: bytes, is_group: Callable[[Avp], bool], start: int = 0, end: int | None = None
) -> tuple[AvpTree, ...]:
    """Cut a message body into AVPs and every group in it into its AVPs, to a bounded depth.

    Args:
        buffer: octets that hold AVPs from ``start`` to ``end``.
        is_group: tells the AVPs whose data are AVPs.
        start: first octet.
        end: octet after the last, None for the buffer's end.

    Raises:
        InvalidAvpValue: groups are nested deeper than limits.AVP_DEPTH_MAX.
        DiameterError: as split_avps, at any depth; Failed-AVP shows the groups around the fault.
    """
    budget = [AVPS_PER_MESSAGE_MAX]
    return _split_level(split_avps(buffer, start, end), is_group, budget, depth=1)


def _split_level(
    avps: list[Avp], is_group: Callable[[Avp], bool], budget: list[int], depth: int
) -> tuple[AvpTree, ...]:
    budget[0] -= len(avps)
    if budget[0] < 0:
        raise AvpOccursTooManyTimes(f"more than {AVPS_PER_MESSAGE_MAX} AVPs in one message", avps[0].encoded)
    trees: list[AvpTree] = []
    for avp in avps:
        children: tuple[AvpTree, ...] = ()
        if is_group(avp):
            if depth >= AVP_DEPTH_MAX:
                raise InvalidAvpValue(
                    f"groups are nested deeper than {AVP_DEPTH_MAX}", avp._replace(data=b"").encoded
                )
            try:
                children = _split_level(split_avps(avp.data), is_group, budget, depth + 1)
            except DiameterError as error:
                error.failed_avp = avp._replace(data=error.failed_avp).encoded
                raise
        trees.append(AvpTree(avp, children))
    return tuple(trees)


# --- Decoding one value --------------------------------------------------------------------------------


def _fixed(avp: Avp, layout: struct.Struct) -> int | float:
    if len(avp.data) != layout.size:
        failed = avp._replace(data=bytes(layout.size)).encoded
        raise InvalidAvpLength(f"AVP {avp.code} has {len(avp.data)} octets, not {layout.size}", failed)
    return layout.unpack(avp.data)[0]


def decode_integer32(avp: Avp) -> int:
    """Read an Integer32 (also the base of Enumerated).

    Raises:
        InvalidAvpLength: not 4 octets.
    """
    return int(_fixed(avp, _INTEGER32))


def decode_enumerated(avp: Avp) -> int:
    """Read an Enumerated.

    Raises:
        InvalidAvpLength: not 4 octets.
    """
    return int(_fixed(avp, _INTEGER32))


def decode_integer64(avp: Avp) -> int:
    """Read an Integer64.

    Raises:
        InvalidAvpLength: not 8 octets.
    """
    return int(_fixed(avp, _INTEGER64))


def decode_unsigned32(avp: Avp) -> int:
    """Read an Unsigned32.

    Raises:
        InvalidAvpLength: not 4 octets.
    """
    return int(_fixed(avp, _UNSIGNED32))


def decode_unsigned64(avp: Avp) -> int:
    """Read an Unsigned64.

    Raises:
        InvalidAvpLength: not 8 octets.
    """
    return int(_fixed(avp, _UNSIGNED64))


def decode_float32(avp: Avp) -> float:
    """Read a Float32.

    Raises:
        InvalidAvpLength: not 4 octets.
    """
    return _fixed(avp, _FLOAT32)


def decode_float64(avp: Avp) -> float:
    """Read a Float64.

    Raises:
        InvalidAvpLength: not 8 octets.
    """
    return _fixed(avp, _FLOAT64)


def decode_time(avp: Avp) -> int:
    """Read a Time as seconds since 1970 UTC, in the years 1968 to 2104.

    Without the highest bit the value counts from 2036-02-07 06:28:16 UTC (RFC 6733 section 4.3.1).

    Raises:
        InvalidAvpLength: not 4 octets.
    """
    return ntp_to_unix_s(decode_unsigned32(avp))


def ntp_to_unix_s(ntp_s: int) -> int:
    """Turn the 32 bits of a Time into seconds since 1970 UTC."""
    return (ntp_s if ntp_s & NTP_FIRST_ERA_BIT else ntp_s + NTP_ERA_S) - NTP_TO_UNIX_S


def decode_utf8_string(avp: Avp) -> str:
    """Read a UTF8String.

    Raises:
        InvalidAvpValue: not UTF-8.
    """
    try:
        return avp.data.decode()
    except UnicodeDecodeError:
        raise InvalidAvpValue(f"AVP {avp.code} is not UTF-8", avp.encoded) from None


def decode_diameter_identity(avp: Avp) -> str:
    """Read a DiameterIdentity: a host or realm name in ASCII.

    Raises:
        InvalidAvpValue: empty, longer than a domain name may be, or not printable ASCII without blanks.
    """
    data = avp.data
    if not data or len(data) > IDENTITY_OCTETS_MAX or not data.isascii() or min(data) <= 0x20 or 0x7F in data:
        raise InvalidAvpValue(f"AVP {avp.code} is not a DiameterIdentity", avp.encoded)
    return data.decode("ascii")


class DiameterUri(NamedTuple):
    """A parsed DiameterURI (RFC 6733 section 4.3.1) with the defaults filled in."""

    is_secure: bool
    host: str
    port: int
    transport: str
    protocol: str


_URI: Final = re.compile(
    r"(aaas?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?"
    r"(?:;transport=(tcp|sctp|udp))?(?:;protocol=(diameter|radius|tacacs\+))?",
    re.ASCII,
)


def decode_diameter_uri(avp: Avp) -> DiameterUri:
    """Read a DiameterURI.

    Raises:
        InvalidAvpValue: not of the form ``aaa://host[:port][;transport=...][;protocol=...]``.
    """
    match = _URI.fullmatch(avp.data.decode("ascii", "replace"))
    if match is None or int(match[3] or 0) > 0xFFFF:
        raise InvalidAvpValue(f"AVP {avp.code} is not a DiameterURI", avp.encoded)
    is_secure = match[1] == "aaas"
    port = int(match[3]) if match[3] else (5658 if is_secure else 3868)
    return DiameterUri(is_secure, match[2], port, match[4] or "tcp", match[5] or "diameter")


_FILTER_RULE: Final = re.compile(r"(permit|deny) (in|out) (\S+) from \S+( \S+)*? to \S+( \S+)*", re.ASCII)


def decode_ip_filter_rule(avp: Avp) -> str:
    """Read an IPFilterRule: ``action dir proto from src to dst [options]`` (RFC 6733 section 4.3.1).

    Raises:
        InvalidAvpValue: not ASCII, or not of that form.
    """
    text = avp.data.decode("ascii", "replace")
    if _FILTER_RULE.fullmatch(text) is None:
        raise InvalidAvpValue(f"AVP {avp.code} is not an IPFilterRule", avp.encoded)
    return text


FAMILY_IPV4: Final = 1
FAMILY_IPV6: Final = 2
FAMILY_E164: Final = 8


class Address(NamedTuple):
    """An Address: a family of IANA's address family numbers, and the address in that family's form."""

    family: int
    octets: bytes

    def __str__(self) -> str:
        if self.family == FAMILY_IPV4:
            return str(IPv4Address(self.octets))
        if self.family == FAMILY_IPV6:
            return str(IPv6Address(self.octets))
        return self.octets.decode() if self.family == FAMILY_E164 else self.octets.hex()


def decode_address(avp: Avp) -> Address:
    """Read an Address.

    Raises:
        InvalidAvpLength: shorter than a family number, or an IP address of another size than its family's.
        InvalidAvpValue: an E.164 address that is not text.
    """
    if len(avp.data) < 2:
        raise InvalidAvpLength(f"AVP {avp.code} has no address family", avp._replace(data=bytes(6)).encoded)
    address = Address(int.from_bytes(avp.data[:2], "big"), avp.data[2:])
    try:
        str(address)
    except AddressValueError:
        raise InvalidAvpLength(f"AVP {avp.code} is not an IP address", avp.encoded) from None
    except UnicodeDecodeError:
        raise InvalidAvpValue(f"AVP {avp.code} is not an E.164 address", avp.encoded) from None
    return address


# --- Encoding one AVP ----------------------------------------------------------------------------------


def encode_avp(code: int, data: bytes, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Make one AVP with its padding; the V bit follows from ``vendor_id``."""
    if vendor_id:
        length = VENDOR_HEADER_OCTETS + len(data)
        word = (flags | VENDOR_FLAG) << 24 | length
        return _VENDOR_HEADER.pack(code, word, vendor_id) + data + _PADDING[length & 3]
    length = HEADER_OCTETS + len(data)
    return _HEADER.pack(code, flags << 24 | length) + data + _PADDING[length & 3]


def integer32(code: int, value: int, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode an Integer32."""
    return encode_avp(code, _INTEGER32.pack(value), vendor_id, flags)


def enumerated(code: int, value: int, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode an Enumerated."""
    return encode_avp(code, _INTEGER32.pack(value), vendor_id, flags)


def integer64(code: int, value: int, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode an Integer64."""
    return encode_avp(code, _INTEGER64.pack(value), vendor_id, flags)


def unsigned32(code: int, value: int, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode an Unsigned32."""
    return encode_avp(code, _UNSIGNED32.pack(value), vendor_id, flags)


def unsigned64(code: int, value: int, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode an Unsigned64."""
    return encode_avp(code, _UNSIGNED64.pack(value), vendor_id, flags)


def float32(code: int, value: float, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode a Float32."""
    return encode_avp(code, _FLOAT32.pack(value), vendor_id, flags)


def float64(code: int, value: float, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode a Float64."""
    return encode_avp(code, _FLOAT64.pack(value), vendor_id, flags)


def octet_string(code: int, value: bytes, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode an OctetString."""
    return encode_avp(code, value, vendor_id, flags)


def utf8(code: int, text: str, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode a UTF8String, or anything derived from it: DiameterURI, IPFilterRule."""
    return encode_avp(code, text.encode(), vendor_id, flags)


def diameter_identity(code: int, name: str, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode a DiameterIdentity."""
    return encode_avp(code, name.encode("ascii"), vendor_id, flags)


def time(code: int, unix_s: int, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode a Time from seconds since 1970 UTC, in the years 1968 to 2104."""
    return unsigned32(code, (unix_s + NTP_TO_UNIX_S) % NTP_ERA_S, vendor_id, flags)


def address(code: int, value: str | Address, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode an Address: an IPv4 or IPv6 address as text, or any family as Address."""
    if isinstance(value, str):
        ip = ip_address(value)
        value = Address(FAMILY_IPV4 if ip.version == 4 else FAMILY_IPV6, ip.packed)
    return encode_avp(code, value.family.to_bytes(2, "big") + value.octets, vendor_id, flags)


def grouped(code: int, *parts: bytes, vendor_id: int = 0, flags: int = MANDATORY) -> bytes:
    """Encode a Grouped AVP from encoded AVPs."""
    return encode_avp(code, b"".join(parts), vendor_id, flags)
