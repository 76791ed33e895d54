"""What an element says itself, asked over SSH and SNMP."""

from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ocs.asyncio_bridge import asyncio_loop, call_asyncio
from ocs.inventory.asking import discovered_by_snmp, presented_key
from ocs.inventory.errors import InventoryError
from tests.support.snmp_agents import agent_at, needs_snmpd, snmpd

pytestmark = [pytest.mark.bounded(60)]


async def test_key_is_the_one_that_the_server_presents() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")

    async def serve() -> Any:
        return await asyncssh.create_server(asyncssh.SSHServer, "127.0.0.1", 0, server_host_keys=[key])

    async with asyncio_loop():
        server = await call_asyncio(serve)
        presented = await presented_key("pe1", "127.0.0.1", server.get_port())
        server.close()
        await call_asyncio(server.wait_closed)
    assert presented.line == " ".join(key.export_public_key().decode().split()[:2])
    assert presented.fingerprint == key.get_fingerprint()
    assert presented.fingerprint.startswith("SHA256:")


async def test_nobody_there_is_one_line_naming_the_element(unused_tcp_port_holder: int) -> None:
    async with asyncio_loop():
        with pytest.raises(InventoryError, match=r"pe1: 127\.0\.0\.1 port") as refused:
            await presented_key("pe1", "127.0.0.1", unused_tcp_port_holder)
    assert "\n" not in str(refused.value)


@pytest.fixture
def unused_tcp_port_holder() -> Any:
    """A port that is bound and on which nobody listens."""
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@needs_snmpd
async def test_agent_says_which_interfaces_there_are(tmp_path: Path) -> None:
    async with snmpd(tmp_path) as port, asyncio_loop():
        found = await discovered_by_snmp(agent_at(port, element="host"))
    names = {one.resource_id: one for one in found}
    assert names["host/if/lo"].attributes["index"] == 1


@needs_snmpd
async def test_agent_that_does_not_answer_is_told(unused_tcp_port_holder: int) -> None:
    async with asyncio_loop():
        with pytest.raises(InventoryError, match="host: it does not answer"):
            await discovered_by_snmp(agent_at(unused_tcp_port_holder, element="host"))
