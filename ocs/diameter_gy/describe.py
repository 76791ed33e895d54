"""Messages as readable lines: for debug logs, the explanation of a refusal, and tests."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from ocs.diameter_gy import avp as avps
from ocs.diameter_gy.avp import Avp, AvpTree
from ocs.diameter_gy.dictionary import DEFINITIONS, AvpType
from ocs.diameter_gy.errors import DiameterError
from ocs.diameter_gy.message import HEADER_OCTETS, Header, parse_header

_COMMANDS: Final = {
    257: "Capabilities-Exchange",
    258: "Re-Auth",
    271: "Accounting",
    272: "Credit-Control",
    274: "Abort-Session",
    275: "Session-Termination",
    280: "Device-Watchdog",
    282: "Disconnect-Peer",
}


def _octets(avp: Avp) -> str:
    return f"0x{avp.data.hex()}"


def _time(avp: Avp) -> str:
    return datetime.fromtimestamp(avps.decode_time(avp), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(avp: Avp) -> str:
    return repr(avps.decode_utf8_string(avp))


_VALUES: Final[dict[AvpType, Callable[[Avp], object]]] = {
    AvpType.OCTET_STRING: _octets,
    AvpType.INTEGER32: avps.decode_integer32,
    AvpType.INTEGER64: avps.decode_integer64,
    AvpType.UNSIGNED32: avps.decode_unsigned32,
    AvpType.UNSIGNED64: avps.decode_unsigned64,
    AvpType.FLOAT32: avps.decode_float32,
    AvpType.FLOAT64: avps.decode_float64,
    AvpType.GROUPED: _octets,
    AvpType.ADDRESS: avps.decode_address,
    AvpType.TIME: _time,
    AvpType.UTF8_STRING: _text,
    AvpType.DIAMETER_IDENTITY: avps.decode_diameter_identity,
    AvpType.DIAMETER_URI: _text,
    AvpType.ENUMERATED: avps.decode_enumerated,
    AvpType.IP_FILTER_RULE: _text,
}


def describe(message: bytes) -> str:
    """Render a message, one AVP per line, groups indented; what cannot be read is said, never raised.

    Identities of subscribers are shown as they are: whoever logs this decides on masking.
    """
    if len(message) < HEADER_OCTETS:
        return f"{len(message)} octets, no message: 0x{message.hex()}"
    lines = [describe_header(parse_header(message))]
    try:
        trees = avps.split_tree(message, _is_group, HEADER_OCTETS)
    except DiameterError as error:
        # A fault in a group need not hide the top level; a fault there hides all.
        lines.append(f"  malformed: {error.error_message}")
        try:
            trees = tuple(AvpTree(avp, ()) for avp in avps.split_avps(message, HEADER_OCTETS))
        except DiameterError:
            trees = ()
    lines.extend(_lines(trees, "  "))
    return "\n".join(lines)


def describe_header(header: Header) -> str:
    """Render a header: command, flags, application and identifiers."""
    kind = "Request" if header.is_request else "Answer"
    command = _COMMANDS.get(header.command_code, f"Command-{header.command_code}")
    letters = zip("RPET", (0x80, 0x40, 0x20, 0x10), strict=True)
    flags = "".join(letter if header.flags & bit else "-" for letter, bit in letters)
    return (
        f"{command}-{kind} {flags} application={header.application_id} length={header.length}"
        f" hop-by-hop=0x{header.hop_by_hop_id:08x} end-to-end=0x{header.end_to_end_id:08x}"
    )


def _is_group(avp: Avp) -> bool:
    definition = DEFINITIONS.get((avp.vendor_id, avp.code))
    return definition is not None and definition.type is AvpType.GROUPED


def _lines(trees: tuple[AvpTree, ...], indent: str) -> Iterator[str]:
    for avp, children in trees:
        definition = DEFINITIONS.get((avp.vendor_id, avp.code))
        name = definition.name if definition else f"AVP {avp.code}"
        mandatory = " M" if avp.is_mandatory else ""
        vendor = f" vendor={avp.vendor_id}" if avp.vendor_id else ""
        label = f"{indent}{name} ({avp.code}{vendor}{mandatory})"
        if children:
            yield label
            yield from _lines(children, indent + "  ")
        else:
            yield f"{label} = {_value(avp, definition.type if definition else AvpType.OCTET_STRING)}"


def _value(avp: Avp, avp_type: AvpType) -> object:
    try:
        return _VALUES[avp_type](avp)
    except DiameterError as error:
        return f"0x{avp.data.hex()} ({error.error_message})"
