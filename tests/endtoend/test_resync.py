"""A running `ocs up` asks net-snmp's `snmpd` what stands, and the alarm list follows, whatever traps were lost."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from ocs.faults.alarm import Alarm
from ocs.faults.notification import COLD_START
from tests.endtoend.alarm_list import COMMUNITY, alarm, taking_traps, trap_port
from tests.endtoend.lab import System, running, wait_until
from tests.support import net_snmp, snmp_agents
from tests.support.net_snmp import LINK_DOWN, needs_net_snmp
from tests.support.snmp_agents import free_port, needs_snmpd, snmpd

pytestmark = [needs_snmpd, needs_net_snmp, pytest.mark.bounded(120)]

TOPOLOGY = Path(__file__).parents[2] / "config" / "topology"
OPER_STATUS = "1.3.6.1.2.1.2.2.1.8"
# Every machine has a loopback interface that is up.
LOOPBACK_IS_DOWN = f"override {OPER_STATUS}.1 integer 2"


class Network:
    """A system that looks after one router, which is asked on a port of its own."""

    def __init__(self, system: System, port: int) -> None:
        self.system = system
        self.port = port

    async def resync(self) -> str:
        return await trio.to_thread.run_sync(self.system.command, "faults", "resync", "router7")

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        await trio.to_thread.run_sync(wait_until, condition, what)

    def alarm(self, resource: str, alarm_type: str = "link-down") -> Alarm:
        return alarm(self.system, resource, alarm_type)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("resync")
    port = free_port()
    topology = shutil.copytree(TOPOLOGY, folder / "topology")
    community = folder / "lookup"
    community.write_text(snmp_agents.COMMUNITY)
    community.chmod(0o600)
    (topology / "router.toml").write_text(
        '[[services]]\nname = "branch"\nuses = ["router7"]\nsubscribers = 42\n'
        '[[elements]]\nname = "router7"\naddresses = ["127.0.0.1"]\nheartbeat_s = 3600\n'
        'interfaces = [{ name = "lo", index = 1 }]\nuplinks = ["lo"]\n'
        f'agent = {{ port = {port}, community_file = "{community}" }}\n'
    )
    options = taking_traps(folder, OCS_FAULTS__TOPOLOGY=str(topology))
    with running(folder / "data", **options) as system:
        yield Network(system, port)


async def send(network: Network, folder: Path, trap: str, index: int, *, uptime: str = "12345678") -> None:
    columns = ((1, index), (7, 1), (8, 2))
    said = [
        word for column, value in columns for word in (f"1.3.6.1.2.1.2.2.1.{column}.{index}", "i", str(value))
    ]
    to = ["-v2c", "-c", COMMUNITY, f"127.0.0.1:{trap_port(network.system)}", uptime, trap]
    done = await net_snmp.run(folder, "snmpinform", *to, *said)
    assert done.returncode == 0, done.stderr


async def test_what_the_element_does_not_report_is_cleared_and_what_it_does_is_raised(
    network: Network, tmp_path: Path
) -> None:
    await send(network, tmp_path, LINK_DOWN, 4_711)
    assert not alarm(network.system, "router7/if/4711").is_cleared
    async with snmpd(tmp_path / "down", port=network.port, lines=(LOOPBACK_IS_DOWN,)):
        told = await network.resync()
        assert "alarms: the element has no such table" in told
        await network.until(lambda: network.alarm("router7/if/4711").is_cleared, "a clear")
        stands = alarm(network.system, "router7/if/1")
        assert not stands.is_cleared
        assert "Interface lo is down" in stands.text
        assert (stands.affected_services, stands.affected_subscribers) == (("branch",), 42)
    async with snmpd(tmp_path / "up", port=network.port):
        await network.resync()
        await network.until(lambda: network.alarm("router7/if/1").is_cleared, "a clear")
        assert network.alarm("router7/if/1").text == "Interface lo is up"


async def test_element_that_restarts_is_asked_without_being_told_to(network: Network, tmp_path: Path) -> None:
    async with snmpd(tmp_path / "up", port=network.port):
        await send(network, tmp_path, LINK_DOWN, 4_712)
        assert not alarm(network.system, "router7/if/4712").is_cleared
        await send(network, tmp_path, COLD_START, 1, uptime="10")
        await network.until(lambda: network.alarm("router7/if/4712").is_cleared, "a clear")


async def test_element_that_does_not_answer_is_told_until_it_does(network: Network, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="router7: it does not answer"):
        await network.resync()
    await network.until(lambda: not network.alarm("router7", "resync-failed").is_cleared, "an alarm")
    async with snmpd(tmp_path / "again", port=network.port):
        await network.resync()
        await network.until(lambda: network.alarm("router7", "resync-failed").is_cleared, "a clear")
