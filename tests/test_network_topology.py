"""The topology that the settings mean."""

from pathlib import Path

import pytest

from ocs.cli import main
from ocs.network_topology import open_topology, policy_folder
from ocs.settings import FaultsSettings, Settings
from ocs.settings_file import load_settings

_CONFIG = Path(__file__).resolve().parents[1] / "config"


def test_topology_of_a_folder_and_of_the_inventory_are_the_same_network(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        main(["inventory", "import", str(_CONFIG / "topology"), "--data-dir", str(tmp_path)])
    files = open_topology(Settings(directory=_CONFIG), tmp_path)
    inventory = open_topology(
        Settings(faults=FaultsSettings(topology="inventory"), directory=_CONFIG), tmp_path
    )
    assert inventory.elements.keys() == files.elements.keys()
    assert inventory.services("core-1/card/2") == files.services("core-1/card/2") != ()


def test_policy_lies_beside_the_files_wherever_the_topology_comes_from(tmp_path: Path) -> None:
    inventory = Settings(faults=FaultsSettings(topology="inventory"), directory=tmp_path)
    assert policy_folder(inventory) == tmp_path / "topology"
    assert (
        policy_folder(Settings(faults=FaultsSettings(topology="net"), directory=tmp_path)) == tmp_path / "net"
    )


def test_inventory_is_accepted_in_place_of_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "ocs.toml"
    file.write_text('[faults]\ntopology = "inventory"\n')
    assert load_settings(file, {}).faults.topology == "inventory"
