"""What net-snmp's tools send to a running `ocs up`, in every version and at every security level, becomes its alarm.

A trap is asked for with `snmptrap`, an inform with `snmpinform`, whose success means that we said: it is stored.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endtoend.alarm_list import COMMUNITY, alarm, alarms, taking_traps, trap_port
from tests.endtoend.lab import System, running, wait_until
from tests.support import net_snmp
from tests.support.net_snmp import LINK_DOWN, PROTECTIONS, SENDER_ENGINE_ID, Protection, needs_net_snmp

pytestmark = [needs_net_snmp, pytest.mark.bounded(120)]

IDS = [protection.user_name for protection in PROTECTIONS]
LINK_UP = "1.3.6.1.6.3.1.1.5.4"
UPTIME = "12345678"
PRIVATE = Protection("sha256", "aes128")
# Each test has an interface of its own.
_interfaces = itertools.count(1_001)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`ocs up` on all addresses, IPv6 too, which lets in one community, all users, and one proxy."""
    folder = tmp_path_factory.mktemp("traps")
    options = taking_traps(
        folder, *PROTECTIONS, OCS_SNMP__HOST="::", OCS_SNMP__TRUSTED_PROXIES='["127.0.0.1"]'
    )
    with running(folder / "data", **options) as system:
        yield system


@pytest.fixture
def index() -> int:
    return next(_interfaces)


def said(index: int, oper_status: int = 2) -> list[str]:
    """The varbinds of IF-MIB's linkDown and linkUp."""
    entry = "1.3.6.1.2.1.2.2.1"
    columns = ((1, "i", index), (7, "i", 1), (8, "i", oper_status), (2, "s", f"ge-0/0/{index}"))
    return [
        word for column, kind, value in columns for word in (f"{entry}.{column}.{index}", kind, str(value))
    ]


async def send(system: System, folder: Path, tool: str, *arguments: str) -> None:
    done = await net_snmp.run(folder, tool, *arguments)
    assert done.returncode == 0, done.stderr


def assert_link_is_down(system: System, index: int, element: str = "127.0.0.1") -> None:
    found = alarm(system, f"{element}/if/{index}")
    assert not found.is_cleared
    assert f"ge-0/0/{index}" in found.text
    assert dict(found.details)["ifDescr"] == f"ge-0/0/{index}"


@pytest.mark.parametrize("protection", PROTECTIONS, ids=IDS)
async def test_trap_of_version_3_becomes_an_alarm_at_every_level(
    system: System, protection: Protection, tmp_path: Path, index: int
) -> None:
    to = f"127.0.0.1:{trap_port(system)}"
    who = [*protection.arguments(), "-e", SENDER_ENGINE_ID.hex()]
    await send(system, tmp_path, "snmptrap", *who, to, UPTIME, LINK_DOWN, *said(index))
    assert_link_is_down(system, index)


@pytest.mark.parametrize("protection", PROTECTIONS, ids=IDS)
async def test_inform_of_version_3_that_succeeds_is_stored_at_every_level(
    system: System, protection: Protection, tmp_path: Path, index: int
) -> None:
    to = f"127.0.0.1:{trap_port(system)}"
    await send(system, tmp_path, "snmpinform", *protection.arguments(), to, UPTIME, LINK_DOWN, *said(index))
    assert ("127.0.0.1/if/" + str(index), "link-down") in alarms(system), "acknowledged before it was stored"
    assert_link_is_down(system, index)


@pytest.mark.parametrize(("host", "element"), [("127.0.0.1:", "127.0.0.1"), ("udp6:[::1]:", "::1")])
async def test_trap_and_inform_of_version_2c_raise_and_clear_over_ipv4_and_ipv6(
    system: System, host: str, element: str, tmp_path: Path, index: int
) -> None:
    who = ["-v2c", "-c", COMMUNITY, f"{host}{trap_port(system)}"]
    await send(system, tmp_path, "snmptrap", *who, UPTIME, LINK_DOWN, *said(index))
    assert_link_is_down(system, index, element)
    later = str(int(UPTIME) + 100)
    await send(system, tmp_path, "snmpinform", *who, later, LINK_UP, *said(index, oper_status=1))
    found = alarms(system)[f"{element}/if/{index}", "link-down"]
    assert found.is_cleared and [change.severity.name for change in found.changes] == ["MAJOR", "CLEARED"]


@pytest.mark.parametrize(
    ("agent", "host", "element"),
    [
        (
            "10.255.0.1",
            "127.0.0.1:",
            "core-1",
        ),  # a trusted proxy says which element it is: the topology knows it
        ("10.99.0.1", "127.0.0.1:", "10.99.0.1"),
        ("10.255.0.1", "udp6:[::1]:", "::1"),  # nobody trusts this one's word
    ],
    ids=["proxy, known element", "proxy, stranger", "spoofed"],
)
async def test_trap_of_version_1_is_of_its_agent_when_a_trusted_proxy_says_so(
    system: System, agent: str, host: str, element: str, tmp_path: Path, index: int
) -> None:
    head = ["1.3.6.1.6.3.1.1.5", agent, "2", "0", UPTIME]
    who = ["-v1", "-c", COMMUNITY, f"{host}{trap_port(system)}"]
    await send(system, tmp_path, "snmptrap", *who, *head, *said(index))
    assert_link_is_down(system, index, element)


async def test_enterprise_trap_of_version_1_that_no_rule_knows_is_a_catch_all_alarm(
    system: System, tmp_path: Path
) -> None:
    head = ["1.3.6.1.4.1.4711.3", "10.99.0.2", "6", "17", UPTIME]
    who = ["-v1", "-c", COMMUNITY, f"127.0.0.1:{trap_port(system)}"]
    await send(system, tmp_path, "snmptrap", *who, *head, "1.3.6.1.4.1.4711.3.1", "s", "pump 3 is dry")
    found = wait_until(
        lambda: [one for one in alarms(system).values() if one.key.resource == "10.99.0.2"], "an alarm"
    )
    assert [one.is_catch_all for one in found] == [True]
    assert "pump 3 is dry" in {value for _, value in found[0].details}


@pytest.mark.parametrize(
    "arguments",
    [
        ["-v2c", "-c", "guessed"],
        ["-v3", "-u", "stranger", "-l", "noAuthNoPriv"],
        [*PRIVATE.arguments(), "-A", "wrong-password"],
        [*PRIVATE.arguments(), "-X", "wrong-password"],
    ],
    ids=["community", "user", "authentication password", "privacy password"],
)
async def test_inform_of_whom_we_do_not_know_fails_and_changes_only_the_alarm_that_says_so(
    system: System, arguments: list[str], tmp_path: Path, index: int
) -> None:
    to = ["-r", "0", "-t", "2", f"127.0.0.1:{trap_port(system)}"]
    done = await net_snmp.run(tmp_path, "snmpinform", *arguments, *to, UPTIME, LINK_DOWN, *said(index))
    assert done.returncode != 0
    assert not alarm(system, "127.0.0.1", "snmp-discard").is_cleared
    assert (f"127.0.0.1/if/{index}", "link-down") not in alarms(system)
