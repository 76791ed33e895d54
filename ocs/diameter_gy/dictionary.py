"""Names, types and flags of AVPs: the ``diameter`` package's tables, corrected and completed.

They stand in ``avps.txt``, which :mod:`ocs.diameter_gy.package_tables` wrote: every process and every command would
else load the package, 0.2 s of processor time, for its tables alone. Nothing here is on the way of a healthy request:
types are needed to describe a message, to build an example of a missing AVP, and to say how long an AVP must be.
"""

from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

VENDOR_3GPP: Final = 10415


class AvpType(IntEnum):
    """Data formats (RFC 6733 sections 4.2 to 4.4)."""

    OCTET_STRING = 1
    INTEGER32 = 2
    INTEGER64 = 3
    UNSIGNED32 = 4
    UNSIGNED64 = 5
    FLOAT32 = 6
    FLOAT64 = 7
    GROUPED = 8
    ADDRESS = 9
    TIME = 10
    UTF8_STRING = 11
    DIAMETER_IDENTITY = 12
    DIAMETER_URI = 13
    ENUMERATED = 14
    IP_FILTER_RULE = 15


# An Address is its family and at least an IPv4 address; text and groups may be empty.
MINIMUM_DATA_OCTETS: Final[dict[AvpType, int]] = {
    AvpType.INTEGER32: 4,
    AvpType.INTEGER64: 8,
    AvpType.UNSIGNED32: 4,
    AvpType.UNSIGNED64: 8,
    AvpType.FLOAT32: 4,
    AvpType.FLOAT64: 8,
    AvpType.ADDRESS: 6,
    AvpType.TIME: 4,
    AvpType.ENUMERATED: 4,
}


class AvpDefinition(NamedTuple):
    """What is known of an AVP; ``mandatory`` is the M bit that a sender of it sets."""

    code: int
    vendor_id: int
    name: str
    type: AvpType
    mandatory: bool

    @property
    def minimum_data_octets(self) -> int:
        """Octets of the shortest data that the type allows."""
        return MINIMUM_DATA_OCTETS.get(self.type, 0)


MANDATORY_MARK: Final = "M"
AVPS_FILE: Final = Path(__file__).with_name("avps.txt")


def _read() -> Iterator[AvpDefinition]:
    """One AVP a line, fields between tabs: vendor, code, name, type, and the mark of the M bit or nothing."""
    types = {one.name: one for one in AvpType}
    for line in AVPS_FILE.read_text(encoding="ascii").splitlines():
        vendor_id, code, name, type_name, mark = line.split("\t")
        yield AvpDefinition(int(code), int(vendor_id), name, types[type_name], mark == MANDATORY_MARK)


DEFINITIONS: Final[dict[tuple[int, int], AvpDefinition]] = {
    (definition.vendor_id, definition.code): definition for definition in _read()
}
"""Every known AVP by vendor and code."""

# A name of the IETF or of 3GPP wins over a vendor's own AVP of that name.
BY_NAME: Final[dict[str, AvpDefinition]] = {
    definition.name: definition
    for definition in sorted(
        DEFINITIONS.values(),
        key=lambda known: (known.vendor_id != 0, known.vendor_id != VENDOR_3GPP),
        reverse=True,
    )
}
"""Every known AVP by name."""


def minimum_data_octets(vendor_id: int, code: int) -> int:
    """Octets of the shortest data an AVP may have; 0 when it is unknown, or text or a group."""
    definition = DEFINITIONS.get((vendor_id, code))
    return 0 if definition is None else definition.minimum_data_octets
