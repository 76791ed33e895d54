"""Datagrams that are patched say what they are meant to say, to a decoder that did not write them."""

import pytest

from ocs.faults.notification import Notification
from ocs.faults.snmp.engine import Received, TrapEngine
from ocs.faults.snmp.usm import UsmUser
from simulators.traps import notices
from simulators.traps.notices import Notice
from simulators.traps.packets import (
    V1,
    V2C,
    V3,
    PacketWriter,
    Speech,
    Templates,
    User,
    acknowledged_request_id,
    engine_id_of,
)
from tests.support.pysnmp_messages import read_v2c

REQUEST_ID = 123_456_789
PRIVATE = User("simulator", "authpass12", "privpass12")
SPEECHES = {
    "v1": Speech(V1),
    "v2c": Speech(V2C),
    "inform": Speech(V2C, is_inform=True),
    "v3 noAuthNoPriv": Speech(V3),
    "v3 authNoPriv": Speech(V3, user=User("simulator", "authpass12")),
    "v3 authPriv": Speech(V3, user=PRIVATE),
}
NOTICES = {
    "link": notices.link(3, "ge-3", is_up=False, padding=2),
    "neighbour": notices.neighbour("10.1.2.3", is_up=True),
    "card": notices.card("7", is_up=False),
    "fan": notices.fan(2, state=3),
    "start": notices.start(),
}


def received(octets: bytes, user: User, address: str = "127.255.0.1") -> Received:
    """What our engine makes of a datagram."""
    known = UsmUser(
        user.name,
        authentication="sha1" if user.authentication_password else "none",
        authentication_password=user.authentication_password.encode(),
        privacy="aes128" if user.privacy_password else "none",
        privacy_password=user.privacy_password.encode(),
    )
    engine = TrapEngine(
        engine_id=bytes.fromhex("80001f8804abcdef01"),
        boots=1,
        users=[known],
        accepts_community=lambda community: community == b"public",
        is_proxy=lambda _: True,
    )
    return engine.receive([(octets, address, 161)], 1_700_000_000_000, 100)


def notification(octets: bytes, user: User) -> Notification:
    found = received(octets, user)
    assert found.discards == []
    return found.notifications[0].notification


@pytest.mark.parametrize("notice", NOTICES.values(), ids=NOTICES)
@pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
# Of two, four and five octets in BER; the latter are patched into a template.
@pytest.mark.parametrize("uptime_ticks", [4_711, 20_000_000, (1 << 32) - 1])
def test_datagram_says_its_notice_in_every_version(speech: Speech, notice: Notice, uptime_ticks: int) -> None:
    writer = PacketWriter(speech, "127.255.0.1")
    for _ in range(2):  # the second from the template of the first
        found = notification(writer.write(notice, uptime_ticks, REQUEST_ID), speech.user)
        assert (found.trap_oid, found.uptime_ticks) == (notice.trap_oid, uptime_ticks)
        assert [varbind.name for varbind in found.varbinds] == [value.name for value in notice.values]
        assert found.source == "127.255.0.1"
        assert found.is_inform is speech.is_inform


def test_template_s_datagram_is_what_pysnmp_would_write() -> None:
    octets = PacketWriter(Speech(V2C), "127.0.0.9").write(NOTICES["link"], 20_000_000, REQUEST_ID)
    kind, community, request_id, error, varbinds = read_v2c(octets)
    assert (kind, community, request_id, error) == ("SNMPv2TrapPDU", b"public", REQUEST_ID, 0)
    assert varbinds[0] == ("1.3.6.1.2.1.1.3.0", 0x43, 20_000_000)
    assert varbinds[2] == ("1.3.6.1.2.1.2.2.1.1.3", 0x02, 3)


def test_uptime_wraps_while_the_engine_s_time_goes_on() -> None:
    writer = PacketWriter(Speech(V3, user=PRIVATE), "127.255.0.1")
    found = received(writer.write(NOTICES["card"], (1 << 32) + 20_000_000, REQUEST_ID), PRIVATE)
    assert found.notifications[0].notification.uptime_ticks == 20_000_000


def test_elements_share_templates_and_not_keys() -> None:
    speech = Speech(V3, user=PRIVATE)
    templates = Templates(speech)
    for address in ("127.0.0.7", "127.0.0.8"):
        octets = PacketWriter(speech, address, templates=templates).write(
            NOTICES["card"], 20_000_000, REQUEST_ID
        )
        assert notification(octets, PRIVATE).engine_id == engine_id_of(address)


def test_request_id_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="four octets"):
        PacketWriter(Speech(), "127.0.0.9").write(NOTICES["start"], 1, 7)


def test_acknowledgement_is_told_from_everything_else() -> None:
    speech = Speech(V2C, is_inform=True)
    octets = PacketWriter(speech, "127.255.0.1").write(NOTICES["link"], 20_000_000, REQUEST_ID)
    acknowledgement = received(octets, speech.user).notifications[0].acknowledgement
    assert acknowledgement is not None
    assert acknowledged_request_id(acknowledgement) == REQUEST_ID
    assert acknowledged_request_id(octets) is None
    assert acknowledged_request_id(acknowledgement[:-1]) is None
    assert acknowledged_request_id(b"") is None
    at = acknowledgement.index(b"\x02\x01\x00", 15)
    assert acknowledged_request_id(acknowledgement[: at + 2] + b"\x05" + acknowledgement[at + 3 :]) is None
