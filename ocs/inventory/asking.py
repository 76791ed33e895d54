"""Asks an element itself: which host key it presents, and what it consists of. Inside of an asyncio loop of ours."""

from typing import Any

import asyncssh
import msgspec
import trio

from ocs.asyncio_bridge import call_asyncio
from ocs.faults.resync.agent import Agent
from ocs.faults.resync.polling import PollError, polling
from ocs.inventory.discovery import SNMP_TABLES, Discovered, from_snmp
from ocs.inventory.errors import InventoryError
from ocs.limits import ELEMENT_CONNECT_TIMEOUT_S, RESYNC_TIMEOUT_S


class PresentedKey(msgspec.Struct, frozen=True):
    """A host key.

    Attributes:
        line: as OpenSSH writes it. fingerprint: ``SHA256:...``, as people compare it.
    """

    line: str
    fingerprint: str


async def presented_key(element: str, address: str, port: int) -> PresentedKey:
    """The host key that an element presents; nothing about it is believed yet.

    Raises:
        InventoryError: nothing there speaks SSH, or not in time.
    """
    try:
        with trio.fail_after(ELEMENT_CONNECT_TIMEOUT_S):
            key: Any = await call_asyncio(_host_key, address, port)
    except trio.TooSlowError:
        raise InventoryError(f"{element}: {address} port {port} does not answer") from None
    except (OSError, asyncssh.Error) as error:
        raise InventoryError(f"{element}: {address} port {port} presents no host key: {error}") from None
    if key is None:
        raise InventoryError(f"{element}: {address} port {port} presents no host key")
    line = " ".join(key.export_public_key("openssh").decode().split()[:2])
    return PresentedKey(line, key.get_fingerprint())


async def _host_key(address: str, port: int) -> Any:
    # Without any configuration of the user's own: what an element presents does not depend on who asks.
    return await asyncssh.get_server_host_key(address, port, config=None)


async def discovered_by_snmp(agent: Agent) -> list[Discovered]:
    """What an element's agent says that it consists of.

    Raises:
        InventoryError: it does not say, or not in time.
    """
    try:
        with trio.fail_after(RESYNC_TIMEOUT_S):
            async with polling(agent) as poll:
                found = [one for table in SNMP_TABLES for one in await poll.walk(table)]
    except trio.TooSlowError:
        raise InventoryError(f"{agent.element}: it does not say in time what it consists of") from None
    except PollError as error:
        raise InventoryError(f"{agent.element}: {error}") from None
    return from_snmp(agent.element, {one.name: one.value for one in found})
