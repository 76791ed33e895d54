"""SIGKILL of the process that takes informs, at any moment between receipt and acknowledgement, a hundred times.

Whatever was acknowledged to an element stands in the alarm list afterwards, and whatever was not is sent again until it
is. The elements are of two kinds: our simulator's, and net-snmp's `snmpinform` as one that we did not write.
"""

import subprocess
import threading
import time
from pathlib import Path
from random import Random

import pytest

from simulators.traps.notices import link
from simulators.traps.packets import V2C, PacketWriter, Speech
from simulators.traps.sender import Datagram, Sender
from tests.endtoend.alarm_list import (
    COMMUNITY,
    alarms,
    kill_network_process,
    network_process,
    taking_traps,
    trap_port,
)
from tests.endtoend.lab import System, running, wait_until
from tests.support.net_snmp import Protection, needs_net_snmp

pytestmark = [needs_net_snmp, pytest.mark.long]
KILLS = 100
# Informs between two kills: the kill falls anywhere among them.
BURST = 100
ELEMENTS = 8
# Of net-snmp's tool, which takes a process for each inform.
TOOL_KILLS = 10
TOOLS = 4
SEED = 20_261_122
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
PRIVATE = Protection("sha256", "aes128")


def burst(number: int) -> list[Datagram]:
    """Each inform is about an interface of its own: what is not in the list was lost."""
    speech = Speech(V2C, COMMUNITY, is_inform=True)
    found: list[Datagram] = []
    for position in range(BURST):
        index = 1 + number * BURST + position
        address = f"127.40.0.{1 + index % ELEMENTS}"
        request_id = (1 << 24) + index
        uptime_ticks = 20_000_000 + index * 10
        writer = PacketWriter(speech, address)
        found.append(
            Datagram(
                address,
                writer.write(link(index, f"ge-{index}", is_up=False), uptime_ticks, request_id),
                request_id,
            )
        )
    return found


class Killer(threading.Thread):
    """Kills the network process once, a moment after it is told to."""

    def __init__(self, system: System, delay_s: float) -> None:
        super().__init__()
        self._system = system
        self._delay_s = delay_s
        self.killed = False

    def run(self) -> None:
        time.sleep(self._delay_s)
        kill_network_process(self._system)
        self.killed = True


def test_what_was_acknowledged_is_in_the_list_after_a_hundred_kills(tmp_path: Path) -> None:
    random = Random(SEED)
    options = taking_traps(tmp_path, OCS_SNMP__TRAPS_PER_SOURCE_PER_S="0")
    expected: set[tuple[str, str]] = set()
    repeated = 0
    with running(tmp_path / "data", **options) as system:
        for number in range(KILLS):
            before = network_process(system).pid
            datagrams = burst(number)
            killer = Killer(system, random.uniform(0.0, 0.15))
            killer.start()
            with Sender(("127.0.0.1", trap_port(system)), timeout_s=0.5, retries=240) as sender:
                sender.play(datagrams, per_s=2_000)
            killer.join()
            assert killer.killed
            assert (sender.sent.lost, sender.sent.acknowledged) == ([], BURST)
            repeated += sender.sent.repeated
            expected |= {
                (f"{datagram.address}/if/{datagram.request_id - (1 << 24)}", "link-down")
                for datagram in datagrams
            }
            # The list is read from the store itself: nothing of the killed process can speak for it.
            assert expected <= set(alarms(system))
            wait_until(lambda before=before: network_process(system).pid != before, "another network process")
        found = alarms(system)
    assert repeated > 0, "no kill fell among informs: the test shows nothing"
    assert {key for key in found if key[0].startswith("127.40.0.")} == expected
    assert not any(found[key].is_cleared for key in expected)


def test_snmpinform_that_succeeded_while_its_receiver_was_killed_is_in_the_list(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SNMPCONFPATH": str(tmp_path), "MIBS": ""}
    who = [*PRIVATE.arguments(), "-r", "60", "-t", "1"]

    def inform(to: str, index: int) -> subprocess.Popen[bytes]:
        said = ["1000000", LINK_DOWN, f"1.3.6.1.2.1.2.2.1.1.{index}", "i", str(index)]
        return subprocess.Popen(["snmpinform", *who, to, *said], env=environment, stderr=subprocess.PIPE)

    with running(tmp_path / "data", **taking_traps(tmp_path, PRIVATE)) as system:
        to = f"127.0.0.1:{trap_port(system)}"
        succeeded: set[int] = set()
        for number in range(TOOL_KILLS):
            before = network_process(system).pid
            informs = {
                index: inform(to, index) for index in range(1 + number * TOOLS, 1 + (number + 1) * TOOLS)
            }
            kill_network_process(system)
            for index, tool in informs.items():
                tool.communicate()
                if tool.returncode == 0:
                    succeeded.add(index)
            assert {(f"127.0.0.1/if/{index}", "link-down") for index in succeeded} <= set(alarms(system))
            wait_until(lambda before=before: network_process(system).pid != before, "another network process")
    assert succeeded, "no inform was acknowledged: the test shows nothing"
