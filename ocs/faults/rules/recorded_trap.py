"""A trap as a recorder kept it, as a notification."""

import re
from typing import Final

from ocs.faults.notification import Notification
from ocs.faults.rules.described_trap import DescriptionError
from ocs.faults.snmp.engine import TrapEngine

# RFC 3411 section 5: any engine id of ours will do to read what is not secured by one.
_ENGINE_ID: Final = bytes.fromhex("8000000004726561646572")


def recorded_trap(content: bytes, *, source: str, received_ms: int) -> Notification:
    """Read a recorded datagram of SNMPv1 or v2c: its octets, or the same in hexadecimal.

    Raises:
        DescriptionError: it is none.
    """
    text = re.sub(rb"\s+", b"", content)
    is_hex = re.fullmatch(rb"(?:[0-9A-Fa-f]{2})+", text) is not None
    octets = bytes.fromhex(text.decode()) if is_hex else content
    engine = TrapEngine(
        engine_id=_ENGINE_ID,
        boots=1,
        users=(),
        accepts_community=lambda _: True,
        is_proxy=lambda _: False,
    )
    received = engine.receive([(octets, source, 0)], received_ms, 0)
    for arrival in received.notifications:
        return arrival.notification
    reason = received.discards[0].reason if received.discards else "no notification"
    raise DescriptionError(f"expected one trap or inform of SNMPv1 or v2c: {reason}")
