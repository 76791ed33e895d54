"""A trap in words: values by the type of their object, and what is wrong with them in one line."""

import pytest

from ocs.faults.mibs import MibError
from ocs.faults.notification import Syntax, Varbind
from ocs.faults.rules.described_trap import DescriptionError
from tests.support.notifications import trap


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("IF-MIB::ifOperStatus.3=down", Varbind("1.3.6.1.2.1.2.2.1.8.3", Syntax.INTEGER, 2)),
        ("IF-MIB::ifOperStatus.3=7", Varbind("1.3.6.1.2.1.2.2.1.8.3", Syntax.INTEGER, 7)),
        ("IF-MIB::ifDescr.3=a = b", Varbind("1.3.6.1.2.1.2.2.1.2.3", Syntax.OCTET_STRING, b"a = b")),
        ("sysName=x", Varbind("1.3.6.1.2.1.1.5.0", Syntax.OCTET_STRING, b"x")),
        ("IF-MIB::ifPhysAddress.3=0x0a0B", Varbind("1.3.6.1.2.1.2.2.1.6.3", Syntax.OCTET_STRING, b"\x0a\x0b")),
        ("sysUpTime.0=100", Varbind("1.3.6.1.2.1.1.3.0", Syntax.TIME_TICKS, 100)),
        ("BGP4-MIB::bgpPeerRemoteAddr.1=10.0.0.1", Varbind("1.3.6.1.2.1.15.3.1.7.1", Syntax.IP_ADDRESS, b"\x0a\0\0\1")),
        ("sysObjectID.0=SNMPv2-SMI::enterprises.9", Varbind("1.3.6.1.2.1.1.2.0", Syntax.OBJECT_IDENTIFIER, "1.3.6.1.4.1.9")),
        ("1.3.6.1.4.1.32473.1.0=-5", Varbind("1.3.6.1.4.1.32473.1.0", Syntax.INTEGER, -5)),
        ("1.3.6.1.4.1.32473.1.0=five", Varbind("1.3.6.1.4.1.32473.1.0", Syntax.OCTET_STRING, b"five")),
        ("ENTITY-STATE-MIB::entStateAlarm.1=critical indeterminate", Varbind("1.3.6.1.2.1.131.1.1.1.5.1", Syntax.OCTET_STRING, b"\x22")),
    ],
)  # fmt: skip
def test_value_is_read_by_the_type_of_its_object(written, expected) -> None:
    assert trap("SNMPv2-MIB::coldStart", written).varbinds == (expected,)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("sysName", "expected NAME=VALUE"),
        ("IF-MIB::ifOperStatus.3=asleep", "expected a number or one of up, down"),
        ("sysUpTime=long", "expected a number, got 'long'"),
        ("BGP4-MIB::bgpPeerRemoteAddr.1=::1", "expected an IPv4 address"),
        ("ENTITY-STATE-MIB::entStateAlarm.1=bad", "expected names of bits"),
    ],
)
def test_value_that_its_type_does_not_allow_is_refused(written, says) -> None:
    with pytest.raises(DescriptionError, match=says):
        trap("SNMPv2-MIB::coldStart", written)


def test_unknown_name_is_refused() -> None:
    with pytest.raises(MibError):
        trap("SNMPv2-MIB::coldStarts")
