"""The Basic Encoding Rules as SNMP uses them (RFC 3417 section 8): definite lengths, one-octet tags.

Read strictly, except for what senders in the field really do and net-snmp reads: lengths and integers with more octets
than they need, integers beyond their type, an unsigned number whose first octet lacks the leading zero, and an object
identifier without octets (0.0). A trap lost for these would be worse than the fault.
"""

from typing import Final

from ocs.faults.snmp.discard import malformed
from ocs.limits import SNMP_OBJECT_IDENTIFIER_ARCS_MAX

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30

_LENGTH_OCTETS_MAX: Final = 4
_NUMBER_OCTETS_MAX: Final = 9  # Counter64 with its leading zero
_ARC_MAX: Final = 0xFFFF_FFFF
_FIRST_TWO_MAX: Final = (
    80  # X.690 section 8.19.4: the first two arcs are one number, 40 times the first and the second
)
_INTEGER_MAX: Final = 0x7FFF_FFFF


def element(octets: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Read one header.

    Args:
        at: where the element begins. end: where what holds it ends.

    Returns:
        Its tag, where its contents begin, and where they end.

    Raises:
        SnmpError: it is not whole, or its length is indefinite or absurd.
    """
    start = at + 2
    if start > end:
        raise malformed(f"no room for an element at octet {at}")
    length = octets[at + 1]
    if length < 0x80:
        stop = start + length
    else:
        start += length - 0x80
        if not 0x80 < length <= 0x80 + _LENGTH_OCTETS_MAX or start > end:
            raise malformed(f"length octet {length:#x} at octet {at + 1}")
        stop = start + int.from_bytes(octets[at + 2 : start])
    if stop > end:
        raise malformed(f"the element at octet {at} is {stop - end} octets longer than what holds it")
    return octets[at], start, stop


def expect(octets: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Read the header of an element that must have this tag; returns where its contents begin and end.

    Raises:
        SnmpError: it is something else, or not whole.
    """
    start = at + 2
    if start <= end and octets[at] == tag and octets[at + 1] < 0x80:
        stop = start + octets[at + 1]
        if stop <= end:
            return start, stop
    found, start, stop = element(octets, at, end)
    if found != tag:
        raise malformed(f"tag {found:#x} instead of {tag:#x} at octet {at}")
    return start, stop


def expect_integer(octets: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an INTEGER of 32 bits; returns it and where it ends.

    Raises:
        SnmpError: it is something else, or out of range.
    """
    start, stop = expect(octets, at, end, INTEGER)
    if start + 1 == stop:
        value = octets[start]
        return (value if value < 0x80 else value - 0x100), stop
    value = signed(octets, start, stop)
    if not -_INTEGER_MAX - 1 <= value <= _INTEGER_MAX:
        raise malformed(f"{value} at octet {at} is beyond 32 bits")
    return value, stop


def signed(octets: bytes, start: int, stop: int) -> int:
    """The number in the contents of an INTEGER, as sent, up to 64 bits.

    Raises:
        SnmpError: there is none, or it has more than nine octets.
    """
    if not start < stop <= start + _NUMBER_OCTETS_MAX:
        raise malformed(f"a number of {stop - start} octets")
    value = int.from_bytes(octets[start:stop], signed=True)
    if not -(1 << 63) <= value < 1 << 64:
        raise malformed("a number beyond 64 bits")
    return value


def unsigned(octets: bytes, start: int, stop: int, bits: int) -> int:
    """The number in the contents of a Counter, Gauge or TimeTicks; one that looks negative is read modulo 2^bits.

    Raises:
        SnmpError: there is none, or it is beyond 64 bits.
    """
    value = signed(octets, start, stop)
    return value if value >= 0 else value & ((1 << bits) - 1)


def object_identifier(contents: bytes) -> str:
    """The dotted text of an object identifier's contents.

    Raises:
        SnmpError: an arc is cut off, begins with a zero septet (X.690 section 8.19.2), is beyond 32 bits, or there are
            more arcs than any may have (RFC 2578 section 3.5).
    """
    if not contents:
        return "0.0"
    if contents[-1] >= 0x80:
        raise malformed("an object identifier ends within an arc")
    arcs: list[int] = []
    arc = 0
    for octet in contents:
        if octet < 0x80:
            arcs.append(arc | octet)
            arc = 0
            continue
        arc = (arc | octet & 0x7F) << 7
        if not 0 < arc <= _ARC_MAX + _FIRST_TWO_MAX:
            raise malformed("an arc of an object identifier begins with a zero septet or is beyond 32 bits")
    if len(arcs) >= SNMP_OBJECT_IDENTIFIER_ARCS_MAX:
        raise malformed(f"an object identifier of {len(arcs) + 1} arcs")
    second = arcs[0]
    first = second // 40 if second < _FIRST_TWO_MAX else 2
    arcs[0] = second - 40 * first
    if max(arcs) > _ARC_MAX:
        raise malformed("an arc of an object identifier is beyond 32 bits")
    return f"{first}." + ".".join(map(str, arcs))


def encode(tag: int, contents: bytes) -> bytes:
    """One element, its length in as few octets as it needs."""
    length = len(contents)
    if length < 0x80:
        return bytes((tag, length)) + contents
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 + size)) + length.to_bytes(size) + contents


def encode_number(tag: int, number: int) -> bytes:
    """One number in as few octets as it needs, whatever its type."""
    return encode(tag, number.to_bytes(number.bit_length() // 8 + 1, signed=True))
