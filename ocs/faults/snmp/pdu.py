"""The protocol data units of notifications: what they say, and the answers to them.

Source: RFC 3416 section 3, RFC 1157 section 4.1.6, RFC 3584 section 3.1.
"""

from typing import Final, NamedTuple

from ocs.faults.notification import SNMP_TRAPS, Syntax, Varbind
from ocs.faults.snmp import ber
from ocs.faults.snmp.discard import DiscardReason, SnmpError, malformed
from ocs.limits import (
    SNMP_CONTENT_REMEMBERED_OCTETS,
    SNMP_CONTENTS_REMEMBERED,
    SNMP_NAMES_REMEMBERED,
    SNMP_VARBIND_REMEMBERED_OCTETS,
    SNMP_VARBINDS_MAX,
    SNMP_VARBINDS_REMEMBERED,
)

RESPONSE: Final = 0xA2
V1_TRAP: Final = 0xA4
INFORM: Final = 0xA6
V2_TRAP: Final = 0xA7
REPORT: Final = 0xA8

SYS_UPTIME: Final = "1.3.6.1.2.1.1.3.0"
SNMP_TRAP_OID: Final = "1.3.6.1.6.3.1.1.4.1.0"
SNMP_TRAP_ENTERPRISE: Final = "1.3.6.1.6.3.1.1.4.3.0"
SNMP_TRAP_ADDRESS: Final = "1.3.6.1.6.3.18.1.3.0"
SNMP_TRAP_COMMUNITY: Final = "1.3.6.1.6.3.18.1.4.0"
_SYS_UPTIME_NAME: Final = bytes((ber.OBJECT_IDENTIFIER, 8, 0x2B, 6, 1, 2, 1, 1, 3, 0))
# They say something of the notification itself and are not among its varbinds.
_ABOUT_ITSELF: Final = frozenset(
    {SYS_UPTIME, SNMP_TRAP_OID, SNMP_TRAP_ENTERPRISE, SNMP_TRAP_ADDRESS, SNMP_TRAP_COMMUNITY}
)
_ENTERPRISE_SPECIFIC: Final = 6
_NO_ERROR: Final = ber.encode_number(ber.INTEGER, 0) * 2
NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - says that there is none (RFC 3584 section 3.1), listens nowhere

_INTEGER: Final = int(Syntax.INTEGER)
_OCTET_STRING: Final = int(Syntax.OCTET_STRING)
_OBJECT_IDENTIFIER: Final = int(Syntax.OBJECT_IDENTIFIER)
_IP_ADDRESS: Final = int(Syntax.IP_ADDRESS)
_TIME_TICKS: Final = int(Syntax.TIME_TICKS)
_OPAQUE: Final = int(Syntax.OPAQUE)
# Numbers without a sign, and how many bits they have.
_UNSIGNED_BITS: Final = {
    int(Syntax.COUNTER32): 32,
    int(Syntax.GAUGE32): 32,
    _TIME_TICKS: 32,
    int(Syntax.COUNTER64): 64,
}
_WITHOUT_VALUE: Final = frozenset(
    map(int, (Syntax.NULL, Syntax.NO_SUCH_OBJECT, Syntax.NO_SUCH_INSTANCE, Syntax.END_OF_MIB_VIEW))
)
# They hardly ever come again with the same value.
_NOT_REMEMBERED: Final = frozenset(map(int, (Syntax.COUNTER32, Syntax.TIME_TICKS, Syntax.COUNTER64)))


class Pdu(NamedTuple):
    """One notification, a v1 trap already translated.

    Attributes:
        address: of the element, as a proxy tells it (snmpTrapAddress.0, else agent-addr); empty when nobody says.
            Whether it is believed is for the caller.
        request_id: the number as sent, header and all; empty in a v1 trap.
        varbind_list: the contents of variable-bindings as sent.
        content: what stands behind a leading sysUpTime.0 there, where the same was read before; else empty.
    """

    tag: int
    trap_oid: str
    uptime_ticks: int
    varbinds: tuple[Varbind, ...]
    address: str
    request_id: bytes
    varbind_list: bytes
    content: bytes = b""


class _Content(NamedTuple):
    """What a list of varbinds says without the sysUpTime.0 that leads it; ``octets`` are all of it."""

    octets: bytes
    trap_oid: str
    varbinds: tuple[Varbind, ...]
    address: str


