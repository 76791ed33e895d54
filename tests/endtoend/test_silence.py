"""A running `ocs up` misses an element that should have sent something, and hears when it speaks again."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocs.faults.alarm import Severity
from ocs.faults.supervision.silence import SILENT_ELEMENT
from tests.endtoend.alarm_list import alarm, alarms, taking_traps, trap_port
from tests.endtoend.lab import System, running, wait_until
from tests.support.pysnmp_messages import v2c_message
from tests.support.snmp_sender import HEAD

TOPOLOGY = Path(__file__).parents[2] / "config" / "topology"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """It looks after an element on this machine, which should speak every second, and one that may be silent."""
    folder = tmp_path_factory.mktemp("silence")
    topology = shutil.copytree(TOPOLOGY, folder / "topology")
    (topology / "router.toml").write_text(
        '[[elements]]\nname = "router7"\naddresses = ["127.0.0.1"]\nheartbeat_s = 1\n'
        '[[elements]]\nname = "router8"\naddresses = ["127.0.0.2"]\n'
    )
    options = taking_traps(folder, OCS_FAULTS__TOPOLOGY=str(topology))
    with running(folder / "data", **options) as system:
        yield system


def test_element_that_misses_its_heartbeat_has_an_alarm_until_it_speaks_again(system: System) -> None:
    raised = alarm(system, "router7", SILENT_ELEMENT)
    assert (raised.severity, raised.is_cleared, raised.source) == (Severity.MAJOR, False, "router7")
    assert "It sent nothing in twice the 1 s" in raised.text
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as element:
        element.bind(("127.0.0.1", 0))

        def speaks_and_is_heard() -> bool:
            element.sendto(v2c_message(HEAD), ("127.0.0.1", trap_port(system)))
            return alarm(system, "router7", SILENT_ELEMENT).is_cleared

        wait_until(speaks_and_is_heard, "a clear of silent-element")
    cleared = alarm(system, "router7", SILENT_ELEMENT)
    assert cleared.text == "It sends notifications again"
    assert cleared.last_raised_ms < cleared.last_changed_ms

    def is_silent_again() -> bool:
        return not alarm(system, "router7", SILENT_ELEMENT).is_cleared

    wait_until(is_silent_again, "another silent-element")
    assert ("router8", SILENT_ELEMENT) not in alarms(system)
