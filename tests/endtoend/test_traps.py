"""Scenarios of the trap simulator against a running `ocs up`, whose alarm list is read by HTTP.

The network process (ocs/network_process.py) takes the traps; nothing here looks past the sockets.
"""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from simulators.cli import main
from simulators.demo_faults import play_faults
from simulators.system import lab_config
from simulators.traps.alarm_list import AlarmList
from simulators.traps.network import metro_topology, read_network
from simulators.traps.packets import V1, V2C, V3, Speech, User
from simulators.traps.play import play
from simulators.traps.scenarios import SCENARIOS
from simulators.traps.sender import Sender
from tests.endtoend.alarm_list import (
    COMMUNITY,
    kill_network_process,
    network_process,
    taking_traps,
    trap_port,
)
from tests.endtoend.lab import PATIENCE_S, System, running, wait_until
from tests.support.net_snmp import PASSWORD, PRIVACY_PASSWORD, Protection

PRIVATE = Protection("sha1", "aes128")
USER = User(PRIVATE.user_name, PASSWORD, PRIVACY_PASSWORD)
SPEECHES = {
    "v1": Speech(V1, COMMUNITY),
    "v2c": Speech(V2C, COMMUNITY),
    "inform": Speech(V2C, COMMUNITY, is_inform=True),
    "v3 authPriv": Speech(V3, user=USER),
}
TOWERS = 60


@pytest.fixture(scope="module")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab's network and a city beside it."""
    folder = tmp_path_factory.mktemp("topology")
    for path in (lab_config().parent / "topology").iterdir():
        (folder / path.name).write_text(path.read_text())
    (folder / "metro.toml").write_text(metro_topology(TOWERS))
    return folder


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, topology: Path) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("traps")
    options = taking_traps(folder, PRIVATE, OCS_FAULTS__TOPOLOGY=str(topology))
    with running(folder / "data", **options) as system:
        yield system


def play_scenario(
    system: System,
    topology: Path,
    name: str,
    speech: Speech,
    *,
    count: int,
    duration_s: float = 0.0,
    seed: int = 7,
) -> None:
    story = SCENARIOS[name](read_network(topology), Random(seed), count)
    with Sender(("127.0.0.1", trap_port(system)), retries=30) as sender:
        alarms = AlarmList(system.listeners["http"])
        played = play(
            story,
            alarms,
            sender,
            speech,
            duration_s=duration_s,
            patience_s=PATIENCE_S,
            say=lambda _: None,
        )
    assert [expectation for expectation in played.expectations if not expectation.met] == []


@pytest.mark.parametrize("speech", SPEECHES.values(), ids=SPEECHES)
def test_fibre_cut_in_every_version_is_one_root_with_its_symptoms_and_then_all_is_cleared(
    system: System, topology: Path, speech: Speech
) -> None:
    play_scenario(system, topology, "fibre-cut", speech, count=300)


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"fibre-cut", "mixed", "storm"}))
def test_scenario_leaves_exactly_the_alarms_it_announces(system: System, topology: Path, name: str) -> None:
    play_scenario(system, topology, name, SPEECHES["v2c"], count=60)


def test_fibre_cut_of_5000_traps_in_10_seconds_is_itself_beside_a_babbling_neighbour(
    system: System, topology: Path
) -> None:
    # The babbler sends as many, above its ration; twice 5,000 for the cut, and once 4,000 for the splice.
    play_scenario(system, topology, "mixed", SPEECHES["v2c"], count=5_000, duration_s=18.0, seed=8)


def test_informs_of_a_fibre_cut_survive_the_death_of_the_process_that_takes_them(
    system: System, topology: Path
) -> None:
    before = network_process(system).pid
    kill_network_process(system)
    play_scenario(system, topology, "fibre-cut", SPEECHES["inform"], count=300, seed=9)
    wait_until(lambda: network_process(system).pid != before, "another network process")


def test_demo_of_a_fibre_cut_shows_one_alarm_with_its_symptoms_and_its_end(system: System) -> None:
    out = StringIO()
    target = ("127.0.0.1", trap_port(system))
    assert play_faults(
        Console(file=out, width=120), target=target, http=system.listeners["http"], duration_s=0.0
    )
    told = out.getvalue()
    assert "Interface ge-1/0 is down" in told and "more symptoms" in told
    assert "1,214 subscribers" in told


def test_command_ends_with_status_0_when_the_list_is_right_and_1_when_it_is_not(
    system: System, topology: Path, tmp_path: Path
) -> None:
    report = tmp_path / "junit.xml"
    options = ["traps", "--topology", str(topology), "--target", system.listeners["snmp"], "--count", "30"]
    right = [*options, "--http", system.listeners["http"], "--scenario", "card-failure", "--patience", "60"]
    assert main([*right, "--junit", str(report), "--json", str(tmp_path / "summary.json")]) == 0
    assert 'failures="0"' in report.read_text()
    assert main([*right, "--community", "guessed", "--patience", "0.5"]) == 1
    assert main([*options, "--http", "127.0.0.1:9"]) == 2
