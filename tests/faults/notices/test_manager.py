"""Alarms told to a manager above us, judged by net-snmp's snmptrapd and by our own receiver."""

from pathlib import Path

import msgspec
import pytest
import trio

from ocs.faults.alarm_change import ChangeKind
from ocs.faults.notices import manager
from ocs.faults.notices.manager import Manager, ManagerSender
from ocs.faults.notices.sender import NoticeFailedError
from ocs.faults.resync.agent import Secrets
from tests.support.alarms import alarm_of, change_of
from tests.support.trap_daemon import needs_snmptrapd, trap_daemon

pytestmark = pytest.mark.bounded(60)

A = alarm_of("router1/if/1", probable_cause=8, text="router1: no light")
COMMUNITY = Secrets(community="secret")


def sender(port: int, secrets: Secrets = COMMUNITY, *, is_inform: bool = True) -> ManagerSender:
    return ManagerSender(Manager(host="127.0.0.1", port=port, secrets=secrets, is_inform=is_inform))


@needs_snmptrapd
@pytest.mark.parametrize("is_inform", [True, False], ids=["inform", "trap"])
async def test_raise_and_clear_arrive_at_snmptrapd(tmp_path: Path, is_inform):
    async with trap_daemon(tmp_path, "authCommunity log secret") as daemon:
        over = msgspec.structs.replace(A, is_cleared=True)
        changes = [change_of(A), change_of(over, ChangeKind.CLEARED)]
        await sender(daemon.port, is_inform=is_inform).send(changes)
        text = await daemon.until(".1.3.6.1.2.1.118.0.3")
    assert ".1.3.6.1.6.3.1.1.4.1.0 = OID: .1.3.6.1.2.1.118.0.2" in text
    assert 'STRING: "router1/if/1: router1: no light"' in text
    assert text.count("OID: .0.0.12.114.111.117.116.101.114.49.47.105.102.47.49") == 2  # letter by letter


@needs_snmptrapd
async def test_inform_of_version_3_is_encrypted_and_acknowledged_by_snmptrapd(tmp_path: Path):
    user = "createUser noc SHA-256 authpass12 AES privpass12"
    secrets = Secrets("", "noc", "sha256", "authpass12", "aes128", "privpass12")
    async with trap_daemon(tmp_path, user, "authUser log noc priv") as daemon:
        await sender(daemon.port, secrets).send([change_of(A)])
        assert "no light" in await daemon.until("118.0.2")


async def test_manager_that_does_not_acknowledge_is_a_failure(monkeypatch):
    monkeypatch.setattr(manager, "MANAGER_TIMEOUT_S", 0.05)
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as silent:
        await silent.bind(("127.0.0.1", 0))
        with pytest.raises(NoticeFailedError, match=r"127\.0\.0\.1"):
            await sender(silent.getsockname()[1]).send([change_of(A)])
