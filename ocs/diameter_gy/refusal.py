"""Refusing a Credit-Control-Request as too busy for next to nothing: a look at it, and an answer made beforehand."""

from typing import Final

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import HEADER_OCTETS, VENDOR_FLAG, enumerated, unpack_header, unsigned32, utf8
from ocs.diameter_gy.cca import encode_error_answer
from ocs.diameter_gy.errors import TooBusy
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import ERROR, PROXIABLE, Header, encode_message
from ocs.diameter_gy.message import HEADER_OCTETS as MESSAGE_HEADER_OCTETS
from ocs.limits import SESSION_ID_OCTETS_MAX
from ocs.messages import CCRequestType

# CC-Request-Type stands among the first ten AVPs of real requests; it is not looked for behind so many.
_AVPS_LOOKED_AT: Final = 64
_LENGTH_OF_32_BITS: Final = HEADER_OCTETS + 4
# CC-Request-Type's header as the standard wants it, with the M bit (RFC 8506 section 8, table).
_TYPE_HEADER: Final = enumerated(codes.CC_REQUEST_TYPE, 0)[:HEADER_OCTETS]
_TYPES: Final = {kind.to_bytes(4, "big"): kind for kind in CCRequestType}
# Session-Id's code and flags, as every gateway writes them; its length follows.
_SESSION_ID: Final = utf8(codes.SESSION_ID, "")[: HEADER_OCTETS - 3]
_SESSION_ID_LENGTH: Final = slice(
    MESSAGE_HEADER_OCTETS + HEADER_OCTETS - 3, MESSAGE_HEADER_OCTETS + HEADER_OCTETS
)
# Proxy-Info's code without flags and length, and its last octet, which is rare.
_PROXY_INFO: Final = codes.PROXY_INFO.to_bytes(4, "big")
_PROXY_INFO_END: Final = _PROXY_INFO[-1]


def request_type_of(message: bytes) -> CCRequestType | None:
    """Find CC-Request-Type without decoding the rest; None when it is not found where it should stand.

    Octets that look the same inside another AVP are passed over.
    """
    found = message.find(_TYPE_HEADER)
    if found > 0 and message.find(_TYPE_HEADER, found + 1) < 0:  # the only one: no need to go from AVP to AVP
        start = found + HEADER_OCTETS
        return _TYPES.get(message[start : start + 4])
    return _walk_to_type(message)


def _walk_to_type(message: bytes) -> CCRequestType | None:
    start, last = MESSAGE_HEADER_OCTETS, len(message) - _LENGTH_OF_32_BITS
    for _ in range(_AVPS_LOOKED_AT):
        if start > last:
            return None
        code, word = unpack_header(message, start)
        length = word & 0xFFFFFF
        if code == codes.CC_REQUEST_TYPE and length == _LENGTH_OF_32_BITS and not word >> 24 & VENDOR_FLAG:
            return _TYPES.get(message[start + HEADER_OCTETS : start + _LENGTH_OF_32_BITS])
        if length < HEADER_OCTETS:
            return None
        start += length + 3 & ~3
    return None


def _may_hold_proxy_info(message: bytes) -> bool:
    """Look for Proxy-Info's code anywhere; one that stands by chance inside an AVP does no harm.

    The search for a single octet is by far the quickest that there is.
    """
    found = message.find(_PROXY_INFO_END, MESSAGE_HEADER_OCTETS)
    while found >= 0:
        if message[found - 3 : found + 1] == _PROXY_INFO:
            return True
        found = message.find(_PROXY_INFO_END, found + 1)
    return False


class BusyAnswers:
    """Answers 3004 (RFC 6733 section 7.1.3) in the name of one node; all but Session-Id and header is made once."""

    def __init__(self, identity: NodeIdentity) -> None:
        self._identity = identity
        self._error = TooBusy("this node is overloaded")
        self._tail = (
            identity.origin_avps
            + unsigned32(codes.RESULT_CODE, self._error.result_code)
            + utf8(codes.ERROR_MESSAGE, self._error.error_message, flags=0)
        )

    def encode(self, message: bytes, header: Header) -> bytes:
        """Write the answer: Session-Id, who we are, Result-Code, Error-Message and, when asked for, Proxy-Info.

        Source: RFC 6733 section 7.2 (the E bit, its grammar); section 6.2 (Proxy-Info comes back).
        """
        length = int.from_bytes(message[_SESSION_ID_LENGTH])
        if (
            not message.startswith(_SESSION_ID, MESSAGE_HEADER_OCTETS)
            or not HEADER_OCTETS <= length <= SESSION_ID_OCTETS_MAX
            or MESSAGE_HEADER_OCTETS + length > len(message)
            or _may_hold_proxy_info(message)
        ):
            return encode_error_answer(message, header, self._error, self._identity)
        return encode_message(
            header.command_code,
            header.application_id,
            header.flags & PROXIABLE | ERROR,
            header.hop_by_hop_id,
            header.end_to_end_id,
            message[MESSAGE_HEADER_OCTETS : MESSAGE_HEADER_OCTETS + (length + 3 & ~3)] + self._tail,
        )
