"""What is kept of a MIB module: its names, their types, and how rows and notifications are made up."""

import enum

import msgspec


class NodeKind(enum.IntEnum):
    """What an object identifier stands for."""

    NODE = 0
    SCALAR = 1
    TABLE = 2
    ROW = 3
    COLUMN = 4
    NOTIFICATION = 5


class BaseType(enum.IntEnum):
    """The types of SMIv2 that everything else refines (RFC 2578 section 7.1)."""

    INTEGER = 0  # Integer32, Unsigned32, Counter32, Gauge32, Counter64
    OCTETS = 1
    OID = 2
    BITS = 3
    ADDRESS = 4  # IpAddress
    TICKS = 5
    OPAQUE = 6


class MibType(msgspec.Struct, frozen=True, array_like=True):
    """The type of an object.

    Attributes:
        name: its textual convention or base type: ``DisplayString``.
        hint: DISPLAY-HINT (RFC 2579 section 3.1), empty without one.
        labels: names of the numbers of an enumeration, or of the bits of BITS.
        size: in octets, where the type says that it is always the same; else 0.
    """

    name: str
    base: BaseType
    hint: str = ""
    labels: dict[int, str] = {}
    size: int = 0


class MibObject(msgspec.Struct, frozen=True, array_like=True):
    """One named object identifier.

    Attributes:
        oid: dotted, without a leading dot.
        type_index: place of its type in the module's ``types``, -1 for what has no value.
        related: of a row its INDEX, of a notification its OBJECTS, each ``MODULE::name``; an IMPLIED index (RFC 2578
            section 7.7) has an exclamation mark before it.
    """

    name: str
    oid: str
    kind: NodeKind
    type_index: int = -1
    related: tuple[str, ...] = ()


class MibModule(msgspec.Struct, frozen=True, array_like=True):
    """One module, such as IF-MIB. ``conventions`` are the textual conventions that others may import."""

    name: str
    types: tuple[MibType, ...]
    objects: tuple[MibObject, ...]
    conventions: tuple[MibType, ...] = ()

    def type_of(self, mib_object: MibObject) -> MibType | None:
        """The type of one of its objects."""
        return None if mib_object.type_index < 0 else self.types[mib_object.type_index]
