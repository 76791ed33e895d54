"""What an AVP header means in its place: the tables that the decoder of CCR walks along.

A table maps the eight octets of an AVP header (code, flags, length) to what to do with that AVP and how far
to step. An entry is worked out once from the rules of this file and then found by the octets themselves, as
headers repeat from message to message: that is what makes a pass over a message cheap.
"""

from typing import Final, NamedTuple

from ocs.diameter_gy.avp import (
    HEADER_OCTETS,
    MANDATORY,
    RESERVED_FLAGS,
    VENDOR_FLAG,
    VENDOR_HEADER_OCTETS,
    Avp,
    encode_avp,
    fault_at,
    unpack_header,
)
from ocs.diameter_gy.dictionary import DEFINITIONS
from ocs.diameter_gy.errors import (
    AvpNotAllowed,
    AvpOccursTooManyTimes,
    AvpUnsupported,
    DiameterError,
    InvalidAvpLength,
    MissingAvp,
)
from ocs.limits import CODEC_MEMO_ENTRIES

# Kinds under this number are places for one value; a table's own kinds follow.
IGNORED: Final = 1000  # known, and not needed for charging
TOLERATED: Final = 1001  # unknown with the M bit, in a container whose unknown AVPs the operator tolerates
UNSUPPORTED: Final = 1002  # unknown with the M bit
NOT_ALLOWED: Final = 1003  # known, and not in this place
VENDOR: Final = 1004  # the header goes on for four octets
MALFORMED: Final = 1005  # too short, or reserved flag bits


# One AVP header: what to do with the AVP, where its data begin, its length, and the step to the next. A plain
# tuple, as the interpreter takes apart no other as fast.
Shape = tuple[int, int, int, int]

_MALFORMED: Final[Shape] = (MALFORMED, 0, 0, 0)


class ShapeTable(dict[bytes, Shape]):
    """Shapes of the AVPs of one container, by their header's octets: 8, or 12 where the V bit is set.

    Invariant: holds limits.CODEC_MEMO_ENTRIES shapes at most; others are worked out each time.
    """

    __slots__ = ("_kinds", "_not_allowed", "_tolerates_unknown", "container")

    def __init__(
        self,
        container: str,
        kinds: dict[tuple[int, int], int],
        *,
        tolerates_unknown: bool,
        not_allowed: frozenset[int] = frozenset(),
    ) -> None:
        """Make the table of a container.

        Args:
            container: its name, for the log.
            kinds: what to do with AVPs, by vendor and code.
            tolerates_unknown: let unknown AVPs pass that have the M bit.
            not_allowed: codes of the IETF's AVPs that must not stand here.
        """
        super().__init__()
        self.container = container
        self._tolerates_unknown = tolerates_unknown
        self._kinds = kinds
        self._not_allowed = not_allowed

    def __missing__(self, header: bytes) -> Shape:
        shape = self._shape_of(header)
        if len(self) < CODEC_MEMO_ENTRIES:
            self[header] = shape
        return shape

    def _shape_of(self, header: bytes) -> Shape:
        if len(header) < HEADER_OCTETS:
            return _MALFORMED
        code, word = unpack_header(header, 0)
        flags, length = word >> 24, word & 0xFFFFFF
        header_octets = VENDOR_HEADER_OCTETS if flags & VENDOR_FLAG else HEADER_OCTETS
        if flags & RESERVED_FLAGS or length < header_octets:
            return _MALFORMED
        vendor_id = 0
        if flags & VENDOR_FLAG:
            if len(header) < VENDOR_HEADER_OCTETS:
                return (VENDOR, VENDOR_HEADER_OCTETS, length, length + 3 & ~3)
            vendor_id = int.from_bytes(header[HEADER_OCTETS:], "big")
        return (self._kind_of(vendor_id, code, flags), header_octets, length, length + 3 & ~3)

    def _kind_of(self, vendor_id: int, code: int, flags: int) -> int:
        kind = self._kinds.get((vendor_id, code))
        if kind is not None:
            return kind
        if vendor_id == 0 and code in self._not_allowed:
            return NOT_ALLOWED
        if not flags & MANDATORY or (vendor_id, code) in DEFINITIONS:
            return IGNORED
        return TOLERATED if self._tolerates_unknown else UNSUPPORTED


class ToleratedAvp(NamedTuple):
    """An unknown AVP with the M bit that was let pass: counted and logged."""

    container: str
    vendor_id: int
    code: int


def fault_of(buffer: bytes, start: int, end: int, kind: int) -> DiameterError:
    """The error for an AVP that its table does not let pass, or that does not fit into its container."""
    fault = fault_at(buffer, start, end)
    if fault is not None:
        return fault
    avp = avp_at(buffer, start)
    name = describe_code(avp.vendor_id, avp.code)
    if kind == NOT_ALLOWED:
        return AvpNotAllowed(f"{name} must not be in a Credit-Control-Request", avp.encoded)
    return AvpUnsupported(f"{name} has the M bit and is unknown", avp.encoded)


def avp_at(buffer: bytes, start: int) -> Avp:
    """The AVP at ``start``, which is known to be whole."""
    code, word = unpack_header(buffer, start)
    flags, stop = word >> 24, start + (word & 0xFFFFFF)
    if flags & VENDOR_FLAG:
        vendor_id = int.from_bytes(buffer[start + HEADER_OCTETS : start + VENDOR_HEADER_OCTETS], "big")
        return Avp(code, vendor_id, flags, buffer[start + VENDOR_HEADER_OCTETS : stop])
    return Avp(code, 0, flags, buffer[start + HEADER_OCTETS : stop])


def describe_code(vendor_id: int, code: int) -> str:
    """An AVP's name, or its number where the name is unknown."""
    definition = DEFINITIONS.get((vendor_id, code))
    if definition is not None:
        return definition.name
    return f"AVP {code} of vendor {vendor_id}" if vendor_id else f"AVP {code}"


def example_avp(code: int, vendor_id: int = 0) -> bytes:
    """An AVP of the shortest data that its type allows, in zeros: what Failed-AVP shows of a missing AVP."""
    definition = DEFINITIONS[vendor_id, code]
    flags = MANDATORY if definition.mandatory else 0
    return encode_avp(code, bytes(definition.minimum_data_octets), vendor_id, flags)


def missing(code: int, vendor_id: int = 0) -> MissingAvp:
    """The error for an AVP that is required and absent (RFC 6733 section 7.1.5, 5005)."""
    return MissingAvp(f"{describe_code(vendor_id, code)} is missing", example_avp(code, vendor_id))


def too_many(buffer: bytes, start: int, most: int) -> AvpOccursTooManyTimes:
    """There are more AVPs than anyone needs; the one at ``start`` is the first too many."""
    return AvpOccursTooManyTimes(
        f"more than {most} AVPs in one message or group", avp_at(buffer, start).encoded
    )


def wrong_length(code: int, vendor_id: int = 0) -> InvalidAvpLength:
    """The error for an AVP whose data have another length than its type (5014)."""
    return InvalidAvpLength(
        f"{describe_code(vendor_id, code)} has a wrong length", example_avp(code, vendor_id)
    )
