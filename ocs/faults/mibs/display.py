"""Values as people read them: enumeration names, DISPLAY-HINTs (RFC 2579 section 3.1), addresses, text or hexadecimal.

Whatever a device sends ends as one line of printable characters of bounded length: it goes to terminals and logs.
"""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from ocs.faults.mibs.model import BaseType, MibType
from ocs.faults.notification import Syntax
from ocs.limits import VALUE_CHARACTERS_MAX

Value = int | bytes | str | None

_HINT_PART: Final = re.compile(r"(\*?)(\d+)([dxoat])([^0-9*]?)([^0-9*]?)")
_NOTHING: Final[dict[int, str]] = {
    Syntax.NULL: "null",
    Syntax.NO_SUCH_OBJECT: "noSuchObject",
    Syntax.NO_SUCH_INSTANCE: "noSuchInstance",
    Syntax.END_OF_MIB_VIEW: "endOfMibView",
}
_TICKS_PER_DAY: Final = 8_640_000


def printable(value: Value, syntax: int, mib_type: MibType | None, name_of: Callable[[str], str]) -> str:
    """Write a value for people.

    Args:
        syntax: how it was sent: devices do send other types than their MIB says, and what was sent counts.
        mib_type: what its MIB says, None when nobody knows the object.
        name_of: names an object identifier.
    """
    if isinstance(value, int):
        if syntax == Syntax.TIME_TICKS:
            return _duration(value)
        return str(value) if mib_type is None else _number(value, mib_type)
    if isinstance(value, bytes):
        if syntax == Syntax.IP_ADDRESS:
            return address_text(value)
        return octets_text(value) if mib_type is None else _octets(value, mib_type)
    if value is None:
        return _NOTHING.get(syntax, "null")
    return shortened(name_of(value))


def is_text(mib_type: MibType) -> bool:
    """Whether the octets of a type are meant to be read as they are: ``255a`` and ``255t``, and what has no hint."""
    if mib_type.base is not BaseType.OCTETS or mib_type.name == "InetAddress":
        return False
    parts = _hint_parts(mib_type.hint)
    return not mib_type.hint or (len(parts) == 1 and parts[0][2] in "at" and not parts[0][0])


def octets_text(octets: bytes) -> str:
    """Octets nobody described: as text where they are UTF-8 that can be printed, else ``0x0a0b``."""
    text = _as_text(octets)
    return hex_text(octets) if text is None else text


def hex_text(octets: bytes) -> str:
    """``0x0a0b``, shortened."""
    room = (VALUE_CHARACTERS_MAX - 3) // 2
    return f"0x{octets.hex()}" if len(octets) <= room else f"0x{octets[: room - 1].hex()}…"


def address_text(octets: bytes) -> str:
    """An IPv4 or IPv6 address; other octets as :func:`octets_text`."""
    if len(octets) == 4:
        return f"{octets[0]}.{octets[1]}.{octets[2]}.{octets[3]}"
    if len(octets) == 16:
        return str(ipaddress.IPv6Address(octets))
    return octets_text(octets)


def shortened(text: str) -> str:
    """At most so many characters as a value may have."""
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[: VALUE_CHARACTERS_MAX - 1]}…"


def _as_text(octets: bytes) -> str | None:
    """One printable line, or None when the octets are no text."""
    # Devices send C strings with their end, and lines with theirs.
    octets = octets.rstrip(b"\0\r\n")
    # A character has at most four octets; a cut one in the middle is no reason to call a text none.
    is_long = len(octets) > VALUE_CHARACTERS_MAX * 4
    try:
        text = octets[: VALUE_CHARACTERS_MAX * 4].decode("utf-8", "ignore" if is_long else "strict")
    except UnicodeDecodeError:
        return None
    if not text.isprintable():
        text = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
        if not text.isprintable():
            return None
    return shortened(text)


