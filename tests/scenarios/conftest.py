"""One running system for all scenarios, on a catalogue of theirs; one gateway before it; Wireshark looking on."""

import os
from collections.abc import Callable, Iterator

import pytest

from ocs.clock import SystemClock
from ocs.rating import load_catalogue
from ocs.session_commands import tell_at_once
from ocs.settings_file import load_settings
from ocs.subscribers.service import SubscriberService
from simulators.system import lab_config
from tests.endtoend.lab import System, running
from tests.endtoend.wireshark import TSHARK, Capture, faults
from tests.scenarios.gateway import ScenarioGateway, connected
from tests.scenarios.play import Play
from tests.scenarios.scenario import FOLDER, Scenario

_OVERRIDES = {"OCS_CATALOGUE__PATH": str(FOLDER / "catalogue")}


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """`ocs up`; its log must stay free of tracebacks."""
    with running(tmp_path_factory.mktemp("scenarios") / "data", **_OVERRIDES) as system:
        yield system


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Capture]:
    """Everything that the scenarios send and hear; at their end Wireshark must find no fault in it."""
    capture = Capture()
    yield capture
    if TSHARK is not None and capture.packets:
        path = tmp_path_factory.mktemp("scenarios") / "scenarios.pcap"
        capture.write(path)
        assert faults(path) == []


@pytest.fixture(scope="session")
def scenario_gateway(system: System, capture: Capture) -> Iterator[ScenarioGateway]:
    """An open connection."""
    with connected(system.address, capture) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def perform(system: System, scenario_gateway: ScenarioGateway) -> Callable[[Scenario], None]:
    """Plays a scenario."""
    settings = load_settings(lab_config(), {**os.environ, **_OVERRIDES})
    service = SubscriberService(
        system.client,
        load_catalogue(FOLDER / "catalogue"),
        SystemClock(),
        on_change=tell_at_once(settings, system.data_dir),
    )
    return lambda scenario: Play(scenario, system, scenario_gateway, service).perform()