class PduReader:
    """Reads notifications and remembers what comes again: names, varbinds, and whole lists of them."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self._varbinds: dict[bytes, Varbind] = {}
        self._contents: dict[bytes, _Content] = {}

    def read(self, octets: bytes, at: int, end: int) -> Pdu:
        """Read the PDU that fills octets ``at`` to ``end``.

        Raises:
            SnmpError: it is malformed, too long, or no notification.
        """
        tag, start, stop = ber.element(octets, at, end)
        if stop != end:
            raise malformed(f"{end - stop} octets behind the PDU")
        if tag == V1_TRAP:
            return self._v1_trap(octets, start, stop)
        if tag not in {V2_TRAP, INFORM}:
            raise SnmpError(DiscardReason.NOT_A_NOTIFICATION, f"a PDU of tag {tag:#x}")
        request_id_end = ber.expect_integer(octets, start, stop)[1]
        # Error-status and error-index mean nothing in a notification and are ignored (RFC 3416 section 3).
        at = request_id_end + len(_NO_ERROR)
        if at > stop or octets[request_id_end:at] != _NO_ERROR:
            at = ber.expect_integer(octets, request_id_end, stop)[1]
            at = ber.expect_integer(octets, at, stop)[1]
        at, list_end = ber.expect(octets, at, stop, ber.SEQUENCE)
        if list_end != stop:
            raise malformed(f"{stop - list_end} octets behind the varbinds")
        request_id, varbind_list = octets[start:request_id_end], octets[at:list_end]
        uptime_ticks, uptime_end = _leading_uptime(octets, at, list_end)
        behind = octets[uptime_end:list_end]
        known = self._contents.get(behind)
        if known is not None and uptime_end > at:
            content, trap_oid, varbinds, address = known
            return Pdu(tag, trap_oid, uptime_ticks, varbinds, address, request_id, varbind_list, content)
        varbinds, said = self._varbind_list(octets, at, list_end)
        # RFC 3416 section 4.2.6 has them first and second; some senders put them elsewhere, which harms nobody.
        uptime = said.get(SYS_UPTIME)
        trap_oid = said.get(SNMP_TRAP_OID)
        if uptime is None or uptime.syntax != _TIME_TICKS:
            raise malformed("no sysUpTime.0")
        if trap_oid is None or trap_oid.syntax != _OBJECT_IDENTIFIER:
            raise malformed("no snmpTrapOID.0")
        name, address = str(trap_oid.value), _address(said)
        if uptime_end > at and len(behind) <= SNMP_CONTENT_REMEMBERED_OCTETS:
            if len(self._contents) >= SNMP_CONTENTS_REMEMBERED:
                self._contents.clear()
            self._contents[behind] = _Content(behind, name, varbinds, address)
        return Pdu(tag, name, int(uptime.value or 0), varbinds, address, request_id, varbind_list)

    def _v1_trap(self, octets: bytes, at: int, end: int) -> Pdu:
        """A Trap-PDU, read as the notification that RFC 3584 section 3.1 makes of it."""
        start, at = ber.expect(octets, at, end, ber.OBJECT_IDENTIFIER)
        enterprise = self._name(octets[start:at])
        start, at = ber.expect(octets, at, end, _IP_ADDRESS)
        agent_address = _dotted(octets[start:at])
        generic, at = ber.expect_integer(octets, at, end)
        specific, at = ber.expect_integer(octets, at, end)
        start, at = ber.expect(octets, at, end, _TIME_TICKS)
        uptime_ticks = ber.unsigned(octets, start, at, 32)
        start, at = ber.expect(octets, at, end, ber.SEQUENCE)
        if at != end:
            raise malformed(f"{end - at} octets behind the varbinds")
        if not 0 <= generic <= _ENTERPRISE_SPECIFIC or specific < 0:
            raise malformed(f"generic trap {generic}, specific trap {specific}")
        is_specific = generic == _ENTERPRISE_SPECIFIC
        trap_oid = f"{enterprise}.0.{specific}" if is_specific else f"{SNMP_TRAPS}.{generic + 1}"
        varbinds, said = self._varbind_list(octets, start, end)
        address = _address(said) or (agent_address if agent_address != NO_ADDRESS else "")
        return Pdu(V1_TRAP, trap_oid, uptime_ticks, varbinds, address, b"", octets[start:end])

    def _varbind_list(
        self, octets: bytes, at: int, end: int
    ) -> tuple[tuple[Varbind, ...], dict[str, Varbind]]:
        """The varbinds, and apart from them, by name, what a notification says of itself (the first of each)."""
        varbinds: list[Varbind] = []
        said: dict[str, Varbind] = {}
        remembered = self._varbinds
        while at < end:
            # A short header is read here: a call for each varbind would cost as much as all the rest of the loop.
            if octets[at] == 0x30 and at + 2 <= end and octets[at + 1] < 0x80:
                start = at + 2
                stop = start + octets[at + 1]
                if stop > end:
                    raise malformed(f"the varbind at octet {at} is longer than what holds it")
            else:
                start, stop = ber.expect(octets, at, end, ber.SEQUENCE)
            piece = octets[start:stop]
            varbind = remembered.get(piece)
            if varbind is None:
                varbind = self._varbind(piece)
            at = stop
            if varbind.name in _ABOUT_ITSELF:
                said.setdefault(varbind.name, varbind)
                continue
            if len(varbinds) == SNMP_VARBINDS_MAX:
                raise SnmpError(DiscardReason.TOO_LONG, f"more than {SNMP_VARBINDS_MAX} varbinds")
            varbinds.append(varbind)
        return tuple(varbinds), said

    def _varbind(self, piece: bytes) -> Varbind:
        """The varbind with these contents."""
        end = len(piece)
        if piece.startswith(_SYS_UPTIME_NAME):  # in every notification, never with the same value
            start, at = ber.expect(piece, len(_SYS_UPTIME_NAME), end, _TIME_TICKS)
            if at == end:
                return Varbind(SYS_UPTIME, _TIME_TICKS, ber.unsigned(piece, start, at, 32))
        start, at = ber.expect(piece, 0, end, ber.OBJECT_IDENTIFIER)
        name = self._name(piece[start:at])
        syntax, start, stop = ber.element(piece, at, end)
        if stop != end:
            raise malformed(f"{end - stop} octets behind the value of a varbind")
        varbind = Varbind(name, syntax, self._value(syntax, piece, start, stop))
        if end <= SNMP_VARBIND_REMEMBERED_OCTETS and syntax not in _NOT_REMEMBERED:
            if len(self._varbinds) >= SNMP_VARBINDS_REMEMBERED:
                self._varbinds.clear()
            self._varbinds[piece] = varbind
        return varbind

    def _value(self, syntax: int, octets: bytes, start: int, stop: int) -> int | bytes | str | None:
        """What a value says, by its tag."""
        if syntax == _INTEGER:
            return ber.signed(octets, start, stop)
        bits = _UNSIGNED_BITS.get(syntax)
        if bits is not None:
            return ber.unsigned(octets, start, stop, bits)
        contents = octets[start:stop]
        if syntax in {_OCTET_STRING, _OPAQUE}:
            return contents
        if syntax == _OBJECT_IDENTIFIER:
            return self._name(contents)
        if syntax == _IP_ADDRESS and len(contents) == 4:
            return contents
        if syntax in _WITHOUT_VALUE and not contents:
            return None
        raise malformed(f"a value of tag {syntax:#x} and {len(contents)} octets")

    def _name(self, contents: bytes) -> str:
        """The dotted text of an object identifier."""
        name = self._names.get(contents)
        if name is None:
            name = ber.object_identifier(contents)
            if len(self._names) >= SNMP_NAMES_REMEMBERED:
                self._names.clear()
            self._names[contents] = name
        return name


def _leading_uptime(octets: bytes, at: int, end: int) -> tuple[int, int]:
    """The value of the sysUpTime.0 that leads a list of varbinds, as nearly all write it, and where it ends.

    Returns:
        0 and ``at`` where something else stands, or the same otherwise written.
    """
    value_at = at + 2 + len(_SYS_UPTIME_NAME)
    if not octets.startswith(_SYS_UPTIME_NAME, at + 2) or value_at + 2 > end or octets[at] != ber.SEQUENCE:
        return 0, at
    length = octets[value_at + 1]
    stop = value_at + 2 + length
    is_plain = octets[value_at] == _TIME_TICKS and octets[at + 1] == stop - at - 2 and 0 < length <= 5
    if not is_plain or stop > end:
        return 0, at
    return ber.unsigned(octets, value_at + 2, stop, 32), stop


def response(inform: Pdu) -> bytes:
    """The Response that acknowledges an inform: its request-id and varbinds, no error (RFC 3416 section 4.2.7)."""
    varbinds = ber.encode(ber.SEQUENCE, inform.varbind_list)
    return ber.encode(RESPONSE, inform.request_id + _NO_ERROR + varbinds)


def report(request_id: bytes, name: bytes, counter: int) -> bytes:
    """A Report-PDU that shows one counter (RFC 3416 section 4.2.8 leaves its use to RFC 3414).

    Args:
        request_id: as sent, header and all.
        name: the counter's object identifier, encoded contents.
    """
    value = ber.encode_number(int(Syntax.COUNTER32), counter & 0xFFFF_FFFF)
    varbind = ber.encode(ber.SEQUENCE, ber.encode(ber.OBJECT_IDENTIFIER, name) + value)
    return ber.encode(REPORT, request_id + _NO_ERROR + ber.encode(ber.SEQUENCE, varbind))


def _address(said: dict[str, Varbind]) -> str:
    """What snmpTrapAddress.0 says; empty when it is absent or says nothing."""
    varbind = said.get(SNMP_TRAP_ADDRESS)
    if varbind is None or varbind.syntax != _IP_ADDRESS or not isinstance(varbind.value, bytes):
        return ""
    address = _dotted(varbind.value)
    return address if address != NO_ADDRESS else ""


def _dotted(octets: bytes) -> str:
    if len(octets) != 4:
        raise malformed(f"an IpAddress of {len(octets)} octets")
    return ".".join(map(str, octets))
