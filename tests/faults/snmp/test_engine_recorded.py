"""What net-snmp sent once, read again: the same every time, with no program needed."""

import pytest

from ocs.faults.notification import COLD_START, LINK_DOWN, SNMP_TRAPS
from ocs.faults.snmp.engine import Received
from tests.support.net_snmp import PROTECTIONS, SAID, SENDER_ENGINE_ID
from tests.support.pysnmp_messages import read_v2c
from tests.support.snmp_listener import ENGINE_TIME_S, NOW_MS, engine
from tests.support.snmp_recordings import Recording, recordings

ALL = recordings()
NOTIFICATIONS = [recording for recording in ALL if recording.kind != "probe"]


def received(recording: Recording) -> Received:
    users = [recording.protection.user()] if recording.protection else []
    datagram = (recording.octets, "192.0.2.1", 50_000)
    return engine(*users).receive([datagram], NOW_MS, ENGINE_TIME_S)


@pytest.mark.parametrize("recording", NOTIFICATIONS, ids=[recording.name for recording in NOTIFICATIONS])
def test_recorded_notification_is_read_whole(recording: Recording) -> None:
    notifications, replies, discards = received(recording)
    assert not replies and not discards
    notification = notifications[0].notification
    assert notification.is_inform == (recording.kind == "inform")
    assert notification.received_ms == NOW_MS
    assert notification.peer == notification.source == "192.0.2.1"
    said = [(varbind.name, varbind.syntax, varbind.value) for varbind in notification.varbinds]
    if recording.case.startswith("v1"):
        generic = int(recording.case[-1])
        expected = "1.3.6.1.4.1.9.9.41.0.17" if generic == 6 else f"{SNMP_TRAPS}.{generic + 1}"
        assert (notification.version, notification.trap_oid) == (0, expected)
        assert notification.uptime_ticks == 4_294_967_295
        assert said == list(SAID[:2])
        return
    assert (notification.trap_oid, notification.uptime_ticks) == (LINK_DOWN, 12_345_678)
    if recording.protection is None:
        assert (notification.version, notification.security_name) == (1, "public")
    else:
        assert (notification.version, notification.security_name) == (3, recording.protection.user_name)
        assert notification.security_level == recording.protection.level
        if recording.kind == "trap":
            assert notification.engine_id == SENDER_ENGINE_ID
        else:  # the tool makes one for itself and names it as the context's
            assert notification.engine_id.startswith(bytes.fromhex("80001f8880"))
    if recording.case in {"v2c", "v3"}:
        assert said == list(SAID)
    elif recording.case == "v2c-without-varbinds":
        assert said == []
    else:
        assert said == [("1.3.6.1.4.1.9.7", 0x04, b"x" * 1_200), *SAID * 3]


def test_recordings_hold_every_version_level_and_protocol() -> None:
    assert {recording.protection for recording in ALL if recording.protection} == set(PROTECTIONS)
    assert {recording.case for recording in ALL} >= {"v2c", "v3", *(f"v1-generic-{n}" for n in range(7))}
    assert f"{SNMP_TRAPS}.1" == COLD_START


@pytest.mark.parametrize(
    "recording", [recording for recording in ALL if recording.kind == "probe"][:1], ids=["probe"]
)
def test_recorded_probe_gets_a_reply_and_is_no_fault_of_its_sender(recording: Recording) -> None:
    notifications, replies, discards = received(recording)
    assert not notifications and not discards
    assert len(replies) == 1


@pytest.mark.parametrize(
    "recording", [recording for recording in NOTIFICATIONS if recording.case.startswith("v2c")]
)
def test_pysnmp_reads_the_same_in_recorded_v2c(recording: Recording) -> None:
    name, community, _, status, varbinds = read_v2c(recording.octets)
    notification = received(recording).notifications[0].notification
    assert (name, status) == ("InformRequestPDU" if notification.is_inform else "SNMPv2TrapPDU", 0)
    assert community.decode() == notification.security_name
    assert varbinds[0] == ("1.3.6.1.2.1.1.3.0", 0x43, notification.uptime_ticks)
    assert varbinds[1] == ("1.3.6.1.6.3.1.1.4.1.0", 0x06, notification.trap_oid)
    assert varbinds[2:] == [
        (varbind.name, varbind.syntax, varbind.value) for varbind in notification.varbinds
    ]


def test_each_changed_octet_of_an_authentic_message_is_noticed() -> None:
    recording = next(found for found in ALL if found.name == "v3-trap-sha256-aes128")
    assert recording.protection is not None
    judge = engine(recording.protection.user())
    octets = recording.octets
    for at in range(len(octets)):
        changed = octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :]
        assert not judge.receive([(changed, "192.0.2.1", 1)], NOW_MS, ENGINE_TIME_S).notifications, at
    assert judge.receive([(octets, "192.0.2.1", 1)], NOW_MS, ENGINE_TIME_S).notifications
