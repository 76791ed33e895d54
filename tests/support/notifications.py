"""Notifications in words, and the book of rules that we ship."""

from functools import cache

import msgspec

from ocs.faults.mibs import MibNames, open_mib_names
from ocs.faults.notification import Notification, Varbind
from ocs.faults.rules import RuleBook, load_rules
from ocs.faults.rules.described_trap import described_trap
from tests.support.processes import ROOT

ALARM_RULES = ROOT / "config" / "alarms"
ELEMENT = "192.0.2.7"


@cache
def standard_names() -> MibNames:
    """Names of the standard MIBs."""
    return open_mib_names(None)


@cache
def shipped_rules() -> RuleBook:
    """The rules of ``config/alarms``."""
    return load_rules(ALARM_RULES, standard_names())


def trap(name: str, *varbinds: str, source: str = ELEMENT) -> Notification:
    """A trap with varbinds as ``NAME=VALUE``."""
    return described_trap(name, varbinds, standard_names(), source=source, received_ms=1_000)


def with_varbinds(notification: Notification, *varbinds: Varbind) -> Notification:
    """The same trap with other varbinds."""
    return msgspec.structs.replace(notification, varbinds=varbinds)


def link_down_datagram() -> bytes:
    """A v2c trap, built length by length: sysUpTime.0 = 100, snmpTrapOID.0 = linkDown, ifIndex.3 = 3."""

    def tlv(tag: int, content: bytes) -> bytes:
        return bytes([tag, len(content)]) + content

    uptime = tlv(0x30, tlv(0x06, bytes.fromhex("2b06010201010300")) + tlv(0x43, b"\x64"))
    trap_oid = tlv(
        0x30,
        tlv(0x06, bytes.fromhex("2b060106030101040100")) + tlv(0x06, bytes.fromhex("2b0601060301010503")),
    )
    index = tlv(0x30, tlv(0x06, bytes.fromhex("2b060102010202010103")) + tlv(0x02, b"\x03"))
    integers = tlv(0x02, b"\x01") + tlv(0x02, b"\x00") * 2
    pdu = tlv(0xA7, integers + tlv(0x30, uptime + trap_oid + index))
    return tlv(0x30, tlv(0x02, b"\x01") + tlv(0x04, b"public") + pdu)
