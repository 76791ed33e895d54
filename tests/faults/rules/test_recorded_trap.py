"""A recorded datagram as a notification, by the receiver's own decoder."""

import pytest

from ocs.faults.notification import LINK_DOWN
from ocs.faults.rules.described_trap import DescriptionError
from ocs.faults.rules.recorded_trap import recorded_trap
from tests.support.notifications import link_down_datagram


@pytest.mark.parametrize("form", ["octets", "hexadecimal", "lines"])
def test_datagram_is_read_as_octets_or_hexadecimal(form) -> None:
    content = link_down_datagram()
    if form == "hexadecimal":
        content = content.hex().encode()
    elif form == "lines":
        content = b"\n".join(content.hex(" ").encode()[at : at + 48] for at in range(0, 3 * len(content), 48))
    found = recorded_trap(content, source="192.0.2.7", received_ms=9)
    assert found.trap_oid == LINK_DOWN
    assert [(one.name, one.value) for one in found.varbinds] == [("1.3.6.1.2.1.2.2.1.1.3", 3)]
    assert (found.source, found.received_ms) == ("192.0.2.7", 9)


@pytest.mark.parametrize("content", [b"", b"junk", b"30", b"\x30\x03\x02\x01\x00"])
def test_what_is_no_trap_is_refused(content) -> None:
    with pytest.raises(DescriptionError, match="expected one trap or inform of SNMPv1 or v2c"):
        recorded_trap(content, source="192.0.2.7", received_ms=9)
