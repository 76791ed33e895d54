"""net-snmp's `snmpd` as an agent that we did not write, and agents that misbehave."""

import shutil
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL

import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop
from ocs.faults.resync.agent import Agent, Secrets
from ocs.faults.resync.polling import PollError, polling
from tests.support.net_snmp import AUTHENTICATIONS, PASSWORD, PRIVACIES, PRIVACY_PASSWORD, Protection

needs_snmpd = pytest.mark.skipif(
    shutil.which("snmpd", path="/usr/sbin:/usr/bin") is None,
    reason="snmpd (Debian: snmpd) is not installed",
)

COMMUNITY = "lookup"
SYSTEM_UPTIME = "1.3.6.1.2.1.1.3.0"


def agent_at(
    port: int,
    *,
    element: str = "router7",
    secrets: Secrets | None = None,
    walks: tuple[str, ...] = ("alarms", "interfaces"),
) -> Agent:
    return Agent(element, "127.0.0.1", port, secrets or Secrets(community=COMMUNITY), ("127.0.0.1",), walks)


def secrets_of(protection: Protection) -> Secrets:
    return Secrets(
        user=protection.user_name,
        authentication=protection.authentication,
        authentication_password=PASSWORD if protection.level > 1 else "",
        privacy=protection.privacy,
        privacy_password=PRIVACY_PASSWORD if protection.level > 2 else "",
    )


def free_port() -> int:
    """A UDP port that was free a moment ago: snmpd does not tell which one it took."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _configuration(users: tuple[Protection, ...], lines: tuple[str, ...]) -> str:
    levels = ("noauth", "auth", "priv")
    written = [f"rocommunity {COMMUNITY} 127.0.0.1", *lines]
    for user in users:
        words = ["createUser", user.user_name]
        if user.level > 1:
            words += [AUTHENTICATIONS[user.authentication], PASSWORD]
        if user.level > 2:
            words += [PRIVACIES[user.privacy], PRIVACY_PASSWORD]
        written += [" ".join(words), f"rouser {user.user_name} {levels[user.level - 1]}"]
    return "\n".join(written) + "\n"


@asynccontextmanager
async def snmpd(
    folder: Path, *users: Protection, port: int = 0, lines: tuple[str, ...] = ()
) -> AsyncGenerator[int]:
    """A running snmpd with these users and further lines of its configuration; the port it is asked on."""
    folder.mkdir(exist_ok=True)
    configuration = folder / "snmpd.conf"
    configuration.write_text(_configuration(users, lines))
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "SNMPCONFPATH": str(folder),
        "SNMP_PERSISTENT_DIR": str(folder / "kept"),
        "MIBS": "",
    }
    port = port or free_port()
    command = [
        "snmpd",
        "-f",
        "-C",
        "-c",
        str(configuration),
        "-I",
        "-smux",
        "-r",
        "-Lf",
        str(folder / "snmpd.log"),
        f"udp:127.0.0.1:{port}",
    ]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            lambda task_status: trio.run_process(
                command,
                env=environment,
                stdout=DEVNULL,
                stderr=DEVNULL,
                check=False,
                task_status=task_status,
            )
        )
        try:
            await _answering(port)
            yield port
        finally:
            process.terminate()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _answering(port: int) -> None:
    """Wait until an agent answers."""
    with trio.fail_after(20):
        async with asyncio_loop():
            while not await _answers(port):
                await trio.sleep(0.05)


async def _answers(port: int) -> bool:
    try:
        async with polling(agent_at(port)) as poll:
            return bool(await poll.get(SYSTEM_UPTIME))
    except PollError:
        return False
