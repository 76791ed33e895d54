"""Messages as bytes: the header, its checks, and the framing of a stream. No I/O.

The layout (RFC 6733 section 3): version (1 octet), length (3), flags (1), command code (3), Application-Id,
Hop-by-Hop Identifier, End-to-End Identifier (4 each), then AVPs.
"""

import struct
from typing import Final, NamedTuple

from ocs.diameter_gy.avp import VENDOR_FLAG, unpack_header
from ocs.diameter_gy.errors import (
    FramingError,
    InvalidBitInHeader,
    InvalidHeaderBits,
    InvalidMessageLength,
    UnsupportedVersion,
)
from ocs.limits import MESSAGE_OCTETS_MAX

HEADER_OCTETS: Final = 20
VERSION: Final = 1

REQUEST: Final = 0x80
PROXIABLE: Final = 0x40
ERROR: Final = 0x20
RETRANSMITTED: Final = 0x10
RESERVED_FLAGS: Final = 0x0F

_HEADER: Final = struct.Struct(">IIIII")
_pack_header: Final = _HEADER.pack
_unpack_header: Final = _HEADER.unpack_from
_unpack_word: Final = struct.Struct(">I").unpack_from


class Header(NamedTuple):
    """A message's header; ``length`` is the whole message in octets."""

    version: int
    length: int
    flags: int
    command_code: int
    application_id: int
    hop_by_hop_id: int
    end_to_end_id: int

    @property
    def is_request(self) -> bool:
        """The R bit."""
        return bool(self.flags & REQUEST)

    @property
    def is_proxiable(self) -> bool:
        """The P bit: agents may pass the message on."""
        return bool(self.flags & PROXIABLE)

    @property
    def is_error(self) -> bool:
        """The E bit: an answer that leaves its command's grammar."""
        return bool(self.flags & ERROR)

    @property
    def is_retransmitted(self) -> bool:
        """The T bit: possibly sent before, over a connection that failed since."""
        return bool(self.flags & RETRANSMITTED)


def parse_header(message: bytes) -> Header:
    """Read the header of a message of at least 20 octets; nothing is checked."""
    version_length, flags_code, application_id, hop_by_hop_id, end_to_end_id = _unpack_header(message)
    return Header(
        version_length >> 24,
        version_length & 0xFFFFFF,
        flags_code >> 24,
        flags_code & 0xFFFFFF,
        application_id,
        hop_by_hop_id,
        end_to_end_id,
    )


def check_flags(header: Header) -> None:
    """Refuse flags that no message may have.

    A reserved bit is an error of its own (section 7.1.5, 5013), though section 3 would have it ignored: what
    an unknown bit means for a request that moves money cannot be guessed.

    Raises:
        InvalidBitInHeader: a reserved bit is set.
        InvalidHeaderBits: the E bit in a request, or the T bit in an answer (section 3).
    """
    flags = header.flags
    if flags & RESERVED_FLAGS:
        raise InvalidBitInHeader(f"reserved bits are set in the header's flags (0x{flags:02x})")
    if flags & REQUEST:
        if flags & ERROR:
            raise InvalidHeaderBits("the E bit is set in a request")
    elif flags & RETRANSMITTED:
        raise InvalidHeaderBits("the T bit is set in an answer")


def first_avp(message: bytes, code: int) -> bytes:
    """The first AVP of the IETF of this code at the top level of a message that was read; empty without one."""
    start = HEADER_OCTETS
    while start < len(message):
        found, word = unpack_header(message, start)
        stop = start + ((word & 0xFFFFFF) + 3 & ~3)
        if found == code and not word >> 24 & VENDOR_FLAG:
            return message[start:stop]
        start = stop
    return b""


def encode_message(
    command_code: int, application_id: int, flags: int, hop_by_hop_id: int, end_to_end_id: int, body: bytes
) -> bytes:
    """Put a header before encoded AVPs."""
    length = HEADER_OCTETS + len(body)
    return (
        _pack_header(
            VERSION << 24 | length, flags << 24 | command_code, application_id, hop_by_hop_id, end_to_end_id
        )
        + body
    )


class Framer:
    """Cuts a stream into messages, whatever the pieces in which it arrives.

    Invariant: no more than one unfinished message is held, and never more than ``message_octets_max``.
    After a FramingError the stream is lost: the instance must not be fed again.
    """

    __slots__ = ("_held", "_message_octets_max", "_needed")

    def __init__(self, message_octets_max: int = MESSAGE_OCTETS_MAX) -> None:
        self._message_octets_max = message_octets_max
        self._held = bytearray()
        self._needed = HEADER_OCTETS

    @property
    def has_begun_message(self) -> bool:
        """Whether a message has begun and is not yet complete (limits.MESSAGE_TIMEOUT_S runs)."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Take a piece of the stream; give back the messages that it completes.

        Raises:
            FramingError: a header with another version than 1 (5011), or with a length under 20, over the
                limit, or no multiple of four (5015). Its ``messages`` came before it and are still good.
        """
        held = self._held
        if held:
            held += data
            if len(held) < self._needed:
                return []
            data = bytes(held)
            held.clear()
            self._needed = HEADER_OCTETS
        messages: list[bytes] = []
        unpack_word = _unpack_word
        start, end = 0, len(data)
        while end - start >= HEADER_OCTETS:
            (word,) = unpack_word(data, start)
            version, length = word >> 24, word & 0xFFFFFF
            if (
                version != VERSION
                or length < HEADER_OCTETS
                or length & 3
                or length > self._message_octets_max
            ):
                header = data[start : start + HEADER_OCTETS]
                raise FramingError(
                    _framing_fault(version, length, self._message_octets_max), header, messages
                )
            if end - start < length:
                self._needed = length
                break
            messages.append(data[start : start + length])
            start += length
        held += data[start:]
        return messages


def _framing_fault(
    version: int, length: int, message_octets_max: int
) -> UnsupportedVersion | InvalidMessageLength:
    if version != VERSION:
        return UnsupportedVersion(f"Diameter version {version} is not supported")
    if length > message_octets_max:
        return InvalidMessageLength(f"a message of {length} octets is over the limit of {message_octets_max}")
    return InvalidMessageLength(f"a message length of {length} octets is impossible")
