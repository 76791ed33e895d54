"""Who is charged, and under which circumstances, told from the attributes of a packet.

Identities come out as the directory has them: ``"kind:value"`` with kind ``e164``, ``imsi``, ``nai`` or ``private``.
"""

import re
from typing import Final

from ocs.messages import UsageContext
from ocs.radius import codes
from ocs.radius.packet import Packet

_MAC: Final = re.compile(r"([0-9A-Fa-f]{2})[-:.]?" * 5 + r"([0-9A-Fa-f]{2})")
# An access point names its SSID behind its own address (RFC 3580 section 3.20): 00-10-A4-23-19-C0:AP1.
_ACCESS_POINT: Final = re.compile(r"(?:[0-9A-Fa-f]{2}[-:]){5}[0-9A-Fa-f]{2}:(?P<ssid>.+)")
_DIGITS: Final = re.compile(r"\+?(\d{5,15})", re.ASCII)
_IMSI: Final = re.compile(r"\d{14,15}", re.ASCII)
# Root NAIs of EAP-SIM and EAP-AKA carry the IMSI behind a digit that tells the method (TS 23.003 section 19.3.2).
_IMSI_NAI: Final = re.compile(
    r"[016](\d{14,15})@(?:wlan|nai\.epc)\.mnc\d+\.mcc\d+\.3gppnetwork\.org", re.IGNORECASE | re.ASCII
)
_IDENTITY_CHARACTERS_MAX: Final = 253


def identities_of(packet: Packet) -> tuple[str, ...]:
    """Who pays, the surest identity first: the first one that the directory knows decides.

    IMSI (a 3GPP attribute, or in a NAI), Chargeable-User-Identity, User-Name. Calling-Station-Id only where there is
    nobody else: many a User-Name is typed by hand, and the owner of a device must not pay for a wrong one.
    """
    found: dict[str, None] = {}
    imsi = packet.vendor_text(codes.THREE_GPP_IMSI)
    if _IMSI.fullmatch(imsi):
        found[f"imsi:{imsi}"] = None
    chargeable = packet.text(codes.CHARGEABLE_USER_IDENTITY).strip("\0")
    if chargeable:
        found[f"private:{chargeable}"] = None
    name = packet.text(codes.USER_NAME)
    if name:
        found.update(dict.fromkeys(_of_name(name)))
    if not found and (station := packet.text(codes.CALLING_STATION_ID)):
        found[_of_station(station)] = None
    return tuple(found)


def context_of(packet: Packet) -> UsageContext:
    """The circumstances that prices may depend on: the network's name, and whether it is Wi-Fi."""
    called = packet.text(codes.CALLED_STATION_ID)
    access_point = _ACCESS_POINT.fullmatch(called)
    is_wireless = packet.integer(codes.NAS_PORT_TYPE) == codes.WIRELESS_802_11
    return UsageContext(
        access_point_name=(access_point["ssid"] if access_point else called).lower(),
        rat_type="wlan" if is_wireless else "",
    )


def _of_name(name: str) -> list[str]:
    """What a User-Name is: a NAI, with the IMSI in it if so; a number; a device; or a name of its own."""
    if imsi := _IMSI_NAI.fullmatch(name):
        return [f"imsi:{imsi[1]}", f"nai:{name}"]
    if "@" in name:
        return [f"nai:{name}"]
    return [_of_station(name)]


def _of_station(station: str) -> str:
    if number := _DIGITS.fullmatch(station):
        return f"e164:{number[1]}"
    if mac := _MAC.fullmatch(station):
        return "private:" + "-".join(part.lower() for part in mac.groups())
    return f"private:{station[:_IDENTITY_CHARACTERS_MAX]}"
