"""What the instance part of an object identifier says: the values of its row's INDEX (RFC 2578 section 7.7)."""

from collections.abc import Sequence

from ocs.faults.mibs.display import Value
from ocs.faults.mibs.model import BaseType, MibType
from ocs.faults.notification import Syntax

# A value with the syntax it would have as a varbind.
IndexValue = tuple[Value, int]


def index_values(
    index: Sequence[int], types: Sequence[tuple[MibType | None, bool]]
) -> tuple[IndexValue, ...] | None:
    """Take the instance part apart.

    Args:
        index: the sub-identifiers after the column.
        types: type of each INDEX object and whether it is IMPLIED.

    Returns:
        One value for each object; None when the parts do not fit, as with agents that build their indexes otherwise.
    """
    values: list[IndexValue] = []
    rest = list(index)
    for mib_type, is_implied in types:
        taken = None if mib_type is None else _take(rest, mib_type, is_implied=is_implied)
        if taken is None:
            return None
        value, length = taken
        values.append(value)
        del rest[:length]
    return None if rest else tuple(values)


def _take(rest: list[int], mib_type: MibType, *, is_implied: bool) -> tuple[IndexValue, int] | None:
    """The first value of what is left and how many sub-identifiers it takes."""
    match mib_type.base:
        case BaseType.INTEGER:
            return ((rest[0], Syntax.INTEGER), 1) if rest else None
        case BaseType.TICKS:
            return ((rest[0], Syntax.TIME_TICKS), 1) if rest else None
        case BaseType.ADDRESS:
            # SMIv1's NetworkAddress has its choice before it.
            start = 1 if mib_type.name == "NetworkAddress" else 0
            octets = _octets(rest[start : start + 4], 4)
            return None if octets is None else ((octets, Syntax.IP_ADDRESS), start + 4)
        case BaseType.OID:
            start, length = (0, len(rest)) if is_implied else (1, rest[0] if rest else -1)
            parts = rest[start : start + length] if length >= 0 else []
            if len(parts) != length:
                return None
            return (".".join(map(str, parts)), Syntax.OBJECT_IDENTIFIER), start + length
        case BaseType.OCTETS | BaseType.BITS | BaseType.OPAQUE:
            return _take_octets(rest, mib_type, is_implied=is_implied)


def _take_octets(rest: list[int], mib_type: MibType, *, is_implied: bool) -> tuple[IndexValue, int] | None:
    start, length = 0, len(rest)
    if mib_type.size:
        length = mib_type.size
    elif not is_implied:
        start, length = 1, rest[0] if rest else -1
    octets = _octets(rest[start : start + length], length) if length >= 0 else None
    return None if octets is None else ((octets, Syntax.OCTET_STRING), start + length)


def _octets(parts: list[int], length: int) -> bytes | None:
    return bytes(parts) if len(parts) == length and all(part < 256 for part in parts) else None