def _number(value: int, mib_type: MibType) -> str:
    label = mib_type.labels.get(value) if mib_type.labels else None
    if label is not None:
        return label
    if mib_type.base is BaseType.TICKS:
        return _duration(value)
    hint = mib_type.hint
    if not hint or hint == "d":
        return str(value)
    match hint[0]:
        case "x":
            return f"{value:x}"
        case "o":
            return f"{value:o}"
        case "b":
            return f"{value:b}"
        case "d" if hint[1:2] == "-" and hint[2:].isdigit() and int(hint[2:]) < 20:
            return _with_point(value, int(hint[2:]))
        case _:
            return str(value)


def _with_point(value: int, places: int) -> str:
    """``d-2`` writes 1234 as 12.34."""
    if not places:
        return str(value)
    digits = str(abs(value)).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _duration(ticks: int) -> str:
    """Hundredths of a second as ``2 d 03:04:05.06``."""
    days, rest = divmod(ticks, _TICKS_PER_DAY)
    seconds, hundredths = divmod(rest, 100)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{hundredths:02}"
    return f"{days} d {clock}" if days else clock


def _octets(octets: bytes, mib_type: MibType) -> str:
    if mib_type.base is BaseType.BITS:
        return _bits(octets, mib_type.labels)
    if mib_type.name == "InetAddress" or mib_type.base is BaseType.ADDRESS:
        return address_text(octets)
    if mib_type.name in {"InetAddressIPv6", "Ipv6Address"} and len(octets) == 16:
        return address_text(octets)  # its hint would write every zero
    parts = _hint_parts(mib_type.hint)
    if not parts or is_text(mib_type):
        return octets_text(octets)
    return shortened(_by_hint(octets, parts))


def _bits(octets: bytes, labels: dict[int, str]) -> str:
    """Names of the bits that are set; bit 0 is the highest of the first octet (RFC 2578 section 7.1.4)."""
    found = [
        labels.get(8 * place + bit, str(8 * place + bit))
        for place, octet in enumerate(octets[:VALUE_CHARACTERS_MAX])
        for bit in range(8)
        if octet & 0x80 >> bit
    ]
    return shortened(" ".join(found)) or "none"


@lru_cache(maxsize=512)
def _hint_parts(hint: str) -> tuple[tuple[bool, int, str, str, str], ...]:
    """The parts of an OCTET STRING's hint: repeated, length, format, separator, terminator; none when it is broken."""
    parts: list[tuple[bool, int, str, str, str]] = []
    at = 0
    while at < len(hint):
        match = _HINT_PART.match(hint, at)
        if match is None or not 0 < int(match[2]) <= 65_535:
            return ()
        # RFC 2579 section 3.1: a terminator belongs to a part with a repeat indicator only.
        terminator = match[5] if match[1] else ""
        parts.append((bool(match[1]), int(match[2]), match[3], match[4], terminator))
        at = match.end() - (0 if match[1] else len(match[5]))
    return tuple(parts)


def _by_hint(octets: bytes, parts: tuple[tuple[bool, int, str, str, str], ...]) -> str:
    written: list[str] = []
    at = place = 0
    # What is shown is bounded, so what is read may be.
    end = min(len(octets), VALUE_CHARACTERS_MAX)
    while at < end:
        is_repeated, length, form, separator, terminator = parts[min(place, len(parts) - 1)]
        place += 1
        count = 1
        if is_repeated:
            count = octets[at]
            at += 1
        for turn in range(count):
            piece = octets[at : at + length]
            if not piece:
                break
            at += length
            written.append(_piece(piece, form))
            if at < end and not (terminator and turn == count - 1):
                written.append(separator)
        if terminator and at < end:
            written.append(terminator)
    return "".join(written)


def _piece(octets: bytes, form: str) -> str:
    if form in "at":
        text = _as_text(octets)
        return octets.hex() if text is None else text
    number = int.from_bytes(octets)
    match form:
        case "x":
            return f"{number:0{2 * len(octets)}x}"
        case "o":
            return f"{number:o}"
        case _:
            # Above this a number says nothing, and to write it takes time that grows with its square.
            return str(number) if len(octets) <= 16 else octets.hex()
