"""What net-snmp's tools really send arrives right, and what we answer is what they want."""

from pathlib import Path

import pytest
import trio

from ocs.faults.snmp.discard import DiscardReason
from ocs.faults.snmp.engine import Arrival
from tests.support import net_snmp
from tests.support.net_snmp import LINK_DOWN, PROTECTIONS, SAID, SENDER_ENGINE_ID, Protection, needs_net_snmp
from tests.support.snmp_listener import Listener, engine, listening

pytestmark = [needs_net_snmp, pytest.mark.bounded(120)]

IDS = [protection.user_name for protection in PROTECTIONS]
PRIVATE = Protection("sha1", "aes128")


def address_of(listener: Listener) -> str:
    return (
        f"udp6:[{listener.host}]:{listener.port}"
        if ":" in listener.host
        else f"{listener.host}:{listener.port}"
    )


async def sent(tool: str, folder: Path, listener: Listener, *arguments: str) -> Arrival:
    """What arrived after a tool sent all its kinds of varbinds, and ended well."""
    told = [*arguments, address_of(listener), "12345678", LINK_DOWN, *net_snmp.varbind_arguments()]
    done = await net_snmp.run(folder, tool, *told)
    assert done.returncode == 0, done.stderr
    return await listener.next()


def assert_all_said(arrival: Arrival) -> None:
    notification = arrival.notification
    assert notification.trap_oid == LINK_DOWN
    assert notification.uptime_ticks == 12_345_678
    assert [(varbind.name, varbind.syntax, varbind.value) for varbind in notification.varbinds] == list(SAID)


@pytest.mark.parametrize("protection", PROTECTIONS, ids=IDS)
async def test_trap_of_version_3_arrives_right_at_every_level(protection: Protection, tmp_path: Path) -> None:
    async with listening(engine(protection.user())) as listener:
        arrival = await sent(
            "snmptrap", tmp_path, listener, *protection.arguments(), "-e", SENDER_ENGINE_ID.hex()
        )
    assert_all_said(arrival)
    notification = arrival.notification
    assert (notification.version, notification.is_inform) == (3, False)
    assert notification.security_name == protection.user_name
    assert notification.security_level == protection.level
    assert notification.engine_id == SENDER_ENGINE_ID
    assert arrival.engine_boots == (-1 if protection.level == 1 else 1)
    assert not listener.replies and not listener.discards


@pytest.mark.parametrize("protection", PROTECTIONS, ids=IDS)
async def test_inform_of_version_3_is_acknowledged_at_every_level(
    protection: Protection, tmp_path: Path
) -> None:
    async with listening(engine(protection.user())) as listener:
        arrival = await sent("snmpinform", tmp_path, listener, *protection.arguments())
    assert_all_said(arrival)
    notification = arrival.notification
    assert (notification.version, notification.is_inform) == (3, True)
    assert notification.security_level == protection.level
    assert len(listener.replies) == 1, "the answer to discovery"
    assert not listener.discards, "a sender that asks who we are did nothing wrong"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_trap_and_inform_of_version_2c_arrive_right_over_ipv4_and_ipv6(
    host: str, tmp_path: Path
) -> None:
    async with listening(engine(), host) as listener:
        trap = await sent("snmptrap", tmp_path, listener, "-v2c", "-c", "public")
        inform = await sent("snmpinform", tmp_path, listener, "-v2c", "-c", "public")
    for arrival in (trap, inform):
        assert_all_said(arrival)
        notification = arrival.notification
        assert (notification.version, notification.security_name, notification.security_level) == (
            1,
            "public",
            1,
        )
        assert notification.source == notification.peer == host
    assert trap.acknowledgement is None and trap.inform_key is None
    assert inform.acknowledgement is not None and inform.inform_key is not None


@pytest.mark.parametrize(
    ("generic", "trap_oid"),
    [("0", "1.3.6.1.6.3.1.1.5.1"), ("5", "1.3.6.1.6.3.1.1.5.6"), ("6", "1.3.6.1.4.1.9.9.41.0.17")],
)
async def test_trap_of_version_1_is_translated(generic: str, trap_oid: str, tmp_path: Path) -> None:
    said = net_snmp.varbind_arguments(2)
    async with listening(engine(proxies=("127.0.0.1",))) as listener:
        head = ["1.3.6.1.4.1.9.9.41", "10.9.8.7", generic, "17", "4294967295"]
        done = await net_snmp.run(
            tmp_path, "snmptrap", "-v1", "-c", "public", address_of(listener), *head, *said
        )
        assert done.returncode == 0, done.stderr
        notification = (await listener.next()).notification
    assert notification.trap_oid == trap_oid
    assert notification.uptime_ticks == 4_294_967_295
    assert [varbind.value for varbind in notification.varbinds] == [7, b"ge-0/0/7"]
    assert (notification.source, notification.peer) == ("10.9.8.7", "127.0.0.1")
    assert notification.version == 0


@pytest.mark.parametrize(
    ("arguments", "reason", "said"),
    [
        (Protection("md5").arguments(), DiscardReason.UNKNOWN_USER, b"Unknown user name"),
        (
            ["-v3", "-u", PRIVATE.user_name, "-l", "noAuthNoPriv"],
            DiscardReason.UNSUPPORTED_LEVEL,
            b"Unsupported security level",
        ),
        ([*PRIVATE.arguments(), "-A", "anotherone"], DiscardReason.WRONG_DIGEST, b"Authentication failure"),
        ([*PRIVATE.arguments(), "-X", "anotherone"], DiscardReason.DECRYPTION, b"Decryption error"),
        ([*PRIVATE.arguments(), "-x", "DES"], DiscardReason.DECRYPTION, b"Decryption error"),
    ],
    ids=["user", "level", "password", "privacy-password", "privacy-protocol"],
)
async def test_sender_of_an_inform_hears_why_it_was_refused(
    arguments: list[str], reason: DiscardReason, said: bytes, tmp_path: Path
) -> None:
    async with listening(engine(PRIVATE.user())) as listener:
        told = [*arguments, "-r", "0", "-t", "5", address_of(listener), "1", LINK_DOWN]
        done = await net_snmp.run(tmp_path, "snmpinform", *told)
    assert done.returncode == 1
    assert said in done.stderr
    assert [discard.reason for discard in listener.discards] == [reason]


async def test_inform_with_clocks_of_a_former_life_is_told_ours_and_acknowledged(tmp_path: Path) -> None:
    async with listening(engine(PRIVATE.user())) as listener:
        arrival = await sent("snmpinform", tmp_path, listener, *PRIVATE.arguments(), "-Z", "2,500")
    assert_all_said(arrival)


@pytest.mark.parametrize("arguments", [["-v2c", "-c", "public"], PRIVATE.arguments()], ids=["v2c", "v3"])
async def test_inform_that_was_not_answered_comes_again_with_its_key_and_takes_its_own_acknowledgement(
    arguments: list[str], tmp_path: Path
) -> None:
    ends: list[int] = []

    async def inform(listener: Listener) -> None:
        told = [*arguments, "-r", "5", "-t", "0.2", address_of(listener), "1", LINK_DOWN]
        ends.append((await net_snmp.run(tmp_path, "snmpinform", *told)).returncode)

    async with listening(engine(PRIVATE.user())) as listener, trio.open_nursery() as nursery:
        listener.acknowledges = False
        nursery.start_soon(inform, listener)
        first, again = await listener.next(), await listener.next()
        listener.acknowledges = True
        assert again.inform_key == first.inform_key
    assert ends == [0]
