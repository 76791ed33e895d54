"""Read from an answer only what the load generator needs, in place and without objects per answer."""

import struct
from typing import Final

from bench.templates import RESULT_CODE

_HEADS: Final = struct.Struct(">II")
_RESULT: Final = struct.Struct(">III")
_UNSIGNED32: Final = struct.Struct(">I")
# Head of a Result-Code AVP as every stack sends it: code 268, M flag, 12 octets.
_RESULT_FLAGS_LENGTH: Final = 0x4000000C
_MULTIPLE_SERVICES_CREDIT_CONTROL: Final = 456
_GRANTED_SERVICE_UNIT: Final = 431


class MalformedAnswerError(ValueError):
    """The other side sent an answer that is not Diameter, or has no Result-Code."""


def result_code(data: bytes, start: int, end: int, *, expected_at: int) -> int:
    """Find the Result-Code of one answer.

    Args:
        data: received bytes.
        start: where the answer begins in them; it ends before ``end``.
        expected_at: where, counted from ``start``, the Result-Code AVP stood in earlier answers; it is
            looked at first, and the AVPs are walked when it stands elsewhere.

    Raises:
        MalformedAnswerError: no top-level Result-Code, or AVP lengths that make no sense.
    """
    place = start + expected_at
    if place + 12 <= end:
        code, flags_length, value = _RESULT.unpack_from(data, place)
        if code == RESULT_CODE and flags_length == _RESULT_FLAGS_LENGTH:
            return value
    place = find_avp(data, start + 20, end, RESULT_CODE)
    if place < 0 or place + 12 > end:
        raise MalformedAnswerError("answer without Result-Code")
    return _UNSIGNED32.unpack_from(data, place + 8)[0]


def find_avp(data: bytes, start: int, end: int, wanted: int) -> int:
    """Place of the first AVP with code ``wanted`` and no vendor among those from ``start`` on; -1 if none.

    Raises:
        MalformedAnswerError: an AVP is shorter than its head or longer than what holds it.
    """
    while start + 8 <= end:
        code, flags_length = _HEADS.unpack_from(data, start)
        length = flags_length & 0xFF_FFFF
        if length < 8 or start + length > end:
            raise MalformedAnswerError(f"AVP {code} with length {length}")
        if code == wanted and not flags_length & 0x8000_0000:
            return start
        start += length + (-length & 3)
    return -1


def grants(data: bytes, start: int, end: int) -> int:
    """Count the Multiple-Services-Credit-Control AVPs of an answer that hold a Granted-Service-Unit."""
    count, place = 0, start + 20
    while (service := find_avp(data, place, end, _MULTIPLE_SERVICES_CREDIT_CONTROL)) >= 0:
        length = _HEADS.unpack_from(data, service)[1] & 0xFF_FFFF
        count += find_avp(data, service + 8, service + length, _GRANTED_SERVICE_UNIT) >= 0
        place = service + length + (-length & 3)
    return count
